//! What the ledger counts, and what it says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::{CursorState, Ledger};
use crate::log::{CursorStats, LogStats, Pressure, Tally};
use crate::segment::HEADER;
use crate::ticket::Reason;

/// The lag that is a backlog, where segments are not smaller.
const BACKLOG: u64 = 1 << 20;
/// How long after it was last held a cursor counts as gone: a reload opens its cursors again at once.
const GONE_AFTER_MS: i64 = 60_000;

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

impl Ledger {
    /// How near the oldest is to being dropped. What is high stays so until it is clearly lower, so that a source is
    /// not stopped and started by every record.
    pub(crate) fn pressure(&mut self, now_ms: i64) -> Pressure {
        let was = self.pressure;
        let mut taken = self.held_bytes as f64 / self.capacity() as f64;
        if let Some(bound) = self.bounds.memory_bytes.filter(|_| self.blocked) {
            taken = taken.max(self.memory_bytes as f64 / bound as f64);
        }
        self.pressure = Pressure::Low;
        if self.tight || taken >= if was.is_high() { 0.6 } else { 0.75 } {
            // Whoever nobody holds is not helped by a source that waits.
            let held =
                |cursor: &&CursorState| cursor.open || now_ms.saturating_sub(cursor.seen_ms) <= GONE_AFTER_MS;
            let lag = |cursor: &CursorState| self.lag(&cursor.committed).bytes;
            let lags = self.cursors.iter().filter(held).map(lag);
            let (least, most) =
                lags.fold((u64::MAX, 0), |(least, most), lag| (least.min(lag), most.max(lag)));
            if most > self.backlog() / if was.is_high() { 2 } else { 1 } {
                let all = least > most / if was == Pressure::AllLag { 4 } else { 2 };
                self.pressure = if all { Pressure::AllLag } else { Pressure::SomeLag };
            }
        }
        self.pressure
    }

    /// From how many bytes on a lag is more than what comes and goes between an append and its commit.
    fn backlog(&self) -> u64 {
        // Not more than is given up at once, or records would go without a warning.
        let blocked = self.bounds.memory_bytes.filter(|_| self.blocked).map_or(u64::MAX, |bound| bound / 4);
        BACKLOG.min(self.bounds.segment_bytes).min(blocked)
    }

    /// What [`crate::Log::stats`] gives.
    pub(crate) fn stats(&self, now_ms: i64) -> LogStats {
        let age = |ms: Option<i64>| {
            Duration::from_millis(ms.map_or(0, |ms| now_ms.saturating_sub(ms).max(0)) as u64)
        };
        let cursors = self.cursors.iter().map(|cursor| CursorStats {
            name: cursor.name.to_string(),
            open: cursor.open,
            seen_ms: if cursor.open { now_ms } else { cursor.seen_ms },
            committed: cursor.committed.position,
            lag: self.lag(&cursor.committed),
            lag_age: age(cursor.pending_ms),
            lost: cursor.lost,
        });
        LogStats {
            held: Tally {
                records: self.segments.iter().map(|segment| segment.records).sum(),
                bytes: self.segments.iter().map(|segment| segment.len - HEADER).sum(),
            },
            memory_bytes: self.memory_bytes,
            disk_bytes: self.segments.iter().map(|segment| segment.written).sum(),
            capacity_bytes: self.capacity(),
            segments: self.segments.len(),
            oldest_age: age(self.cursors.iter().filter_map(|cursor| cursor.pending_ms).min()),
            appended: self.counters.appended,
            dropped_full: self.counters.full,
            dropped_age: self.counters.age,
            dropped_disk: self.counters.disk,
            dropped_too_large: self.counters.too_large,
            skipped: self.counters.skipped.clone(),
            torn: self.counters.torn,
            corrupt: self.counters.corrupt,
            disk_blocked: self.blocked,
            last_error: self.last_error.clone(),
            cursors: cursors.collect(),
        }
    }
}
