//! Reads records of the metrics log. Nothing that a record says is taken for granted: a count costs no memory before what
//! it counts was read.

use std::sync::{Arc, Mutex};

use taffrail_core::Histogram;
use taffrail_wire::remote_write::MetricKind;

use super::number::{number, unzigzag};
use super::table::{Numbered, Table};
use super::{Exemplar, VERSION, histogram, row};
use crate::status::lock;

/// Takes in what a [`Decoder`] reads. The segment's table is locked meanwhile.
pub trait Visit {
    /// A new segment begins: what was defined before is not used any more.
    fn segment(&mut self, table: &Arc<Mutex<Table>>);
    /// A sample: milliseconds since 1970-01-01 UTC, and the value; a staleness marker keeps its bits.
    fn sample(&mut self, series: Numbered<'_>, ts_ms: i64, value: f64);
    /// When a series began, in milliseconds since 1970, for what follows of it in this segment.
    fn start(&mut self, series: Numbered<'_>, start_ms: i64);
    /// A native histogram.
    fn histogram(&mut self, series: Numbered<'_>, ts_ms: i64, histogram: Histogram);
    /// An exemplar of the last sample or histogram.
    fn exemplar(&mut self, exemplar: Exemplar);
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
    /// A text, family or series that this segment does not define: the record that did was damaged.
    #[error("the segment does not define number {0}")]
    Undefined(u64),
    /// A row of a kind that does not exist, or an exemplar of nothing.
    #[error("a row of kind {0}, which is not expected here")]
    Row(u8),
}

/// Reads the records of one log in order.
#[derive(Debug)]
pub struct Decoder<S> {
    segment: Option<S>,
    pub(super) table: Arc<Mutex<Table>>,
}

impl<S> Default for Decoder<S> {
    fn default() -> Self {
        Decoder { segment: None, table: Arc::default() }
    }
}

impl<S: PartialEq> Decoder<S> {
    /// Reads one record. What it defines holds even if what follows does not read.
    ///
    /// # Errors
    /// When it is no record of this version, or uses what its segment has not defined. What came before that was given
    /// to `visit`.
    pub fn read(&mut self, segment: S, record: &[u8], visit: &mut impl Visit) -> Result<(), DecodeError> {
        if self.segment.as_ref() != Some(&segment) {
            self.table = Arc::default();
            self.segment = Some(segment);
            visit.segment(&self.table);
        }
        let mut rest = Reader(record);
        match rest.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let mut table = lock(&self.table);
        rest.list(|rest, number| table.text(number, rest.text()?))?;
        rest.list(|rest, number| {
            let kind = MetricKind::from_number(rest.byte()?).ok_or(DecodeError::Family)?;
            table.family(number, kind, rest.varint()?, rest.varint()?)
        })?;
        rest.list(|rest, number| {
            let (family, labels) = (rest.varint()?, rest.bytes()?);
            table.define(number, family, labels)
        })?;
        Rows { rest, table: &table, ts_ms: 0, last: 0, any: false }.read(visit)
    }
}

/// The rows of a record.
struct Rows<'a> {
    rest: Reader<'a>,
    table: &'a Table,
    ts_ms: i64,
    /// The series before.
    last: u32,
    /// There was a sample or a histogram.
    any: bool,
}

impl Rows<'_> {
    fn read(mut self, visit: &mut impl Visit) -> Result<(), DecodeError> {
        while !self.rest.0.is_empty() {
            match self.rest.byte()? {
                row::SAMPLES => self.samples(visit)?,
                row::START => {
                    let (series, start) = (self.rest.varint()?, self.rest.varint()?);
                    let number = self.known(series as i64)?;
                    visit.start(Numbered { table: self.table, number }, unzigzag(start));
                }
                row::HISTOGRAM => {
                    self.time()?;
                    let number = self.next(self.last)?;
                    let histogram = histogram::decode(&mut self.rest)?;
                    (self.last, self.any) = (number, true);
                    visit.histogram(Numbered { table: self.table, number }, self.ts_ms, histogram);
                }
                row::EXEMPLAR if self.any => visit.exemplar(self.exemplar()?),
                other => return Err(DecodeError::Row(other)),
            }
        }
        Ok(())
    }

    fn samples(&mut self, visit: &mut impl Visit) -> Result<(), DecodeError> {
        self.time()?;
        let count = self.rest.varint()?;
        // The numbers come first, and are read twice: once to find where the values begin.
        let mut numbers = self.rest;
        for _ in 0..count {
            self.rest.varint()?;
        }
        let values = self.rest.take(count.saturating_mul(8))?;
        for value in values.as_chunks::<8>().0 {
            let step = numbers.varint()?;
            let series = i64::from(self.last).wrapping_add(unzigzag(step));
            self.last = self.known(series)?;
            let series = Numbered { table: self.table, number: self.last };
            visit.sample(series, self.ts_ms, f64::from_bits(u64::from_le_bytes(*value)));
        }
        self.any |= count > 0;
        Ok(())
    }

    fn next(&mut self, before: u32) -> Result<u32, DecodeError> {
        let step = unzigzag(self.rest.varint()?);
        self.known(i64::from(before).wrapping_add(step))
    }

    #[inline]
    fn known(&self, series: i64) -> Result<u32, DecodeError> {
        let number = u32::try_from(series).ok().filter(|number| self.table.has(*number));
        number.ok_or(DecodeError::Undefined(series as u64))
    }

    fn time(&mut self) -> Result<(), DecodeError> {
        self.ts_ms = self.ts_ms.wrapping_add(unzigzag(self.rest.varint()?));
        Ok(())
    }

    fn exemplar(&mut self) -> Result<Exemplar, DecodeError> {
        self.time()?;
        let value = self.rest.double()?;
        let mut labels = Vec::new();
        for _ in 0..self.rest.varint()? {
            labels.push((self.rest.text()?.into(), self.rest.text()?.into()));
        }
        Ok(Exemplar { labels: labels.into(), value, ts_ms: self.ts_ms })
    }
}

/// What is left of a record.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        // Differences between series are one byte nearly always.
        if let [byte @ 0..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        number(&mut self.0).ok_or(DecodeError::Short)
    }

    pub(super) fn double(&mut self) -> Result<f64, DecodeError> {
        let mut bits = [0; 8];
        bits.copy_from_slice(self.take(8)?);
        Ok(f64::from_bits(u64::from_le_bytes(bits)))
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.varint()?;
        self.take(len)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Family)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(len).map_err(|_| DecodeError::Short)?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A list of what is numbered; `each` reads one.
    fn list(
        &mut self,
        mut each: impl FnMut(&mut Self, u64) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let (first, count) = (self.varint()?, self.varint()?);
        for at in 0..count {
            each(self, first.saturating_add(at))?;
        }
        Ok(())
    }
}
