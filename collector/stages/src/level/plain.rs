//! The level in a line that is not JSON: a prefix of a known form, else the first word in level position.

use std::sync::LazyLock;

use super::{HEAD, Level, json};
use crate::prefilter::Prefilter;

const ESC: u8 = 0x1b;

/// What every word in [`Level::from_long_word`] and every key in `json::of_key` holds, in the cases that count here. Short
/// forms in small letters (`err=`, `inf`) count as the values of keys only.
static WORDS: LazyLock<Prefilter> = LazyLock::new(|| {
    Prefilter::new(&[
        "race", "ebug", "nfo", "arn", "rror", "evere", "atal", "anic", "ritical", "crit", "otice", "lert",
        "merg", "evel", "everity", "lvl", "LVL", "TRA", "TRC", "DEB", "DBG", "INF", "WAR", "WRN", "ERR",
        "FATAL", "FTL", "CRIT", "PANIC", "NOTICE", "ALERT", "EMERG", "SEVER", "FINE", "LEVEL", "LOG:",
    ])
});

pub(super) fn detect(line: &[u8]) -> Option<Level> {
    let head = &line[..line.len().min(HEAD)];
    if let Some(level) = prefix(head) {
        return Some(level);
    }
    let mut at = 0;
    while let Some(found) = WORDS.find(head, at) {
        let mut start = found.start();
        // No word or key is longer than this, so a longer run is none.
        while start > found.start().saturating_sub(16) && is_word(head[start - 1]) {
            start -= 1;
        }
        let mut end = found.end() - usize::from(head[found.end() - 1] == b':');
        while end < head.len() && is_word(head[end]) {
            end += 1;
        }
        if end - start <= 20 {
            start += colour(&head[..end], start);
            if let Some(level) = word(head, start, end) {
                return Some(level);
            }
        }
        at = end;
    }
    None
}

/// Letters, digits, and what joins them to one word.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | 0x80..)
}

/// How much of a word is the end of a colour that touches it (`ESC [ 1 ; 31 m`).
fn colour(head: &[u8], start: usize) -> usize {
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = start > 1 && matches!(head[start - 1], b'[' | b';') && head[..start].contains(&ESC);
    if behind && head.get(start + digits) == Some(&b'm') { digits + 1 } else { 0 }
}

/// klog, syslog, tornado and Redis, which put it in one letter or number; ASP.NET, whose words are its own.
fn prefix(head: &[u8]) -> Option<Level> {
    match head[0] {
        b'I' | b'W' | b'E' | b'F' | b'D' => {
            let klog = head.get(1..9)?;
            let digits = klog[..4].iter().chain(&klog[5..7]).all(u8::is_ascii_digit);
            (digits && klog[4] == b' ' && klog[7] == b':').then(|| Level::from_letter(head[0]))?
        }
        b'<' => {
            let length = head[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=3).contains(&length) || head.get(1 + length) != Some(&b'>') {
                return None;
            }
            let priority = head[1..=length].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
            (priority <= 191).then(|| Level::from_syslog(priority))
        }
        b'[' => {
            let [b'[', letter, b' ', b'0'..=b'9', b'0'..=b'9', ..] = head else { return None };
            Level::from_letter(*letter).filter(|_| letter.is_ascii_uppercase())
        }
        b'0'..=b'9' => redis(head),
        b'f' if head.starts_with(b"fail: ") => Some(Level::Error),
        b'd' if head.starts_with(b"dbug: ") => Some(Level::Debug),
        b't' if head.starts_with(b"trce: ") => Some(Level::Trace),
        _ => None,
    }
}

/// `1:M 21 Nov 2026 10:00:00.123 * Ready`: the sign behind the time.
fn redis(head: &[u8]) -> Option<Level> {
    let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let [b':', b'M' | b'S' | b'X' | b'C', b' ', rest @ ..] = &head[digits..] else { return None };
    let mut words = rest.split(|byte| *byte == b' ').take(5);
    let sign = words.find(|word| matches!(word, [sign] if !sign.is_ascii_digit()))?;
    match sign {
        b"." | b"-" => Some(Level::Debug),
        b"*" => Some(Level::Info),
        b"#" => Some(Level::Warn),
        _ => None,
    }
}

