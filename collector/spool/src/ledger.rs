//! What the log holds and how far each cursor is. Pure bookkeeping: no I/O, no clock, no locks.
//!
//! Whatever has to happen outside the lock (calling tickets, removing files) is left in [`Effects`].

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::log::{Position, Pressure, Record, SegmentId, Start, Tally};
use crate::segment::{HEADER, Segment, Spot, framed};
use crate::ticket::{Reason, Settled, Ticket};

/// The limits of a log, checked against each other when it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_bytes: u64,
    pub(crate) max_age_ms: i64,
    pub(crate) segment_bytes: u64,
    pub(crate) max_record: usize,
    /// The bound on records in memory where a file stands behind them; `None`: no file does.
    pub(crate) memory_bytes: Option<u64>,
}

impl Bounds {
    pub(crate) fn new(max_bytes: u64, segment_bytes: u64, max_age: std::time::Duration) -> Self {
        // A quarter for the current segment and half for the next record always leave room, so that dropping older
        // segments is enough, and the segment that is being written never has to go.
        Bounds {
            max_bytes,
            max_age_ms: max_age.as_millis().min(i64::MAX as u128) as i64,
            segment_bytes: segment_bytes.min(max_bytes / 4).max(1),
            max_record: (max_bytes / 2).min(64 << 20) as usize,
            memory_bytes: None,
        }
    }
}

/// What is left to do once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) settle: Vec<(Ticket, Settled)>,
    pub(crate) unlink: Vec<Arc<Path>>,
}

/// One cursor.
#[derive(Debug)]
pub(crate) struct CursorState {
    /// Distinguishes it from a removed one of the same name.
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) committed: Spot,
    /// When the oldest record it has yet to commit was appended; `None`: there is none.
    pub(crate) pending_ms: Option<i64>,
    pub(crate) open: bool,
    pub(crate) seen_ms: i64,
    pub(crate) lost: Tally,
}

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

/// The counters of [`crate::LogStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appended: Tally,
    pub(crate) full: Tally,
    pub(crate) age: Tally,
    pub(crate) disk: Tally,
    pub(crate) too_large: Tally,
    pub(crate) torn: Tally,
    pub(crate) corrupt: Tally,
    pub(crate) skipped: BTreeMap<&'static str, Tally>,
}

/// The state of a log.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) bounds: Bounds,
    pub(crate) next: Position,
    pub(crate) next_segment: SegmentId,
    /// Oldest first.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) cursors: Vec<CursorState>,
    next_cursor: u64,
    /// Every cursor has committed what is before.
    passed: Position,
    pub(crate) held_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) counters: Counters,
    pub(crate) closed: bool,
    /// The disk takes no writes now.
    pub(crate) blocked: bool,
    /// Free space on the disk is near its floor.
    pub(crate) tight: bool,
    /// Where the cursors were was lost, so none begins at the newest.
    cursors_lost: bool,
    pub(crate) last_error: Option<(i64, String)>,
    pressure: Pressure,
}

impl Ledger {
    pub(crate) fn new(bounds: Bounds, next: Position, next_segment: SegmentId) -> Self {
        Ledger {
            bounds,
            next,
            next_segment,
            segments: VecDeque::new(),
            cursors: Vec::new(),
            next_cursor: 0,
            passed: next,
            held_bytes: 0,
            memory_bytes: 0,
            counters: Counters::default(),
            closed: false,
            blocked: false,
            tight: false,
            cursors_lost: false,
            last_error: None,
            pressure: Pressure::Low,
        }
    }

    /// Takes over what a restart found on disk. `lost`: where the cursors were is not known.
    pub(crate) fn adopt(&mut self, segments: Vec<Segment>, lost: bool) {
        self.held_bytes = segments.iter().map(|segment| segment.len - HEADER).sum();
        // Until a cursor says otherwise, all of it is needed.
        self.passed = segments.first().map_or(self.next, |oldest| oldest.first);
        self.segments = segments.into();
        self.cursors_lost = lost;
    }

