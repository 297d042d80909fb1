//! What a page says, line by line.

use std::borrow::Cow;

use taffrail_core::Histogram;

use super::series::Series;
use crate::remote_write::MetricKind;

/// The most characters that an exemplar's labels have, names and values together; OpenMetrics bounds them, and
/// Prometheus stores no longer ones.
pub const LONGEST_EXEMPLAR: usize = 128;

/// One thing that a page says.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    /// The type of a family. It stands for the samples below it.
    Type {
        /// The family's name.
        family: Cow<'a, str>,
        /// Its type.
        kind: MetricKind,
    },
    /// The help text of a family.
    Help {
        /// The family's name.
        family: Cow<'a, str>,
        /// The text, escapes undone.
        text: Cow<'a, str>,
    },
    /// The unit of a family.
    Unit {
        /// The family's name.
        family: Cow<'a, str>,
        /// The unit; may be empty.
        unit: Cow<'a, str>,
    },
    /// A sample with a number.
    Sample(Sample<'a>),
    /// A sample with a native histogram.
    Histogram(Box<HistogramSample<'a>>),
    /// A comment: what follows the `#`.
    Comment(&'a [u8]),
    /// The end that OpenMetrics marks.
    Eof,
}

/// A number of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// Whose.
    pub series: Series<'a>,
    /// The value. On a text page every NaN is [`NAN`](super::NAN); a protobuf page's are as they came, but for the
    /// staleness marker, which becomes [`NAN`](super::NAN) too.
    pub value: f64,
    /// The time in milliseconds since 1970, if the page gives one.
    pub ts_ms: Option<i64>,
    /// When the series began, in milliseconds since 1970, if the page says so.
    pub created_ms: Option<i64>,
    /// The exemplar; one whose labels are longer than [`LONGEST_EXEMPLAR`] was left out, and counted.
    pub exemplar: Option<Box<Exemplar<'a>>>,
}

/// A native histogram of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample<'a> {
    /// Whose.
    pub series: Series<'a>,
    /// The histogram: compact, and not validated, as it may have to be made coarser first.
    pub histogram: Histogram,
    /// The time in milliseconds since 1970, if the page gives one.
    pub ts_ms: Option<i64>,
    /// When the series began, in milliseconds since 1970, if the page says so.
    pub created_ms: Option<i64>,
    /// The exemplars; those without a time or with labels longer than [`LONGEST_EXEMPLAR`] were left out, and counted.
    pub exemplars: Vec<Exemplar<'a>>,
}

/// An example of what was measured, such as the trace of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar<'a> {
    /// Names and values, in the page's order, escapes undone.
    pub labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The value of the example.
    pub value: f64,
    /// Its time in milliseconds since 1970, if the page gives one.
    pub ts_ms: Option<i64>,
}

impl Exemplar<'_> {
    /// How many characters its labels have.
    pub fn chars(&self) -> usize {
        self.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum()
    }

    /// Whether its labels are longer than is stored.
    pub fn is_too_long(&self) -> bool {
        // Most are short, and their characters need not be counted.
        let bytes: usize = self.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        bytes > LONGEST_EXEMPLAR && self.chars() > LONGEST_EXEMPLAR
    }
}
