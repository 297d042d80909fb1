//! Metrics that users make of log lines: the series of the stage `meter`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use taffrail_core::{FamilyInfo, Kind as CoreKind, Out};
use taffrail_stages::stage::{Change, Kind, Measured, Metric};

/// The most series of one metric; further ones are counted together, each label being [`OTHER`].
pub(super) const MAX_SERIES: usize = 1000;

/// The value of the labels of what is beyond the bound.
const OTHER: &str = "__other__";

/// Labels, sorted by name.
type Labels = Box<[(Box<str>, Box<str>)]>;

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Meters {
    by_name: BTreeMap<String, Meter>,
}

#[derive(Debug)]
struct Meter {
    metric: Arc<Metric>,
    family: Arc<FamilyInfo>,
    series: HashMap<Labels, Series>,
}

#[derive(Debug)]
struct Series {
    value: f64,
    /// Of histograms: how many, by bucket.
    counts: Vec<u64>,
    updated_ms: i64,
}

impl Meters {
    /// Takes what was measured in a stream of this job and service; false where there are too many series.
    pub(super) fn take(&mut self, measured: Measured, stream: [&str; 2], now_ms: i64) -> bool {
        let Measured { metric, service, labels, change } = measured;
        let meter = match self.by_name.get_mut(&metric.name) {
            Some(meter) if Arc::ptr_eq(&meter.metric, &metric) || *meter.metric == *metric => meter,
            // A reload has changed what it is: what was counted before was something else.
            _ => self.by_name.entry(metric.name.clone()).insert_entry(Meter::new(metric)).into_mut(),
        };
        let mut all: BTreeMap<String, String> = labels.into_iter().collect();
        let service = service.as_deref().unwrap_or(stream[1]);
        for (name, value) in [("stream_job", stream[0]), ("service_name", service)] {
            if !value.is_empty() {
                all.insert(name.to_owned(), value.to_owned());
            }
        }
        let mut key: Labels = all.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let fits = meter.series.len() < MAX_SERIES || meter.series.contains_key(&key);
        if !fits {
            if meter.metric.kind == Kind::Gauge {
                // Values of different things are no value of all of them.
                return false;
            }
            key.iter_mut().for_each(|(_, value)| *value = OTHER.into());
        }
        let series =
            meter.series.entry(key).or_insert(Series { value: 0.0, counts: Vec::new(), updated_ms: now_ms });
        series.updated_ms = now_ms;
        series.change(change);
        fits
    }

    /// Writes all series, without those that were idle for too long.
    pub(super) fn collect(&mut self, out: &mut Out, now_ms: i64) {
        for meter in self.by_name.values_mut() {
            if let Some(idle) = meter.metric.max_idle {
                let idle_ms = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
                meter.series.retain(|_, series| now_ms.saturating_sub(series.updated_ms) <= idle_ms);
            }
            for (labels, series) in &meter.series {
                match &meter.metric.kind {
                    Kind::Counter | Kind::Gauge => out.put_found(&meter.family, "", labels, series.value),
                    Kind::Histogram(bounds) => histogram(&meter.family, bounds, labels, series, out),
                }
            }
        }
    }
}

impl Meter {
    fn new(metric: Arc<Metric>) -> Self {
        let kind = match metric.kind {
            Kind::Counter => CoreKind::Counter,
            Kind::Gauge => CoreKind::Gauge,
            Kind::Histogram(_) => CoreKind::Histogram,
        };
        let help = Cow::Owned(metric.help.clone());
        let family = Arc::new(FamilyInfo { name: metric.name.clone(), kind, help });
        Meter { metric, family, series: HashMap::new() }
    }
}

impl Series {
    fn change(&mut self, change: Change) {
        match change {
            Change::Add(more) => self.value += more,
            Change::Set(value) => self.value = value,
            Change::Observe { counts, sum } => {
                self.value += sum;
                self.counts.resize(counts.len().max(self.counts.len()), 0);
                self.counts.iter_mut().zip(counts).for_each(|(count, more)| *count += more);
            }
        }
    }
}