/// The level that the word `start..end` says where it stands.
fn word(head: &[u8], start: usize, end: usize) -> Option<Level> {
    let text = &head[start..end];
    let before = start.checked_sub(1).map(|at| head[at]);
    let after = head.get(end).copied();
    if let Some(value) = value_behind(head, end)
        && matches!(before, None | Some(b' ' | b'\t' | b'"' | b'\'' | b'{' | b'(' | b'[' | b',' | b';'))
        && let Some(level) = json::of_key(text, &head[value..]).filter(|_| text != b"s")
    {
        return Some(level);
    }
    let level = match Level::from_long_word(text) {
        Some(level) => level,
        // PostgreSQL's own word for what is normal.
        None if text == b"LOG" && after == Some(b':') => Level::Info,
        None => return None,
    };
    let capitals = text.iter().all(u8::is_ascii_uppercase);
    let hit = bracketed(head, start, end)
        || (capitals && behind_capitals(after) && !in_prose(head, start))
        || (after == Some(b':')
            && begins(head, start)
            && !matches!(head.get(end + 1), Some(b':' | b'/' | b'0'..=b'9')));
    hit.then_some(level)
}

/// Where the value begins, if the word before `end` is a key: `level=`, `level: `, `"level": `, `\"level\":`.
fn value_behind(head: &[u8], end: usize) -> Option<usize> {
    let mut at = end;
    while matches!(head.get(at), Some(b'"' | b'\\')) {
        at += 1;
    }
    let spaces = |at: usize| head[at..].iter().take_while(|byte| **byte == b' ').count();
    match head.get(at)? {
        b'=' | b':' => Some(at + 1 + spaces(at + 1)),
        _ => None,
    }
}

/// Whether the word stands alone in brackets; a module may precede it (`[core:error]`).
fn bracketed(head: &[u8], start: usize, end: usize) -> bool {
    let spaces_behind = head[end..].iter().take_while(|byte| **byte == b' ').count();
    let close = match head.get(end + spaces_behind) {
        Some(b']') => b'[',
        Some(b')') => b'(',
        Some(b'>') => b'<',
        Some(b'|') => b'|',
        _ => return false,
    };
    let mut before = head[..start].iter().rev().skip_while(|byte| **byte == b' ');
    match before.next() {
        Some(b':') if close == b'[' => {
            before.find(|byte| !byte.is_ascii_alphanumeric() && **byte != b'_') == Some(&b'[')
        }
        Some(open) => *open == close,
        None => false,
    }
}

fn behind_capitals(after: Option<u8>) -> bool {
    matches!(
        after,
        None | Some(b' ' | b'\t' | b':' | b']' | b'|' | b'/' | b'-' | b',' | b')' | b'>' | b'\n' | ESC)
    )
}

/// Whether a word in letters alone stands before `start`, as in "NO ERROR FOUND". A zone or a thread's name behind a time
/// (`10:00:00 UTC ERROR`, `12:00 main ERROR`) is no prose.
fn in_prose(head: &[u8], start: usize) -> bool {
    let before = head[..start].trim_ascii_end();
    let Some(last) = before.last() else { return false };
    if before.len() == start {
        // Nothing but a space, a bracket or a stroke may touch it on the left.
        return !matches!(last, b'[' | b'(' | b'|' | b'<' | b':' | b'-' | b'"' | b']' | b'm');
    }
    if !last.is_ascii_alphabetic() {
        return matches!(last, b',' | b';' | b'=' | b'\'') || *last >= 0x80;
    }
    let word = before.iter().rev().take_while(|byte| !byte.is_ascii_whitespace()).count();
    let letters = before[before.len() - word..].iter().all(u8::is_ascii_alphabetic);
    let earlier = before[..before.len() - word].trim_ascii_end();
    // A name with a digit, a dot or a stroke in it is a host, a logger or a thread.
    letters && !earlier.last().is_some_and(u8::is_ascii_digit)
}

/// Whether a message can begin at `start`: at the line's beginning, or behind a header's end.
fn begins(head: &[u8], start: usize) -> bool {
    let before = head[..start].trim_ascii_end();
    match before.last() {
        None => true,
        Some(_) if before.len() == start => false,
        Some(last) => matches!(last, b':' | b']' | b'|' | b'-' | b'>' | b')') || last.is_ascii_digit(),
    }
}
