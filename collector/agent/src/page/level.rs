//! The level of a log line, guessed from its first words, for colour only.

use serde::Serialize;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something may not work soon.
    Warn,
    /// What happens.
    Info,
    /// What happens, in detail.
    Debug,
}

/// How far into the line is looked, in bytes.
const HEAD: usize = 256;

/// The level of `line`, if it says one: `level=warn`, `"severity":"ERROR"`, `[error]`, `WARN`, klog's `E0102`, syslog's
/// `<3>`.
pub fn detect(line: &str) -> Option<Level> {
    let head = line.as_bytes().get(..HEAD).unwrap_or(line.as_bytes());
    if let Some(level) = syslog(head).or_else(|| klog(head)) {
        return Some(level);
    }
    let mut bare = None;
    let mut at = 0;
    while at < head.len() {
        if !head[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let length = head[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let word = &head[at..at + length];
        if let Some(level) = of_word(word) {
            if named(&head[..at]) {
                return Some(level);
            }
            // A lower-case word alone may be prose: "no error".
            let bracketed = at > 0 && head[at - 1] == b'[' && head.get(at + length) == Some(&b']');
            if bare.is_none() && (bracketed || word.iter().all(u8::is_ascii_uppercase)) {
                bare = Some(level);
            }
        }
        at += length;
    }
    bare
}

fn of_word(word: &[u8]) -> Option<Level> {
    let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()));
    if is(&["error", "err", "fatal", "critical", "crit", "panic", "alert", "emerg", "severe"]) {
        Some(Level::Error)
    } else if is(&["warn", "warning"]) {
        Some(Level::Warn)
    } else if is(&["info", "notice", "information"]) {
        Some(Level::Info)
    } else if is(&["debug", "trace", "verbose"]) {
        Some(Level::Debug)
    } else {
        None
    }
}

/// Whether what stands before a word gives it a name like `level=` or `"level": "`.
fn named(before: &[u8]) -> bool {
    let key = before.trim_ascii_end();
    let key = key.strip_suffix(b"\"").unwrap_or(key).trim_ascii_end();
    let Some(key) = key.strip_suffix(b"=").or_else(|| key.strip_suffix(b":")) else { return false };
    let key = key.strip_suffix(b"\"").unwrap_or(key);
    [&b"level"[..], b"lvl", b"severity", b"loglevel", b"log_level"]
        .iter()
        .any(|name| key.len() >= name.len() && key[key.len() - name.len()..].eq_ignore_ascii_case(name))
}

/// `<PRI>` of RFC 5424: severity is what is left of a division by 8.
fn syslog(head: &[u8]) -> Option<Level> {
    let rest = head.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || rest.get(digits) != Some(&b'>') {
        return None;
    }
    let priority = rest[..digits].iter().fold(0_u32, |n, b| n * 10 + u32::from(b - b'0'));
    Some(match priority % 8 {
        0..=3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    })
}

/// `E0102 15:04:05`: a letter, month and day.
fn klog(head: &[u8]) -> Option<Level> {
    let (letter, rest) = head.split_first()?;
    if rest.len() < 5 || !rest[..4].iter().all(u8::is_ascii_digit) || rest[4] != b' ' {
        return None;
    }
    match letter {
        b'E' | b'F' => Some(Level::Error),
        b'W' => Some(Level::Warn),
        b'I' => Some(Level::Info),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_programs_write_them() {
        for (line, level) in [
            ("ts=1 level=warn msg=\"no error\"", Some(Level::Warn)),
            ("{\"time\":1,\"level\": \"error\",\"msg\":\"x\"}", Some(Level::Error)),
            ("{\"severity\":\"NOTICE\"}", Some(Level::Info)),
            ("2026-01-02 03:04:05 ERROR could not", Some(Level::Error)),
            ("[debug] one", Some(Level::Debug)),
            ("W0102 15:04:05.000000 1 x.go:1] y", Some(Level::Warn)),
            ("<11>1 2026-01-02T03:04:05Z host app", Some(Level::Error)),
            ("<30>Jan  2 host app", Some(Level::Info)),
            ("there was no error and no warning", None),
            ("ERRORS=0 done", None),
            ("", None),
        ] {
            assert_eq!(detect(line), level, "{line}");
        }
    }

    #[test]
    fn only_the_head_of_a_line_is_looked_at() {
        assert_eq!(detect(&format!("{} ERROR", "x".repeat(HEAD))), None);
        assert_eq!(detect(&"é".repeat(HEAD)), None);
    }
}
