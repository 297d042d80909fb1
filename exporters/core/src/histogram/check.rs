//! Whether a native histogram is one.

use thiserror::Error;

use super::{COARSEST, CUSTOM, Counts, FINEST, Histogram, Span};

/// What is wrong with a native histogram.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum HistogramError {
    #[error("the schema {0} is unknown: it is from {COARSEST} to {FINEST}, or {CUSTOM} for custom buckets")]
    Schema(i32),
    #[error("the spans say {spans} buckets, there are {buckets}")]
    Mismatch { spans: u64, buckets: usize },
    #[error("span {span} has the offset {offset}; behind the first span it is 0 or more")]
    Offset { span: usize, offset: i32 },
    #[error("a bucket's index does not fit 32 bits")]
    Index,
    #[error("bucket {bucket} has a count of {count}; none is negative")]
    Negative { bucket: usize, count: f64 },
    #[error("the counts do not fit 64 bits")]
    TooLarge,
    #[error(
        "the buckets hold {buckets} observations, the count is {count}; they are equal unless the sum is NaN"
    )]
    Count { buckets: u64, count: u64 },
    #[error("the count is {0}, which is negative")]
    NegativeCount(f64),
    #[error("custom bounds rise, and are neither NaN nor +Inf")]
    Bounds,
    #[error("{have} custom bounds are too few for spans over {wanted} buckets; only the last has no bound")]
    FewBounds { have: usize, wanted: u64 },
    #[error("custom buckets have no zero bucket and no buckets below zero")]
    CustomParts,
    #[error("an exponential schema has no custom bounds")]
    ExponentialBounds,
    #[error("it has {have} buckets, at most {most} are allowed, and it cannot be made coarser")]
    TooManyBuckets { have: usize, most: usize },
    #[error("a coarser schema was asked for than {0} can become")]
    Coarser(i32),
}

use HistogramError as E;

impl Histogram {
    /// Prometheus' verdict on a histogram: what it stores passes, what it refuses does not.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let (positive, negative) = match &self.counts {
            Counts::Integer { positive, negative, .. } => (positive.len(), negative.len()),
            Counts::Float { positive, negative, .. } => (positive.len(), negative.len()),
        };
        match self.schema {
            CUSTOM => {
                self.validate_custom(positive)?;
                if !self.zero_is_none() || !self.negative_spans.is_empty() || negative > 0 {
                    return Err(E::CustomParts);
                }
            }
            COARSEST..=FINEST => {
                spans_fit(&self.positive_spans, positive, false)?;
                spans_fit(&self.negative_spans, negative, false)?;
                if !self.custom_values.is_empty() {
                    return Err(E::ExponentialBounds);
                }
            }
            other => return Err(E::Schema(other)),
        }
        self.validate_counts()
    }

    fn zero_is_none(&self) -> bool {
        let zero = match self.counts {
            Counts::Integer { zero, .. } => zero == 0,
            Counts::Float { zero, .. } => zero == 0.0,
        };
        zero && self.zero_threshold == 0.0
    }

    fn validate_custom(&self, buckets: usize) -> Result<(), HistogramError> {
        let rising = self.custom_values.windows(2).all(|pair| pair[0] < pair[1]);
        let first = self.custom_values.first().is_none_or(|bound| !bound.is_nan());
        let finite = self.custom_values.last() != Some(&f64::INFINITY);
        if !rising || !first || !finite {
            return Err(E::Bounds);
        }
        let reach = spans_fit(&self.positive_spans, buckets, true)?;
        let have = self.custom_values.len();
        if have as u64 + 1 < reach {
            return Err(E::FewBounds { have, wanted: reach });
        }
        Ok(())
    }

    fn validate_counts(&self) -> Result<(), HistogramError> {
        match &self.counts {
            Counts::Integer { count, zero, positive, negative } => {
                let buckets = observations(negative)?.checked_add(observations(positive)?);
                let buckets = buckets.and_then(|sum| sum.checked_add(*zero)).ok_or(E::TooLarge)?;
                // An observation of NaN counts, and is in no bucket.
                let equal = if self.sum.is_nan() { buckets <= *count } else { buckets == *count };
                if equal { Ok(()) } else { Err(E::Count { buckets, count: *count }) }
            }
            Counts::Float { count, zero, positive, negative } => {
                if *zero < 0.0 {
                    return Err(E::Negative { bucket: 0, count: *zero });
                }
                if *count < 0.0 {
                    return Err(E::NegativeCount(*count));
                }
                for side in [negative, positive] {
                    if let Some(at) = side.iter().position(|count| *count < 0.0) {
                        return Err(E::Negative { bucket: at + 1, count: side[at] });
                    }
                }
                Ok(())
            }
        }
    }
}

/// The sum of all buckets.
fn observations(deltas: &[i64]) -> Result<u64, HistogramError> {
    let (mut sum, mut bucket) = (0u64, 0i64);
    for (at, delta) in deltas.iter().enumerate() {
        bucket = bucket.checked_add(*delta).ok_or(E::TooLarge)?;
        let count =
            u64::try_from(bucket).map_err(|_| E::Negative { bucket: at + 1, count: bucket as f64 })?;
        sum = sum.checked_add(count).ok_or(E::TooLarge)?;
    }
    Ok(sum)
}

/// How many buckets the spans reach over, gaps among them; `all`: no span has a negative offset, not even the first.
pub(super) fn spans_fit(spans: &[Span], buckets: usize, all: bool) -> Result<u64, HistogramError> {
    let (mut sum, mut reach) = (0u64, 0i64);
    for (at, span) in spans.iter().enumerate() {
        if span.offset < 0 && (all || at > 0) {
            return Err(E::Offset { span: at + 1, offset: span.offset });
        }
        sum += u64::from(span.length);
        reach += i64::from(span.offset) + i64::from(span.length);
    }
    if sum != buckets as u64 {
        return Err(E::Mismatch { spans: sum, buckets });
    }
    Ok(reach.max(0) as u64)
}
