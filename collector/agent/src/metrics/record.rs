//! The records of the metrics log.
//!
//! A record holds texts, families (a type, a help text, a unit), series (a family and labels) and rows: samples, native
//! histograms, exemplars, and when series began. Texts, families and series are numbered in each segment, in the order
//! in which they come, and each stands before its first use, so that a segment can be read alone, and a table of it is
//! an array.
//!
//! Layout, integers as LEB128, those with a sign zigzag: `3`; texts, each (length, bytes), the first ever number 1, as 0
//! is the empty text; families, each (type, help, unit); series, each (family, how many bytes its labels take, labels:
//! names and values in turn). Each of these lists begins with the number of its first and its count. Then rows to the
//! end, each a byte that says which, and what it holds:
//!
//! | row | holds |
//! |---|---|
//! | 0 samples of one time | difference to the time before, count, differences to the series before, values as 8 bytes little-endian |
//! | 1 when a series began | series, milliseconds since 1970 |
//! | 2 a native histogram | difference to the time before, difference to the series before, histogram |
//! | 3 an exemplar of the last sample or histogram | difference to the time before, value, count, labels as texts in the row |

mod decode;
mod histogram;
mod number;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use taffrail_core::metric::{Kind, unit_of};
use taffrail_core::{FamilyInfo, Histogram};
use taffrail_wire::remote_write::MetricKind;

pub use self::decode::{DecodeError, Decoder, Visit};
pub(super) use self::number::{number, varint};
use self::number::{put, zigzag};
pub use self::table::{Numbered, Table};
#[cfg(test)]
pub use self::tests::{Point, points, starts};
use super::interner::{Interner, Key};
use crate::status::lock;

const VERSION: u8 = 3;

/// The kinds of rows.
mod row {
    pub const SAMPLES: u8 = 0;
    pub const START: u8 = 1;
    pub const HISTOGRAM: u8 = 2;
    pub const EXEMPLAR: u8 = 3;
}

/// The number that something has in one segment of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Which segment, counted by the encoder; 0 is none.
    epoch: u32,
    /// The number there.
    pub(super) number: u32,
}

/// What is known of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub kind: MetricKind,
    /// Its help text.
    pub help: &'a str,
    /// Its unit, or nothing.
    pub unit: &'a str,
}

impl<'a> From<&'a FamilyInfo> for Family<'a> {
    fn from(info: &'a FamilyInfo) -> Self {
        let kind = match info.kind {
            Kind::Counter => MetricKind::Counter,
            Kind::Gauge => MetricKind::Gauge,
            Kind::Untyped => MetricKind::Unknown,
            Kind::Histogram => MetricKind::Histogram,
            Kind::Summary => MetricKind::Summary,
        };
        let unit = unit_of(&info.name).unwrap_or_default();
        Family { name: &info.name, kind, help: &info.help, unit }
    }
}

/// An example of what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Names and values, sorted by name.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// The value of the example.
    pub value: f64,
    /// Milliseconds since 1970.
    pub ts_ms: i64,
}

/// Writes one record after another.
#[derive(Debug)]
pub struct Encoder<S> {
    interner: Arc<Mutex<Interner>>,
    segment: Option<S>,
    /// Counts segments, so that what was numbered in an earlier one is known by it.
    epoch: u32,
    texts: List,
    families: List,
    series: List,
    rows: Vec<u8>,
    run: Run,
    last_ts: i64,
    /// Help texts and units of the segment.
    words: HashMap<Box<str>, u32>,
    /// Families of the segment by type, help and unit.
    known: HashMap<(MetricKind, u32, u32), u32>,
    /// The family of the series before, which is most often that of the next.
    last_family: Option<LastFamily>,
}

/// What makes a family another one, and its number.
#[derive(Debug)]
struct LastFamily {
    kind: MetricKind,
    help: Box<str>,
    unit: Box<str>,
    number: u32,
}

/// Things that are numbered.
#[derive(Debug, Default)]
struct List {
    bytes: Vec<u8>,
    /// The number of the first in this record.
    first: u32,
    /// The number of the next.
    next: u32,
}

impl List {
    /// Begins anew, in another segment.
    fn restart(&mut self, first: u32) {
        (self.first, self.next) = (first, first);
        self.bytes.clear();
    }

    /// Gives the next number.
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn finish(&mut self, record: &mut Vec<u8>) {
        varint(record, self.first.into());
        varint(record, (self.next - self.first).into());
        record.append(&mut self.bytes);
        self.first = self.next;
    }
}

/// Samples of one time, not yet a row.
#[derive(Debug, Default)]
struct Run {
    ts_ms: i64,
    count: u64,
    numbers: Vec<u8>,
    values: Vec<u8>,
    /// The series before.
    last: u32,
}

impl<S> Default for Encoder<S> {
    fn default() -> Self {
        Encoder::new(Arc::default())
    }
}

impl<S> Encoder<S> {
    /// Writes series whose keys are those of `interner`.
    pub fn new(interner: Arc<Mutex<Interner>>) -> Self {
        Encoder {
            interner,
            segment: None,
            epoch: 0,
            texts: List::default(),
            families: List::default(),
            series: List::default(),
            rows: Vec::new(),
            run: Run::default(),
            last_ts: 0,
            words: HashMap::new(),
            known: HashMap::new(),
            last_family: None,
        }
    }

    /// The last record came to nothing: all is defined again, as it would be in another segment.
    pub fn forget(&mut self) {
        self.segment = None;
    }

    /// Whether the segment has the series of this slot.
    #[inline]
    pub fn knows(&self, slot: Slot) -> bool {
        slot.epoch == self.epoch
    }

