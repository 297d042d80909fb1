//! How far a container's log was read through the engine: for each of its two streams the time of the last message, and how
//! many messages of that time.
//!
//! The engine is asked for what is later than a moment, which is said in nanoseconds and counts in. Messages of two streams
//! may stand in the log a little out of order, so the question goes back a little, and what was read is left out by
//! stream.

use serde::{Deserialize, Serialize};
use taffrail_stages::format::Stream;

/// How far the question goes back, in nanoseconds.
const BACK_NS: i64 = 5_000_000_000;

/// A place in a container's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Nothing before is wanted, in Unix nanoseconds; 0: all is.
    pub(super) from_ns: i64,
    stdout: Last,
    stderr: Last,
}

/// The last message of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Last {
    ns: i64,
    count: u64,
}

impl Cursor {
    /// Before everything later than `from_ns`.
    pub(super) fn new(from_ns: i64) -> Self {
        Cursor { from_ns, ..Cursor::default() }
    }

    /// From when on the engine is to be asked; `None`: for everything. A place later than now was read while the clock was
    /// wrong.
    pub(super) fn since_ns(&self, now_ns: i64) -> Option<i64> {
        let last = self.stdout.ns.max(self.stderr.ns).min(now_ns);
        let from = if last == 0 { self.from_ns } else { self.from_ns.max(last - BACK_NS) };
        (from > 0).then_some(from)
    }

    /// Goes on behind a message.
    pub(super) fn pass(&mut self, stream: Stream, ns: i64) {
        let last = self.last(stream);
        *last = if last.ns == ns { Last { ns, count: last.count + 1 } } else { Last { ns, count: 1 } };
    }

    fn last(&mut self, stream: Stream) -> &mut Last {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// Leaves out what was read before, at the beginning of an answer.
#[derive(Debug)]
pub(super) struct Behind {
    before: Cursor,
    /// Messages of the last time that were met again; `None` once a stream has something new.
    met: [Option<u64>; 2],
}

impl Behind {
    /// What is behind `cursor` is new. Nothing is left out of a stream that was read while the clock was ahead of now.
    pub(super) fn new(cursor: Cursor, now_ns: i64) -> Self {
        let met = |last: Last| (0 < last.ns && last.ns <= now_ns).then_some(0);
        Behind { before: cursor, met: [met(cursor.stdout), met(cursor.stderr)] }
    }

    /// Whether the next message is new.
    pub(super) fn is_new(&mut self, stream: Stream, ns: i64) -> bool {
        let last = *self.before.last(stream);
        let met = &mut self.met[stream as usize];
        let Some(count) = met else { return true };
        if ns < last.ns {
            return false;
        }
        if ns == last.ns && *count < last.count {
            *count += 1;
            return false;
        }
        *met = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Stream = Stream::Stdout;
    const ERR: Stream = Stream::Stderr;
    const S: i64 = 1_000_000_000;

    /// What is read of a log in several goes: no message twice, and none left out.
    #[test]
    fn a_log_read_in_two_goes_at_any_place_is_read_once() {
        // A message of stderr stands behind one of stdout that is later, and some have equal times.
        let log = [
            (OUT, 10),
            (OUT, 10),
            (OUT, 10),
            (ERR, 12),
            (OUT, 20),
            (ERR, 19),
            (ERR, 19),
            (OUT, 20),
            (OUT, 31),
        ];
        let log = log.map(|(stream, s)| (stream, s * S));
        for cut in 0..=log.len() {
            let mut cursor = Cursor::default();
            for (stream, ns) in &log[..cut] {
                cursor.pass(*stream, *ns);
            }
            let since = cursor.since_ns(100 * S).unwrap_or(0);
            let mut behind = Behind::new(cursor, 100 * S);
            let rest: Vec<_> = log
                .iter()
                .filter(|(_, ns)| *ns >= since)
                .filter(|(stream, ns)| behind.is_new(*stream, *ns))
                .collect();
            assert_eq!(rest, log[cut..].iter().collect::<Vec<_>>(), "cut at {cut}");
        }
    }

    #[test]
    fn the_question_goes_back_a_little_and_not_before_the_beginning() {
        let mut cursor = Cursor::new(98 * S);
        assert_eq!(cursor.since_ns(200 * S), Some(98 * S));
        cursor.pass(OUT, 100 * S);
        assert_eq!(cursor.since_ns(200 * S), Some(98 * S));
        cursor.pass(ERR, 150 * S);
        assert_eq!(cursor.since_ns(200 * S), Some(145 * S));
        assert_eq!(Cursor::default().since_ns(S), None);
    }

    #[test]
    fn a_clock_that_went_back_hides_nothing() {
        let mut cursor = Cursor::default();
        cursor.pass(OUT, 1000 * S);
        assert_eq!(cursor.since_ns(100 * S), Some(95 * S));
        assert!(Behind::new(cursor, 100 * S).is_new(OUT, 99 * S));
        // Also in the midst of reading.
        let mut behind = Behind::new(cursor, 1001 * S);
        assert!(
            !behind.is_new(OUT, 1000 * S) && behind.is_new(OUT, 1000 * S + 1) && behind.is_new(OUT, 50 * S)
        );
    }
}
