//! Native histograms with custom buckets, made of classic ones.
//!
//! A classic histogram is many series: `_count`, `_sum`, and a `_bucket` for each upper bound, whose counts include all
//! smaller buckets. This collects their values in any order and turns them into one [`Histogram`], as Prometheus does
//! with `convert_classic_histograms_to_nhcb`.

use thiserror::Error;

use super::check::HistogramError;
use super::{CUSTOM, Counts, Histogram, Span};

/// What is wrong with the values of a classic histogram.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ClassicError {
    #[error("a bucket's bound is NaN")]
    Bound,
    #[error("the bucket up to {bound} holds {count}; none is negative")]
    Bucket { bound: f64, count: f64 },
    #[error("the count is {0}, which is negative")]
    Count(f64),
    #[error(
        "a bucket with a greater bound holds {greater}, fewer than the {smaller} of one with a smaller bound"
    )]
    NotCumulative { greater: f64, smaller: f64 },
    #[error("the count is {count}, the last bucket holds {last}; they are equal")]
    Mismatch { count: f64, last: f64 },
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

/// A classic histogram in the making.
#[derive(Clone, Debug, Default)]
pub struct Classic {
    /// Bounds and counts, rising.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
    wrong: Option<ClassicError>,
}

impl Classic {
    /// Forgets all values.
    pub fn clear(&mut self) {
        self.buckets.clear();
        (self.count, self.sum, self.wrong) = (None, 0.0, None);
    }

    /// Sets the value of `_sum`.
    pub fn sum(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// Sets the value of `_count`.
    pub fn count(&mut self, count: f64) {
        if count < 0.0 {
            self.fail(ClassicError::Count(count));
        }
        self.count = Some(count);
    }

    /// Sets the value of the `_bucket` with this upper bound. Of two with the same bound the first is kept.
    pub fn bucket(&mut self, bound: f64, count: f64) {
        if bound.is_nan() {
            return self.fail(ClassicError::Bound);
        }
        if count < 0.0 {
            return self.fail(ClassicError::Bucket { bound, count });
        }
        let at = self.buckets.partition_point(|(known, _)| *known < bound);
        let (before, after) = self.buckets.split_at(at);
        match (before.last(), after.first()) {
            (_, Some((known, _))) if *known == bound => {}
            (Some((_, smaller)), _) if count < *smaller => {
                let smaller = *smaller;
                self.fail(ClassicError::NotCumulative { greater: count, smaller });
            }
            (_, Some((_, greater))) if count > *greater => {
                let greater = *greater;
                self.fail(ClassicError::NotCumulative { greater, smaller: count });
            }
            _ => self.buckets.insert(at, (bound, count)),
        }
    }

    fn fail(&mut self, error: ClassicError) {
        self.wrong.get_or_insert(error);
    }

    /// The histogram with the values set so far: of whole numbers if all are.
    ///
    /// # Errors
    /// What was wrong with a value first, or that they do not fit together.
    pub fn convert(&self) -> Result<Histogram, ClassicError> {
        if let Some(error) = &self.wrong {
            return Err(error.clone());
        }
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|(_, count)| count)).unwrap_or(0.0);
        let mut buckets = self.buckets.clone();
        if last.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            buckets.push((f64::INFINITY, count));
        }
        let last = buckets.last().map_or(0.0, |(_, count)| *count);
        // NaN is equal to nothing, and is refused.
        if count != last {
            return Err(ClassicError::Mismatch { count, last });
        }
        let whole = buckets.iter().all(|(_, count)| *count == count.round() && *count < i64::MAX as f64);
        let spans = vec![Span { offset: 0, length: buckets.len() as u32 }];
        let mut histogram = Histogram {
            schema: CUSTOM,
            sum: self.sum,
            positive_spans: spans,
            custom_values: buckets[..buckets.len() - 1].iter().map(|(bound, _)| *bound).collect(),
            counts: if whole { whole_counts(count, &buckets) } else { float_counts(count, &buckets) },
            ..Histogram::default()
        };
        histogram.compact(if whole { 2 } else { 0 })?;
        histogram.validate()?;
        Ok(histogram)
    }
}

fn whole_counts(count: f64, buckets: &[(f64, f64)]) -> Counts {
    let (mut upto, mut before) = (0i64, 0i64);
    let positive = buckets.iter().map(|(_, cumulative)| {
        let own = *cumulative as i64 - std::mem::replace(&mut upto, *cumulative as i64);
        own - std::mem::replace(&mut before, own)
    });
    Counts::Integer { count: count as u64, zero: 0, positive: positive.collect(), negative: Vec::new() }
}

fn float_counts(count: f64, buckets: &[(f64, f64)]) -> Counts {
    let mut upto = 0.0;
    let positive =
        buckets.iter().map(|(_, cumulative)| *cumulative - std::mem::replace(&mut upto, *cumulative));
    Counts::Float { count, zero: 0.0, positive: positive.collect(), negative: Vec::new() }
}
