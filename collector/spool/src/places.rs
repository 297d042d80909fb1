//! Where cursors stand in the ledger, and what a reader gets next.

use std::path::Path;
use std::sync::Arc;

use crate::ledger::{CursorState, Effects, Ledger};
use crate::log::{Position, Record, Start, Tally};
use crate::segment::Spot;
use crate::ticket::{Reason, Settled};

/// What a reader does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// These are in memory.
    Records { records: Vec<Record>, after: Spot },
    /// These are in a file, from `from` up to the offset `end`, where the record with position `until` would begin.
    File { path: Arc<Path>, from: Spot, end: u64, until: Position, committed: Position },
    /// Nothing yet.
    Wait,
    /// Nothing any more.
    Ended,
}

/// A cursor that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: u64,
    pub(crate) committed: Spot,
    /// Where to read first.
    pub(crate) read: Spot,
    /// It was not there before.
    pub(crate) new: bool,
}

impl Ledger {
    /// Opens a cursor; `None` if it is open already.
    pub(crate) fn open_cursor(&mut self, name: &str, start: Start, now_ms: i64) -> Option<Opened> {
        let known = self.cursors.iter().position(|cursor| &*cursor.name == name);
        let index = match known {
            Some(index) => index,
            None => {
                let oldest = start == Start::Oldest || self.cursors_lost;
                let position = match self.segments.front() {
                    Some(first) if oldest => first.first,
                    _ => self.next,
                };
                self.add_cursor(name, self.place(position), now_ms, now_ms);
                self.cursors.len() - 1
            }
        };
        let cursor = &mut self.cursors[index];
        if cursor.open {
            return None;
        }
        cursor.open = true;
        cursor.seen_ms = now_ms;
        let (id, committed) = (cursor.id, cursor.committed);
        Some(Opened { id, committed, read: self.replay_from(&committed), new: known.is_none() })
    }

    /// Registers a cursor that nobody holds yet. `pending_ms`: when the record after `committed` was appended, if
    /// there is one and nobody knows better.
    pub(crate) fn add_cursor(&mut self, name: &str, committed: Spot, seen_ms: i64, pending_ms: i64) {
        let pending_ms = self.following(&committed).map(|exact| exact.unwrap_or(pending_ms));
        self.next_cursor += 1;
        self.cursors.push(CursorState {
            id: self.next_cursor,
            name: name.into(),
            committed,
            pending_ms,
            open: false,
            seen_ms,
            lost: Tally::default(),
        });
        self.passed = self.passed.min(committed.position);
    }

    /// The spot for `position`, which is the first of a segment or the next to be appended.
    fn place(&self, position: Position) -> Spot {
        match self.segments.back() {
            Some(last) if last.end <= position => Spot { position, segment: last.id, offset: last.len },
            _ => Spot { position, ..Spot::default() },
        }
    }

    /// Where a reader begins that has to know all that is defined at `committed`: at the start of the segment.
    pub(crate) fn replay_from(&self, committed: &Spot) -> Spot {
        let index = self.segment_with(committed.position);
        let inside = match self.segments.get(index) {
            Some(segment) => Some(segment),
            // Past the last record; but the next one may land in the same segment.
            None => self.segments.back().filter(|last| last.id == self.next_segment),
        };
        match inside {
            Some(segment) if segment.first < committed.position => {
                Spot { position: segment.first, ..Spot::default() }
            }
            _ => *committed,
        }
    }

    /// Forgets a cursor.
    pub(crate) fn remove_cursor(&mut self, name: &str, fx: &mut Effects) {
        self.cursors.retain(|cursor| &*cursor.name != name);
        if self.cursors.is_empty() {
            self.pass(self.next, Settled::Dropped(Reason::NoOutput), fx);
        } else {
            self.advance(fx);
        }
    }

    /// What the reader of cursor `id`, who has read up to `at`, gets next.
    pub(crate) fn step(&self, id: u64, at: &Spot, max_bytes: usize) -> Step {
        let Some(cursor) = self.cursors.iter().find(|cursor| cursor.id == id) else { return Step::Ended };
        let committed = cursor.committed.position;
        let mut index = self.segment_with(at.position);
        let Some(segment) = self.segments.get(index) else {
            return if self.closed { Step::Ended } else { Step::Wait };
        };
        if !segment.remembers(at.position)
            && let Some(path) = &segment.path
        {
            // An offset holds only for a place inside: a reader before the first record skips none.
            let inside = at.segment == segment.id && at.position > segment.first;
            let offset = if inside { at.offset } else { 0 };
            let from = Spot { position: at.position.max(segment.first), segment: segment.id, offset };
            // Only up to where memory goes on.
            let (end, until) = match segment.kept.front() {
                Some(entry) => (entry.offset, entry.position),
                None => (segment.written, segment.end),
            };
            return Step::File { path: path.clone(), from, end, until, committed };
        }
        let mut records = Vec::new();
        let mut after = *at;
        let mut room = max_bytes;
        while let Some(segment) = self.segments.get(index).filter(|segment| segment.remembers(after.position))
        {
            for entry in segment.kept.range(segment.kept_from(after.position)..) {
                if entry.bytes.len() > room && !records.is_empty() {
                    return Step::Records { records, after };
                }
                room = room.saturating_sub(entry.bytes.len());
                after = Spot { position: entry.position + 1, segment: segment.id, offset: entry.end() };
                records.push(Record {
                    position: entry.position,
                    segment: segment.id,
                    replay: entry.position < committed,
                    appended_ms: entry.appended_ms,
                    bytes: entry.bytes.clone(),
                });
            }
            index += 1;
        }
        if records.is_empty() { Step::Wait } else { Step::Records { records, after } }
    }

    /// When the first record at or after `at` was appended: `None` if there is none, `Some(None)` if that is not known.
    pub(crate) fn following(&self, at: &Spot) -> Option<Option<i64>> {
        let segment = self.segments.get(self.segment_with(at.position))?;
        if at.position <= segment.first {
            return Some(Some(segment.first_ms));
        }
        let kept = segment.kept.get(segment.kept_from(at.position));
        Some(kept.filter(|_| segment.remembers(at.position)).map(|entry| entry.appended_ms))
    }

    /// The place of `position` exactly, if it is in memory.
    pub(crate) fn locate(&self, position: Position) -> Option<Spot> {
        let segment = self.segments.get(self.segment_with(position))?;
        let entry = segment.kept.get(segment.kept_from(position))?;
        (entry.position == position).then_some(Spot { position, segment: segment.id, offset: entry.offset })
    }

    /// The index of the first segment with a record at `position` or after it.
    pub(crate) fn segment_with(&self, position: Position) -> usize {
        self.segments.partition_point(|segment| segment.end <= position)
    }

    /// What `cursor` has yet to commit.
    pub(crate) fn lag(&self, committed: &Spot) -> Tally {
        let mut lag = Tally::default();
        for segment in self.segments.range(self.segment_with(committed.position)..) {
            let here = segment.lag(committed);
            lag.add(here.records, here.bytes);
        }
        lag
    }
}
