//! What a target's pages say besides values: when series began, and their exemplars.

use std::hash::BuildHasher;

use super::{Index, Series};
use crate::metrics::record::{Exemplar, Slot};

/// When a series began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) ms: i64,
    /// The slot for which the log has it.
    pub(super) said: Slot,
}

impl Series {
    /// A line was found that says when others began; its series, if relabelling leaves one.
    pub fn tells_start(&mut self, index: Option<Index>) {
        match index.and_then(|index| self.known[index as usize].as_mut()) {
            Some(known) => known.tells = true,
            None => self.hidden = true,
        }
    }

    /// Whether there are lines that say when others began, and relabelling drops them, so that nobody sees them change.
    pub fn starts_are_hidden(&self) -> bool {
        self.hidden
    }

    /// Notes when a series began.
    pub fn begin_at(&mut self, index: Index, ms: i64) {
        let Some(Some(known)) = self.known.get_mut(index as usize) else { return };
        known.started = true;
        let start = self.starts.entry(index).or_insert(Start { ms, said: Slot::default() });
        if start.ms != ms {
            *start = Start { ms, said: Slot::default() };
        }
    }

    /// Whether a series' exemplar is another than that of the pages before.
    pub fn is_new(&mut self, index: Index, exemplar: &Exemplar, timed: bool) -> bool {
        let time = timed.then_some(exemplar.ts_ms);
        let hash = self.hasher.hash_one((&exemplar.labels, exemplar.value.to_bits(), time));
        self.exemplars.insert(index, hash) != Some(hash)
    }
}
