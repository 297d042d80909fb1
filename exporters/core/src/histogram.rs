//! Native histograms: one sample that holds all buckets.
//!
//! <https://prometheus.io/docs/specs/native_histograms/>. Buckets stand in runs ([`Span`]); an exponential layout says by
//! its schema how fine they are, a custom one ([`CUSTOM`]) lists their upper bounds. [`Histogram::validate`] gives
//! Prometheus' verdict on what came from outside; [`classic`] makes custom buckets of a classic histogram.

mod check;
pub mod classic;
mod layout;
#[cfg(test)]
mod tests;

pub use check::HistogramError;

use crate::sample::STALE_NAN;

/// The schema of custom buckets.
pub const CUSTOM: i32 = -53;
/// The coarsest exponential schema: each bucket reaches 65,536 times as far as the one before.
pub const COARSEST: i32 = -4;
/// The finest exponential schema that is stored: 256 buckets for each power of two.
pub const FINEST: i32 = 8;
/// The finest exponential schema that may be received; it is made coarser before it is stored.
pub const FINEST_RECEIVED: i32 = 52;

/// A run of buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// How many buckets are left out since the run before; in the first run, the index of its first bucket.
    pub offset: i32,
    /// How many buckets the run has.
    pub length: u32,
}

/// What is known of counter resets between this histogram and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Reset {
    /// Nothing: whoever needs it compares.
    #[default]
    Unknown = 0,
    /// There was one.
    Yes = 1,
    /// There was none.
    No = 2,
    /// It is a gauge: there are no resets.
    Gauge = 3,
}

/// How many observations were made, in all and in each bucket.
#[derive(Clone, Debug, PartialEq)]
pub enum Counts {
    /// Whole numbers. A bucket holds the difference to the bucket before it, the first one its own number.
    Integer {
        /// All observations.
        count: u64,
        /// Those in the zero bucket.
        zero: u64,
        /// The buckets above zero.
        positive: Vec<i64>,
        /// The buckets below zero.
        negative: Vec<i64>,
    },
    /// Any numbers. A bucket holds its own number.
    Float {
        /// All observations.
        count: f64,
        /// Those in the zero bucket.
        zero: f64,
        /// The buckets above zero.
        positive: Vec<f64>,
        /// The buckets below zero.
        negative: Vec<f64>,
    },
}

/// A native histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// How the buckets lie: [`COARSEST`] to [`FINEST_RECEIVED`], or [`CUSTOM`].
    pub schema: i32,
    /// The sum of all observations.
    pub sum: f64,
    /// How far the zero bucket reaches, on either side.
    pub zero_threshold: f64,
    /// Where the buckets above zero are; all buckets of a custom layout.
    pub positive_spans: Vec<Span>,
    /// Where the buckets below zero are.
    pub negative_spans: Vec<Span>,
    /// The upper bounds of custom buckets, rising, without the infinite one.
    pub custom_values: Vec<f64>,
    /// What is known of resets.
    pub reset: Reset,
    /// The numbers.
    pub counts: Counts,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            schema: 0,
            sum: 0.0,
            zero_threshold: 0.0,
            positive_spans: Vec::new(),
            negative_spans: Vec::new(),
            custom_values: Vec::new(),
            reset: Reset::Unknown,
            counts: Counts::Integer { count: 0, zero: 0, positive: Vec::new(), negative: Vec::new() },
        }
    }
}

impl Histogram {
    /// The marker that says that a series of histograms has ended.
    pub fn stale() -> Self {
        Histogram { sum: f64::from_bits(STALE_NAN), ..Histogram::default() }
    }

    /// Whether it is that marker.
    pub fn is_stale(&self) -> bool {
        self.sum.to_bits() == STALE_NAN
    }

    /// How many buckets it has, without the zero bucket.
    pub fn buckets(&self) -> usize {
        match &self.counts {
            Counts::Integer { positive, negative, .. } => positive.len() + negative.len(),
            Counts::Float { positive, negative, .. } => positive.len() + negative.len(),
        }
    }

    /// Makes it coarser, if it is exponential and finer than `finest`, and then until it has at most `buckets`.
    ///
    /// # Errors
    /// When its buckets are not as its spans say, or when it has too many buckets and cannot be made coarser.
    pub fn limit(&mut self, finest: i32, buckets: usize) -> Result<(), HistogramError> {
        if self.schema != CUSTOM && self.schema > finest {
            self.reduce(finest)?;
        }
        while self.buckets() > buckets {
            if self.schema == CUSTOM || self.schema <= COARSEST {
                return Err(HistogramError::TooManyBuckets { have: self.buckets(), most: buckets });
            }
            self.reduce(self.schema - 1)?;
        }
        Ok(())
    }
}

/// The finest schema whose buckets grow by at least `factor`: the meaning of `native_histogram_min_bucket_factor`.
pub fn schema_of_factor(factor: f64) -> i32 {
    if factor.is_nan() || factor <= 1.0 {
        return FINEST;
    }
    let schema = (-factor.log2().log2()).floor();
    schema.clamp(COARSEST.into(), FINEST.into()) as i32
}