    /// Lets nothing follow in the current segment.
    pub(crate) fn end_segment(&mut self, fx: &mut Effects) {
        if let Some(last) = self.segments.back().filter(|last| last.id == self.next_segment) {
            self.next_segment = SegmentId(last.id.0 + 1);
        }
        self.reclaim(fx);
    }

    /// Takes a record that is not too large.
    pub(crate) fn admit(&mut self, now_ms: i64, bytes: Bytes, ticket: Ticket, fx: &mut Effects) -> Position {
        let size = framed(bytes.len());
        self.expire(now_ms, fx);
        while self.held_bytes + size > self.bounds.max_bytes && self.drop_oldest(Reason::Full, fx) {}
        let position = self.next;
        self.next += 1;
        let mut ticket = Some(ticket).filter(|ticket| !ticket.is_none());
        if self.cursors.is_empty() {
            fx.settle.extend(ticket.take().map(|ticket| (ticket, Settled::Dropped(Reason::NoOutput))));
        }
        if self.segments.back().is_none_or(|last| last.id != self.next_segment) {
            self.segments.push_back(Segment::new(self.next_segment, position, now_ms));
        }
        if let Some(last) = self.segments.back_mut() {
            last.push(position, now_ms, bytes, ticket);
        }
        self.held_bytes += size;
        self.memory_bytes += size;
        self.counters.appended.add(1, size);
        for cursor in &mut self.cursors {
            cursor.pending_ms.get_or_insert(now_ms);
        }
        if self.cursors.is_empty() {
            self.passed = self.next;
            self.reclaim(fx);
        }
        position
    }

    /// Decides, once a record is in, where the next one goes.
    pub(crate) fn decide_segment(&mut self, now_ms: i64) {
        let Some(last) = self.segments.back().filter(|last| last.id == self.next_segment) else { return };
        // By age too, so that what a segment holds expires together; by memory, so that what cannot be written can be
        // dropped in pieces.
        let old = now_ms.saturating_sub(last.first_ms) > self.bounds.max_age_ms / 16;
        let unwritten = self.bounds.memory_bytes.is_some_and(|bound| last.unwritten() >= bound / 4);
        if last.len >= self.bounds.segment_bytes || old || (unwritten && self.blocked) {
            self.next_segment = SegmentId(last.id.0 + 1);
        }
    }

    /// Gives up what is older than the log keeps records.
    pub(crate) fn expire(&mut self, now_ms: i64, fx: &mut Effects) {
        let limit = now_ms.saturating_sub(self.bounds.max_age_ms);
        while self.segments.front().is_some_and(|oldest| oldest.last_ms < limit) {
            if !self.drop_oldest(Reason::Age, fx) {
                // The current segment stays for its definitions, but nobody is given its records any more.
                self.lose(0, Reason::Age);
                self.advance(fx);
                break;
            }
        }
    }

    /// Gives up the oldest segment; `false` if only the current one is left.
    pub(crate) fn drop_oldest(&mut self, reason: Reason, fx: &mut Effects) -> bool {
        let Some(id) = self.segments.front().map(|oldest| oldest.id).filter(|id| *id != self.next_segment)
        else {
            return false;
        };
        self.lose(0, reason);
        self.advance(fx);
        // Where nobody needed it, it is still there.
        if self.segments.front().is_some_and(|oldest| oldest.id == id) {
            self.remove(0, fx);
        }
        true
    }

