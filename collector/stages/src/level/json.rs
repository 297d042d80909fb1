//! The level in a line of JSON: a walk over the keys of the outermost object that stops at the first hit.

use std::sync::LazyLock;

use super::Level;
use crate::prefilter::Prefilter;

/// How far the walk goes: some loggers write the message before the level.
const BOUND: usize = 1024;

/// What every key in [`of_key`] holds: a line without any of them is not walked.
static KEYS: LazyLock<Prefilter> = LazyLock::new(|| {
    Prefilter::new(&[
        "evel", "EVEL", "everity", "EVERITY", "lvl", "LVL", "Lvl", "riority", "RIORITY", "@l\"", "\"s\"",
    ])
});

pub(super) fn detect(line: &[u8]) -> Option<Level> {
    let line = &line[..line.len().min(BOUND)];
    KEYS.find(line, 0)?;
    let mut depth = 0_u32;
    // At depth 2, whether the object is the value of `log`.
    let mut in_log = false;
    let mut last_key: &[u8] = b"";
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                in_log = depth == 2 && byte == b'{' && last_key == b"log";
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                in_log = false;
            }
            b'"' => {
                let text = string(line, at)?;
                at += text.len() + 1;
                if depth > 2 || (depth == 2 && !in_log) {
                    continue;
                }
                let Some(value) = value_after(line, at) else { continue };
                if depth == 1 {
                    last_key = text;
                } else if text != b"level" {
                    continue;
                }
                if let Some(level) = of_key(text, &line[value..]) {
                    return Some(level);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text of a string from behind its opening quote, as it is written.
fn string(line: &[u8], from: usize) -> Option<&[u8]> {
    let mut at = from;
    loop {
        match line.get(at)? {
            b'"' => return Some(&line[from..at]),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where the value begins, if the string that ends before `at` is a key.
fn value_after(line: &[u8], at: usize) -> Option<usize> {
    let colon = at + skip_spaces(line.get(at..)?);
    if line.get(colon) != Some(&b':') {
        return None;
    }
    Some(colon + 1 + skip_spaces(&line[colon + 1..]))
}

fn skip_spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The level that a key with this value says; the value may go on behind its end.
pub(super) fn of_key(key: &[u8], value: &[u8]) -> Option<Level> {
    // Most keys are none of these: one look at the length and the first letter.
    if !(1..=15).contains(&key.len()) || !matches!(key[0] | 0x20, b'l' | b's' | b'p' | b'`') {
        return None;
    }
    let mut lower = [0; 15];
    let lower = &mut lower[..key.len()];
    for (to, from) in lower.iter_mut().zip(key) {
        *to = from.to_ascii_lowercase();
    }
    match &*lower {
        b"level" | b"severity" | b"lvl" | b"loglevel" | b"log_level" | b"log.level" | b"levelname"
        | b"level_name" | b"severitytext" | b"severity_text" | b"@level" | b"@l" | b"log-level" => {
            word_of(value).map_or_else(|| Level::from_number(number_of(value)?), Level::from_word)
        }
        // Python's levels, which count otherwise than pino's.
        b"levelno" => match number_of(value)? {
            10 => Some(Level::Debug),
            20 => Some(Level::Info),
            30 => Some(Level::Warn),
            40 => Some(Level::Error),
            50 => Some(Level::Critical),
            _ => None,
        },
        b"severitynumber" | b"severity_number" => Level::from_otel(number_of(value)?),
        // journald's.
        b"priority" => number_of(value).filter(|number| *number <= 7).map(Level::from_syslog),
        // MongoDB's: "I", "W", or "D1" to "D5".
        b"s" => match word_of(value)? {
            [letter @ (b'I' | b'W' | b'E' | b'F')] => Level::from_letter(*letter),
            [b'D', b'1'..=b'5'] => Some(Level::Debug),
            _ => None,
        },
        _ => None,
    }
}

/// The word at the beginning of a value, with or without quotes.
fn word_of(value: &[u8]) -> Option<&[u8]> {
    let quoted = value.iter().take_while(|byte| matches!(byte, b'"' | b'\'' | b'\\')).count().min(2);
    let word = &value[quoted..];
    let length = word.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    (length > 0 && word[0].is_ascii_alphabetic()).then(|| &word[..length])
}

/// The number at the beginning of a value, with or without quotes.
fn number_of(value: &[u8]) -> Option<u32> {
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let length = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&length) {
        return None;
    }
    Some(value[..length].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}
