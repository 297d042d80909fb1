//! The log in memory: what it holds is gone with the process.

use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Clock;

use crate::engine::{Backed, Engine};
use crate::ledger::{Bounds, Ledger};
use crate::log::SegmentId;

/// The bounds of a [`MemoryLog`].
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions {
    /// How much it holds. Full, it drops its oldest segment. A record may be half of this (and never over 64 MiB).
    pub max_bytes: u64,
    /// How large a segment grows; at most a quarter of `max_bytes`. The current segment is held even when all have read
    /// it, so this is also what a log without any lag costs.
    pub segment_bytes: u64,
    /// How long a record is held, within a sixteenth: a segment goes when its newest record is older.
    pub max_age: Duration,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions { max_bytes: 16 << 20, segment_bytes: 1 << 20, max_age: Duration::from_secs(6 * 3600) }
    }
}

/// A [`Log`](crate::Log) in memory.
///
/// A record's ticket is settled as delivered when all cursors have committed it, or as dropped when it had to go.
#[derive(Debug)]
pub struct MemoryLog(Arc<Engine>);

impl MemoryLog {
    /// An empty log.
    pub fn new(options: MemoryOptions, clock: Clock) -> Self {
        let bounds = Bounds::new(options.max_bytes, options.segment_bytes, options.max_age);
        MemoryLog(Engine::new(clock, Ledger::new(bounds, 0, SegmentId(0))))
    }
}

impl Backed for MemoryLog {
    fn engine(&self) -> &Arc<Engine> {
        &self.0
    }
}