    /// Says what a series is. Its slot holds in this segment.
    pub fn define(&mut self, family: Family<'_>, key: &Key) -> Slot {
        let family = self.family(family);
        let (interner, texts, epoch) = (self.interner.clone(), &mut self.texts, self.epoch);
        let list = &mut self.series.bytes;
        varint(list, family.into());
        // The length stands before what it is the length of: most labels take less than 128 bytes, so one is foreseen.
        let at = list.len();
        list.push(0);
        lock(&interner).visit(key, |text, slot| {
            if slot.epoch != epoch {
                *slot = Slot { epoch, number: texts.number() };
                put(&mut texts.bytes, text.as_bytes());
            }
            varint(list, slot.number.into());
        });
        let len = list.len() - at - 1;
        if len < 0x80 {
            list[at] = len as u8;
        } else {
            let mut prefix = Vec::new();
            varint(&mut prefix, len as u64);
            list.splice(at..=at, prefix);
        }
        Slot { epoch, number: self.series.number() }
    }

    fn family(&mut self, Family { kind, help, unit, .. }: Family<'_>) -> u32 {
        if let Some(last) = &self.last_family
            && (last.kind, &*last.help, &*last.unit) == (kind, help, unit)
        {
            return last.number;
        }
        let key = (kind, self.word(help), self.word(unit));
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None => {
                let list = &mut self.families;
                list.bytes.push(kind as u8);
                varint(&mut list.bytes, key.1.into());
                varint(&mut list.bytes, key.2.into());
                let number = list.number();
                self.known.insert(key, number);
                number
            }
        };
        self.last_family = Some(LastFamily { kind, help: help.into(), unit: unit.into(), number });
        number
    }

    fn word(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.words.get(text) {
            return *number;
        }
        let number = self.texts.number();
        put(&mut self.texts.bytes, text.as_bytes());
        self.words.insert(text.into(), number);
        number
    }

    /// Adds a sample of a series that this segment has.
    #[inline]
    pub fn sample(&mut self, slot: Slot, ts_ms: i64, value: f64) {
        if self.run.ts_ms != ts_ms {
            self.end_run();
            self.run.ts_ms = ts_ms;
        }
        let run = &mut self.run;
        varint(&mut run.numbers, zigzag(i64::from(slot.number) - i64::from(run.last)));
        run.values.extend_from_slice(&value.to_bits().to_le_bytes());
        run.last = slot.number;
        run.count += 1;
    }

    /// Makes a row of the samples since the last one.
    fn end_run(&mut self) {
        if self.run.count == 0 {
            return;
        }
        self.rows.push(row::SAMPLES);
        self.time(self.run.ts_ms);
        varint(&mut self.rows, std::mem::take(&mut self.run.count));
        self.rows.append(&mut self.run.numbers);
        self.rows.append(&mut self.run.values);
    }

    fn time(&mut self, ts_ms: i64) {
        varint(&mut self.rows, zigzag(ts_ms.wrapping_sub(self.last_ts)));
        self.last_ts = ts_ms;
    }

    /// Says when a series began, for what follows of it in this segment.
    pub fn start(&mut self, slot: Slot, start_ms: i64) {
        self.end_run();
        self.rows.push(row::START);
        varint(&mut self.rows, slot.number.into());
        varint(&mut self.rows, zigzag(start_ms));
    }

    /// Adds a native histogram of a series that this segment has.
    pub fn histogram(&mut self, slot: Slot, ts_ms: i64, histogram: &Histogram) {
        self.end_run();
        self.rows.push(row::HISTOGRAM);
        self.time(ts_ms);
        varint(&mut self.rows, zigzag(i64::from(slot.number) - i64::from(self.run.last)));
        self.run.last = slot.number;
        histogram::encode(&mut self.rows, histogram);
    }

    /// Adds an exemplar of the last sample or histogram.
    pub fn exemplar(&mut self, exemplar: &Exemplar) {
        self.end_run();
        self.rows.push(row::EXEMPLAR);
        self.time(exemplar.ts_ms);
        self.rows.extend_from_slice(&exemplar.value.to_bits().to_le_bytes());
        varint(&mut self.rows, exemplar.labels.len() as u64);
        for (name, value) in &exemplar.labels {
            put(&mut self.rows, name.as_bytes());
            put(&mut self.rows, value.as_bytes());
        }
    }

    /// How many bytes the record has so far.
    #[inline]
    pub fn len(&self) -> usize {
        let lists = self.texts.bytes.len() + self.families.bytes.len() + self.series.bytes.len();
        lists + self.rows.len() + self.run.numbers.len() + self.run.values.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.run.count == 0
    }

    /// The record.
    pub fn finish(&mut self) -> Bytes {
        self.end_run();
        let mut record = Vec::with_capacity(31 + self.len());
        record.push(VERSION);
        self.texts.finish(&mut record);
        self.families.finish(&mut record);
        self.series.finish(&mut record);
        record.append(&mut self.rows);
        (self.last_ts, self.run.last) = (0, 0);
        record.into()
    }
}

impl<S: PartialEq + Copy> Encoder<S> {
    /// Begins a record that will stand in `segment`.
    pub fn begin(&mut self, segment: S) {
        if self.segment == Some(segment) {
            return;
        }
        self.segment = Some(segment);
        // Zero is that of slots that were never given.
        self.epoch = self.epoch.wrapping_add(1).max(1);
        self.texts.restart(1);
        self.families.restart(0);
        self.series.restart(0);
        self.words.clear();
        self.known.clear();
        self.last_family = None;
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
