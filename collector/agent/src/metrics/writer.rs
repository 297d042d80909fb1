//! The one writer of the metrics log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use taffrail_spool::{Log, SegmentId, Ticket};
use tracing::error;

use super::record::Encoder;
use crate::status::lock;

/// Appends records to the metrics log; shared by all scopes.
pub struct Writer {
    log: Arc<dyn Log>,
    encoder: Mutex<Encoder<SegmentId>>,
    numbers: AtomicU64,
}

impl Writer {
    /// The writer of `log`; there is one.
    pub fn new(log: Arc<dyn Log>) -> Self {
        Writer { log, encoder: Mutex::default(), numbers: AtomicU64::new(1) }
    }

    /// A number for a new series, never given twice by this process.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets `fill` write one record for the segment it is told, and appends it.
    pub fn append(&self, fill: impl FnOnce(SegmentId, &mut Encoder<SegmentId>)) {
        // Held from asking for the segment to the append, so that no other record comes between.
        let mut encoder = lock(&self.encoder);
        let segment = self.log.segment();
        encoder.begin(segment);
        fill(segment, &mut encoder);
        if encoder.is_empty() {
            return;
        }
        // Samples cannot be read again, so nobody waits for the ticket. The log itself counts what it could not take.
        if let Err(error) = self.log.append(encoder.finish(), Ticket::none()) {
            error!(%error, "samples were not kept");
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
