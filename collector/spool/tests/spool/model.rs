//! What a log should do, too simple to be wrong: all records in one list.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use taffrail_spool::{Reason, SegmentId, Settled};

pub(crate) const MAX_BYTES: u64 = 4000;
pub(crate) const SEGMENT_BYTES: u64 = 600;
pub(crate) const MAX_AGE: Duration = Duration::from_secs(1600);
pub(crate) const FRAME: u64 = 28;

#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) position: u64,
    pub(crate) segment: SegmentId,
    pub(crate) ms: i64,
    pub(crate) payload: Bytes,
    /// Its number, which its ticket tells.
    pub(crate) number: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    pub(crate) open: bool,
    pub(crate) committed: u64,
    pub(crate) lost: u64,
    /// Positions read and not committed, in order.
    pub(crate) ahead: Vec<u64>,
}

/// All records in one list; cursors are positions in it.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) kept: Vec<Kept>,
    pub(crate) next: u64,
    pub(crate) readers: BTreeMap<usize, Reader>,
    pub(crate) full: u64,
    pub(crate) age: u64,
    pub(crate) skipped: u64,
    pub(crate) settled: BTreeMap<usize, Settled>,
    /// Who must not have been given a record as delivered.
    pub(crate) spoiled: BTreeMap<usize, Reason>,
}

impl Model {
    pub(crate) fn size(&self) -> u64 {
        self.kept.iter().map(|kept| kept.payload.len() as u64 + FRAME).sum()
    }

    pub(crate) fn drop_segment(&mut self, segment: SegmentId, reason: Reason, keep: bool) {
        for reader in self.readers.values_mut() {
            for kept in
                self.kept.iter().filter(|kept| kept.segment == segment && kept.position >= reader.committed)
            {
                reader.lost += 1;
                if reason == Reason::Full {
                    self.full += 1;
                } else {
                    self.age += 1;
                }
                self.spoiled.entry(kept.number).or_insert(reason);
            }
            let end =
                self.kept.iter().filter(|kept| kept.segment == segment).map(|kept| kept.position + 1).max();
            reader.committed = reader.committed.max(end.unwrap_or(0));
        }
        self.settle();
        if !keep {
            self.kept.retain(|kept| kept.segment != segment);
        }
    }

    pub(crate) fn expire(&mut self, now_ms: i64, current: SegmentId) {
        while let Some(oldest) = self.kept.first().map(|kept| kept.segment) {
            let last = self.kept.iter().filter(|kept| kept.segment == oldest).map(|kept| kept.ms).max();
            if last.is_none_or(|last| last >= now_ms - MAX_AGE.as_millis() as i64) {
                break;
            }
            self.drop_segment(oldest, Reason::Age, oldest == current);
            if oldest == current {
                break;
            }
        }
    }

    /// What every reader has behind it is settled, and its segments freed.
    pub(crate) fn settle(&mut self) {
        let Some(passed) = self.readers.values().map(|reader| reader.committed).min() else { return };
        for kept in self.kept.iter().filter(|kept| kept.position < passed) {
            let how =
                self.spoiled.get(&kept.number).map_or(Settled::Delivered, |reason| Settled::Dropped(*reason));
            self.settled.entry(kept.number).or_insert(how);
        }
    }

    pub(crate) fn reclaim(&mut self, current: SegmentId) {
        let passed = self.readers.values().map(|reader| reader.committed).min().unwrap_or(self.next);
        while let Some(oldest) = self.kept.first().map(|kept| kept.segment) {
            if oldest == current || self.kept.iter().any(|k| k.segment == oldest && k.position >= passed) {
                break;
            }
            self.kept.retain(|kept| kept.segment != oldest);
        }
    }
}