/// Writes a classic histogram: each bucket holds those before it.
fn histogram(family: &Arc<FamilyInfo>, bounds: &[f64], labels: &Labels, series: &Series, out: &mut Out) {
    let mut count = 0;
    let bounds = bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
    for (bound, more) in bounds.zip(&series.counts) {
        count += more;
        let mut labels = labels.to_vec();
        let at = labels.partition_point(|(name, _)| **name < *"le");
        labels.insert(at, ("le".into(), bound.into()));
        out.put_found(family, "_bucket", &labels, count as f64);
    }
    out.put_found(family, "_sum", labels, series.value);
    out.put_found(family, "_count", labels, count as f64);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use taffrail_stages::stage::Action;

    use super::*;

    fn metric(kind: Kind) -> Arc<Metric> {
        Arc::new(Metric {
            name: "shop_orders_total".into(),
            help: "Orders.".into(),
            kind,
            action: Action::Inc,
            source: None,
            value: None,
            scale: 1.0,
            labels: Vec::new(),
            labels_of_entry: false,
            max_idle: Some(Duration::from_secs(60)),
        })
    }

    fn measured(metric: &Arc<Metric>, label: &str, change: Change) -> Measured {
        let labels = vec![("color".to_owned(), label.to_owned())];
        Measured { metric: metric.clone(), service: None, labels, change }
    }

    /// Every series as `name{labels} value`.
    fn collected(meters: &mut Meters, now_ms: i64) -> Vec<String> {
        let mut out = Out::default();
        out.begin(now_ms);
        meters.collect(&mut out, now_ms);
        let collected = out.finish();
        let name = |series| {
            let (_, def) = collected.new.iter().find(|(new, _)| *new == series).unwrap();
            let labels: Vec<_> = def.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}{{{}}}", def.name(), labels.join(","))
        };
        let mut all: Vec<String> =
            collected.samples.iter().map(|s| format!("{} {}", name(s.series), s.value.to_f64())).collect();
        all.sort();
        all
    }

    #[test]
    fn what_lines_say_is_added_up_by_stream() {
        let (mut meters, counter) = (Meters::default(), metric(Kind::Counter));
        for (job, color, more) in [("a", "red", 1.0), ("a", "red", 2.0), ("b", "red", 4.0)] {
            assert!(meters.take(measured(&counter, color, Change::Add(more)), [job, ""], 0));
        }
        assert_eq!(
            collected(&mut meters, 60_000),
            ["shop_orders_total{color=red,stream_job=a} 3", "shop_orders_total{color=red,stream_job=b} 4"]
        );
        assert!(collected(&mut meters, 60_001).is_empty(), "idle for too long");
        let gauge = metric(Kind::Gauge);
        assert!(meters.take(measured(&gauge, "red", Change::Set(5.0)), ["a", "shop"], 0));
        assert_eq!(
            collected(&mut meters, 0),
            ["shop_orders_total{color=red,service_name=shop,stream_job=a} 5"]
        );
    }

    #[test]
    fn histograms_are_classic_ones() {
        let (mut meters, histogram) = (Meters::default(), metric(Kind::Histogram(vec![0.5, 1.0])));
        for counts in [[1, 0, 0], [0, 1, 1]] {
            let change = Change::Observe { counts: counts.to_vec(), sum: 1.5 };
            meters.take(measured(&histogram, "red", change), ["a", ""], 0);
        }
        assert_eq!(
            collected(&mut meters, 0),
            [
                "shop_orders_total_bucket{color=red,le=+Inf,stream_job=a} 3",
                "shop_orders_total_bucket{color=red,le=0.5,stream_job=a} 1",
                "shop_orders_total_bucket{color=red,le=1,stream_job=a} 2",
                "shop_orders_total_count{color=red,stream_job=a} 3",
                "shop_orders_total_sum{color=red,stream_job=a} 3"
            ]
        );
    }

    #[test]
    fn a_label_that_never_repeats_is_bounded() {
        let (mut meters, counter) = (Meters::default(), metric(Kind::Counter));
        let fits = (0..MAX_SERIES + 5)
            .filter(|n| meters.take(measured(&counter, &n.to_string(), Change::Add(1.0)), ["a", ""], 0))
            .count();
        assert_eq!(fits, MAX_SERIES);
        let all = collected(&mut meters, 0);
        assert_eq!(all.len(), MAX_SERIES + 1);
        assert!(all.contains(&"shop_orders_total{color=__other__,stream_job=__other__} 5".to_owned()));
    }
}
