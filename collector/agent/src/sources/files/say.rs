//! Saying what went wrong: in the process's own log, in the status, and as notes where somebody has to know.

use std::path::Path;

use taffrail_core::Note;
use taffrail_core::note::Level;

use super::source::Source;
use crate::status::{Failure, lock};

impl Source {
    /// Says what went wrong, in the log and in the status.
    pub(super) fn complain(&mut self, text: String) {
        tracing::warn!(source = self.name, "{text}");
        self.tally.failure = Some(Failure { at_ms: self.clock.now_ms(), text });
    }

    /// Says that nothing is read until something is mended; once, however often it is tried meanwhile.
    pub(super) fn hold(&mut self, why: String) {
        if !std::mem::replace(&mut self.holding, true) {
            tracing::error!(source = self.name, "{why}");
            let text = format!("the source {} reads nothing: {why}", self.name);
            let facts = vec![("source", self.name.clone()), ("why", why.clone())];
            self.notes.send(Note { level: Level::Warn, event: "source_holding", text, facts });
        }
        lock(&self.status).holding = Some(why);
    }

    /// The source reads, or reads again.
    pub(super) fn hold_no_longer(&mut self) {
        self.holding = false;
        lock(&self.status).holding = None;
    }

    /// Says that times of lines return from `ahead_ns` to now.
    pub(super) fn say_times_return(&mut self, path: &Path, ahead_ns: i64, now_ns: i64) {
        let ahead_s = (ahead_ns - now_ns) / 1_000_000_000;
        let text = format!(
            "{}: the last line's time is {ahead_s} s ahead of the clock, which must have been wrong; lines have the \
             time of now again, before lines that were read then",
            path.display()
        );
        let facts = vec![
            ("source", self.name.clone()),
            ("file", path.display().to_string()),
            ("ahead_seconds", ahead_s.to_string()),
        ];
        self.notes.send(Note { level: Level::Warn, event: "log_time_reset", text: text.clone(), facts });
        self.complain(text);
    }
}
