//! Docker's logging driver `json-file`: an object a line, `{"log":"…\n","stream":"stderr","time":"…"}`.
//!
//! A line longer than 16 KiB is split into records whose `log` does not end in `\n`. With labels, variables or a tag to
//! log there is a member `attrs` as well. See `daemon/logger/jsonfilelog` of Docker's engine.

use std::borrow::Cow;

use super::instant::{self, Instants};
use super::{Part, Stream};
use crate::json::{self, Value};

/// What Docker's records begin with.
const HEAD: &str = "{\"log\":\"";

/// How nearly all of them end: behind a whole line, with a time of nine digits in UTC, which is [`TIME`] bytes long.
const STDOUT: &[u8; 30] = b"\\n\",\"stream\":\"stdout\",\"time\":\"";
const STDERR: &[u8; 30] = b"\\n\",\"stream\":\"stderr\",\"time\":\"";
const TIME: usize = 30;

/// The record that `line` is; `None` when it is not JSON, or has no text `log`. `times` reads its time.
pub fn part<'a>(line: &'a str, times: &mut Instants) -> Option<Part<'a>> {
    usual(line, times).or_else(|| any(line))
}

/// Whose record `line` is, and whether a line ends with it; `None` when it is none.
pub fn place(line: &[u8]) -> Option<(Option<Stream>, bool)> {
    if let Some((log, stream, _)) = frame(line) {
        return Some((Some(stream), ends(log)));
    }
    let part = any(std::str::from_utf8(line).ok()?)?;
    Some((part.stream, part.ends))
}

/// What is in `log`, the stream and where the time stands, of a record that looks as Docker writes it without `attrs`. It is
/// found from the end, at a cost that does not depend on the record's length. It may yet not be JSON.
#[inline]
fn frame(line: &[u8]) -> Option<(&[u8], Stream, std::ops::Range<usize>)> {
    let rest = line.strip_prefix(HEAD.as_bytes())?.strip_suffix(b"\"}")?;
    if let Some((rest, time)) = rest.split_last_chunk::<TIME>()
        && let Some((log, names)) = rest.split_last_chunk::<30>()
        && (names == STDOUT || names == STDERR)
        && !time.contains(&b'"')
    {
        let stream = if names == STDOUT { Stream::Stdout } else { Stream::Stderr };
        let end = line.len() - 2;
        // With the escaped line feed.
        return Some((&line[HEAD.len()..HEAD.len() + log.len() + 2], stream, end - TIME..end));
    }
    framed(line, rest)
}

/// The same of any length.
fn framed<'a>(line: &[u8], rest: &'a [u8]) -> Option<(&'a [u8], Stream, std::ops::Range<usize>)> {
    // A time has 35 bytes at most.
    let from = rest.len().saturating_sub(64);
    let quote = from + memchr::memrchr(b'"', &rest[from..])?;
    let (rest, time) = (&rest[..quote], HEAD.len() + quote + 1..line.len() - 2);
    let rest = rest.strip_suffix(b"\",\"time\":")?;
    let (rest, stream) = match rest.strip_suffix(b"stdout") {
        Some(rest) => (rest, Stream::Stdout),
        None => (rest.strip_suffix(b"stderr")?, Stream::Stderr),
    };
    Some((rest.strip_suffix(b"\",\"stream\":\"")?, stream, time))
}

/// Whether what is in `log` ends with an escaped line feed.
fn ends(log: &[u8]) -> bool {
    let escape = log.strip_suffix(b"n").or_else(|| log.strip_suffix(b"u000a")).unwrap_or_default();
    // Behind an escaped backslash they are letters.
    escape.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// A record as Docker writes it.
fn usual<'a>(line: &'a str, times: &mut Instants) -> Option<Part<'a>> {
    let (log, stream, time) = frame(line.as_bytes())?;
    let log = &line[HEAD.len()..HEAD.len() + log.len()];
    let ns = times.parse(&line.as_bytes()[time]);
    let (text, ends) = match memchr::memchr2(b'"', b'\\', log.as_bytes()) {
        None => (Cow::Borrowed(log), false),
        // The most common of all: nothing is escaped but the end.
        Some(at) if log.as_bytes()[at..] == *b"\\n" => (Cow::Borrowed(&log[..at]), true),
        Some(at) => without_end(json::unescape_text(log, at)?),
    };
    Some(Part { text, stream: Some(stream), ns, ends })
}

/// A record with its members in any order.
fn any(line: &str) -> Option<Part<'_>> {
    let (mut log, mut stream, mut ns) = (None, None, None);
    json::members(line, |name, value| match &*json::unescape(name) {
        "log" => log = if let Value::Text(raw) = value { Some(raw) } else { None },
        "stream" => stream = value.text().and_then(|name| Stream::named(&name)),
        "time" => ns = value.text().and_then(|time| instant::parse(time.as_bytes())),
        _ => {}
    })
    .ok()?;
    let (text, ends) = without_end(match json::unescape(log?) {
        Cow::Owned(text) => text,
        Cow::Borrowed(text) => return Some(Part { text: text.into(), stream, ns, ends: false }),
    });
    Some(Part { text, stream, ns, ends })
}

/// The text without the end of its line, and whether it had one.
fn without_end(mut text: String) -> (Cow<'static, str>, bool) {
    let ends = text.ends_with('\n');
    if ends {
        text.pop();
        // A terminal ends lines with both.
        if text.ends_with('\r') {
            text.pop();
        }
    }
    (Cow::Owned(text), ends)
}
