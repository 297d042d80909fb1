//! Measures: what stages count on the way, published by the exporter `measures`.
//!
//! A register at the left edge: stages add, one subject collects. Bounded in series, so that a label from outside
//! cannot grow it without end.

mod meters;

use std::collections::HashMap;
use std::sync::Mutex;

use taffrail_core::{Family, Out, metrics};
use taffrail_stages::stage::Measured;

use self::meters::Meters;
use crate::status::lock;

metrics! {
    /// Log entries read, by the job and service of their stream.
    pub LOG_ENTRIES: Counter = "taffrail_log_entries_total" ["stream_job", "service_name"];
    /// Bytes of log lines read, by the job and service of their stream.
    pub LOG_BYTES: Counter = "taffrail_log_bytes_total" ["stream_job", "service_name"];
    /// Log lines that a stage left out, by the job of their stream and the stage.
    pub LOG_LEFT_OUT: Counter = "taffrail_log_left_out_total" ["stream_job", "stage"];
    /// Lines that are no record of the format that their source names, and went on as they stand, by the job and service of
    /// their stream.
    pub LOG_GARBLED: Counter = "taffrail_log_garbled_total" ["stream_job", "service_name"];
    /// Lines in records that were longer than `max_line_bytes`, and cut, by the job and service of their stream.
    pub LOG_CUT: Counter = "taffrail_log_cut_total" ["stream_job", "service_name"];
    /// Entries of several lines that were longer than an entry may be, and became several, by the job and service of their
    /// stream.
    pub LOG_SPLIT: Counter = "taffrail_log_split_total" ["stream_job", "service_name"];
    /// What `redact` took out of log lines, by the job of their stream and what it was.
    pub LOG_REDACTED: Counter = "taffrail_log_redacted_total" ["stream_job", "kind"];
    /// Errors in log lines, by the service that wrote them and their fingerprint: at most 200 a service, all others as
    /// `__other__`.
    pub LOG_ERRORS: Counter = "taffrail_log_errors_total" ["service_name", "fingerprint"];
    /// Notes of new errors in log lines that were left out because too many came at once.
    pub ERROR_NOTES_LEFT_OUT: Counter = "taffrail_log_error_notes_left_out_total" ["service_name", "event"];
    /// What was counted for no series of its own because there were too many label values.
    pub OVERFLOW: Counter = "taffrail_measures_overflow_total" [];
}

/// The most series of one family that are kept apart.
const MAX_SERIES: usize = 2000;
/// The same of errors, which are many by their nature.
const MAX_ERRORS: usize = 10_000;

/// Counts by family and labels.
#[derive(Debug, Default)]
pub struct Measures {
    counts: Mutex<Counts>,
    meters: Mutex<Meters>,
}

#[derive(Debug, Default)]
struct Counts {
    by_series: HashMap<(usize, [Box<str>; 2]), Count>,
    /// How many series a family has.
    by_family: HashMap<usize, usize>,
    overflow: u64,
}

#[derive(Debug)]
struct Count {
    family: &'static Family<2>,
    value: u64,
}

impl Measures {
    /// Adds to a counter.
    pub fn add(&self, family: &'static Family<2>, labels: [&str; 2], by: u64) {
        let mut counts = lock(&self.counts);
        let Counts { by_series, by_family, overflow } = &mut *counts;
        let address = std::ptr::from_ref(family).addr();
        let key = (address, labels.map(Box::from));
        if let Some(count) = by_series.get_mut(&key) {
            count.value += by;
            return;
        }
        let most = if std::ptr::eq(family, &raw const LOG_ERRORS) { MAX_ERRORS } else { MAX_SERIES };
        let known = by_family.entry(address).or_default();
        if *known < most {
            *known += 1;
            by_series.insert(key, Count { family, value: by });
        } else {
            *overflow += by;
        }
    }

    /// Takes what the stage `meter` made of lines of a stream, whose job and service these are.
    pub fn measured(&self, measured: Vec<Measured>, stream: [&str; 2], now_ms: i64) {
        if measured.is_empty() {
            return;
        }
        let mut meters = lock(&self.meters);
        let left = measured.into_iter().map(|one| meters.take(one, stream, now_ms));
        let overflow = left.filter(|fits| !fits).count();
        lock(&self.counts).overflow += overflow as u64;
    }

    /// Writes all counters, and the metrics of lines.
    pub fn collect(&self, out: &mut Out, now_ms: i64) {
        lock(&self.meters).collect(out, now_ms);
        let counts = lock(&self.counts);
        for ((_, [first, second]), count) in &counts.by_series {
            out.put(count.family, [first, second], count.value as f64);
        }
        if counts.overflow > 0 {
            out.put(&OVERFLOW, [], counts.overflow as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stage_counts_the_exporter_publishes() {
        let measures = Measures::default();
        measures.add(&LOG_ENTRIES, ["files", "shop"], 2);
        measures.add(&LOG_ENTRIES, ["files", "shop"], 3);
        let mut out = Out::default();
        out.begin(1);
        measures.collect(&mut out, 1);
        let collected = out.finish();
        assert_eq!(collected.samples.len(), 1);
        assert_eq!(collected.samples[0].value.to_f64(), 5.0);
    }

    #[test]
    fn labels_from_outside_cannot_grow_it_without_end() {
        let measures = Measures::default();
        (0..MAX_SERIES + 5).for_each(|i| measures.add(&LOG_BYTES, ["files", &i.to_string()], 1));
        let mut out = Out::default();
        out.begin(1);
        measures.collect(&mut out, 1);
        let collected = out.finish();
        assert_eq!(collected.samples.len(), MAX_SERIES + 1);
        assert_eq!(collected.samples[MAX_SERIES].value.to_f64(), 5.0);
    }
}
