//! Measures: what stages count on the way, published by the exporter `measures`.
//!
//! A register at the left edge: stages add, one subject collects. Bounded in series, so that a label from outside
//! cannot grow it without end.

use std::collections::HashMap;
use std::sync::Mutex;

use taffrail_core::{Family, Out, metrics};

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
    /// What was counted for no series because there were too many label values.
    pub OVERFLOW: Counter = "taffrail_measures_overflow_total" [];
}

/// The most series that are kept apart.
const MAX_SERIES: usize = 2000;

/// Counts by family and labels.
#[derive(Debug, Default)]
pub struct Measures {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_series: HashMap<(usize, [Box<str>; 2]), Count>,
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
        let key = (std::ptr::from_ref(family).addr(), labels.map(Box::from));
        if let Some(count) = counts.by_series.get_mut(&key) {
            count.value += by;
        } else if counts.by_series.len() < MAX_SERIES {
            counts.by_series.insert(key, Count { family, value: by });
        } else {
            counts.overflow += by;
        }
    }

    /// Writes all counters.
    pub fn collect(&self, out: &mut Out) {
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
        measures.collect(&mut out);
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
        measures.collect(&mut out);
        let collected = out.finish();
        assert_eq!(collected.samples.len(), MAX_SERIES + 1);
        assert_eq!(collected.samples[MAX_SERIES].value.to_f64(), 5.0);
    }
}
