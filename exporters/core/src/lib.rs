//! The currency of Taffrail's exporters.
//!
//! A metric is declared once with [`metrics!`]; a [`Subject`] writes samples of declared metrics to an [`Out`]; one run
//! of a subject yields a [`Collected`]: new series, samples, and series that are gone. Everything that leaves the
//! process, as a pull page or as remote write, is made from these.

pub mod clock;
pub mod cost;
pub mod file;
pub mod golden;
pub mod histogram;
pub mod label;
pub mod metric;
pub mod note;
pub mod out;
#[cfg(feature = "pattern")]
pub mod pattern;
pub mod sample;
#[cfg(feature = "secret")]
pub mod secret;
pub mod subject;
pub mod sys;
pub mod text;
pub mod worker;

pub use clock::Clock;
pub use histogram::{Histogram, HistogramError};
pub use metric::{Family, Keyed, Kind, Metric};
pub use note::Note;
pub use out::Out;
#[cfg(feature = "pattern")]
pub use pattern::{Filter, Pattern, PatternError};
pub use sample::{Collected, FamilyInfo, Sample, SeriesDef, SeriesRef, Value};
#[cfg(feature = "secret")]
pub use secret::{Secret, Source, SourceError};
pub use subject::{Collect, CollectError, Exporter, Run, Subject, Target};

metrics! {
    /// Whether the job's last collection ran (1) or not (0).
    pub UP: Gauge = "up" [];
}
