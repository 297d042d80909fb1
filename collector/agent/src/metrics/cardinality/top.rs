//! What is told of the series of a job: which metrics have the most, and which labels the most values.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobSeries {
    /// Its name.
    pub job: String,
    /// Its series now.
    pub series: usize,
    /// How many it should have at most; 0 is no budget.
    pub budget: usize,
    /// How many metrics are counted by name.
    pub metrics: usize,
    /// Series of metrics beyond those.
    pub series_beyond: usize,
    /// The metrics with the most series.
    pub top_metrics: Vec<MetricSeries>,
    /// The labels with the most values.
    pub top_labels: Vec<LabelValues>,
}

/// One metric of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetricSeries {
    /// Its name.
    pub metric: String,
    /// Its series now.
    pub series: usize,
    /// Its labels, those with the most values first.
    pub labels: Vec<LabelValues>,
}

/// The values of one label of a metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelValues {
    /// The metric.
    pub metric: String,
    /// The label.
    pub label: String,
    /// How many values are in use.
    pub values: usize,
    /// Whether that is counted; else it is estimated.
    pub exact: bool,
}

impl LabelValues {
    pub(super) fn compare(&self, other: &LabelValues) -> Ordering {
        other
            .values
            .cmp(&self.values)
            .then_with(|| (&self.metric, &self.label).cmp(&(&other.metric, &other.label)))
    }
}

/// What makes a job have so many series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The metric with the most series; empty where it is the metrics that are too many.
    pub metric: String,
    /// Its series.
    pub metric_series: usize,
    /// Its label with the most values; `__name__` where it is the metrics that are too many.
    pub label: String,
    /// How many.
    pub values: usize,
}

impl JobSeries {
    /// What makes it have so many series.
    pub fn cause(&self) -> Cause {
        let most = self.top_metrics.first();
        let label = most.and_then(|metric| metric.labels.first());
        let metrics = self.metrics + self.series_beyond;
        match (most, label) {
            (Some(metric), Some(label)) if self.series_beyond == 0 && metrics <= metric.series => Cause {
                metric: metric.metric.clone(),
                metric_series: metric.series,
                label: label.label.clone(),
                values: label.values,
            },
            _ => Cause { metric: String::new(), metric_series: 0, label: "__name__".into(), values: metrics },
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { metric, metric_series: series, label, values } = self;
        match metric.is_empty() {
            true => write!(f, "there are about {values} metrics: `{label}` explodes"),
            false => {
                write!(f, "{metric} has {series} of them, and its label `{label}` about {values} values")
            }
        }
    }
}