    /// Moves all cursors behind segment `index` past its end, and counts what they lose.
    pub(crate) fn lose(&mut self, index: usize, reason: Reason) {
        let Some(segment) = self.segments.get_mut(index) else { return };
        let end = Spot { position: segment.end, segment: segment.id, offset: segment.len };
        for cursor in &mut self.cursors {
            if cursor.committed.position >= segment.end {
                continue;
            }
            let lost = lag_in(segment, &cursor.committed);
            cursor.lost.add(lost.records, lost.bytes);
            if let Some(tally) = self.counters.by_reason(reason) {
                tally.add(lost.records, lost.bytes);
            }
            let from = segment.kept_from(cursor.committed.position);
            for entry in segment.kept.range_mut(from..) {
                entry.dropped.get_or_insert(reason);
            }
            cursor.committed = end;
        }
        self.refresh_pending();
    }

    /// Commits a cursor up to `at`. With a reason, what lies between was skipped, not delivered. `next_ms`: about when the
    /// record after `at` was appended.
    pub(crate) fn commit(
        &mut self,
        id: u64,
        at: Spot,
        next_ms: i64,
        skip: Option<&'static str>,
        fx: &mut Effects,
    ) {
        let Some(index) = self.cursors.iter().position(|cursor| cursor.id == id) else { return };
        let from = self.cursors[index].committed;
        if at.position <= from.position {
            return;
        }
        if let Some(why) = skip {
            let before = self.lag(&from);
            let after = self.lag(&at);
            let skipped = self.counters.skipped.entry(why).or_default();
            skipped.add(before.records - after.records, before.bytes.saturating_sub(after.bytes));
            for segment in &mut self.segments {
                let range = segment.kept_from(from.position)..segment.kept_from(at.position);
                for entry in segment.kept.range_mut(range) {
                    entry.dropped.get_or_insert(Reason::Skipped(why));
                }
            }
        }
        let pending_ms = self.following(&at).map(|exact| exact.unwrap_or(next_ms));
        let cursor = &mut self.cursors[index];
        cursor.committed = at;
        cursor.pending_ms = pending_ms;
        self.advance(fx);
    }

    /// When the first record at or after `at` was appended: `None` if there is none, `Some(None)` if that is not known.
    fn following(&self, at: &Spot) -> Option<Option<i64>> {
        let segment = self.segments.get(self.segment_with(at.position))?;
        if at.position <= segment.first {
            return Some(Some(segment.first_ms));
        }
        let exact = segment.remembers(at.position).then(|| &segment.kept[segment.kept_from(at.position)]);
        Some(exact.map(|entry| entry.appended_ms))
    }

