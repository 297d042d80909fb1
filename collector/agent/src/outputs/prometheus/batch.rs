//! Batches of samples, made of records and written into requests of either version.

use std::sync::{Arc, Mutex, OnceLock};

use taffrail_spool::{Position, Record};
use taffrail_wire::remote_write::v2::{self, Symbols};
use taffrail_wire::remote_write::{self};

use super::super::deliver::Ready;
use crate::metrics::record::{Definition, Visit};
use crate::status::lock;

/// The most samples in a request, as Prometheus' own default has it.
pub(super) const MAX_SAMPLES: usize = 2000;

/// A series of a segment: in the symbols of 2.0, and in the bytes of 1.0 once those were needed.
#[derive(Clone, Debug)]
pub(super) struct Series(Arc<(v2::Series, OnceLock<Box<[u8]>>)>);

/// Samples of one segment's series.
#[derive(Debug, Default)]
pub struct Batch {
    symbols: Arc<Mutex<Symbols>>,
    points: Vec<(Series, f64, i64)>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// In two, in order; a batch of one comes back whole.
    pub(super) fn split(mut self) -> Result<(Self, Self), Self> {
        if self.points.len() < 2 {
            return Err(self);
        }
        let points = self.points.split_off(self.points.len() / 2);
        let second = Batch { symbols: self.symbols.clone(), points };
        Ok((self, second))
    }

    pub(super) fn write(&self, request: &mut remote_write::Request) {
        let symbols = lock(&self.symbols);
        for (series, value, ts_ms) in &self.points {
            let (series, labels) = &*series.0;
            let labels = labels.get_or_init(|| symbols.encode_labels(series).into());
            request.series(labels, &[(*value, *ts_ms)]);
        }
    }

    pub(super) fn write_v2(&self, request: &mut v2::Request) {
        let symbols = lock(&self.symbols);
        for (series, value, ts_ms) in &self.points {
            request.series(&symbols, &series.0.0, &[(*value, *ts_ms)]);
        }
    }
}

/// Makes batches of what records hold.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Of the present segment.
    symbols: Arc<Mutex<Symbols>>,
    batch: Batch,
    /// The position after the records that are wholly in `batch` or before it.
    upto: Option<Position>,
    ready: Vec<Ready<Batch>>,
    /// Whether the present record is read for its definitions only.
    replay: bool,
    /// Where the present record's samples begin in `batch`.
    begun: usize,
}

impl Reading {
    /// Before a record is read.
    pub(super) fn begin(&mut self, record: &Record) {
        self.replay = record.replay;
        self.begun = self.batch.len();
    }

    /// After a record was read.
    pub(super) fn end(&mut self, record: &Record) {
        if self.replay {
            return;
        }
        if self.begun > 0 && self.batch.len() > MAX_SAMPLES {
            // A record is kept in one piece where it can be: a batch of several ends at its beginning.
            let points = self.batch.points.split_off(self.begun);
            let rest = Batch { symbols: self.symbols.clone(), points };
            let batch = std::mem::replace(&mut self.batch, rest);
            self.ready.push(Ready { batch, upto: self.upto });
        }
        while self.batch.len() > MAX_SAMPLES {
            let points = self.batch.points.split_off(MAX_SAMPLES);
            let rest = Batch { symbols: self.symbols.clone(), points };
            let batch = std::mem::replace(&mut self.batch, rest);
            self.ready.push(Ready { batch, upto: self.upto });
        }
        self.upto = Some(record.position + 1);
    }

    /// The batches of all records since the last call.
    pub(super) fn finish(&mut self) -> Vec<Ready<Batch>> {
        self.cut();
        self.upto = None;
        std::mem::take(&mut self.ready)
    }

    fn cut(&mut self) {
        let next = Batch { symbols: self.symbols.clone(), points: Vec::new() };
        let batch = std::mem::replace(&mut self.batch, next);
        if !batch.points.is_empty() {
            self.ready.push(Ready { batch, upto: self.upto });
        }
        self.begun = 0;
    }
}

impl Visit for Reading {
    type Series = Option<Series>;

    fn segment(&mut self) {
        // A request speaks in the symbols of one segment.
        self.symbols = Arc::default();
        self.cut();
    }

    fn define(&mut self, definition: Definition<'_>) -> Option<Series> {
        let Definition { labels, kind, help, unit } = definition;
        // Labels that do not read were never written by this program; the record's checksum speaks against it.
        let series = v2::Series::new(&mut lock(&self.symbols), labels, kind, help, unit).ok()?;
        Some(Series(Arc::new((series, OnceLock::new()))))
    }

    fn sample(&mut self, series: &Option<Series>, ts_ms: i64, value: f64) {
        if let (Some(series), false) = (series, self.replay) {
            self.batch.points.push((series.clone(), value, ts_ms));
        }
    }
}
