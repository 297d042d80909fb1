//! Lines that belong together become one entry: stack traces, and messages of several lines.
//!
//! A [`Joiner`] holds the last entry of one stream until a line comes that begins another, until it is full, or until
//! whoever runs it says that it was quiet for long enough ([`Joiner::flush`]): there is no clock here. No byte is lost or
//! kept twice: entries say which bytes of the input they hold, each beginning where the one before ended, so that
//! positions can settle.

mod preset;

pub use preset::Preset;

use std::ops::Range;

use taffrail_core::Pattern;

use preset::State;

/// What begins an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// A line that matches; all others belong to the entry before.
    FirstLine(Pattern),
    /// As a language writes its traces.
    Preset(Preset),
}

/// How long an entry may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most lines.
    pub lines: usize,
    /// The most bytes of text. A single line that is longer stays whole.
    pub bytes: usize,
}

/// A goroutine dump of some size, and well below what Loki takes for a line.
impl Default for Bounds {
    fn default() -> Self {
        Self { lines: 500, bytes: 128 << 10 }
    }
}

/// Why an entry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The next line begins another.
    Next,
    /// It is as long as it may become; what follows is an entry of its own.
    Full,
    /// It was asked for.
    Flushed,
}

/// An entry of one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its lines, with line feeds between.
    pub text: String,
    /// The bytes of the input that it was made of.
    pub span: Range<u64>,
    /// How many lines it has.
    pub lines: usize,
    /// Why it ended.
    pub end: End,
}

/// Joins the lines of one stream.
#[derive(Debug)]
pub struct Joiner {
    rule: Rule,
    bounds: Bounds,
    state: State,
    held: Option<Joined>,
}

impl Joiner {
    /// Joins by this rule, within these bounds.
    pub fn new(rule: Rule, bounds: Bounds) -> Self {
        Self { rule, bounds, state: State::default(), held: None }
    }

    /// Takes the next line, without its end; `span` are its bytes in the input, its end included. Returns the entry that
    /// is complete by that.
    pub fn push(&mut self, line: &str, span: Range<u64>) -> Option<Joined> {
        let goes_on = match &self.rule {
            Rule::FirstLine(pattern) => !pattern.matches(line.as_bytes()),
            Rule::Preset(preset) => preset.goes_on(&mut self.state, line),
        };
        if let Some(held) = &mut self.held {
            let fits =
                held.lines < self.bounds.lines && held.text.len() + 1 + line.len() <= self.bounds.bytes;
            if goes_on && fits {
                held.text.push('\n');
                held.text.push_str(line);
                // From where it began: bytes between two lines (of other streams, cut off) belong to it too.
                held.span.end = span.end;
                held.lines += 1;
                return None;
            }
        }
        let next = Joined { text: line.to_owned(), span, lines: 1, end: End::Flushed };
        let mut done = self.held.replace(next)?;
        done.end = if goes_on { End::Full } else { End::Next };
        Some(done)
    }

    /// The entry that is held, as it is: the stream was quiet, or ends.
    pub fn flush(&mut self) -> Option<Joined> {
        // What comes next may still belong to it; a line that only goes on begins an entry then.
        self.held.take()
    }

    /// Where the input begins that is not yet part of a complete entry.
    pub fn held_from(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.span.start)
    }
}

#[cfg(test)]
mod tests;
