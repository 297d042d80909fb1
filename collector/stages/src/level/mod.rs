//! The level of a log line, as Loki's `detected_level` names it.
//!
//! [`detect`] looks where programs write their level, never anywhere else: "no error found" has none. The rules, the
//! first that hits decides:
//!
//! 1. A line that begins `{"` is JSON: the keys `level`, `severity`, `lvl`, … of the outermost object, `level` in an
//!    object `log`, and nothing else of it.
//! 2. A prefix: klog and glog (`E0102 15:04:05.000000`), a syslog priority (`<34>`), tornado (`[E 261121 …`), Redis
//!    (`1:M 21 Nov … #`).
//! 3. In the first [`HEAD`] bytes: a key (`level=error`, `"severity": "ERROR"`); a word alone in brackets (`[error]`,
//!    `[core:error]`, `|WARN|`) in any case; a word in capitals that no prose word precedes (` ERROR `, `WARNING:root:`);
//!    a word in any case with a colon behind it, at the line's beginning or behind what ends a header
//!    (`error: …`, `sshd[1]: error: …`).

mod json;
mod plain;

/// How many bytes of a line that is not JSON are looked at.
pub const HEAD: usize = 200;

/// A level; the names are those of Loki's `detected_level`. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Finer than debug.
    Trace,
    /// For the developer.
    Debug,
    /// Normal; syslog's notice and PostgreSQL's LOG too.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
    /// Something failed for all; syslog's critical and alert.
    Critical,
    /// The program ends; syslog's emergency too.
    Fatal,
}

/// What `detected_level` says of a line without a level.
pub const UNKNOWN: &str = "unknown";

impl Level {
    /// All of them, the most usual first.
    pub const ALL: [Self; 7] =
        [Self::Info, Self::Debug, Self::Warn, Self::Error, Self::Trace, Self::Critical, Self::Fatal];

    /// Its name as Loki writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Fatal => "fatal",
        }
    }

    /// The level that a word names, in any case: `WARNING`, `err`, `notice`, also one letter (`E`). None for any other
    /// word. For the value of a field that is known to hold a level.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        if let [letter] = word {
            return Self::from_letter(*letter);
        }
        Self::from_long_word(word)
    }

    /// As [`Level::from_word`], without single letters.
    fn from_long_word(word: &[u8]) -> Option<Self> {
        let mut lower = [0; 13];
        let lower = lower.get_mut(..word.len())?;
        for (to, from) in lower.iter_mut().zip(word) {
            *to = from.to_ascii_lowercase();
        }
        Some(match &*lower {
            b"trace" | b"trc" | b"trce" | b"finest" | b"finer" | b"verbose" => Self::Trace,
            b"debug" | b"dbg" | b"dbug" | b"fine" => Self::Debug,
            b"info" | b"inf" | b"information" | b"informational" | b"notice" => Self::Info,
            b"warn" | b"wrn" | b"warning" => Self::Warn,
            b"error" | b"err" | b"eror" | b"severe" => Self::Error,
            b"critical" | b"crit" | b"alert" => Self::Critical,
            b"fatal" | b"ftl" | b"panic" | b"dpanic" | b"emerg" | b"emergency" => Self::Fatal,
            _ => return None,
        })
    }

    fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter.to_ascii_uppercase() {
            b'T' | b'V' => Self::Trace,
            b'D' => Self::Debug,
            b'I' => Self::Info,
            b'W' => Self::Warn,
            b'E' => Self::Error,
            b'C' => Self::Critical,
            b'F' => Self::Fatal,
            _ => return None,
        })
    }

    /// The level of a number in a field named `level` or `severity`: 0 to 7 as in syslog and GELF, from 10 to 69 as
    /// bunyan and pino number them (30 is info).
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            0..=7 => Some(Self::from_syslog(number)),
            10..=69 => Some(match number / 10 {
                1 => Self::Trace,
                2 => Self::Debug,
                3 => Self::Info,
                4 => Self::Warn,
                5 => Self::Error,
                _ => Self::Fatal,
            }),
            _ => None,
        }
    }

    /// The level of a syslog severity or priority (RFC 5424, 6.2.1): its lowest three bits.
    pub const fn from_syslog(priority: u32) -> Self {
        match priority & 7 {
            0 => Self::Fatal,
            1 | 2 => Self::Critical,
            3 => Self::Error,
            4 => Self::Warn,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The level of OpenTelemetry's severity number, 1 to 24.
    pub const fn from_otel(number: u32) -> Option<Self> {
        Some(match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => return None,
        })
    }
}

/// The level that the line itself names, by the rules above.
pub fn detect(line: &[u8]) -> Option<Level> {
    let start = line.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let line = &line[start..];
    match (line[0], line.get(1)) {
        (b'{', Some(b'"' | b' ' | b'\n')) => json::detect(line),
        _ => plain::detect(line),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
