//! Samples and series: what one run of a subject, or one scrape of a target, hands on.

use std::borrow::Cow;
use std::sync::Arc;

use crate::metric::Kind;
use crate::note::Note;

/// A series within one scope (a subject, a target). Small, dense, and free to be reused once the series is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef(pub u32);

impl SeriesRef {
    /// The reference as an index into a scope's table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// An ordinary value.
    F64(f64),
    /// The series has ended: Prometheus' staleness marker.
    Stale,
}

/// The bits of the not-a-number that Prometheus takes as the end of a series (`model/value/value.go`).
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

impl Value {
    /// The value as it travels: the staleness marker is a not-a-number of its own.
    pub fn to_f64(self) -> f64 {
        match self {
            Value::F64(v) => v,
            Value::Stale => f64::from_bits(STALE_NAN),
        }
    }

    /// The value that travelled as `v`.
    pub fn from_f64(v: f64) -> Self {
        if v.to_bits() == STALE_NAN { Value::Stale } else { Value::F64(v) }
    }
}

/// One value of one series at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Whose value.
    pub series: SeriesRef,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// The value.
    pub value: Value,
}

/// The family that a series belongs to; shared by its series.
#[derive(Debug, PartialEq, Eq)]
pub struct FamilyInfo {
    /// The full name of the metric.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Its help text.
    pub help: Cow<'static, str>,
}

/// What a series is: its family and labels, in the order declared. Sent once, when the series is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesDef {
    /// The family.
    pub family: Arc<FamilyInfo>,
    /// What stands behind the family's name in the series' name: `_bucket`, `_sum` or `_count` of histograms and
    /// summaries, else nothing.
    pub suffix: &'static str,
    /// Names and values, without the identity that the pipeline adds.
    pub labels: Box<[(Cow<'static, str>, Box<str>)]>,
}

impl SeriesDef {
    /// The series' name, the label `__name__`.
    pub fn name(&self) -> Cow<'_, str> {
        if self.suffix.is_empty() {
            Cow::Borrowed(&self.family.name)
        } else {
            Cow::Owned(format!("{}{}", self.family.name, self.suffix))
        }
    }
}

/// What one run yields: a difference to the run before, and the samples.
#[derive(Debug, Default)]
pub struct Collected {
    /// When the values were read, in milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// Series not seen in the run before; their references are free of earlier meaning.
    pub new: Vec<(SeriesRef, SeriesDef)>,
    /// The values.
    pub samples: Vec<Sample>,
    /// Series of the run before that had no value in this one.
    pub gone: Vec<SeriesRef>,
    /// What happened that a number cannot say.
    pub notes: Vec<Note>,
    /// Values given for a series that already had one in this run; the first was kept.
    pub duplicates: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staleness_marker_survives_the_journey() {
        assert_eq!(Value::from_f64(Value::Stale.to_f64()), Value::Stale);
        assert_eq!(Value::from_f64(Value::F64(1.5).to_f64()), Value::F64(1.5));
        assert!(matches!(Value::from_f64(f64::NAN), Value::F64(v) if v.is_nan()));
    }
}
