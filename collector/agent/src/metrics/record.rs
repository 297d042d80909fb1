//! The records of the metrics log.
//!
//! A record holds families (a number, and what is known of them), definitions (a series' number, its family's and its
//! labels) and samples (a number, a time, a value). Each is defined before its first use in every segment, so that a
//! segment can be read alone. Labels are kept as the bytes that a remote-write 1.0 request carries.
//!
//! Layout, integers as LEB128: `2`; families, each (number, type, length, help, length, unit); definitions, each
//! (number, family, length, labels); samples, each (number, zigzag difference to the time before it, value as 8 bytes
//! little-endian). Every list begins with its count.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use taffrail_core::FamilyInfo;
use taffrail_core::metric::{Kind, unit_of};
use taffrail_wire::remote_write::MetricKind;

const VERSION: u8 = 2;

/// Writes one record after another.
#[derive(Debug)]
pub struct Encoder<S> {
    segment: Option<S>,
    /// The families that the segment has, and their numbers.
    known: HashMap<FamilyKey, u64>,
    families: List,
    definitions: List,
    samples: List,
    last_ts: i64,
}

/// What makes a family another one.
type FamilyKey = (Box<str>, MetricKind, Box<str>);

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

/// A list of a record's, and how many it has.
#[derive(Debug, Default)]
struct List {
    bytes: Vec<u8>,
    count: u64,
}

impl List {
    fn finish(&mut self, record: &mut Vec<u8>) {
        varint(record, std::mem::take(&mut self.count));
        record.append(&mut self.bytes);
    }
}

impl<S> Default for Encoder<S> {
    fn default() -> Self {
        let (families, definitions, samples) = Default::default();
        Encoder { segment: None, known: HashMap::new(), families, definitions, samples, last_ts: 0 }
    }
}

impl<S: PartialEq + Copy> Encoder<S> {
    /// Begins a record that will stand in `segment`.
    pub fn begin(&mut self, segment: S) {
        if self.segment != Some(segment) {
            self.segment = Some(segment);
            self.known.clear();
        }
    }

    /// Says what the series `number` is.
    pub fn define(&mut self, number: u64, family: Family<'_>, labels: &[u8]) {
        let family = self.family(family);
        let list = &mut self.definitions;
        varint(&mut list.bytes, number);
        varint(&mut list.bytes, family);
        bytes(&mut list.bytes, labels);
        list.count += 1;
    }

    fn family(&mut self, family: Family<'_>) -> u64 {
        let new = self.known.len() as u64;
        let key = (family.name.into(), family.kind, family.help.into());
        let number = *self.known.entry(key).or_insert(new);
        if number == new {
            let list = &mut self.families;
            varint(&mut list.bytes, number);
            list.bytes.push(family.kind as u8);
            bytes(&mut list.bytes, family.help.as_bytes());
            bytes(&mut list.bytes, family.unit.as_bytes());
            list.count += 1;
        }
        number
    }

    /// Adds a sample of a series defined in this segment.
    pub fn sample(&mut self, number: u64, ts_ms: i64, value: f64) {
        let list = &mut self.samples;
        varint(&mut list.bytes, number);
        let step = ts_ms.wrapping_sub(self.last_ts);
        varint(&mut list.bytes, ((step << 1) ^ (step >> 63)) as u64);
        list.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        self.last_ts = ts_ms;
        list.count += 1;
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.samples.count == 0
    }

    /// The record.
    pub fn finish(&mut self) -> Bytes {
        let Encoder { families, definitions, samples, .. } = self;
        let len = families.bytes.len() + definitions.bytes.len() + samples.bytes.len();
        let mut record = Vec::with_capacity(31 + len);
        record.push(VERSION);
        families.finish(&mut record);
        definitions.finish(&mut record);
        samples.finish(&mut record);
        self.last_ts = 0;
        record.into()
    }
}

/// What a record says of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition<'a> {
    /// Its labels, as a remote-write 1.0 request carries them.
    pub labels: &'a [u8],
    /// Its family's type.
    pub kind: MetricKind,
    /// Its family's help text.
    pub help: &'a str,
    /// Its family's unit, or nothing.
    pub unit: &'a str,
}

