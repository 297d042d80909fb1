//! How the lines of a container stand in its file: the records of the container's engine, and the lines in them.
//!
//! An engine splits a long line into parts, each a record of its own; [`Records`] joins them again. [`whole`] says how far
//! no line is open, so that a reader can keep all parts of a line together.

pub mod cri;
pub mod docker;
pub mod instant;

use std::borrow::Cow;

use self::instant::Instants;
use crate::entry::Time;

/// How lines stand in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As they were written.
    #[default]
    Plain,
    /// As Docker's logging driver `json-file` writes them.
    Docker,
    /// As the container runtimes of Kubernetes write them, and Podman's driver `k8s-file`.
    Cri,
}

/// Where a container wrote a line to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The value of the label `stream`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    fn named(name: &str) -> Option<Stream> {
        [Stream::Stdout, Stream::Stderr].into_iter().find(|stream| stream.as_str() == name)
    }
}

/// A record of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What the container wrote, without the line's end.
    pub text: Cow<'a, str>,
    /// Where to; `None` where the record does not say.
    pub stream: Option<Stream>,
    /// When, in nanoseconds since 1970-01-01 UTC; `None` where the record does not say, or not so that it can be read.
    pub ns: Option<i64>,
    /// Whether the line ends with it.
    pub ends: bool,
}

/// A line of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The line, without its end.
    pub line: Cow<'a, str>,
    /// Where it was written to.
    pub stream: Option<Stream>,
    /// When it was written, or its first part.
    pub time: Time,
    /// The time at which it was read, or its first part.
    pub read_ns: i64,
    /// It is no record of this format, so that it is a line as it stands in the file.
    pub garbled: bool,
}

/// The lines that records hold.
#[derive(Debug)]
pub struct Records<'a, I> {
    format: Format,
    lines: I,
    next_ns: i64,
    times: Instants,
    /// Lines whose end has not come yet, by [`slot`].
    open: [Option<Record<'a>>; SLOTS],
}

/// How many streams a container has, with the one that has no name.
pub(crate) const SLOTS: usize = 3;

/// The place of a stream: what has the same one belongs together.
pub(crate) fn slot(stream: Option<Stream>) -> usize {
    stream.map_or(0, |stream| 1 + stream as usize)
}

impl<'a, I: Iterator<Item = Cow<'a, str>>> Records<'a, I> {
    /// The lines that are in the `lines` of a file; the first of them was read at `base_ns`, and each further one a
    /// nanosecond later.
    pub fn new(format: Format, lines: I, base_ns: i64) -> Self {
        let open = [const { None }; SLOTS];
        Records { format, lines, next_ns: base_ns, times: Instants::default(), open }
    }

    /// The line that a part ends.
    fn join(&mut self, part: Part<'a>, read_ns: i64) -> Option<Record<'a>> {
        let open = &mut self.open[slot(part.stream)];
        match open {
            None => {
                let Part { text: line, stream, ns, .. } = part;
                let time = ns.map_or(Time::Read, |ns| Time::Said { ns, resolution_ns: 1 });
                let record = Record { line, stream, time, read_ns, garbled: false };
                if part.ends {
                    return Some(record);
                }
                *open = Some(record);
            }
            Some(record) => record.line.to_mut().push_str(&part.text),
        }
        if part.ends { open.take() } else { None }
    }
}

impl<'a, I: Iterator<Item = Cow<'a, str>>> Iterator for Records<'a, I> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            let Some(line) = self.lines.next() else {
                // What is open here stays so: it goes out in the order in which it began.
                let open = self.open.iter_mut().filter(|open| open.is_some());
                return open.min_by_key(|open| open.as_ref().map(|record| record.read_ns))?.take();
            };
            let read_ns = self.next_ns;
            self.next_ns += 1;
            let part = match &line {
                Cow::Borrowed(line) => part(self.format, line, &mut self.times),
                Cow::Owned(line) => part(self.format, line, &mut self.times)
                    .map(|part| Part { text: Cow::Owned(part.text.into_owned()), ..part }),
            };
            let Some(part) = part else {
                let garbled = self.format != Format::Plain;
                return Some(Record { line, stream: None, time: Time::Read, read_ns, garbled });
            };
            if let Some(record) = self.join(part, read_ns) {
                return Some(record);
            }
        }
    }
}

/// The record that a line of a file is; `None` when it is none.
fn part<'a>(format: Format, line: &'a str, times: &mut Instants) -> Option<Part<'a>> {
    match format {
        Format::Plain => None,
        Format::Docker => docker::part(line, times),
        Format::Cri => cri::part(line, times),
    }
}

/// How many bytes of the `lines` of a file, each with its end, stand before the first part whose line does not end in
/// them: all, where there is none.
pub fn whole(format: Format, lines: &[u8]) -> usize {
    let place = match format {
        Format::Plain => return lines.len(),
        Format::Docker => docker::place,
        Format::Cri => cri::place,
    };
    let (mut open, mut start, mut whole) = ([false; SLOTS], 0, 0);
    for end in memchr::memchr_iter(b'\n', lines) {
        // What is no record is a whole line.
        if let Some((stream, ends)) = place(&lines[start..end]) {
            open[slot(stream)] = !ends;
        }
        start = end + 1;
        if open == [false; SLOTS] {
            whole = start;
        }
    }
    whole
}

#[cfg(test)]
mod tests;
