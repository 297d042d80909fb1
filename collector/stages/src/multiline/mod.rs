//! Lines that belong together become one entry: stack traces, and messages of several lines.
//!
//! [`Entries`] joins the lines of a chunk; [`whole`] says how far the lines of a file are whole entries, so that a reader
//! can keep all lines of an entry in one chunk. Both look at nothing but the lines, and the times in their records: the
//! same chunk gives the same entries each time it is read. There is no clock here: how long the rest of an entry is
//! waited for is the reader's to know, by [`Join::max_wait_ns`].

mod entries;
mod preset;
mod whole;

pub use entries::Entries;
pub use preset::Preset;
pub use whole::{Whole, whole};

use taffrail_core::Pattern;

use crate::entry::Time;
use crate::format::{Record, SLOTS, slot};
use preset::State;

/// How lines are joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// What begins an entry.
    pub rule: Rule,
    /// The most lines of an entry.
    pub max_lines: usize,
    /// The most bytes of an entry. A single line that is longer stays whole.
    pub max_bytes: usize,
    /// So many nanoseconds after its last line an entry is complete.
    pub max_wait_ns: i64,
}

/// What begins an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// A line that matches; all others belong to the entry before.
    FirstLine(Pattern),
    /// A line that matches the first and not the second.
    FirstLineBut(Pattern, Pattern),
    /// As a language writes its traces.
    Preset(Preset),
}

impl Join {
    /// By this rule, within the usual bounds.
    pub fn new(rule: Rule) -> Self {
        // A goroutine dump of some size, and what Loki takes for a line; promtail's three seconds.
        Join { rule, max_lines: 500, max_bytes: (256 << 10) - 1, max_wait_ns: 3_000_000_000 }
    }

    fn goes_on(&self, state: &mut State, line: &str) -> bool {
        match &self.rule {
            Rule::FirstLine(first) => !first.matches(line.as_bytes()),
            Rule::FirstLineBut(first, but) => !first.matches(line.as_bytes()) || but.matches(line.as_bytes()),
            Rule::Preset(preset) => preset.goes_on(state, line),
        }
    }
}

/// Follows the lines of one input, and tells where entries end.
#[derive(Debug)]
struct Follower<'j> {
    join: &'j Join,
    streams: [Followed; SLOTS],
}

/// What is known of the lines of one stream.
#[derive(Clone, Copy, Debug, Default)]
struct Followed {
    state: State,
    open: Option<Extent>,
}

/// An entry that may go on.
#[derive(Clone, Copy, Debug)]
struct Extent {
    lines: usize,
    bytes: usize,
    last_ns: Option<i64>,
}

/// What a line means for the entries that are open.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Its stream.
    slot: usize,
    /// The streams whose entries end before it. Where its own does not, it belongs to that.
    ended: [bool; SLOTS],
    /// It would belong to the entry before, which is as long as it may become.
    full: bool,
}

impl<'j> Follower<'j> {
    fn new(join: &'j Join) -> Self {
        Follower { join, streams: [Followed::default(); SLOTS] }
    }

    fn follow(&mut self, record: &Record<'_>) -> Step {
        let now_ns = match record.time {
            Time::Said { ns, .. } => Some(ns),
            Time::Read | Time::LikeBefore => None,
        };
        let mut ended = [false; SLOTS];
        for (stream, ended) in self.streams.iter_mut().zip(&mut ended) {
            // A stream that was quiet for so long while another one was not.
            let last_ns = stream.open.and_then(|open| open.last_ns);
            let quiet_ns = now_ns.zip(last_ns).map_or(0, |(now, last)| now.saturating_sub(last));
            if quiet_ns >= self.join.max_wait_ns {
                (stream.open, *ended) = (None, true);
            }
        }
        let slot = slot(record.stream);
        let stream = &mut self.streams[slot];
        let goes_on = self.join.goes_on(&mut stream.state, &record.line);
        let bytes = record.line.len();
        let mut full = false;
        match &mut stream.open {
            Some(open)
                if goes_on
                    && open.lines < self.join.max_lines
                    && open.bytes + 1 + bytes <= self.join.max_bytes =>
            {
                open.lines += 1;
                open.bytes += 1 + bytes;
                open.last_ns = now_ns.or(open.last_ns);
            }
            open => {
                (ended[slot], full) = (ended[slot] || open.is_some(), open.is_some() && goes_on);
                *open = Some(Extent { lines: 1, bytes, last_ns: now_ns });
            }
        }
        Step { slot, ended, full }
    }
}

#[cfg(test)]
mod tests;
