//! `Histogram` and `Summary`.

use taffrail_core::histogram::classic::Classic;
use taffrail_core::histogram::{Counts, Reset, Span};
use taffrail_core::{Histogram, HistogramError};

use super::metric::{double, exemplar, milliseconds, zigzag};
use crate::page::{Exemplar, What};
use crate::proto::{Field, Fields, ProtoError, Value};

/// The most spans, and the most buckets, on one side of a native histogram. The finest schema that is stored has 524,288
/// for all doubles there are.
const MOST: usize = 1 << 20;

/// What a histogram or summary has apart from its buckets or quantiles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    count: u64,
    count_float: f64,
    pub(super) sum: f64,
    pub(super) created_ms: Option<i64>,
    /// The histogram is a native one, whether or not it is a classic one too.
    pub(super) native: bool,
    /// A native histogram has exemplars of its own.
    own_exemplars: bool,
    /// It has classic buckets.
    pub(super) classic: bool,
}

impl Head {
    /// Of a summary.
    pub(super) fn of_summary(message: &[u8]) -> Result<Self, What> {
        let mut head = Head::default();
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => head.count = field.varint()?,
                2 => head.sum = double(field)?,
                4 => head.created_ms = milliseconds(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(head)
    }

    /// Of a histogram.
    pub(super) fn of_histogram(message: &[u8]) -> Result<Self, What> {
        let mut head = Head::default();
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => head.count = field.varint()?,
                2 => head.sum = double(field)?,
                3 => {
                    field.bytes()?;
                    head.classic = true;
                }
                4 => head.count_float = double(field)?,
                // A native one without observations has a span without buckets, to be told from a classic one.
                9 | 12 => head.native = true,
                6 => head.native |= double(field)? > 0.0,
                7 => head.native |= field.varint()? > 0,
                15 => head.created_ms = milliseconds(field.bytes()?)?,
                16 => head.own_exemplars = true,
                _ => {}
            }
        }
        Ok(head)
    }

    /// The number of observations; a whole number counts only where no other is given.
    pub(super) fn count(&self) -> f64 {
        if self.count_float == 0.0 { self.count as f64 } else { self.count_float }
    }
}

/// `Bucket`, and `Quantile`, whose value is the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket<'a> {
    pub(super) bound: f64,
    pub(super) count: f64,
    pub(super) exemplar: Option<Exemplar<'a>>,
}

impl<'a> Bucket<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, What> {
        let (mut bucket, mut count, mut count_float) = (Bucket::default(), 0, 0.0);
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => count = field.varint()?,
                2 => bucket.bound = double(field)?,
                3 => bucket.exemplar = Some(exemplar(field.bytes()?)?),
                4 => count_float = double(field)?,
                _ => {}
            }
        }
        bucket.count = if count_float == 0.0 { count as f64 } else { count_float };
        Ok(bucket)
    }

    pub(super) fn quantile(message: &'a [u8]) -> Result<Self, What> {
        let mut quantile = Bucket::default();
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => quantile.bound = double(field)?,
                2 => quantile.count = double(field)?,
                _ => {}
            }
        }
        Ok(quantile)
    }
}

/// A side of a native histogram.
#[derive(Default)]
struct Side {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// The native histogram in a message, compact.
pub(super) fn native(message: &[u8], head: &Head, gauge: bool) -> Result<Histogram, What> {
    let (mut positive, mut negative) = (Side::default(), Side::default());
    let (mut zero, mut zero_float, mut histogram) =
        (0, 0.0, Histogram { sum: head.sum, ..Histogram::default() });
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            5 => histogram.schema = zigzag(field.varint()?) as i32,
            6 => histogram.zero_threshold = double(field)?,
            7 => zero = field.varint()?,
            8 => zero_float = double(field)?,
            9 => push(&mut negative.spans, span(field.bytes()?)?)?,
            10 => varints(field, |delta| push(&mut negative.deltas, zigzag(delta)))?,
            11 => doubles(field, |count| push(&mut negative.counts, count))?,
            12 => push(&mut positive.spans, span(field.bytes()?)?)?,
            13 => varints(field, |delta| push(&mut positive.deltas, zigzag(delta)))?,
            14 => doubles(field, |count| push(&mut positive.counts, count))?,
            _ => {}
        }
    }
    histogram.counts = if head.count_float > 0.0 || zero_float > 0.0 {
        Counts::Float {
            count: head.count_float,
            zero: zero_float,
            positive: positive.counts,
            negative: negative.counts,
        }
    } else {
        Counts::Integer { count: head.count, zero, positive: positive.deltas, negative: negative.deltas }
    };
    (histogram.positive_spans, histogram.negative_spans) = (positive.spans, negative.spans);
    if gauge {
        histogram.reset = Reset::Gauge;
    }
    histogram.compact(0)?;
    Ok(histogram)
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), What> {
    if list.len() == MOST {
        return Err(HistogramError::TooManyBuckets { have: MOST + 1, most: MOST }.into());
    }
    list.push(item);
    Ok(())
}

fn span(message: &[u8]) -> Result<Span, What> {
    let mut span = Span::default();
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => span.offset = zigzag(field.varint()?) as i32,
            2 => span.length = field.varint()? as u32,
            _ => {}
        }
    }
    Ok(span)
}

/// Numbers of a repeated field, packed or one by one.
fn varints(field: Field<'_>, mut take: impl FnMut(u64) -> Result<(), What>) -> Result<(), What> {
    let Value::Bytes(mut packed) = field.value else { return take(field.varint()?) };
    while !packed.is_empty() {
        let (value, rest) = crate::proto::read_varint(packed)?;
        take(value)?;
        packed = rest;
    }
    Ok(())
}

fn doubles(field: Field<'_>, mut take: impl FnMut(f64) -> Result<(), What>) -> Result<(), What> {
    let Value::Bytes(packed) = field.value else { return take(double(field)?) };
    let (whole, rest) = packed.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(ProtoError::Truncated.into());
    }
    whole.iter().try_for_each(|bytes| take(f64::from_le_bytes(*bytes)))
}

/// The exemplars of a native histogram: its own, or those of its classic buckets. One without a time is of no use, as
/// nobody could tell whether it is new; how many such there are.
pub(super) fn exemplars<'a>(message: &'a [u8], head: &Head) -> Result<(Vec<Exemplar<'a>>, u64), What> {
    let (mut exemplars, mut left_out) = (Vec::new(), 0);
    let mut take = |exemplar: Exemplar<'a>| {
        if exemplar.ts_ms.is_some() && !exemplar.is_too_long() && exemplars.len() < MOST {
            exemplars.push(exemplar);
        } else {
            left_out += 1;
        }
    };
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            16 => take(exemplar(field.bytes()?)?),
            3 if !head.own_exemplars => {
                Bucket::read(field.bytes()?)?.exemplar.into_iter().for_each(&mut take);
            }
            _ => {}
        }
    }
    Ok((exemplars, left_out))
}

/// The classic histogram in a message as a native one with custom buckets.
pub(super) fn converted(message: &[u8], head: &Head, gauge: bool) -> Result<Histogram, What> {
    let mut classic = Classic::default();
    classic.count(head.count());
    classic.sum(head.sum);
    for field in Fields::new(message) {
        let field = field?;
        if field.number == 3 {
            let bucket = Bucket::read(field.bytes()?)?;
            classic.bucket(bucket.bound, bucket.count);
        }
    }
    let mut histogram = classic.convert()?;
    if gauge {
        histogram.reset = Reset::Gauge;
    }
    Ok(histogram)
}
