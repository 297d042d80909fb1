//! What the records of a log hold, counted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use taffrail_core::Histogram;
use taffrail_spool::{Inspect, Record, SegmentId};
use taffrail_wire::loki;

use super::progress::Progress;
use crate::metrics::record::{Decoder, Exemplar, Numbered, Table, Visit};

/// Of records that cannot be decoded, this many are named.
const NAMED: usize = 20;

/// A record that is whole but cannot be decoded.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) file: PathBuf,
    pub(super) at: u64,
    pub(super) error: String,
}

/// Counts what records hold.
pub(super) struct Contents {
    progress: Progress,
    kind: Kind,
    /// How many samples or entries there are.
    pub(super) count: u64,
    /// Records that cannot be decoded: how many, and the first of them.
    pub(super) unreadable: (u64, Vec<Unreadable>),
}

enum Kind {
    Samples(Decoder<SegmentId>),
    Entries,
    Unknown,
}

impl Contents {
    /// For the log of this name.
    pub(super) fn new(log: &str) -> Self {
        let kind = match log {
            "metrics" => Kind::Samples(Decoder::default()),
            "logs" | "logs-kept" => Kind::Entries,
            _ => Kind::Unknown,
        };
        Contents { progress: Progress::new(log.to_owned()), kind, count: 0, unreadable: (0, Vec::new()) }
    }

    /// What is counted, in words; nothing where it is not known.
    pub(super) fn what(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Samples(_) => Some("samples"),
            Kind::Entries => Some("log lines"),
            Kind::Unknown => None,
        }
    }
}

/// Counts samples.
struct Count<'a>(&'a mut u64);

impl Visit for Count<'_> {
    fn segment(&mut self, _table: &Arc<Mutex<Table>>) {}

    fn sample(&mut self, _series: Numbered<'_>, _ts_ms: i64, _value: f64) {
        *self.0 += 1;
    }

    fn start(&mut self, _series: Numbered<'_>, _start_ms: i64) {}

    fn histogram(&mut self, _series: Numbered<'_>, _ts_ms: i64, _histogram: Histogram) {
        *self.0 += 1;
    }

    fn exemplar(&mut self, _exemplar: Exemplar) {}
}

impl Inspect for Contents {
    fn progress(&mut self, done: u64, total: u64) {
        self.progress.show(done, total);
    }

    fn record(&mut self, record: &Record, path: &Path, at: u64) -> bool {
        let read = match &mut self.kind {
            Kind::Samples(decoder) => decoder
                .read(record.segment, &record.bytes, &mut Count(&mut self.count))
                .map_err(|error| error.to_string()),
            Kind::Entries => loki::count_entries(&record.bytes)
                .map(|count| self.count += count as u64)
                .map_err(|error| error.to_string()),
            Kind::Unknown => Ok(()),
        };
        if let Err(error) = read {
            self.unreadable.0 += 1;
            if self.unreadable.1.len() < NAMED {
                self.unreadable.1.push(Unreadable { file: path.to_owned(), at, error });
            }
        }
        true
    }
}
