//! Native histograms in a row: what kind, schema, sum, zero threshold, the bounds of custom buckets, then spans and
//! numbers, below zero and above it. Every list begins with its count.

use taffrail_core::Histogram;
use taffrail_core::histogram::{Counts, Reset, Span};

use super::decode::{DecodeError, Reader};
use super::number::{unzigzag, varint, zigzag};

/// Set in the first byte of one whose numbers are any; below it stands what is known of resets.
const FLOAT: u64 = 4;

pub(super) fn encode(out: &mut Vec<u8>, histogram: &Histogram) {
    let float = matches!(histogram.counts, Counts::Float { .. });
    varint(out, histogram.reset as u64 | if float { FLOAT } else { 0 });
    varint(out, zigzag(histogram.schema.into()));
    double(out, histogram.sum);
    double(out, histogram.zero_threshold);
    doubles(out, &histogram.custom_values);
    spans(out, &histogram.negative_spans);
    spans(out, &histogram.positive_spans);
    match &histogram.counts {
        Counts::Integer { count, zero, positive, negative } => {
            varint(out, *count);
            varint(out, *zero);
            for deltas in [negative, positive] {
                varint(out, deltas.len() as u64);
                deltas.iter().for_each(|delta| varint(out, zigzag(*delta)));
            }
        }
        Counts::Float { count, zero, positive, negative } => {
            double(out, *count);
            double(out, *zero);
            doubles(out, negative);
            doubles(out, positive);
        }
    }
}

fn double(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn doubles(out: &mut Vec<u8>, values: &[f64]) {
    varint(out, values.len() as u64);
    values.iter().for_each(|value| double(out, *value));
}

fn spans(out: &mut Vec<u8>, spans: &[Span]) {
    varint(out, spans.len() as u64);
    for span in spans {
        varint(out, zigzag(span.offset.into()));
        varint(out, span.length.into());
    }
}

pub(super) fn decode(rest: &mut Reader<'_>) -> Result<Histogram, DecodeError> {
    let kind = rest.varint()?;
    let reset = match kind & 3 {
        0 => Reset::Unknown,
        1 => Reset::Yes,
        2 => Reset::No,
        _ => Reset::Gauge,
    };
    let schema = unzigzag(rest.varint()?) as i32;
    let (sum, zero_threshold) = (rest.double()?, rest.double()?);
    let custom_values = list(rest, Reader::double)?;
    let span = |rest: &mut Reader<'_>| {
        Ok(Span { offset: unzigzag(rest.varint()?) as i32, length: rest.varint()? as u32 })
    };
    let negative_spans = list(rest, span)?;
    let positive_spans = list(rest, span)?;
    let delta = |rest: &mut Reader<'_>| rest.varint().map(unzigzag);
    let counts = if kind & FLOAT == 0 {
        let (count, zero) = (rest.varint()?, rest.varint()?);
        let (negative, positive) = (list(rest, delta)?, list(rest, delta)?);
        Counts::Integer { count, zero, positive, negative }
    } else {
        let (count, zero) = (rest.double()?, rest.double()?);
        let (negative, positive) = (list(rest, Reader::double)?, list(rest, Reader::double)?);
        Counts::Float { count, zero, positive, negative }
    };
    Ok(Histogram {
        schema,
        sum,
        zero_threshold,
        positive_spans,
        negative_spans,
        custom_values,
        reset,
        counts,
    })
}

/// A list whose memory grows with what is there of it, whatever its count says.
fn list<'a, T>(
    rest: &mut Reader<'a>,
    each: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut list = Vec::new();
    for _ in 0..rest.varint()? {
        list.push(each(rest)?);
    }
    Ok(list)
}