/// Takes in what a [`Decoder`] reads.
pub trait Visit {
    /// What it makes of a definition.
    type Series;
    /// A new segment begins: what was defined before is not used any more.
    fn segment(&mut self) {}
    /// A series, as it stands in the segment.
    fn define(&mut self, definition: Definition<'_>) -> Self::Series;
    /// A sample: milliseconds since 1970-01-01 UTC, and the value; a staleness marker keeps its bits.
    fn sample(&mut self, series: &Self::Series, ts_ms: i64, value: f64);
}

/// A record that does not read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends too early, or a number is too long.
    #[error("the record ends too early")]
    Short,
    /// It was written by another version.
    #[error("the record has version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// A text that is not UTF-8, or a type that does not exist.
    #[error("a family with an unknown type or a text that is not UTF-8")]
    Family,
    /// A family or series that this segment does not define.
    #[error("the segment does not define number {0}")]
    Undefined(u64),
}

/// Reads the records of one log in order.
#[derive(Debug)]
pub struct Decoder<S, T> {
    segment: Option<S>,
    families: HashMap<u64, Known>,
    series: HashMap<u64, T>,
}

#[derive(Debug)]
struct Known {
    kind: MetricKind,
    help: Box<str>,
    unit: Box<str>,
}

impl<S, T> Default for Decoder<S, T> {
    fn default() -> Self {
        Decoder { segment: None, families: HashMap::new(), series: HashMap::new() }
    }
}

impl<S: PartialEq, T> Decoder<S, T> {
    /// Reads one record.
    pub fn read(
        &mut self,
        segment: S,
        record: &[u8],
        visit: &mut impl Visit<Series = T>,
    ) -> Result<(), DecodeError> {
        if self.segment.as_ref() != Some(&segment) {
            self.families.clear();
            self.series.clear();
            self.segment = Some(segment);
            visit.segment();
        }
        let mut rest = Reader(record);
        match rest.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        for _ in 0..rest.varint()? {
            let number = rest.varint()?;
            let kind = MetricKind::from_number(rest.byte()?).ok_or(DecodeError::Family)?;
            let family = Known { kind, help: rest.text()?.into(), unit: rest.text()?.into() };
            self.families.insert(number, family);
        }
        for _ in 0..rest.varint()? {
            let number = rest.varint()?;
            let family = rest.varint()?;
            let labels = rest.bytes()?;
            let Known { kind, help, unit } =
                self.families.get(&family).ok_or(DecodeError::Undefined(family))?;
            self.series.insert(number, visit.define(Definition { labels, kind: *kind, help, unit }));
        }
        let mut ts_ms = 0i64;
        for _ in 0..rest.varint()? {
            let number = rest.varint()?;
            let step = rest.varint()?;
            ts_ms = ts_ms.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64));
            let mut bits = [0; 8];
            bits.copy_from_slice(rest.take(8)?);
            let series = self.series.get(&number).ok_or(DecodeError::Undefined(number))?;
            visit.sample(series, ts_ms, f64::from_bits(u64::from_le_bytes(bits)));
        }
        Ok(())
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn bytes(list: &mut Vec<u8>, bytes: &[u8]) {
    varint(list, bytes.len() as u64);
    list.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Short)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.varint()?;
        self.take(len)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Family)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let range: Range<usize> = 0..usize::try_from(len).map_err(|_| DecodeError::Short)?;
        let taken = self.0.get(range.clone()).ok_or(DecodeError::Short)?;
        self.0 = &self.0[range.end..];
        Ok(taken)
    }
}

/// A visitor for tests, which keeps the samples with the labels of their series.
#[cfg(test)]
#[derive(Debug, Default)]
pub struct Points(pub Vec<Point>);

/// A sample read back.
#[cfg(test)]
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Of its series.
    pub labels: std::sync::Arc<[u8]>,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// The value.
    pub value: f64,
}

#[cfg(test)]
impl Visit for Points {
    type Series = std::sync::Arc<[u8]>;

    fn define(&mut self, definition: Definition<'_>) -> Self::Series {
        definition.labels.into()
    }

    fn sample(&mut self, series: &Self::Series, ts_ms: i64, value: f64) {
        self.0.push(Point { labels: series.clone(), ts_ms, value });
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
