//! The stage `meter`: counters, gauges and histograms of what lines say.

mod number;

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::number::number;
use super::Outcome;
use crate::entry::Entry;
use crate::hash::Fnv;

/// The value of a label whose field holds none of the values that are named for it.
pub const OTHER: &str = "other";

/// The longest value of a label, in bytes.
const MAX_VALUE: usize = 128;

/// Counts and measures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meter {
    /// What is made of each entry.
    pub metrics: Vec<Arc<Metric>>,
}

/// A metric that is made of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its whole name.
    pub name: String,
    /// What it says, for people.
    pub help: String,
    /// Its type.
    pub kind: Kind,
    /// What one entry does to it.
    pub action: Action,
    /// The field that it looks at; without one each entry counts.
    pub source: Option<String>,
    /// Only where the field is equal to it.
    pub value: Option<String>,
    /// What numbers are multiplied by.
    pub scale: f64,
    /// Its labels.
    pub labels: Vec<MeterLabel>,
    /// Whether the labels that stages gave the entry are labels of the metric too.
    pub labels_of_entry: bool,
    /// After so long without an entry a series goes.
    pub max_idle: Option<Duration>,
}

/// The type of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by these upper bounds, which rise.
    Histogram(Vec<f64>),
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Adds one.
    Inc,
    /// Takes one away.
    Dec,
    /// Adds the number in the field.
    Add,
    /// Takes it away.
    Sub,
    /// Is it; of a histogram: one more of this size.
    Set,
    /// Adds the length of the line in bytes.
    Bytes,
}

/// A label of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterLabel {
    /// Its name.
    pub name: String,
    /// The field that holds its value; the label is empty where it is not there.
    pub source: String,
    /// The only values it may have; any other is [`OTHER`]. Empty: all.
    pub values: Vec<String>,
}

/// What some entries did to one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The metric.
    pub metric: Arc<Metric>,
    /// The service, where the entries themselves say it.
    pub service: Option<String>,
    /// Labels with values, as they were found.
    pub labels: Vec<(String, String)>,
    /// What was done.
    pub change: Change,
}

/// What was done to a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// So much more.
    Add(f64),
    /// It is this.
    Set(f64),
    /// So many more in each bucket, the last one without a bound, and the sum of what was seen.
    Observe {
        /// How many, by bucket.
        counts: Vec<u64>,
        /// Of all values.
        sum: f64,
    },
}

/// What was measured since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct State(Mutex<Pending>);

#[derive(Debug, Default)]
struct Pending {
    by_series: HashMap<u64, usize>,
    measured: Vec<Measured>,
}

impl Meter {
    pub(super) fn apply(&self, state: &State, entry: &mut Entry<'_>) -> Outcome {
        for (number, metric) in self.metrics.iter().enumerate() {
            match metric.amount(entry) {
                Ok(amount) => {
                    state.measure(number, metric, amount, entry);
                    entry.remark(|| format!("{} {}", metric.name, metric.action.shown(amount)));
                }
                Err(why) => entry.remark(|| format!("{} stays: {why}", metric.name)),
            }
        }
        Outcome::Keep
    }
}

impl Action {
    fn shown(self, amount: f64) -> String {
        match self {
            Action::Set => format!("sees {amount}"),
            _ if amount < 0.0 => format!("goes down by {}", -amount),
            _ => format!("goes up by {amount}"),
        }
    }
}

impl Metric {
    /// What this entry does to it.
    fn amount(&self, entry: &Entry<'_>) -> Result<f64, String> {
        let field = match &self.source {
            None => None,
            Some(name) => Some(entry.fields.get(name).ok_or_else(|| format!("there is no field `{name}`"))?),
        };
        if let (Some(wanted), Some(field)) = (&self.value, field)
            && wanted != field
        {
            return Err(format!("`{field}` is not `{wanted}`"));
        }
        let number = || {
            let text = field.map_or(&*entry.line, |field| &**field);
            let number = number(text).ok_or_else(|| format!("`{text}` is no number"))?;
            Ok::<f64, String>(number * self.scale)
        };
        let amount = match self.action {
            Action::Inc => 1.0,
            Action::Dec => -1.0,
            Action::Bytes => entry.line.len() as f64,
            Action::Add | Action::Set => number()?,
            Action::Sub => -number()?,
        };
        if !amount.is_finite() || (self.kind == Kind::Counter && amount < 0.0) {
            return Err(format!("{amount} is nothing that can be added"));
        }
        Ok(amount)
    }

    fn change(&self, amount: f64) -> Change {
        match (&self.kind, self.action) {
            (Kind::Histogram(bounds), _) => {
                let mut counts = vec![0; bounds.len() + 1];
                counts[bounds.partition_point(|bound| *bound < amount)] = 1;
                Change::Observe { counts, sum: amount }
            }
            (_, Action::Set) => Change::Set(amount),
            _ => Change::Add(amount),
        }
    }
}

impl MeterLabel {
    fn value<'e>(&self, entry: &'e Entry<'_>) -> &'e str {
        let value = entry.fields.get(&self.source).map_or("", |value| value);
        if !self.values.is_empty() && !value.is_empty() && !self.values.iter().any(|known| known == value) {
            return OTHER;
        }
        &value[..value.floor_char_boundary(MAX_VALUE)]
    }
}

