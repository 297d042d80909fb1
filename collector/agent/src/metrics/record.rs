//! The records of the metrics log.
//!
//! A record holds definitions (a series' number and its labels) and samples (a number, a time, a value). A number is
//! defined before its first use in every segment, so that a segment can be read alone. Labels are kept as the bytes that
//! a remote-write 1.0 request carries, so that sending a sample copies them and builds nothing.
//!
//! Layout, integers as LEB128: `1`, definitions, each (number, length, labels); samples, each (number, zigzag difference
//! to the time before it, value as 8 bytes little-endian). Both lists begin with their count.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

const VERSION: u8 = 1;

/// Writes one record.
#[derive(Debug, Default)]
pub struct Encoder {
    definitions: Vec<u8>,
    defined: u64,
    samples: Vec<u8>,
    sampled: u64,
    last_ts: i64,
}

impl Encoder {
    /// Says what the series `number` is.
    pub fn define(&mut self, number: u64, labels: &[u8]) {
        varint(&mut self.definitions, number);
        varint(&mut self.definitions, labels.len() as u64);
        self.definitions.extend_from_slice(labels);
        self.defined += 1;
    }

    /// Adds a sample of a series defined in this segment.
    pub fn sample(&mut self, number: u64, ts_ms: i64, value: f64) {
        varint(&mut self.samples, number);
        let step = ts_ms.wrapping_sub(self.last_ts);
        varint(&mut self.samples, ((step << 1) ^ (step >> 63)) as u64);
        self.samples.extend_from_slice(&value.to_bits().to_le_bytes());
        self.last_ts = ts_ms;
        self.sampled += 1;
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.sampled == 0
    }

    /// The record; the encoder is empty afterwards.
    pub fn finish(&mut self) -> Bytes {
        let mut record = Vec::with_capacity(21 + self.definitions.len() + self.samples.len());
        record.push(VERSION);
        varint(&mut record, self.defined);
        record.append(&mut self.definitions);
        varint(&mut record, self.sampled);
        record.append(&mut self.samples);
        (self.defined, self.sampled, self.last_ts) = (0, 0, 0);
        record.into()
    }
}

/// A sample read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The series' labels, as a remote-write 1.0 request carries them.
    pub labels: Arc<[u8]>,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// The value; a staleness marker keeps its bits.
    pub value: f64,
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
    /// A sample of a series that this segment does not define.
    #[error("a sample of the undefined series {0}")]
    Undefined(u64),
}

/// Reads the records of one log in order.
#[derive(Debug)]
pub struct Decoder<S> {
    segment: Option<S>,
    series: HashMap<u64, Arc<[u8]>>,
}

impl<S> Default for Decoder<S> {
    fn default() -> Self {
        Decoder { segment: None, series: HashMap::new() }
    }
}

impl<S: PartialEq> Decoder<S> {
    /// Takes in a record's definitions, and gives each of its samples to `each`.
    pub fn read(
        &mut self,
        segment: S,
        record: &[u8],
        mut each: impl FnMut(Point),
    ) -> Result<(), DecodeError> {
        if self.segment.as_ref() != Some(&segment) {
            self.series.clear();
            self.segment = Some(segment);
        }
        let mut rest = Reader(record);
        match rest.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        for _ in 0..rest.varint()? {
            let number = rest.varint()?;
            let len = rest.varint()?;
            self.series.insert(number, rest.take(len)?.into());
        }
        let mut ts_ms = 0i64;
        for _ in 0..rest.varint()? {
            let number = rest.varint()?;
            let step = rest.varint()?;
            ts_ms = ts_ms.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64));
            let mut bits = [0; 8];
            bits.copy_from_slice(rest.take(8)?);
            let labels = self.series.get(&number).ok_or(DecodeError::Undefined(number))?.clone();
            each(Point { labels, ts_ms, value: f64::from_bits(u64::from_le_bytes(bits)) });
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

    fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let range: Range<usize> = 0..usize::try_from(len).map_err(|_| DecodeError::Short)?;
        let taken = self.0.get(range.clone()).ok_or(DecodeError::Short)?;
        self.0 = &self.0[range.end..];
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::Value;

    fn record() -> Bytes {
        let mut encoder = Encoder::default();
        encoder.define(1, b"one");
        encoder.define(300, b"two");
        encoder.sample(1, 1_700_000_000_000, 1.5);
        encoder.sample(300, 1_699_999_999_000, Value::Stale.to_f64());
        encoder.finish()
    }

    fn read(decoder: &mut Decoder<u32>, segment: u32, record: &[u8]) -> Result<Vec<Point>, DecodeError> {
        let mut points = Vec::new();
        decoder.read(segment, record, |point| points.push(point)).map(|()| points)
    }

    #[test]
    fn what_was_written_is_read() {
        let points = read(&mut Decoder::default(), 0, &record()).unwrap();
        assert_eq!(points[0], Point { labels: (*b"one").into(), ts_ms: 1_700_000_000_000, value: 1.5 });
        assert_eq!((&*points[1].labels, points[1].ts_ms), (&b"two"[..], 1_699_999_999_000));
        assert_eq!(Value::from_f64(points[1].value), Value::Stale);
    }

    #[test]
    fn definitions_hold_within_their_segment_only() {
        let mut decoder = Decoder::default();
        read(&mut decoder, 0, &record()).unwrap();
        let mut encoder = Encoder::default();
        encoder.sample(1, 5, 2.0);
        let later = encoder.finish();
        assert_eq!(read(&mut decoder, 0, &later).unwrap().len(), 1);
        assert_eq!(read(&mut decoder, 1, &later), Err(DecodeError::Undefined(1)));
    }

    #[test]
    fn a_cut_record_is_an_error_and_no_panic() {
        let record = record();
        for len in 0..record.len() {
            assert_eq!(read(&mut Decoder::default(), 0, &record[..len]), Err(DecodeError::Short), "{len}");
        }
        assert_eq!(read(&mut Decoder::default(), 0, b"\x09"), Err(DecodeError::Version(9)));
    }
}
