//! What an expression may name: declared metrics, recorded series, and a short list of other programs' series.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use taffrail_collector::registry::{self, Entry};
use taffrail_core::Kind;

use crate::files;

/// Labels that every series gets on its way out.
pub(crate) const IDENTITY: [&str; 2] = ["job", "instance"];

/// Series that are not ours: name, labels. Prometheus makes them itself.
const FOREIGN: [(&str, &[&str]); 1] = [("ALERTS", &["alertname", "alertstate", "severity", "mountpoint"])];

/// A name that may be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Whether `rate` makes sense.
    pub(crate) kind: Kind,
    /// All label names, the identity among them.
    pub(crate) labels: BTreeSet<String>,
}

/// All names that may be asked for.
pub(crate) struct Catalogue {
    declared: Vec<Entry>,
    /// Members of keyed families that a golden file shows. The declaration covers any key, so it would cover a typing
    /// mistake too.
    keyed: BTreeSet<String>,
    recorded: BTreeMap<String, BTreeSet<String>>,
}

impl Catalogue {
    /// What this source tree declares, without recorded series.
    pub(crate) fn declared() -> Result<Self> {
        let declared = registry::catalogue();
        let mut keyed = BTreeSet::new();
        for page in files::golden()? {
            let text = files::read(&page)?;
            let names = text
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split(['{', ' ']).next());
            keyed.extend(names.map(str::to_owned));
        }
        Ok(Self { declared, keyed, recorded: BTreeMap::new() })
    }

    /// Adds a recording rule's series.
    pub(crate) fn record(&mut self, name: &str, labels: BTreeSet<String>) {
        self.recorded.insert(name.to_owned(), labels);
    }

    /// Looks a series up by its full name.
    pub(crate) fn find(&self, name: &str) -> Option<Series> {
        let with_identity = |labels: &[&str]| -> BTreeSet<String> {
            labels.iter().chain(&IDENTITY).map(|label| (*label).to_owned()).collect()
        };
        if let Some(labels) = self.recorded.get(name) {
            return Some(Series { kind: Kind::Gauge, labels: labels.clone() });
        }
        if let Some((_, labels)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
            return Some(Series { kind: Kind::Gauge, labels: with_identity(labels) });
        }
        let metric = registry::find(&self.declared, name)?.metric;
        if metric.keys.is_some() && !self.keyed.contains(name) {
            return None;
        }
        let mut labels = with_identity(metric.labels);
        labels.extend(registry::more_labels(metric).into_iter().map(Into::into));
        Some(Series { kind: metric.kind, labels })
    }
}
