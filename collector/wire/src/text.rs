//! The Prometheus text format 0.0.4 and OpenMetrics 1.0, read in one pass without copying.
//!
//! [`parse`] yields what a scrape needs first: of each sample the bytes of its series, its value and its time. The labels
//! are taken apart only on demand ([`Series::labels`]), for a series that is not known yet: known ones are found by their
//! bytes. See <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
//!
//! It is as lenient as Prometheus' own parser, and more so where that costs nothing: blank lines, tabs, spaces between
//! tokens, a trailing comma in labels, names in quotes, a missing last line end, and (beyond Prometheus) lines that end
//! in CR LF and minus before a time.

mod number;
mod parser;
mod series;

pub use parser::{Item, Parser, Sample, TextError, What, parse};
pub use series::{Labels, Series};

use crate::remote_write::MetricKind;

/// The value that every NaN on a page becomes; others, the staleness marker among them, must not come from outside.
pub const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Which of the two formats a page is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4: times in milliseconds.
    #[default]
    Prometheus,
    /// OpenMetrics 1.0: times in seconds, exemplars, units, `# EOF` at the end.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` header says; what is not OpenMetrics is taken for the text format.
    pub fn of_content_type(header: &str) -> Self {
        let media_type = header.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        }
    }
}

/// The type behind `# TYPE`, in either format's words.
fn kind(word: &[u8]) -> Option<MetricKind> {
    Some(match word {
        b"counter" => MetricKind::Counter,
        b"gauge" => MetricKind::Gauge,
        b"histogram" => MetricKind::Histogram,
        b"gaugehistogram" => MetricKind::GaugeHistogram,
        b"summary" => MetricKind::Summary,
        b"info" => MetricKind::Info,
        b"stateset" => MetricKind::StateSet,
        b"unknown" | b"untyped" => MetricKind::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
