//! One segment in the ledger: which records it holds, and which of them are in memory.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::log::{Position, SegmentId, Tally};
use crate::ticket::{Reason, Ticket};

/// Bytes before the first record of a segment.
pub(crate) const HEADER: u64 = 48;
/// Bytes before the payload of each record.
pub(crate) const FRAME: u64 = 28;

/// Bytes a record takes in a segment.
pub(crate) fn framed(payload: usize) -> u64 {
    FRAME + payload as u64
}

/// A place between two records. Offsets are those of the segment's file, whether there is one or not: the layout is
/// fixed when a record is appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The next record has this position, or a higher one.
    pub(crate) position: Position,
    /// The segment of the record before.
    pub(crate) segment: SegmentId,
    /// Where the record before ends, or an earlier end of a record in that segment.
    pub(crate) offset: u64,
}

/// A record in memory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) offset: u64,
    pub(crate) appended_ms: i64,
    pub(crate) bytes: Bytes,
    /// `None` once it is settled.
    pub(crate) ticket: Option<Ticket>,
    /// Some cursor will never have it.
    pub(crate) dropped: Option<Reason>,
}

impl Entry {
    pub(crate) fn end(&self) -> u64 {
        self.offset + framed(self.bytes.len())
    }
}

/// What the ledger knows of a segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) first: Position,
    /// One past the last record's position.
    pub(crate) end: Position,
    pub(crate) records: u64,
    /// The offset at which its last record ends.
    pub(crate) len: u64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// The newest of its records, without a gap up to the last.
    pub(crate) kept: VecDeque<Entry>,
    /// Up to which offset the file holds it; 0 without a file.
    pub(crate) written: u64,
    pub(crate) path: Option<Arc<Path>>,
    /// The footer is written: the file will not change any more.
    pub(crate) sealed: bool,
    /// Damage before this offset was counted.
    pub(crate) damage_upto: u64,
}

impl Segment {
    pub(crate) fn new(id: SegmentId, first: Position, now_ms: i64) -> Self {
        Segment {
            id,
            first,
            end: first,
            records: 0,
            len: HEADER,
            first_ms: now_ms,
            last_ms: now_ms,
            kept: VecDeque::new(),
            written: 0,
            path: None,
            sealed: false,
            damage_upto: 0,
        }
    }

    pub(crate) fn push(&mut self, position: Position, now_ms: i64, bytes: Bytes, ticket: Option<Ticket>) {
        let offset = self.len;
        self.len += framed(bytes.len());
        self.end = position + 1;
        self.records += 1;
        self.last_ms = now_ms;
        self.kept.push_back(Entry { position, offset, appended_ms: now_ms, bytes, ticket, dropped: None });
    }

    /// The index in `kept` of the first record at `position` or after it.
    pub(crate) fn kept_from(&self, position: Position) -> usize {
        self.kept.partition_point(|entry| entry.position < position)
    }

    /// Whether memory holds all there is from `position` on.
    pub(crate) fn remembers(&self, position: Position) -> bool {
        self.kept.front().is_some_and(|entry| entry.position <= position.max(self.first))
    }

    /// The index in `kept` of the first record the file does not hold.
    pub(crate) fn kept_unwritten(&self) -> usize {
        self.kept.partition_point(|entry| entry.offset < self.written)
    }

    /// Bytes that only memory holds.
    pub(crate) fn unwritten(&self) -> u64 {
        self.len - self.written.max(HEADER)
    }

    /// What of it lies at or after `committed`.
    pub(crate) fn lag(&self, committed: &Spot) -> Tally {
        if committed.position <= self.first {
            return Tally { records: self.records, bytes: self.len - HEADER };
        }
        let offset = if committed.segment == self.id { committed.offset } else { 0 };
        Tally {
            records: self.records.min(self.end.saturating_sub(committed.position)),
            bytes: self.len - offset.clamp(HEADER, self.len),
        }
    }
}