impl State {
    fn measure(&self, number: usize, metric: &Arc<Metric>, amount: f64, entry: &Entry<'_>) {
        let service = entry.labels.get("service_name").map(|service| &**service);
        let mut key = Fnv::default();
        key.write_usize(number);
        let mut write = |part: &str| {
            key.write(part.as_bytes());
            key.write_u8(0xff);
        };
        service.into_iter().for_each(&mut write);
        metric.labels.iter().for_each(|label| write(label.value(entry)));
        if metric.labels_of_entry {
            entry.labels.iter().for_each(|(name, value)| {
                write(name);
                write(value);
            });
        }
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pending { by_series, measured } = &mut *pending;
        let at = *by_series.entry(key.finish()).or_insert(measured.len());
        if let Some(known) = measured.get_mut(at) {
            known.change.and(metric, amount);
            return;
        }
        let own = metric.labels.iter().map(|label| (label.name.clone(), label.value(entry).to_owned()));
        let mut labels: Vec<(String, String)> = own.filter(|(_, value)| !value.is_empty()).collect();
        if metric.labels_of_entry {
            let more = entry.labels.iter().filter(|(name, _)| *name != "service_name");
            labels.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        measured.push(Measured {
            metric: metric.clone(),
            service: service.map(str::to_owned),
            labels,
            change: metric.change(amount),
        });
    }

    /// What was measured since this was last asked.
    pub(crate) fn take(&self) -> Vec<Measured> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.by_series.clear();
        std::mem::take(&mut pending.measured)
    }
}

impl Change {
    fn and(&mut self, metric: &Metric, amount: f64) {
        match (self, &metric.kind) {
            (Change::Observe { counts, sum }, Kind::Histogram(bounds)) => {
                if let Some(count) = counts.get_mut(bounds.partition_point(|bound| *bound < amount)) {
                    *count += 1;
                    *sum += amount;
                }
            }
            (Change::Set(value), _) => *value = amount,
            (Change::Add(value), _) => *value += amount,
            (Change::Observe { .. }, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(kind: Kind, action: Action, source: Option<&str>) -> Metric {
        Metric {
            name: "x_total".into(),
            help: String::new(),
            kind,
            action,
            source: source.map(str::to_owned),
            value: None,
            scale: 1.0,
            labels: Vec::new(),
            labels_of_entry: false,
            max_idle: None,
        }
    }

    fn run(metric: Metric, fields: &[&[(&'static str, &'static str)]]) -> Vec<Measured> {
        let (meter, state) = (Meter { metrics: vec![Arc::new(metric)] }, State::default());
        for fields in fields {
            let mut entry = Entry { line: "a line".into(), ..Entry::default() };
            fields.iter().for_each(|(name, value)| entry.fields.set(*name, *value));
            entry.labels.set("app", "shop");
            assert_eq!(meter.apply(&state, &mut entry), Outcome::Keep);
        }
        let measured = state.take();
        assert!(state.take().is_empty());
        measured
    }

    #[test]
    fn counters_count_what_matches() {
        let fields: &[&[_]] = &[&[("s", "200")], &[("s", "500")], &[("s", "200")], &[]];
        let counted = run(
            Metric { value: Some("200".into()), ..metric(Kind::Counter, Action::Inc, Some("s")) },
            fields,
        );
        assert_eq!(counted.len(), 1);
        assert_eq!((&counted[0].change, counted[0].labels.len()), (&Change::Add(2.0), 0));
        let all = run(metric(Kind::Counter, Action::Inc, None), fields);
        assert_eq!(all[0].change, Change::Add(4.0));
        assert_eq!(run(metric(Kind::Counter, Action::Bytes, None), fields)[0].change, Change::Add(24.0));
        let scaled = Metric { scale: 0.5, ..metric(Kind::Counter, Action::Add, Some("s")) };
        assert_eq!(run(scaled, fields)[0].change, Change::Add(450.0));
        assert!(
            run(metric(Kind::Counter, Action::Sub, Some("s")), fields).is_empty(),
            "a counter never goes down"
        );
    }

    #[test]
    fn labels_make_series() {
        let label =
            MeterLabel { name: "code".into(), source: "s".into(), values: vec!["200".into(), "500".into()] };
        let metric =
            Metric { labels: vec![label], labels_of_entry: true, ..metric(Kind::Gauge, Action::Dec, None) };
        let counted = run(metric, &[&[("s", "200")], &[("s", "418")], &[("s", "999")], &[]]);
        let shown: Vec<_> = counted.iter().map(|m| (m.labels.clone(), m.change.clone())).collect();
        let app = ("app".to_owned(), "shop".to_owned());
        let code = |value: &str| vec![("code".to_owned(), value.to_owned()), app.clone()];
        assert_eq!(
            shown,
            [
                (code("200"), Change::Add(-1.0)),
                (code("other"), Change::Add(-2.0)),
                (vec![app.clone()], Change::Add(-1.0))
            ]
        );
    }

    #[test]
    fn histograms_and_gauges() {
        let fields: &[&[_]] = &[&[("t", "500ms")], &[("t", "1")], &[("t", "7s")], &[("t", "x")]];
        let seen = run(metric(Kind::Histogram(vec![0.5, 1.0]), Action::Set, Some("t")), fields);
        assert_eq!(seen[0].change, Change::Observe { counts: vec![1, 1, 1], sum: 8.5 });
        let gauge = run(metric(Kind::Gauge, Action::Set, Some("t")), fields);
        assert_eq!(gauge[0].change, Change::Set(7.0));
    }
}
