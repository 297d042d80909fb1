//! Messages of a container, gathered into a chunk of whole lines, with the cursor behind each.

use std::collections::VecDeque;
use std::time::Duration;

use taffrail_stages::format::{Format, Stream, instant};
use taffrail_stages::multiline::Join;

use super::cursor::{Behind, Cursor};
use super::frames::Message;
use crate::logs::Shape;
use crate::logs::chunk::MAX_BYTES;
use crate::sources::files::{Takes, takes};

/// So many bytes are enough for a chunk.
const ENOUGH: usize = MAX_BYTES / 2;
/// How long messages are gathered.
const LINGER: Duration = Duration::from_millis(100);

/// Messages that were not released yet, as records of the format `cri`.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each record ends, whose it is, and its time if it has one that can be read.
    records: VecDeque<(usize, Stream, Option<i64>)>,
    /// When the first of them came, and the last, monotonic.
    first: Duration,
    last: Duration,
    due: Duration,
}

/// What is released.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
    /// The cursor behind it.
    pub(super) after: Cursor,
}

impl Batch {
    pub(super) fn new() -> Self {
        let now = Duration::ZERO;
        Batch { bytes: Vec::new(), records: VecDeque::new(), first: now, last: now, due: now }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// When something is to be released, monotonic.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    pub(super) fn is_enough(&self) -> bool {
        self.bytes.len() >= ENOUGH
    }

    /// Adds a message at the monotonic time `now`, unless it was read before.
    pub(super) fn add(&mut self, message: Message<'_>, behind: &mut Behind, now: Duration) {
        let ns = instant::parse(message.time);
        if ns.is_some_and(|ns| !behind.is_new(message.stream, ns)) {
            return;
        }
        if self.bytes.is_empty() {
            self.first = now;
            self.due = now + LINGER;
        }
        (self.last, self.due) = (now, self.due.min(now + LINGER));
        message.write(&mut self.bytes);
        self.records.push_back((self.bytes.len(), message.stream, ns));
    }

    /// What can be released now, behind `before`: whole lines and entries, or with `all`, or when the rest does not come,
    /// whatever is there. At most a chunk of it.
    pub(super) fn take(
        &mut self,
        before: Cursor,
        join: Option<&Join>,
        all: bool,
        now: Duration,
    ) -> Option<Piece> {
        let fits = self.records.iter().rev().map(|record| record.0).find(|end| *end <= MAX_BYTES);
        let most = fits.or_else(|| self.records.front().map(|record| record.0))?;
        let (full, shape) = (most < self.bytes.len() || self.is_enough(), Shape::new(Format::Cri, MAX_BYTES));
        let bytes = &self.bytes[..most];
        let len = match takes(bytes, shape, join, full, all) {
            Takes::Bytes(len) => len,
            Takes::Nothing { wait, anew } => {
                let until = if anew { self.last } else { self.first } + wait;
                match takes(bytes, shape, join, full, now >= until) {
                    Takes::Bytes(len) => len,
                    Takes::Nothing { .. } => {
                        self.due = until;
                        return None;
                    }
                }
            }
        };
        let (mut after, mut records) = (before, 0);
        while let Some((end, stream, ns)) = self.records.front().copied().filter(|record| record.0 <= len) {
            self.records.pop_front();
            if let Some(ns) = ns {
                after.pass(stream, ns);
            }
            records += u64::from(end > 0);
        }
        self.records.iter_mut().for_each(|record| record.0 -= len);
        let rest = self.bytes.split_off(len);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        (self.first, self.due) = (now, now + LINGER);
        Some(Piece { bytes, records, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn add(batch: &mut Batch, second: u32, text: &str, ends: bool) {
        let time = format!("2026-11-21T10:00:{second:02}.000000000Z");
        let message = Message { stream: Stream::Stdout, time: time.as_bytes(), text: text.as_bytes(), ends };
        batch.add(message, &mut Behind::new(Cursor::default(), i64::MAX), NOW);
    }

    #[test]
    fn parts_wait_for_the_end_of_their_line_but_not_for_ever() {
        let mut batch = Batch::new();
        add(&mut batch, 1, "whole", true);
        add(&mut batch, 2, "half", false);
        let piece = batch.take(Cursor::default(), None, false, NOW).unwrap();
        assert_eq!(piece.bytes, b"2026-11-21T10:00:01.000000000Z stdout F whole\n");
        let mut after = Cursor::default();
        after.pass(Stream::Stdout, instant::parse(b"2026-11-21T10:00:01Z").unwrap());
        assert_eq!((piece.records, piece.after), (1, after));
        assert_eq!(batch.take(after, None, false, NOW), None);
        assert!(batch.due() > NOW + LINGER);
        add(&mut batch, 2, " more", true);
        assert!(batch.due() <= NOW + LINGER);
        let line = batch.take(after, None, false, NOW).unwrap();
        assert_eq!((line.records, String::from_utf8(line.bytes).unwrap().lines().count()), (2, 2));
        add(&mut batch, 3, "last words", false);
        assert_eq!(batch.take(after, None, false, NOW), None);
        let later = batch.due();
        assert!(later > NOW + LINGER);
        assert!(batch.take(after, None, false, later).is_some() && batch.is_empty());
    }

    #[test]
    fn no_piece_is_longer_than_a_chunk() {
        let mut batch = Batch::new();
        (0..10).for_each(|second| add(&mut batch, second, &"x".repeat(60_000), second % 3 == 2));
        let (mut cursor, mut records) = (Cursor::default(), 0);
        while let Some(piece) = batch.take(cursor, None, true, NOW) {
            assert!(piece.bytes.len() <= MAX_BYTES, "{}", piece.bytes.len());
            (cursor, records) = (piece.after, records + piece.records);
        }
        assert_eq!(records, 10);
    }
}
