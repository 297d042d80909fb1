//! Batches of samples, made of records and written into requests of either version.

mod shards;

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::{Arc, Mutex};

use taffrail_core::Histogram;
use taffrail_core::histogram::CUSTOM;
use taffrail_spool::{Position, Record};
use taffrail_wire::remote_write::v2;
use taffrail_wire::remote_write::{self, ExemplarPoint, HistogramPoint, Points};

use super::super::deliver::Ready;
use super::relabel::Relabel;
use crate::metrics::record::{Exemplar, Numbered, Table, Visit};
use crate::status::lock;

/// The most samples in a request: those of one full record. Fewer would cost a request for each few of a large page.
pub(super) const MAX_SAMPLES: usize = 8192;

/// Samples of one segment's series.
#[derive(Debug, Default)]
pub struct Batch {
    table: Arc<Mutex<Table>>,
    points: Vec<Point>,
    /// What some points have besides, in the order of points: each with the index of its point.
    more: Vec<(u32, More)>,
}

/// A sample, or the place of a histogram.
#[derive(Clone, Copy, Debug)]
struct Point {
    series: u32,
    value: f64,
    ts_ms: i64,
}

/// What a point may have besides.
#[derive(Debug)]
enum More {
    /// When its series began, in milliseconds since 1970.
    Start(i64),
    /// The histogram that is there in the place of a number.
    Histogram(Box<Histogram>),
    Exemplar(Box<Exemplar>),
}

/// How many of each kind a batch has. A receiver says how many of each it has stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) samples: u64,
    pub(super) histograms: u64,
}

impl Counts {
    pub(super) fn all(self) -> u64 {
        self.samples + self.histograms
    }
}

pub(super) use shards::spread;

impl Batch {
    /// One sample.
    pub(super) fn of_one(table: Table, series: u32, value: f64, ts_ms: i64) -> Self {
        let points = vec![Point { series, value, ts_ms }];
        Batch { table: Arc::new(Mutex::new(table)), points, more: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    pub(super) fn counts(&self) -> Counts {
        let histograms =
            self.more.iter().filter(|(_, more)| matches!(more, More::Histogram(_))).count() as u64;
        Counts { samples: self.points.len() as u64 - histograms, histograms }
    }

    /// In two, in order; a batch of one comes back whole.
    pub(super) fn split(mut self) -> Result<(Self, Self), Self> {
        if self.points.len() < 2 {
            return Err(self);
        }
        let second = self.split_off(self.points.len() / 2);
        Ok((self, second))
    }

    /// Takes the points from an index on away, into a batch of their own.
    fn split_off(&mut self, at: usize) -> Self {
        let points = self.points.split_off(at);
        let mut more = self.more.split_off(self.more.partition_point(|(of, _)| (*of as usize) < at));
        more.iter_mut().for_each(|(of, _)| *of -= at as u32);
        Batch { table: self.table.clone(), points, more }
    }

    /// Writes a request of 1.0. Says how many it cannot carry: histograms with custom buckets.
    pub(super) fn write(&self, request: &mut remote_write::Request) -> u64 {
        let table = lock(&self.table);
        let (mut labels, mut left_out) = (Vec::new(), 0);
        self.each(|point, more| {
            let Some(series) = table.series(point.series) else { return };
            match more {
                [] => request.numbered(table.symbols(), series, (point.value, point.ts_ms)),
                more if more.iter().any(is_custom) => left_out += 1,
                more => {
                    labels.clear();
                    series.encode_labels(table.symbols(), &mut labels);
                    with_points(point, more, |points| request.points(&labels, points));
                }
            }
        });
        left_out
    }

    /// Writes a request of 2.0.
    pub(super) fn write_v2(&self, request: &mut v2::Request) {
        let table = lock(&self.table);
        self.each(|point, more| {
            let Some(series) = table.series(point.series) else { return };
            match more {
                [] => request.series(table.symbols(), series, &[(point.value, point.ts_ms)]),
                more => with_points(point, more, |points| request.points(table.symbols(), series, points)),
            }
        });
    }

    /// Gives each point to `each`, with what it has besides.
    fn each(&self, mut each: impl FnMut(&Point, &[(u32, More)])) {
        let mut rest = &self.more[..];
        for (at, point) in self.points.iter().enumerate() {
            let own = rest.iter().take_while(|(of, _)| *of as usize == at).count();
            let (more, behind) = rest.split_at(own);
            rest = behind;
            each(point, more);
        }
    }
}

fn is_custom((_, more): &(u32, More)) -> bool {
    matches!(more, More::Histogram(histogram) if histogram.schema == CUSTOM)
}

/// Puts together all there is of a point.
fn with_points(point: &Point, more: &[(u32, More)], write: impl FnOnce(&Points<'_>)) {
    let (mut histograms, mut created_ms) = (Vec::new(), 0);
    let mut exemplars: Vec<(&Exemplar, Vec<(&str, &str)>)> = Vec::new();
    for (_, more) in more {
        match more {
            More::Start(ms) => created_ms = *ms,
            More::Histogram(histogram) => {
                histograms.push(HistogramPoint { histogram, ts_ms: point.ts_ms });
            }
            More::Exemplar(exemplar) => {
                let labels = exemplar.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
                exemplars.push((exemplar, labels));
            }
        }
    }
    let exemplars: Vec<_> = exemplars
        .iter()
        .map(|(of, labels)| ExemplarPoint { labels, value: of.value, ts_ms: of.ts_ms })
        .collect();
    let sample = [(point.value, point.ts_ms)];
    let samples = if histograms.is_empty() { &sample[..] } else { &[] };
    write(&Points { samples, histograms: &histograms, exemplars: &exemplars, created_ms });
}

/// Makes batches of what records hold.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Of the present segment.
    table: Arc<Mutex<Table>>,
    /// When series of the segment began, in milliseconds since 1970, as far as that was said.
    starts: HashMap<u32, i64>,
    batch: Batch,
    /// The position after the records that are wholly in `batch` or before it.
    upto: Option<Position>,
    ready: Vec<Ready<Batch>>,
    /// `write_relabel_configs`
    relabel: Option<Relabel>,
    /// Samples that rules dropped, since that was last asked for.
    left_out: u64,
    /// The last sample was dropped, and what comes with it has to be.
    dropped: bool,
    /// Whether the present record is read for its definitions only.
    replay: bool,
    /// Where the present record's samples begin in `batch`.
    begun: usize,
}

impl Reading {
    /// With rules that stand between the log and the receiver, if there are any.
    pub(super) fn new(relabel: Option<Relabel>) -> Self {
        Reading { relabel, ..Reading::default() }
    }

    /// How many samples rules have dropped since the last call.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// The number of a series as it is sent, if it is.
    #[inline]
    fn sent(&mut self, series: Numbered<'_>) -> Option<u32> {
        match &mut self.relabel {
            None => Some(series.number),
            Some(relabel) => relabel.number(series),
        }
    }

    /// The same for a sample: what is dropped is counted.
    #[inline]
    fn sent_sample(&mut self, series: Numbered<'_>) -> Option<u32> {
        let number = self.sent(series);
        self.dropped = number.is_none();
        self.left_out += u64::from(self.dropped);
        number
    }

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
            self.cut_at(self.begun);
        }
        while self.batch.len() > MAX_SAMPLES {
            self.cut_at(MAX_SAMPLES);
        }
        self.upto = Some(record.position + 1);
    }

