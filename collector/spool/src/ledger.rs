//! What the log holds and how far each cursor is. Pure bookkeeping: no I/O, no clock, no locks.
//!
//! Whatever has to happen outside the lock (calling tickets, removing files) is left in [`Effects`].

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::count::Counters;
use crate::log::{Position, Pressure, SegmentId, Tally};
use crate::loss::Loss;
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
    /// Who wrote a record that is not settled yet has it still, and is asked for it again rather than losing it.
    pub(crate) asks_again: bool,
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
            asks_again: false,
        }
    }
}

/// What is left to do once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) settle: Vec<(Ticket, Settled)>,
    /// To be told before the files go.
    pub(crate) lost: Vec<Loss>,
    /// Thrown away without a word: their records are to be read again.
    pub(crate) again: Vec<Ticket>,
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

/// The state of a log.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) bounds: Bounds,
    /// What of the bound is taken by the log for which this one gives way.
    pub(crate) beside: Arc<AtomicU64>,
    /// Somebody is told of losses.
    pub(crate) tells: bool,
    pub(crate) next: Position,
    pub(crate) next_segment: SegmentId,
    /// Oldest first.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) cursors: Vec<CursorState>,
    pub(crate) next_cursor: u64,
    /// Every cursor has committed what is before.
    pub(crate) passed: Position,
    pub(crate) held_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) counters: Counters,
    pub(crate) closed: bool,
    /// The disk takes no writes now.
    pub(crate) blocked: bool,
    /// Free space on the disk is near its floor.
    pub(crate) tight: bool,
    /// Where the cursors were was lost, so none begins at the newest.
    pub(crate) cursors_lost: bool,
    pub(crate) last_error: Option<(i64, String)>,
    pub(crate) pressure: Pressure,
}

impl Ledger {
    pub(crate) fn new(bounds: Bounds, next: Position, next_segment: SegmentId) -> Self {
        Ledger {
            bounds,
            beside: Arc::default(),
            tells: false,
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

    /// How much it may hold: the bound, less what another log has of it.
    pub(crate) fn capacity(&self) -> u64 {
        let taken = self.beside.load(Ordering::Relaxed);
        self.bounds.max_bytes.saturating_sub(taken).max(self.least())
    }

    /// What it holds in any case: the current segment, which never goes, and a record of the next.
    pub(crate) fn least(&self) -> u64 {
        2 * self.bounds.segment_bytes
    }

    /// Gives up its oldest until it and the other log, which is to hold `taken`, are within the bound.
    pub(crate) fn give_way(&mut self, taken: u64, fx: &mut Effects) {
        while self.held_bytes + taken > self.bounds.max_bytes && self.drop_oldest(Reason::Full, fx) {}
    }

    /// Takes a record that is not too large.
    pub(crate) fn admit(&mut self, now_ms: i64, bytes: Bytes, ticket: Ticket, fx: &mut Effects) -> Position {
        let size = framed(bytes.len());
        self.expire(now_ms, fx);
        while self.held_bytes + size > self.capacity() && self.drop_oldest(Reason::Full, fx) {}
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
        let stays = self.blocked || self.cursors.is_empty();
        if last.len >= self.bounds.segment_bytes || old || (unwritten && stays) {
            self.next_segment = SegmentId(last.id.0 + 1);
        }
    }

    /// Gives up what is older than the log keeps records.
    pub(crate) fn expire(&mut self, now_ms: i64, fx: &mut Effects) {
        let limit = now_ms.saturating_sub(self.bounds.max_age_ms);
        while self.segments.front().is_some_and(|oldest| oldest.last_ms < limit) {
            if !self.drop_oldest(Reason::Age, fx) {
                // The current segment stays for its definitions, but nobody is given its records any more.
                self.lose(0, Reason::Age, fx);
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
        self.lose(0, reason, fx);
        self.advance(fx);
        // Where nobody needed it, it is still there.
        if self.segments.front().is_some_and(|oldest| oldest.id == id) {
            self.remove(0, fx);
        }
        true
    }

    /// Moves all cursors behind segment `index` past its end, and counts what they lose.
    pub(crate) fn lose(&mut self, index: usize, reason: Reason, fx: &mut Effects) {
        let Some(segment) = self.segments.get_mut(index) else { return };
        if self.tells {
            fx.lost.extend(Loss::of(segment, &self.cursors, reason));
        }
        let end = Spot { position: segment.end, segment: segment.id, offset: segment.len };
        for cursor in &mut self.cursors {
            if cursor.committed.position >= segment.end {
                continue;
            }
            let lost = segment.lag(&cursor.committed);
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

    /// Finds anew how old the oldest record is that each cursor has yet to commit.
    pub(crate) fn refresh_pending(&mut self) {
        for index in 0..self.cursors.len() {
            let cursor = &self.cursors[index];
            let known = cursor.pending_ms.unwrap_or(cursor.seen_ms);
            self.cursors[index].pending_ms =
                self.following(&cursor.committed).map(|exact| exact.unwrap_or(known));
        }
    }

    /// Settles and frees what all cursors have behind them.
    pub(crate) fn advance(&mut self, fx: &mut Effects) {
        let passed = self.cursors.iter().map(|cursor| cursor.committed.position).min();
        self.pass(passed.unwrap_or(self.passed), Settled::Delivered, fx);
    }

    /// Every cursor has committed what is before `passed`.
    pub(crate) fn pass(&mut self, passed: Position, settled: Settled, fx: &mut Effects) {
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
}