    /// Finds anew how old the oldest record is that each cursor has yet to commit.
    pub(crate) fn refresh_pending(&mut self) {
        for index in 0..self.cursors.len() {
            let cursor = &self.cursors[index];
            let known = cursor.pending_ms.unwrap_or(cursor.seen_ms);
            self.cursors[index].pending_ms =
                self.following(&cursor.committed).map(|exact| exact.unwrap_or(known));
        }
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

    /// Settles and frees what all cursors have behind them.
    fn advance(&mut self, fx: &mut Effects) {
        let passed = self.cursors.iter().map(|cursor| cursor.committed.position).min();
        self.pass(passed.unwrap_or(self.passed), Settled::Delivered, fx);
    }

    fn pass(&mut self, passed: Position, settled: Settled, fx: &mut Effects) {
        for index in self.segment_with(self.passed)..self.segments.len() {
            let segment = &mut self.segments[index];
            if segment.first >= passed {
                break;
            }
            let range = segment.kept_from(self.passed)..segment.kept_from(passed);
            for entry in segment.kept.range_mut(range) {
                if let Some(ticket) = entry.ticket.take() {
                    fx.settle.push((ticket, entry.dropped.map_or(settled, Settled::Dropped)));
                }
            }
        }
        self.passed = passed;
        self.reclaim(fx);
    }

    fn reclaim(&mut self, fx: &mut Effects) {
        while let Some(oldest) = self.segments.front() {
            if oldest.end > self.passed || oldest.id == self.next_segment {
                break;
            }
            self.remove(0, fx);
        }
        self.trim_memory();
    }

    /// Forgets segment `index`.
    pub(crate) fn remove(&mut self, index: usize, fx: &mut Effects) {
        if let Some(gone) = self.segments.remove(index) {
            self.held_bytes -= gone.len - HEADER;
            self.memory_bytes -= gone.kept.iter().map(|entry| framed(entry.bytes.len())).sum::<u64>();
            fx.unlink.extend(gone.path);
        }
    }

    /// Lets go of records in memory that a file holds too: those nobody waits for, and the oldest above the bound.
    pub(crate) fn trim_memory(&mut self) {
        let Some(bound) = self.bounds.memory_bytes else { return };
        for segment in &mut self.segments {
            while let Some(entry) = segment.kept.front() {
                let needed = entry.position >= self.passed && self.memory_bytes <= bound;
                if needed || entry.end() > segment.written {
                    break;
                }
                self.memory_bytes -= framed(entry.bytes.len());
                segment.kept.pop_front();
            }
        }
    }

    /// What `cursor` has yet to commit.
    pub(crate) fn lag(&self, committed: &Spot) -> Tally {
        let mut lag = Tally::default();
        for segment in self.segments.range(self.segment_with(committed.position)..) {
            let here = lag_in(segment, committed);
            lag.add(here.records, here.bytes);
        }
        lag
    }

    /// Opens a cursor and says where to read first; `None` if it is open already.
    pub(crate) fn open_cursor(&mut self, name: &str, start: Start, now_ms: i64) -> Option<(u64, Spot, Spot)> {
        let index = match self.cursors.iter().position(|cursor| &*cursor.name == name) {
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
        Some((id, committed, self.replay_from(&committed)))
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
            let offset = if at.segment == segment.id { at.offset } else { 0 };
            let from = Spot { position: at.position, segment: segment.id, offset };
            let until =
                segment.kept.get(segment.kept_unwritten()).map_or(segment.end, |entry| entry.position);
            return Step::File { path: path.clone(), from, end: segment.written, until, committed };
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

    /// How near the oldest is to being dropped.
    pub(crate) fn pressure(&mut self) -> Pressure {
        let mut taken = self.held_bytes as f64 / self.bounds.max_bytes as f64;
        if let Some(bound) = self.bounds.memory_bytes.filter(|_| self.blocked) {
            taken = taken.max(self.memory_bytes as f64 / bound as f64);
        }
        let high = self.tight || taken >= if self.pressure.is_high() { 0.6 } else { 0.75 };
        self.pressure = Pressure::Low;
        if high {
            let lags = |cursor: &CursorState| self.lag(&cursor.committed).bytes;
            let large = self.held_bytes / 2;
            if !self.cursors.is_empty() && self.cursors.iter().all(|cursor| lags(cursor) > large) {
                self.pressure = Pressure::AllLag;
            } else if self.cursors.iter().any(|cursor| lags(cursor) > 0) {
                self.pressure = Pressure::SomeLag;
            }
        }
        self.pressure
    }
}

impl Counters {
    pub(crate) fn by_reason(&mut self, reason: Reason) -> Option<&mut Tally> {
        match reason {
            Reason::NoOutput => None,
            Reason::Full => Some(&mut self.full),
            Reason::Age => Some(&mut self.age),
            Reason::Disk => Some(&mut self.disk),
            Reason::TooLarge => Some(&mut self.too_large),
            Reason::Skipped(why) => Some(self.skipped.entry(why).or_default()),
        }
    }
}

/// What of `segment` lies at or after `committed`.
fn lag_in(segment: &Segment, committed: &Spot) -> Tally {
    if committed.position <= segment.first {
        return Tally { records: segment.records, bytes: segment.len - HEADER };
    }
    let offset = if committed.segment == segment.id { committed.offset } else { 0 };
    Tally {
        records: segment.records.min(segment.end.saturating_sub(committed.position)),
        bytes: segment.len - offset.clamp(HEADER, segment.len),
    }
}