    fn cut_at(&mut self, at: usize) {
        let rest = self.batch.split_off(at);
        let batch = std::mem::replace(&mut self.batch, rest);
        self.ready.push(Ready { batch, upto: self.upto });
    }

    /// The batches of all records since the last call.
    pub(super) fn finish(&mut self) -> Vec<Ready<Batch>> {
        self.cut();
        self.upto = None;
        std::mem::take(&mut self.ready)
    }

    fn cut(&mut self) {
        let next = Batch { table: self.table.clone(), ..Batch::default() };
        let batch = std::mem::replace(&mut self.batch, next);
        if !batch.points.is_empty() {
            self.ready.push(Ready { batch, upto: self.upto });
        }
        self.begun = 0;
    }

    fn point(&mut self, series: u32, ts_ms: i64, value: f64) {
        if !self.starts.is_empty()
            && let Some(start_ms) = self.starts.get(&series)
        {
            self.batch.more.push((self.batch.points.len() as u32, More::Start(*start_ms)));
        }
        self.batch.points.push(Point { series, value, ts_ms });
    }

    /// Adds something to the last point.
    fn add(&mut self, more: More) {
        if let Some(at) = self.batch.points.len().checked_sub(1) {
            self.batch.more.push((at as u32, more));
        }
    }
}

impl Visit for Reading {
    fn segment(&mut self, table: &Arc<Mutex<Table>>) {
        // A request speaks in the symbols of one segment.
        self.table = match &mut self.relabel {
            None => table.clone(),
            Some(relabel) => relabel.segment(),
        };
        self.starts.clear();
        self.cut();
    }

    fn sample(&mut self, series: Numbered<'_>, ts_ms: i64, value: f64) {
        if !self.replay
            && let Some(number) = self.sent_sample(series)
        {
            self.point(number, ts_ms, value);
        }
    }

    fn start(&mut self, series: Numbered<'_>, start_ms: i64) {
        if let Some(number) = self.sent(series) {
            self.starts.insert(number, start_ms);
        }
    }

    fn histogram(&mut self, series: Numbered<'_>, ts_ms: i64, histogram: Histogram) {
        if !self.replay
            && let Some(number) = self.sent_sample(series)
        {
            self.point(number, ts_ms, 0.0);
            self.add(More::Histogram(Box::new(histogram)));
        }
    }

    fn exemplar(&mut self, exemplar: Exemplar) {
        if !self.replay && !self.dropped {
            self.add(More::Exemplar(Box::new(exemplar)));
        }
    }
}

// A hundred thousand points may wait for one receiver.
const _: () = assert!(size_of::<Point>() <= 24);
