//! The log of the container runtimes of Kubernetes: `2016-10-06T00:17:09.669794202Z stdout P text`.
//!
//! `P` stands before a part of a line, `F` before its last one; further tags may follow behind a colon. See the design
//! document `kubelet-cri-logging.md` of Kubernetes. Podman's driver `k8s-file` writes the same.

use super::instant::{self, Instants};
use super::{Part, Stream};

/// What stands before the text, and where the text begins.
struct Head<'a> {
    time: &'a [u8],
    stream: Stream,
    ends: bool,
    text: usize,
}

fn head(line: &[u8]) -> Option<Head<'_>> {
    // A time has 35 bytes at most.
    let first = memchr::memchr(b' ', &line[..line.len().min(64)])?;
    let (time, rest) = (&line[..first], &line[first + 1..]);
    let (stream, rest) = match rest.strip_prefix(b"stdout ") {
        Some(rest) => (Stream::Stdout, rest),
        None => (Stream::Stderr, rest.strip_prefix(b"stderr ")?),
    };
    // An empty line may lack the space behind its tags.
    let tags = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let ends = match rest[..tags].split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    Some(Head { time, stream, ends, text: (line.len() - rest.len() + tags + 1).min(line.len()) })
}

/// The record that `line` is; `None` when it is none. `times` reads its time.
pub fn part<'a>(line: &'a str, times: &mut Instants) -> Option<Part<'a>> {
    let head = head(line.as_bytes())?;
    // Without a time it is something else that happens to look like a record.
    let ns = times.parse(head.time)?;
    Some(Part { text: line[head.text..].into(), stream: Some(head.stream), ns: Some(ns), ends: head.ends })
}

/// Whose record `line` is, and whether a line ends with it; `None` when it is none.
pub fn place(line: &[u8]) -> Option<(Option<Stream>, bool)> {
    let head = head(line)?;
    // Only what leaves a line open has to be known for sure.
    if !head.ends {
        instant::parse(head.time)?;
    }
    Some((Some(head.stream), head.ends))
}
