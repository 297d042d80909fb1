//! The stages `meter` and `metrics`: names that are nobody else's, and numbers that make sense.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taffrail_stages::stage::{Action, Kind, Meter, MeterLabel, Metric, Stage};

use super::Checker;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{FieldName, Interval, LabelName, Origin, Text};
use crate::config::source::Span;
use crate::config::written::meter::{self as written, MetricAction, MetricType};
use crate::config::written::stages::Label;
use crate::registry;

/// The buckets of a histogram for which none are named: what Prometheus' clients take, for seconds.
pub(super) const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// So long a value counts that only goes up and down with lines.
const IDLE: Duration = Duration::from_secs(300);

/// Labels that are there already.
const RESERVED: [&str; 5] = ["job", "instance", "stream_job", "service_name", "le"];

/// The most metrics of a stage.
const MOST: usize = 50;

/// What promtail's metrics begin with, unless told otherwise.
const PREFIX: &str = "promtail_custom_";

impl Checker<'_> {
    pub(super) fn meter(
        &mut self,
        at: Span,
        metrics: &BTreeMap<FieldName, Field<written::Metric>>,
    ) -> Option<Stage> {
        self.how_many("meter", at, metrics.len());
        let mut made = Vec::new();
        for (name, metric) in metrics {
            let Some((at, metric)) = metric.good() else { continue };
            let Some((_, kind)) = self.needed(at, &metric.kind, "type: counter") else { continue };
            let usual = if *kind == MetricType::Counter { Action::Inc } else { Action::Set };
            let action = metric.action.get().map_or(usual, |action| of(*action));
            let idle = (*kind == MetricType::Gauge).then_some(IDLE);
            let metric = Metric {
                name: name.0.clone(),
                help: help(&metric.help, &name.0),
                kind: self.metric_kind(*kind, &metric.buckets),
                action,
                source: metric.source.get().map(|source| source.0.clone()),
                value: metric.value.get().map(|value| value.0.clone()),
                scale: metric.scale.get().copied().unwrap_or(1.0),
                labels: self.meter_labels(&metric.labels),
                labels_of_entry: false,
                max_idle: metric.max_idle.get().map(|idle| idle.0).or(idle),
            };
            if metric.kind == Kind::Counter && !metric.name.ends_with("_total") {
                let help = format!("call it `{}_total`", metric.name);
                self.fault(
                    at,
                    format!("`{}` is a counter, and its name does not end in _total", metric.name),
                    help,
                );
            }
            self.metric(at, metric, &mut made);
        }
        Some(Stage::Meter(Meter { metrics: made }))
    }

    pub(super) fn promtail_metrics(
        &mut self,
        at: Span,
        metrics: &BTreeMap<FieldName, Field<written::PromtailMetric>>,
    ) -> Option<Stage> {
        self.how_many("metrics", at, metrics.len());
        let mut made = Vec::new();
        let none = written::PromtailConfig::default();
        for (name, metric) in metrics {
            let Some((at, metric)) = metric.good() else { continue };
            let Some((_, kind)) = self.needed(at, &metric.kind, "type: Counter") else { continue };
            let config = metric.config.get().unwrap_or(&none);
            let all = config.match_all.get() == Some(&true);
            let bytes = config.count_entry_bytes.get() == Some(&true);
            let action = match (kind, config.action.get()) {
                (MetricType::Counter, _) if bytes => Action::Bytes,
                (MetricType::Histogram, _) => Action::Set,
                (_, Some(action)) => of(*action),
                (_, None) => {
                    self.needed(at, &config.action, "action: inc");
                    continue;
                }
            };
            let prefix = metric.prefix.get().map_or(PREFIX, |prefix| &prefix.0);
            let source = metric.source.get().map_or(&name.0, |source| &source.0);
            let metric = Metric {
                name: format!("{prefix}{}", name.0),
                help: help(&metric.description, &name.0),
                kind: self.metric_kind(*kind, &config.buckets),
                action,
                source: (!all && !bytes).then(|| source.clone()),
                value: config.value.get().map(|value| value.0.clone()),
                scale: 1.0,
                labels: Vec::new(),
                labels_of_entry: true,
                max_idle: Some(metric.max_idle_duration.get().map_or(IDLE, |Interval(idle)| *idle)),
            };
            self.metric(at, metric, &mut made);
        }
        Some(Stage::Meter(Meter { metrics: made }))
    }

    fn how_many(&mut self, stage: &str, at: Span, count: usize) {
        if count == 0 {
            self.fault(at, format!("`{stage}` names no metric"), "add shop_orders_total: {type: counter}");
        } else if count > MOST {
            self.fault(at, format!("{count} metrics are too many"), format!("at most {MOST} in one stage"));
        }
    }

    /// Takes a metric whose name can be one, and is that of nothing else.
    fn metric(&mut self, at: Span, metric: Metric, made: &mut Vec<Arc<Metric>>) {
        let name = &metric.name;
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let ends = ["_bucket", "_sum", "_count"].iter().find(|end| name.ends_with(**end));
        if name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(good) || name.len() > 128 {
            let help = "it has letters, digits and _, no digit first, and at most 128";
            self.fault(at, format!("`{name}` cannot be a metric's name"), help);
        } else if let Some(end) = ends {
            self.fault(at, format!("{end} is what series of histograms end in"), "call it otherwise");
        } else if metric.kind != Kind::Counter && name.ends_with("_total") {
            self.fault(at, format!("`{name}` is no counter, and ends in _total"), "call it otherwise");
        } else if let Some(other) = registry::find(&registry::catalogue(), name) {
            let what = format!("`{name}` is a metric of the exporter `{}`", other.exporter);
            self.fault(at, what, "begin its name with the name of your service");
        }
        if let Kind::Histogram(_) = metric.kind
            && metric.action != Action::Set
        {
            self.fault(at, "a histogram takes the numbers of its field", "remove `action`");
        }
        if metric.kind == Kind::Counter && !matches!(metric.action, Action::Inc | Action::Add | Action::Bytes)
        {
            self.fault(
                at,
                "a counter only goes up",
                "write `action: inc`, `add` or `bytes`, or `type: gauge`",
            );
        }
        if matches!(metric.action, Action::Set | Action::Add | Action::Sub) && metric.source.is_none() {
            self.fault(at, "it does not say which field holds the number", "add source: FIELD");
        }
        if !metric.scale.is_finite() || metric.scale <= 0.0 {
            self.fault(
                at,
                format!("nothing can be multiplied by {}", metric.scale),
                "0.001 makes seconds of ms",
            );
        }
        let metric = Arc::new(metric);
        match self.metrics.get(&metric.name) {
            Some(known) if **known != *metric => {
                let what = format!("`{}` is another metric elsewhere", metric.name);
                self.fault(at, what, "write the same at both places, or give it another name");
            }
            Some(_) => {}
            None => drop(self.metrics.insert(metric.name.clone(), metric.clone())),
        }
        made.push(metric);
    }

    fn metric_kind(&mut self, kind: MetricType, buckets: &Field<Vec<Field<f64>>>) -> Kind {
        if let (true, Some(at)) = (kind != MetricType::Histogram, buckets.span()) {
            self.fault(at, "only a histogram has buckets", "write `type: histogram`, or remove the key");
        }
        match kind {
            MetricType::Counter => Kind::Counter,
            MetricType::Gauge => Kind::Gauge,
            MetricType::Histogram => {
                let Some((at, written)) = buckets.good() else { return Kind::Histogram(BUCKETS.to_vec()) };
                let bounds: Vec<f64> = written.iter().filter_map(Field::get).copied().collect();
                let rise = bounds.windows(2).all(|pair| pair[0] < pair[1]);
                if bounds.is_empty() || bounds.len() > MOST || !rise || !bounds.iter().all(|b| b.is_finite())
                {
                    let help = format!("write 1 to {MOST} of them, as [0.1, 1, 10]");
                    self.fault(at, "these are no upper bounds that rise", help);
                }
                Kind::Histogram(bounds)
            }
        }
    }

    fn meter_labels(
        &mut self,
        labels: &Field<BTreeMap<LabelName, Field<OneOf<Origin, Label>>>>,
    ) -> Vec<MeterLabel> {
        let mut made = Vec::new();
        for (name, label) in labels.get().into_iter().flatten() {
            let Some((at, label)) = label.good() else { continue };
            if RESERVED.contains(&name.0.as_str()) {
                self.fault(at, format!("the label `{}` cannot be set here", name.0), "it is set for you");
            }
            let (source, values) = match label {
                OneOf::Short(source) => (source.0.clone(), Vec::new()),
                OneOf::Long(long) => {
                    let values = long.values.get().into_iter().flatten().filter_map(Field::get);
                    let source = long.source.get().map_or("", |source| &source.0).to_owned();
                    (source, values.map(|value| value.0.clone()).collect())
                }
            };
            let source = if source.is_empty() { name.0.clone() } else { source };
            made.push(MeterLabel { name: name.0.clone(), source, values });
        }
        made
    }
}

fn help(written: &Field<Text>, name: &str) -> String {
    written.get().map_or_else(|| format!("Counted in log lines as {name}."), |help| help.0.clone())
}

fn of(action: MetricAction) -> Action {
    match action {
        MetricAction::Inc => Action::Inc,
        MetricAction::Dec => Action::Dec,
        MetricAction::Add => Action::Add,
        MetricAction::Sub => Action::Sub,
        MetricAction::Set => Action::Set,
        MetricAction::Bytes => Action::Bytes,
    }
}
