//! The one writer of the metrics log.

use std::sync::{Arc, Mutex};

use taffrail_spool::{Log, SegmentId, Ticket};
use tracing::error;

use super::cardinality::Cardinality;
use super::interner::Interner;
use super::record::Encoder;
use crate::status::lock;

/// Appends records to the metrics log; shared by all scopes.
pub struct Writer {
    log: Arc<dyn Log>,
    interner: Arc<Mutex<Interner>>,
    encoder: Mutex<Encoder<SegmentId>>,
    cardinality: Arc<Cardinality>,
}

impl Writer {
    /// The writer of `log`; there is one.
    pub fn new(log: Arc<dyn Log>) -> Self {
        let interner = Arc::<Mutex<Interner>>::default();
        let cardinality = Arc::new(Cardinality::new(interner.clone()));
        Writer { log, encoder: Mutex::new(Encoder::new(interner.clone())), interner, cardinality }
    }

    /// What gives series their keys.
    pub fn interner(&self) -> &Arc<Mutex<Interner>> {
        &self.interner
    }

    /// Where series are counted.
    pub fn cardinality(&self) -> &Arc<Cardinality> {
        &self.cardinality
    }

    /// Lets `fill` write one record, and appends it. Slots of an earlier segment are not known any more.
    pub fn append(&self, fill: impl FnOnce(&mut Encoder<SegmentId>)) {
        // Held from asking for the segment to the append, so that no other record comes between.
        let mut encoder = lock(&self.encoder);
        encoder.begin(self.log.segment());
        fill(&mut encoder);
        if encoder.is_empty() {
            return;
        }
        // Samples cannot be read again, so nobody waits for the ticket. The log itself counts what it could not take.
        if let Err(error) = self.log.append(encoder.finish(), Ticket::none()) {
            error!(%error, "samples were not kept");
            encoder.forget();
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
