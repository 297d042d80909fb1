//! Whether samples stand where their families are, and are what their types say.

use std::borrow::Cow;
use std::collections::HashMap;

use super::fault::short;
use super::{Fault, Format, MOST_REMEMBERED, Sample};
use crate::page::hash::Hasher;
use crate::page::series::Series;
use crate::remote_write::MetricKind;
use crate::text;

type Hash = [u64; 2];

/// What was seen of a family.
#[derive(Clone, Copy, Default)]
struct Seen {
    typed: bool,
    helped: bool,
    sampled: bool,
}

/// The families and series of a page, by their hashes.
#[derive(Default)]
pub(super) struct Families {
    seen: HashMap<Hash, Seen>,
    times: HashMap<Hash, Option<i64>>,
    /// The family of the last `# TYPE`.
    name: String,
    kind: Option<MetricKind>,
    /// The family of the last sample.
    last: Hash,
}

impl Families {
    /// The family, unless too many are remembered.
    fn seen(&mut self, hash: Hash) -> Option<&mut Seen> {
        if self.seen.len() >= MOST_REMEMBERED && !self.seen.contains_key(&hash) {
            return None;
        }
        Some(self.seen.entry(hash).or_default())
    }

    pub(super) fn typed(&mut self, hasher: &Hasher, family: &str, kind: MetricKind, faults: &mut Vec<Fault>) {
        (self.name, self.kind) = (family.to_owned(), Some(kind));
        let Some(seen) = self.seen(hasher.one(family.as_bytes())) else { return };
        if std::mem::replace(&mut seen.typed, true) {
            faults.push(Fault::TypeTwice { family: short(family) });
        } else if seen.sampled {
            faults.push(Fault::TypeLate { family: short(family) });
        }
    }

    pub(super) fn helped(&mut self, hasher: &Hasher, family: &str, faults: &mut Vec<Fault>) {
        let Some(seen) = self.seen(hasher.one(family.as_bytes())) else { return };
        if std::mem::replace(&mut seen.helped, true) {
            faults.push(Fault::HelpTwice { family: short(family) });
        }
    }

    /// A sample with this name; the type of its family, if one was said.
    pub(super) fn sample(
        &mut self,
        hasher: &Hasher,
        name: &str,
        faults: &mut Vec<Fault>,
    ) -> Option<MetricKind> {
        let ending = name.strip_prefix(&self.name);
        let belongs = ending.is_some_and(|ending| self.kind.is_some_and(|kind| belongs(kind, ending)));
        let family = if belongs { self.name.as_bytes() } else { name.as_bytes() };
        let hash = hasher.one(family);
        let before = std::mem::replace(&mut self.last, hash);
        let shown = || short(&String::from_utf8_lossy(family));
        let fault = (before != hash).then(|| Fault::Apart { family: shown() });
        if let Some(seen) = self.seen(hash) {
            let sampled = std::mem::replace(&mut seen.sampled, true);
            faults.extend(fault.filter(|_| sampled));
        }
        self.kind.filter(|_| belongs)
    }

    /// The same series at another time may be there again.
    pub(super) fn series(
        &mut self,
        hasher: &Hasher,
        series: &Series<'_>,
        ts_ms: Option<i64>,
        faults: &mut Vec<Fault>,
    ) {
        let (hash, _) = series.hash(hasher);
        if self.times.len() >= MOST_REMEMBERED && !self.times.contains_key(&hash) {
            return;
        }
        let name = || short(&series.name());
        match self.times.insert(hash, ts_ms) {
            None => {}
            Some(before) if before == ts_ms => faults.push(Fault::SeriesTwice { name: name() }),
            Some(before) if before > ts_ms => faults.push(Fault::TimeBack { name: name() }),
            Some(_) => {}
        }
    }
}

/// Whether a name that ends so, behind the family's, can be of the family.
fn belongs(kind: MetricKind, ending: &str) -> bool {
    match kind {
        MetricKind::Counter => matches!(ending, "" | "_total" | "_created"),
        MetricKind::Histogram => matches!(ending, "" | "_bucket" | "_count" | "_sum" | "_created"),
        MetricKind::GaugeHistogram => {
            matches!(ending, "" | "_bucket" | "_count" | "_sum" | "_gcount" | "_gsum")
        }
        MetricKind::Summary => matches!(ending, "" | "_count" | "_sum" | "_created"),
        MetricKind::Info => matches!(ending, "" | "_info"),
        MetricKind::Unknown | MetricKind::Gauge | MetricKind::StateSet => ending.is_empty(),
    }
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Whether a sample is what its family's type says.
pub(super) fn fits(
    format: Format,
    kind: Option<MetricKind>,
    labels: &[Pair<'_>],
    sample: &Sample<'_>,
    faults: &mut Vec<Fault>,
) {
    let label = |wanted: &str| labels.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
    let name = label("__name__").unwrap_or_default();
    let strict = format == Format::OpenMetrics;
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let value = sample.value;
    let mut say = |fault| faults.push(fault);
    match kind {
        Some(MetricKind::Counter) => {
            if strict && !ends(&["_total", "_created"]) {
                say(Fault::CounterName { name: short(name) });
            }
            if value < 0.0 || value.is_nan() {
                say(Fault::NegativeCounter { name: short(name), value });
            }
        }
        Some(MetricKind::Histogram) if !ends(&["_bucket", "_count", "_sum", "_created"]) => {
            let endings = "_bucket, _count or _sum";
            say(Fault::Ending { name: short(name), kind: "histogram", endings });
        }
        Some(MetricKind::Summary) if !ends(&["_count", "_sum", "_created"]) => {
            match label("quantile").and_then(|text| text::value(text.as_bytes())) {
                None => say(Fault::NoNumber { name: short(name), label: "quantile" }),
                Some(quantile) if !(0.0..=1.0).contains(&quantile) => {
                    say(Fault::Quantile { name: short(name), quantile });
                }
                Some(_) => {}
            }
        }
        Some(MetricKind::Info) if value != 1.0 => say(Fault::State { name: short(name), value }),
        Some(MetricKind::StateSet) if value != 0.0 && value != 1.0 => {
            say(Fault::State { name: short(name), value });
        }
        _ => {}
    }
    if sample.exemplar.is_some() && strict && !ends(&["_total", "_bucket"]) {
        say(Fault::ExemplarPlace { name: short(name) });
    }
    for (label, _) in labels.iter().filter(|(name, _)| name.starts_with("__") && name != "__name__") {
        say(Fault::Reserved { label: short(label) });
    }
}
