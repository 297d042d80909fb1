//! The two push protocols as prost messages, written by hand from their published field numbers:
//! Prometheus remote write 1.0 and Loki's push API. They are the oracle for the collector's own
//! encoders, so they share nothing with them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use prost::Message;

/// Prometheus remote write 1.0, `prometheus.WriteRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// Series with their samples.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
    /// Types and help texts.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<Metadata>,
}

/// `prometheus.TimeSeries`.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Labels with `__name__`, sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Samples, oldest first.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

impl TimeSeries {
    /// Labels as a map.
    pub fn label_map(&self) -> BTreeMap<&str, &str> {
        let pairs = self.labels.iter();
        pairs.map(|l| (l.name.as_str(), l.value.as_str())).collect()
    }
}

/// A name and a value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Message)]
pub struct Label {
    /// The label's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The label's value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `prometheus.Sample`.
#[derive(Clone, PartialEq, Message)]
pub struct Sample {
    /// The value; staleness is NaN with the bits 0x7ff0000000000002.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// `prometheus.MetricMetadata`.
#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    /// 0 unknown, 1 counter, 2 gauge, 3 histogram, 5 summary.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The metric family.
    #[prost(string, tag = "2")]
    pub family: String,
    /// The help text.
    #[prost(string, tag = "4")]
    pub help: String,
    /// The unit.
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// Loki's `logproto.PushRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct PushRequest {
    /// Streams with their entries.
    #[prost(message, repeated, tag = "1")]
    pub streams: Vec<LogStream>,
}

/// `logproto.StreamAdapter`.
#[derive(Clone, PartialEq, Message)]
pub struct LogStream {
    /// The labels as text: `{a="b", c="d"}`.
    #[prost(string, tag = "1")]
    pub labels: String,
    /// Entries, oldest first.
    #[prost(message, repeated, tag = "2")]
    pub entries: Vec<LogEntry>,
}

/// `logproto.EntryAdapter`.
#[derive(Clone, PartialEq, Message)]
pub struct LogEntry {
    /// When it happened.
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    /// The line.
    #[prost(string, tag = "2")]
    pub line: String,
    /// Structured metadata.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<Label>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Timestamp {
    /// Seconds since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds of the second.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// Undoes the block snappy that both protocols use, then decodes.
///
/// # Errors
/// When either layer is malformed; the text says which.
pub(crate) fn decode<M: Message + Default>(body: &[u8]) -> Result<M> {
    let raw = snap::raw::Decoder::new().decompress_vec(body).context("snappy")?;
    M::decode(raw.as_slice()).context("protobuf")
}
