//! The two logs that hold log entries, and the batches that are to go into them.
//!
//! Entries of marked streams have a log of their own. Both share one bound; where that is reached the oldest of the others
//! go, and those of marked streams only when there is nothing else left to go. A stream is in one of them, so each keeps
//! its order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taffrail_spool::{Log, Pressure, Ticket};
use taffrail_wire::loki::Batch;
use tracing::error;

use super::buffers::{self, RECORDS};
use super::chunk::MAX_BYTES;

/// Before a full batch is written, outputs that have more than this to send are waited for: sources read files faster than anybody
/// takes them, and what an output is late for is written to disk.
const AHEAD: u64 = 512 << 10;
/// But no longer than this, and not for an output that was given something as long ago. So none is waited for that takes
/// less than 50 MB a second: a file may be truncated while it is not read.
pub(super) const PATIENCE: Duration = Duration::from_millis(10);

/// The logs of log entries.
#[derive(Clone)]
pub struct Logs {
    /// What goes first.
    pub others: Arc<dyn Log>,
    /// What goes last: the entries of marked streams.
    pub kept: Arc<dyn Log>,
}

impl Logs {
    /// The name of each, which is that of its folder too, and the log.
    pub fn named(&self) -> [(&'static str, &Arc<dyn Log>); 2] {
        [("logs", &self.others), ("logs-kept", &self.kept)]
    }

    /// Both.
    pub fn both(&self) -> [Arc<dyn Log>; 2] {
        [self.others.clone(), self.kept.clone()]
    }
}

/// What is to go into one of them.
pub(super) struct Lane {
    log: Arc<dyn Log>,
    pub(super) batch: Batch,
    pub(super) tickets: Vec<Ticket>,
}

impl Lane {
    pub(super) fn new(log: Arc<dyn Log>) -> Self {
        Lane { log, batch: Batch::new(), tickets: Vec::new() }
    }

    /// Whether the batch has grown as large as one may be.
    pub(super) fn is_full(&self) -> bool {
        self.batch.raw_len() >= MAX_BYTES
    }

    /// Waits a moment for outputs that keep up.
    pub(super) async fn wait_for_outputs(&mut self) {
        self.log.wait_for_cursors(AHEAD, PATIENCE).await;
    }

    /// Appends the batch as a record.
    pub(super) fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let record = if buffers::fills(self.batch.raw_len(), self.batch.capacity()) {
            let mut next = RECORDS.take();
            next.reserve(self.batch.raw_len());
            RECORDS.lend(self.batch.replace(next))
        } else {
            let record = Bytes::copy_from_slice(self.batch.finish());
            self.batch.clear();
            record
        };
        let tickets = std::mem::take(&mut self.tickets);
        let all = Ticket::new(move |how| tickets.into_iter().for_each(|ticket| ticket.settle(how)));
        // A record that cannot be taken was dropped for a counted reason, or its ticket was dropped unsettled.
        if let Err(error) = self.log.append(record, all) {
            error!(%error, "log entries were not kept");
        }
    }
}

/// The higher of two.
pub(super) fn higher(one: Pressure, other: Pressure) -> Pressure {
    match (one, other) {
        (Pressure::AllLag, _) | (_, Pressure::AllLag) => Pressure::AllLag,
        (Pressure::SomeLag, _) | (_, Pressure::SomeLag) => Pressure::SomeLag,
        (Pressure::Low, Pressure::Low) => Pressure::Low,
    }
}
