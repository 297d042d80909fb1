//! One series of a target, and how it is written.

use taffrail_core::Histogram;
use taffrail_core::sample::STALE_NAN;
use taffrail_spool::SegmentId;

use super::families::Families;
use super::taken::{More, Sample};
use crate::metrics::interner::Key;
use crate::metrics::record::{Encoder, Slot};

/// A series of a target.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) labels: Key,
    /// Its number in the segment of the log that last defined it.
    pub(super) slot: Slot,
    pub(super) family: u32,
    /// The last page with a sample of it, and that sample's time; the page may turn out to be bad.
    pub(super) page: u32,
    pub(super) page_ts_ms: i64,
    /// The time of what was last written of it.
    pub(super) ts_ms: i64,
    /// How many lines lead to it.
    pub(super) lines: u32,
    /// Whether a value was written that a marker has to end.
    pub(super) alive: bool,
    /// Whether that was a native histogram.
    pub(super) histogram: bool,
    /// Whether it is known when it began.
    pub(super) started: bool,
    /// Whether its value says when others began.
    pub(super) tells: bool,
}

/// Writes a histogram, or a sample that has exemplars. Whether it was a histogram.
pub(super) fn write_more(
    slot: Slot,
    sample: &Sample,
    more: &[(u32, More)],
    encoder: &mut Encoder<SegmentId>,
) -> bool {
    let histogram = more.iter().find_map(|(_, more)| match more {
        More::Histogram(histogram) => Some(histogram),
        More::Exemplar(_) => None,
    });
    match histogram {
        Some(histogram) => encoder.histogram(slot, sample.ts_ms, histogram),
        None => encoder.sample(slot, sample.ts_ms, sample.value),
    }
    for (_, more) in more {
        if let More::Exemplar(exemplar) = more {
            encoder.exemplar(exemplar);
        }
    }
    histogram.is_some()
}

impl Known {
    #[inline]
    /// Defines it in the segment, where that does not know it.
    pub(super) fn define(&mut self, encoder: &mut Encoder<SegmentId>, families: &Families) {
        if !encoder.knows(self.slot) {
            self.slot = encoder.define(families.get(self.family), &self.labels);
        }
    }

    /// Writes the marker that ends it.
    pub(super) fn end(&mut self, now_ms: i64, encoder: &mut Encoder<SegmentId>, families: &Families) {
        self.alive = false;
        // A page may say times that are still to come; a marker before them is of no use.
        if self.ts_ms >= now_ms {
            return;
        }
        self.define(encoder, families);
        match self.histogram {
            true => encoder.histogram(self.slot, now_ms, &Histogram::stale()),
            false => encoder.sample(self.slot, now_ms, f64::from_bits(STALE_NAN)),
        }
        self.ts_ms = now_ms;
    }
}
