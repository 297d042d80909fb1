//! What a series has beside plain samples: native histograms and exemplars, in both versions' messages.

use taffrail_core::Histogram;
use taffrail_core::histogram::{Counts, Span};

use super::{Request, put_label, put_sample};
use crate::proto::{bytes_field_len, put_bytes, put_varint, varint_len};

/// A native histogram at a time.
#[derive(Clone, Copy, Debug)]
pub struct HistogramPoint<'a> {
    /// The histogram. One with custom buckets is for 2.0 only: receivers of 1.0 do not know them.
    pub histogram: &'a Histogram,
    /// The time in milliseconds since 1970.
    pub ts_ms: i64,
}

/// An exemplar.
#[derive(Clone, Copy, Debug)]
pub struct ExemplarPoint<'a> {
    /// Names and values, sorted by name.
    pub labels: &'a [(&'a str, &'a str)],
    /// The value of the example.
    pub value: f64,
    /// Its time in milliseconds since 1970.
    pub ts_ms: i64,
}

/// What is sent of one series; each kind oldest first. A series has samples or histograms, not both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Points<'a> {
    /// Values and times in milliseconds since 1970.
    pub samples: &'a [(f64, i64)],
    /// Native histograms.
    pub histograms: &'a [HistogramPoint<'a>],
    /// Exemplars.
    pub exemplars: &'a [ExemplarPoint<'a>],
    /// When the series began, in milliseconds since 1970, and 0 where that is not known. 1.0 cannot say it.
    pub created_ms: i64,
}

impl Request {
    /// Adds a series: its labels as [`encode_labels`](super::encode_labels) wrote them, and all there is of it.
    pub fn points(&mut self, labels: &[u8], points: &Points<'_>) {
        let mut body = labels.to_vec();
        for (value, ts) in points.samples {
            put_sample(&mut body, *value, *ts);
        }
        let mut one = Vec::new();
        for exemplar in points.exemplars {
            one.clear();
            for (name, value) in exemplar.labels {
                put_label(&mut one, 1, name, value);
            }
            put_double(&mut one, 2, exemplar.value);
            put_number(&mut one, 3, exemplar.ts_ms as u64);
            put_bytes(&mut body, 3, &one);
        }
        for point in points.histograms {
            one.clear();
            put_histogram(&mut one, point);
            put_bytes(&mut body, 4, &one);
        }
        put_bytes(&mut self.raw, 1, &body);
    }
}

/// Appends the fields of a message `Histogram`, which the versions have in common.
pub(super) fn put_histogram(out: &mut Vec<u8>, point: &HistogramPoint<'_>) {
    let HistogramPoint { histogram, ts_ms } = point;
    // Which of the two counts is there says of which kind the histogram is, so it is there even if it is zero.
    match &histogram.counts {
        Counts::Integer { count, .. } => put_varint_field(out, 1, *count),
        Counts::Float { count, .. } => put_double_field(out, 2, *count),
    }
    put_double(out, 3, histogram.sum);
    put_number(out, 4, zigzag(histogram.schema.into()));
    put_double(out, 5, histogram.zero_threshold);
    match &histogram.counts {
        Counts::Integer { zero, positive, negative, .. } => {
            put_varint_field(out, 6, *zero);
            put_spans(out, 8, &histogram.negative_spans);
            put_deltas(out, 9, negative);
            put_spans(out, 11, &histogram.positive_spans);
            put_deltas(out, 12, positive);
        }
        Counts::Float { zero, positive, negative, .. } => {
            put_double_field(out, 7, *zero);
            put_spans(out, 8, &histogram.negative_spans);
            put_doubles(out, 10, negative);
            put_spans(out, 11, &histogram.positive_spans);
            put_doubles(out, 13, positive);
        }
    }
    put_number(out, 14, histogram.reset as u64);
    put_number(out, 15, *ts_ms as u64);
    put_doubles(out, 16, &histogram.custom_values);
}

/// Appends a field's number and wire type; the number may be over 15.
fn put_tag(out: &mut Vec<u8>, field: u8, wire: u8) {
    put_varint(out, u64::from(field) << 3 | u64::from(wire));
}

fn put_varint_field(out: &mut Vec<u8>, field: u8, value: u64) {
    put_tag(out, field, 0);
    put_varint(out, value);
}

fn put_double_field(out: &mut Vec<u8>, field: u8, value: f64) {
    put_tag(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// An integer, or nothing where it is the default.
pub(super) fn put_number(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        put_varint_field(out, field, value);
    }
}

/// A double, or nothing where it is the default; minus zero is not.
pub(super) fn put_double(out: &mut Vec<u8>, field: u8, value: f64) {
    if value.to_bits() != 0 {
        put_double_field(out, field, value);
    }
}

fn put_spans(out: &mut Vec<u8>, field: u8, spans: &[Span]) {
    for span in spans {
        let (offset, length) = (zigzag(span.offset.into()), u64::from(span.length));
        let len = |value: u64| if value == 0 { 0 } else { 1 + varint_len(value) };
        put_tag(out, field, 2);
        put_varint(out, (len(offset) + len(length)) as u64);
        put_number(out, 1, offset);
        put_number(out, 2, length);
    }
}

fn put_deltas(out: &mut Vec<u8>, field: u8, deltas: &[i64]) {
    if deltas.is_empty() {
        return;
    }
    put_tag(out, field, 2);
    put_varint(out, deltas.iter().map(|delta| varint_len(zigzag(*delta)) as u64).sum());
    deltas.iter().for_each(|delta| put_varint(out, zigzag(*delta)));
}

fn put_doubles(out: &mut Vec<u8>, field: u8, values: &[f64]) {
    if values.is_empty() {
        return;
    }
    out.reserve(1 + bytes_field_len(8 * values.len()));
    put_tag(out, field, 2);
    put_varint(out, 8 * values.len() as u64);
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

/// The sign in the lowest bit.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

#[cfg(test)]
#[path = "points_tests.rs"]
pub(super) mod tests;
