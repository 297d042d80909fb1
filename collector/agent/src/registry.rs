//! Every exporter, and with them every metric that can leave this process.
//!
//! A new exporter is its folder under `exporters/`, its line here, and the dependency line that Cargo insists on.

use std::borrow::Cow;

use taffrail_core::Metric;

pub use taffrail_container::config::LABEL_PREFIX;

use crate::{measures, own};

/// One exporter.
#[derive(Debug)]
pub struct Registered {
    /// Its folder under `exporters/`, and the name of its page.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// Its metrics, subject by subject.
    pub metrics: fn() -> Vec<Entry>,
}

/// One declared metric, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its declaration.
    pub metric: &'static Metric,
    /// Its exporter, or `taffrail` for the collector's own.
    pub exporter: &'static str,
    /// Its subject, and what that is about.
    pub subject: Option<&'static str>,
    /// What the subject is about.
    pub about: &'static str,
}

/// The exporters. One line each.
pub static EXPORTERS: &[Registered] = &[
    Registered { name: "host", description: "This machine, named as node_exporter names it.", metrics: host },
    Registered {
        name: "container",
        description: "Containers, named as cAdvisor names them, and what happens to them.",
        metrics: container,
    },
    Registered {
        name: "postgres",
        description: "PostgreSQL servers seen from inside, named as postgres_exporter names them.",
        metrics: postgres,
    },
    Registered {
        name: "probe",
        description: "Services seen from outside, named as blackbox_exporter names them; backups and certificates.",
        metrics: || grouped("probe", taffrail_probe::groups()),
    },
    Registered {
        name: "pgbouncer",
        description: "PgBouncer, named as pgbouncer_exporter names it.",
        metrics: || grouped("pgbouncer", &taffrail_pgbouncer::GROUPS),
    },
    Registered {
        name: "redis",
        description: "Redis servers, named as redis_exporter names them.",
        metrics: || grouped("redis", &taffrail_redis::GROUPS),
    },
];

/// The exporter under which the catalogue lists the collector's own metrics.
pub const OWN: &str = "taffrail";

fn host() -> Vec<Entry> {
    let entry = |metric, subject, about| Entry { metric, exporter: "host", subject, about };
    let subjects = taffrail_host::SUBJECTS.iter().flat_map(|about| {
        about.metrics.iter().map(move |metric| entry(*metric, Some(about.name), about.description))
    });
    let whole = "The exporter as a whole.";
    subjects.chain(taffrail_host::METRICS.iter().map(|metric| entry(*metric, None, whole))).collect()
}

fn container() -> Vec<Entry> {
    let entry = |metric, about: &taffrail_container::About| Entry {
        metric,
        exporter: "container",
        subject: Some(about.name),
        about: about.description,
    };
    let subjects = taffrail_container::SUBJECTS.iter();
    subjects.flat_map(|about| about.metrics.iter().map(move |metric| entry(*metric, about))).collect()
}

/// Labels that series of a metric may have beside those that are declared: of containers, those of their labels and of
/// their pods that the settings ask for. Here those that are there by default.
pub fn more_labels(metric: &Metric) -> Vec<Cow<'static, str>> {
    if metric.name.starts_with("container_") && metric.labels.contains(&"id") {
        taffrail_container::ContainerConfig::default().more_labels()
    } else {
        Vec::new()
    }
}

fn postgres() -> Vec<Entry> {
    let of = |(subject, about, metrics): taffrail_postgres::Group| {
        metrics.iter().map(move |metric| Entry { metric, exporter: "postgres", subject, about })
    };
    taffrail_postgres::groups().into_iter().flat_map(of).collect()
}

/// Metrics that come in groups, each with what it is about.
fn grouped(exporter: &'static str, groups: &[(&'static str, &'static [&'static Metric])]) -> Vec<Entry> {
    let of = |(about, metrics): &(&'static str, &'static [&'static Metric])| {
        let about = *about;
        metrics.iter().map(move |metric| Entry { metric, exporter, subject: None, about })
    };
    groups.iter().flat_map(of).collect()
}

/// Every declared metric: of all exporters, of their common frame, and the collector's own.
pub fn catalogue() -> Vec<Entry> {
    let own = |about| move |metric: &&'static Metric| Entry { metric, exporter: OWN, subject: None, about };
    EXPORTERS
        .iter()
        .flat_map(|exporter| (exporter.metrics)())
        .chain(taffrail_core::METRICS.iter().map(own("Of every job.")))
        .chain(own::METRICS.iter().map(own("The collector itself.")))
        .chain(measures::METRICS.iter().map(own("What was counted in passing.")))
        .collect()
}

/// The declaration that covers a series' name. An exact one says more than a keyed family that covers it as well, and of
/// those the one with the longer prefix and suffix (`node_memory_numa_<key>` is no `node_memory_<key>`).
pub fn find(catalogue: &[Entry], name: &str) -> Option<Entry> {
    let covering = || catalogue.iter().filter(|entry| entry.metric.covers(name));
    let length =
        |entry: &&Entry| entry.metric.name.len() + entry.metric.keys.map_or(0, |keys| keys.suffix.len());
    let exact = || covering().find(|entry| entry.metric.keys.is_none());
    exact().or_else(|| covering().max_by_key(length)).copied()
}
