//! What of the ledger only memory holds: what to write next, and what to give up where that cannot be.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::disk::frame::Summary;
use crate::disk::recover::segment_path;
use crate::ledger::{CursorState, Effects, Ledger};
use crate::log::{Position, SegmentId};
use crate::loss::Loss;
use crate::segment::{HEADER, Segment};
use crate::ticket::{Reason, Settled};

/// How much is written at once.
pub(crate) const PIECE: usize = 1 << 20;

/// A piece of one segment to write.
pub(crate) struct Piece {
    pub(crate) id: SegmentId,
    pub(crate) path: Option<Arc<Path>>,
    pub(crate) first: Position,
    pub(crate) first_ms: i64,
    /// Where in the file it begins; 0 for a new file.
    pub(crate) at: u64,
    pub(crate) records: Vec<(Position, i64, Bytes)>,
    /// The segment is complete with this.
    pub(crate) seal: Option<Summary>,
}

impl Ledger {
    /// Whether a cursor lags by more than that.
    pub(crate) fn lags(&self, bytes: u64, age: Duration, now_ms: i64) -> bool {
        self.cursors.iter().any(|cursor| {
            let old = cursor
                .pending_ms
                .is_some_and(|ms| now_ms.saturating_sub(ms) as i128 > age.as_millis() as i128);
            old || self.lag(&cursor.committed).bytes > bytes
        })
    }

    /// Whether a file holds anything.
    pub(crate) fn on_disk(&self) -> bool {
        self.segments.iter().any(|segment| segment.written > 0)
    }

    /// Whether a cursor that somebody holds has more than that to commit, but nothing that is older.
    pub(crate) fn runs_ahead(&self, bytes: u64, age: Duration, now_ms: i64) -> bool {
        self.cursors.iter().filter(|cursor| cursor.open).any(|cursor| {
            let young = |ms: i64| (now_ms.saturating_sub(ms) as i128) < age.as_millis() as i128;
            cursor.pending_ms.is_some_and(young) && self.lag(&cursor.committed).bytes > bytes
        })
    }

    /// The next piece to write, in order. Without a cursor there is none: nobody will read it.
    pub(crate) fn piece(&self) -> Option<Piece> {
        if self.cursors.is_empty() {
            return None;
        }
        let current = self.next_segment;
        let done = |segment: &Segment| segment.unwritten() == 0 && (segment.sealed || segment.id == current);
        // What is to be written stands at the end.
        let from = self.segments.iter().rposition(done).map_or(0, |last| last + 1);
        let segment = self.segments.get(from)?;
        let unwritten = segment.kept_unwritten();
        let mut size = 0;
        let records = segment.kept.range(unwritten..).take_while(|entry| {
            let fits = size == 0 || size + entry.bytes.len() <= PIECE;
            size += entry.bytes.len();
            fits
        });
        let records: Vec<_> = records.map(|e| (e.position, e.appended_ms, e.bytes.clone())).collect();
        let all = unwritten + records.len() == segment.kept.len();
        Some(Piece {
            id: segment.id,
            path: segment.path.clone(),
            first: segment.first,
            first_ms: segment.first_ms,
            at: segment.written,
            seal: (all && segment.id != current).then_some(Summary {
                first: segment.first,
                end: segment.end,
                records: segment.records,
                first_ms: segment.first_ms,
                last_ms: segment.last_ms,
                len: segment.len,
            }),
            records,
        })
    }

    /// A piece is in its file, up to the offset `written`.
    pub(crate) fn written(&mut self, piece: &Piece, written: u64, dir: &Path, fx: &mut Effects) {
        let Some(segment) = self.segments.iter_mut().find(|segment| segment.id == piece.id) else {
            // A reader's commit has freed it meanwhile.
            fx.unlink.push(segment_path(dir, piece.id).into());
            return;
        };
        segment.path.get_or_insert_with(|| segment_path(dir, piece.id).into());
        let range = segment.kept_unwritten();
        segment.written = written;
        segment.sealed = piece.seal.is_some();
        let range = range..segment.kept_unwritten();
        for entry in segment.kept.range_mut(range) {
            if let Some(ticket) = entry.ticket.take() {
                fx.settle.push((ticket, entry.dropped.map_or(Settled::Spooled, Settled::Dropped)));
            }
        }
        self.trim_memory();
    }

    /// The disk takes no writes: gives up what memory cannot hold, oldest first.
    pub(crate) fn evict(&mut self, fx: &mut Effects) {
        self.trim_memory();
        let bound = self.bounds.memory_bytes.unwrap_or(u64::MAX);
        while self.memory_bytes > bound {
            let current = self.next_segment;
            let stuck = |segment: &Segment| segment.id != current && segment.unwritten() > 0;
            let Some(index) = self.segments.iter().position(stuck) else { return };
            self.drop_unwritten(index, fx);
        }
    }

    /// Gives up the end of segment `index`, which no file holds. No record after it stands in the same segment.
    fn drop_unwritten(&mut self, index: usize, fx: &mut Effects) {
        let Some(segment) = self.segments.get_mut(index) else { return };
        let unwritten = segment.kept_unwritten();
        let mut lost = Vec::new();
        for mut entry in segment.kept.drain(unwritten..) {
            let size = entry.end() - entry.offset;
            let ticket = entry.ticket.take();
            let again = self.bounds.asks_again && ticket.is_some();
            let needs = |cursor: &&mut CursorState| cursor.committed.position <= entry.position;
            for cursor in self.cursors.iter_mut().filter(needs).filter(|_| !again) {
                cursor.lost.add(1, size);
                self.counters.disk.add(1, size);
            }
            if self.tells && !again {
                lost.push((entry.position, entry.bytes.clone()));
            }
            match ticket {
                Some(ticket) if again => fx.again.push(ticket),
                Some(ticket) => fx.settle.push((ticket, Settled::Dropped(Reason::Disk))),
                None => {}
            }
            self.memory_bytes -= size;
            self.held_bytes -= size;
            segment.records -= 1;
            segment.end = segment.end.min(entry.position);
        }
        fx.lost.extend(Loss::of_records(lost, &self.cursors, Reason::Disk));
        segment.len = segment.written.max(HEADER);
        if segment.records == 0 {
            self.remove(index, fx);
        }
        self.refresh_pending();
    }
}
