//! Where the buckets of a native histogram lie: fewer spans, coarser buckets.

use super::check::{HistogramError, spans_fit};
use super::{CUSTOM, Counts, Histogram, Span};

use HistogramError as E;

/// Buckets with their indexes, rising.
type Indexed<C> = Vec<(i64, C)>;

/// What counts observations in a bucket, as it is and not as a difference.
trait Count: Copy + PartialEq + Default {
    fn plus(self, other: Self) -> Option<Self>;
}

impl Count for i64 {
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
}

impl Count for f64 {
    fn plus(self, other: Self) -> Option<Self> {
        Some(self + other)
    }
}

impl Histogram {
    /// Leaves out empty buckets and joins spans; a gap of at most `most_empty` buckets is kept inside a span, where it
    /// costs less than a span of its own.
    ///
    /// # Errors
    /// When there are not as many buckets as the spans say.
    pub fn compact(&mut self, most_empty: u32) -> Result<(), HistogramError> {
        match &mut self.counts {
            Counts::Integer { positive, negative, .. } => {
                for (spans, side) in
                    [(&mut self.positive_spans, positive), (&mut self.negative_spans, negative)]
                {
                    let full = without_empty(indexed(spans, &absolute(side)?)?);
                    let counts;
                    (*spans, counts) = laid_out(full, most_empty)?;
                    *side = deltas(&counts);
                }
            }
            Counts::Float { positive, negative, .. } => {
                for (spans, side) in
                    [(&mut self.positive_spans, positive), (&mut self.negative_spans, negative)]
                {
                    let full = without_empty(indexed(spans, side)?);
                    (*spans, *side) = laid_out(full, most_empty)?;
                }
            }
        }
        Ok(())
    }

    /// Makes an exponential histogram coarser.
    ///
    /// # Errors
    /// When it is not exponential, when `schema` is not coarser than it is, or when its buckets are not as its spans say.
    pub fn reduce(&mut self, schema: i32) -> Result<(), HistogramError> {
        if self.schema == CUSTOM || schema == CUSTOM || schema >= self.schema {
            return Err(E::Coarser(self.schema));
        }
        // Index 1 ends at 1, the base to the power of 0; so the bounds of the coarser schema are among the finer's.
        // A shift of 63 and one of more are the same: what is left is the sign.
        let shift = (i64::from(self.schema) - i64::from(schema)).min(63) as u32;
        let coarser = |index: i64| ((index - 1) >> shift) + 1;
        match &mut self.counts {
            Counts::Integer { positive, negative, .. } => {
                for (spans, side) in
                    [(&mut self.positive_spans, positive), (&mut self.negative_spans, negative)]
                {
                    let merged = merged(indexed(spans, &absolute(side)?)?, coarser)?;
                    let counts;
                    (*spans, counts) = laid_out(merged, 0)?;
                    *side = deltas(&counts);
                }
            }
            Counts::Float { positive, negative, .. } => {
                for (spans, side) in
                    [(&mut self.positive_spans, positive), (&mut self.negative_spans, negative)]
                {
                    (*spans, *side) = laid_out(merged(indexed(spans, side)?, coarser)?, 0)?;
                }
            }
        }
        self.schema = schema;
        Ok(())
    }

    /// The same with counts that need not be whole.
    ///
    /// # Errors
    /// When the differences between its buckets do not fit 64 bits.
    pub fn to_float(mut self) -> Result<Self, HistogramError> {
        if let Counts::Integer { count, zero, positive, negative } = &self.counts {
            let floats = |deltas: &[i64]| -> Result<Vec<f64>, HistogramError> {
                Ok(absolute(deltas)?.into_iter().map(|count| count as f64).collect())
            };
            self.counts = Counts::Float {
                count: *count as f64,
                zero: *zero as f64,
                positive: floats(positive)?,
                negative: floats(negative)?,
            };
        }
        Ok(self)
    }
}

/// Each bucket's own number.
fn absolute(deltas: &[i64]) -> Result<Vec<i64>, HistogramError> {
    let mut count = 0i64;
    let counts = deltas.iter().map(|delta| {
        count = count.checked_add(*delta).ok_or(E::TooLarge)?;
        Ok(count)
    });
    counts.collect()
}

/// Each bucket's difference to the one before. What [`absolute`] made, and sums of it, may be negative where the
/// histogram is invalid; then a difference wraps, and stays invalid.
fn deltas(counts: &[i64]) -> Vec<i64> {
    let mut before = 0i64;
    counts.iter().map(|count| count.wrapping_sub(std::mem::replace(&mut before, *count))).collect()
}

fn indexed<C: Count>(spans: &[Span], counts: &[C]) -> Result<Indexed<C>, HistogramError> {
    spans_fit(spans, counts.len(), false)?;
    let (mut index, mut rest) = (0i64, counts);
    let mut out = Vec::with_capacity(counts.len());
    for span in spans {
        index += i64::from(span.offset);
        // There are as many as the spans say.
        let (run, behind) = rest.split_at((span.length as usize).min(rest.len()));
        rest = behind;
        out.extend((index..).zip(run.iter().copied()));
        index += run.len() as i64;
    }
    Ok(out)
}

fn without_empty<C: Count>(mut buckets: Indexed<C>) -> Indexed<C> {
    buckets.retain(|(_, count)| *count != C::default());
    buckets
}

fn merged<C: Count>(
    mut buckets: Indexed<C>,
    coarser: impl Fn(i64) -> i64,
) -> Result<Indexed<C>, HistogramError> {
    let mut fits = true;
    buckets.iter_mut().for_each(|(index, _)| *index = coarser(*index));
    buckets.dedup_by(|(index, count), (last, sum)| {
        let same = index == last;
        if same {
            match sum.plus(*count) {
                Some(both) => *sum = both,
                None => fits = false,
            }
        }
        same
    });
    if fits { Ok(buckets) } else { Err(E::TooLarge) }
}

/// Spans and counts of `buckets`; gaps of at most `most_empty` are filled.
fn laid_out<C: Count>(buckets: Indexed<C>, most_empty: u32) -> Result<(Vec<Span>, Vec<C>), HistogramError> {
    let (mut spans, mut counts): (Vec<Span>, _) = (Vec::new(), Vec::with_capacity(buckets.len()));
    let mut next = 0;
    for (index, count) in buckets {
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= i64::from(most_empty) => {
                let empty = usize::try_from(gap).map_err(|_| E::Index)?;
                counts.extend(std::iter::repeat_n(C::default(), empty));
                span.length += empty as u32 + 1;
            }
            _ => {
                let offset = i32::try_from(gap).map_err(|_| E::Index)?;
                spans.push(Span { offset, length: 1 });
            }
        }
        counts.push(count);
        next = index + 1;
    }
    Ok((spans, counts))
}
