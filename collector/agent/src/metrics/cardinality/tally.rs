//! The series of one job, counted by metric and label where they begin and end.

use std::collections::HashMap;

use super::top::{LabelValues, MetricSeries};
use super::values::Values;
use crate::metrics::interner::{Interner, Key, NAME};

/// The most metrics that are counted by name.
const METRICS: usize = 5000;
/// The most labels of a metric that are counted.
const LABELS: usize = 32;
/// The fewest and the most values of a label for which there is room, and how many series of its metric each takes.
const VALUES: (usize, usize) = (64, 1024);
const SERIES_A_VALUE: usize = 16;

/// Counts. Texts are known by their numbers, which hold as long as a series has them, and not longer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) series: usize,
    metrics: HashMap<u32, Metric>,
    /// Series of metrics that came when there were as many as are counted. While there are any, no metric is added:
    /// so a metric is counted by name with all of its series, or with none.
    pub(super) beyond: usize,
}

#[derive(Debug, Default)]
struct Metric {
    series: usize,
    labels: Vec<Label>,
    /// LabelValues of series that came when there were as many as are counted; the same rule holds.
    beyond: usize,
}

#[derive(Debug)]
struct Label {
    name: u32,
    series: usize,
    values: Values,
}

impl Tally {
    /// A series begins.
    pub(super) fn add(&mut self, key: &Key) {
        self.series += 1;
        let name = metric(key);
        let room = self.beyond == 0 && self.metrics.len() < METRICS;
        let metric = match self.metrics.get_mut(&name) {
            Some(metric) => metric,
            None if room => self.metrics.entry(name).or_default(),
            None => {
                self.beyond += 1;
                return;
            }
        };
        metric.series += 1;
        labels(key).for_each(|(name, value)| metric.add(name, value));
    }

    /// A series that was added ends.
    pub(super) fn remove(&mut self, key: &Key) {
        self.series -= 1;
        let name = metric(key);
        let Some(metric) = self.metrics.get_mut(&name) else {
            self.beyond -= 1;
            return;
        };
        metric.series -= 1;
        if metric.series == 0 {
            self.metrics.remove(&name);
            return;
        }
        labels(key).for_each(|(name, value)| metric.remove(name, value));
    }

    /// How many metrics are counted by name.
    pub(super) fn metrics(&self) -> usize {
        self.metrics.len()
    }

    /// The metrics with the most series.
    pub(super) fn top(&self, limit: usize, interner: &Interner) -> Vec<MetricSeries> {
        let mut all: Vec<(&u32, &Metric)> = self.metrics.iter().collect();
        all.sort_unstable_by_key(|(name, metric)| (usize::MAX - metric.series, **name));
        let told = |(name, metric): (&u32, &Metric)| {
            let values = |label: &Label| LabelValues {
                metric: interner.text(*name).to_owned(),
                label: interner.text(label.name).to_owned(),
                values: label.values.count(label.series),
                exact: label.values.exact(),
            };
            let mut labels: Vec<LabelValues> = metric.labels.iter().map(values).collect();
            labels.sort_unstable_by(LabelValues::compare);
            MetricSeries { metric: interner.text(*name).to_owned(), series: metric.series, labels }
        };
        all.into_iter().take(limit).map(told).collect()
    }

    /// The labels with the most values.
    pub(super) fn top_labels(&self, limit: usize, interner: &Interner) -> Vec<LabelValues> {
        let of = |(name, metric): (&u32, &'_ Metric)| {
            let name = *name;
            let count = move |label: &Label| {
                (label.values.count(label.series), name, label.name, label.values.exact())
            };
            metric.labels.iter().map(count).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.metrics.iter().flat_map(of).collect();
        all.sort_unstable_by_key(|(values, metric, label, _)| (usize::MAX - values, *metric, *label));
        let text = |number| interner.text(number).to_owned();
        let told = |(values, metric, label, exact)| LabelValues {
            metric: text(metric),
            label: text(label),
            values,
            exact,
        };
        all.into_iter().take(limit).map(told).collect()
    }
}

impl Metric {
    fn add(&mut self, name: u32, value: u32) {
        let room = (self.series / SERIES_A_VALUE).clamp(VALUES.0, VALUES.1);
        let known = self.labels.iter().position(|label| label.name == name);
        let at = match known {
            Some(at) => at,
            None if self.beyond == 0 && self.labels.len() < LABELS => {
                self.labels.push(Label { name, series: 0, values: Values::default() });
                self.labels.len() - 1
            }
            None => {
                self.beyond += 1;
                return;
            }
        };
        self.labels[at].series += 1;
        self.labels[at].values.add(value, room);
    }

    fn remove(&mut self, name: u32, value: u32) {
        let Some(at) = self.labels.iter().position(|label| label.name == name) else {
            self.beyond -= 1;
            return;
        };
        self.labels[at].series -= 1;
        self.labels[at].values.remove(value);
        if self.labels[at].series == 0 {
            self.labels.swap_remove(at);
        }
    }
}

/// The number of the metric's name.
fn metric(key: &Key) -> u32 {
    key.pairs().find(|(name, _)| *name == NAME).map_or(NAME, |(_, value)| value)
}

fn labels(key: &Key) -> impl Iterator<Item = (u32, u32)> {
    key.pairs().filter(|(name, _)| *name != NAME)
}
