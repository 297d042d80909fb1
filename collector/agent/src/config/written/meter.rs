//! `logs.stages.meter`, and `metrics`, as promtail calls it: metrics that are made of lines.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::stages::Label;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{Interval, LabelName, Origin, Text};

/// A metric that is made of lines. Its series have the labels `stream_job` and `service_name` of the lines' stream.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["type"]))]
pub struct Metric {
    /// What it is. A counter's name ends in `_total`, a histogram counts by size.
    #[serde(rename = "type")]
    pub kind: Field<MetricType>,
    /// What it says, for people.
    #[schemars(extend("examples" = ["Orders that were placed."]))]
    pub help: Field<Text>,
    /// The field that it looks at; entries without it do not count. Default: each entry counts.
    pub source: Field<Text>,
    /// Only where the field is equal to it.
    pub value: Field<Origin>,
    /// What an entry does. Default: `inc` of counters, `set` of gauges and histograms.
    pub action: Field<MetricAction>,
    /// What numbers are multiplied by: 0.001 makes seconds of milliseconds. `12ms` is in seconds without it.
    #[schemars(extend("default" = 1))]
    pub scale: Field<f64>,
    /// Labels, and the fields that hold their values. With any other value than those that are named a label is `other`.
    #[schemars(extend("examples" = [{"method": {"values": ["GET", "POST"]}}]))]
    pub labels: Field<BTreeMap<LabelName, Field<OneOf<Origin, Label>>>>,
    /// The upper bounds of a histogram's buckets, rising.
    #[schemars(extend("default" = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]))]
    pub buckets: Field<Vec<Field<f64>>>,
    /// After so long without an entry a series goes. Default: 5m of gauges, never of others.
    pub max_idle: Field<Interval>,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// Only goes up.
    #[serde(alias = "Counter")]
    Counter,
    /// Goes up and down.
    #[serde(alias = "Gauge")]
    Gauge,
    /// Counts by size.
    #[serde(alias = "Histogram")]
    Histogram,
}

/// What an entry does to a metric.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum MetricAction {
    /// Adds one.
    Inc,
    /// Takes one away.
    Dec,
    /// Adds the number in the field.
    Add,
    /// Takes it away.
    Sub,
    /// Is the number in the field; of a histogram: one more of that size.
    Set,
    /// Adds the length of the line in bytes.
    Bytes,
}

/// A metric that is made of lines, as promtail has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["type"]))]
pub struct PromtailMetric {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Field<MetricType>,
    /// What it says, for people.
    pub description: Field<Text>,
    /// What its name begins with.
    #[schemars(extend("default" = "promtail_custom_"))]
    pub prefix: Field<Origin>,
    /// The field that it looks at. Default: the one of its name.
    pub source: Field<Text>,
    /// After so long without an entry a series goes.
    #[schemars(extend("default" = "5m"))]
    pub max_idle_duration: Field<Interval>,
    /// What an entry does.
    pub config: Field<PromtailConfig>,
}

/// What an entry does to a metric, as promtail has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PromtailConfig {
    /// Each entry counts, whatever fields it has.
    #[schemars(extend("default" = false))]
    pub match_all: Field<bool>,
    /// Add the length of the line in bytes.
    #[schemars(extend("default" = false))]
    pub count_entry_bytes: Field<bool>,
    /// Only where the field is equal to it.
    pub value: Field<Origin>,
    /// What an entry does: `inc` and `add` of counters, also `dec`, `sub` and `set` of gauges.
    pub action: Field<MetricAction>,
    /// The upper bounds of a histogram's buckets, rising.
    pub buckets: Field<Vec<Field<f64>>>,
}
