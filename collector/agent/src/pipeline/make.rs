//! What components are made from, as the config wants them.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_postgres::Server;

use crate::component::Key;
use crate::config::{
    ArchiveOutput, Config, Containers, Host, LogSource, LokiOutput, Probes, PrometheusOutput, defaults,
};
use crate::metrics::Identity;
use crate::outputs::{Loki, Prometheus};
use crate::scrape::{self, Job};
use crate::sources;

/// What a component is made from; a reload restarts those whose make has changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Make {
    Host(Box<Host>, Identity),
    Containers(Box<Containers>, Identity),
    /// PostgreSQL servers, whose job has this identity.
    Postgres(Vec<Server>, Duration, Identity),
    /// Probes, whose job has this identity, from the host of this name.
    Probes(Box<Probes>, Identity, String),
    PgBouncer(Vec<Server>, Duration, Identity),
    Redis(Vec<taffrail_redis::Server>, Duration, Identity),
    Own(Duration, Identity),
    Scrape(Box<Job>),
    /// A log source on the host of this name.
    Source(Box<LogSource>, String),
    /// An output, and the identity of the series with which it asks about the receiver.
    Prometheus(PrometheusOutput, Identity),
    Loki(LokiOutput),
    /// An archive, of this instance.
    Archive(ArchiveOutput, String),
}

impl Make {
    /// The order of starting; stopping is the other way round.
    pub(super) fn order(&self) -> u8 {
        match self {
            Make::Prometheus(..) | Make::Loki(_) | Make::Archive(..) => 0,
            Make::Host(..)
            | Make::Containers(..)
            | Make::Postgres(..)
            | Make::Probes(..)
            | Make::PgBouncer(..)
            | Make::Redis(..)
            | Make::Own(..)
            | Make::Scrape(_) => 1,
            Make::Source(..) => 2,
        }
    }

    /// Makes what can fail, and throws it away: what is refused is refused before anything that runs is touched.
    pub(super) fn check(&self, clock: &Clock) -> anyhow::Result<()> {
        match self {
            Make::Prometheus(config, own) => drop(Prometheus::new(config, own, clock.clone())?),
            Make::Archive(config, _) => drop(config.store()?),
            Make::Loki(config) => Loki::check(config, clock.clone())?,
            Make::Source(source, _) => sources::check(source)?,
            Make::Scrape(job) => scrape::check(job, clock).map_err(anyhow::Error::msg)?,
            Make::Host(..)
            | Make::Containers(..)
            | Make::Postgres(..)
            | Make::Probes(..)
            | Make::PgBouncer(..)
            | Make::Redis(..)
            | Make::Own(..) => {}
        }
        Ok(())
    }
}

/// Everything that `config` wants to run.
pub(super) fn wanted(config: &Config, instance: &str) -> BTreeMap<Key, Make> {
    let identity = |job: &str| Identity::new(job, instance, &config.labels);
    let mut wanted = BTreeMap::new();
    if let Some(host) = &config.host {
        wanted.insert(Key::new("exporter", "host"), Make::Host(Box::new(host.clone()), identity(&host.job)));
    }
    if let Some(containers) = &config.containers {
        let make = Make::Containers(Box::new(containers.clone()), identity(&containers.job));
        wanted.insert(Key::new("exporter", "container"), make);
    }
    if !config.postgres.is_empty() {
        let make = Make::Postgres(config.postgres.clone(), config.interval, identity(defaults::POSTGRES_JOB));
        wanted.insert(Key::new("exporter", "postgres"), make);
    }
    if let Some(probes) = config.probes.as_ref().filter(|probes| !probes.list.is_empty()) {
        let make = Make::Probes(Box::new(probes.clone()), identity(&probes.job), instance.to_owned());
        wanted.insert(Key::new("exporter", "probe"), make);
    }
    if !config.pgbouncer.is_empty() {
        let identity = identity(defaults::PGBOUNCER_JOB);
        let make = Make::PgBouncer(config.pgbouncer.clone(), config.interval, identity);
        wanted.insert(Key::new("exporter", "pgbouncer"), make);
    }
    if !config.redis.is_empty() {
        let make = Make::Redis(config.redis.clone(), config.interval, identity(defaults::REDIS_JOB));
        wanted.insert(Key::new("exporter", "redis"), make);
    }
    if config.own_metrics {
        wanted.insert(Key::new("exporter", "taffrail"), Make::Own(config.interval, identity("taffrail")));
    }
    for job in &config.scrape {
        let mut job = job.clone();
        job.labels = config.labels.clone();
        wanted.insert(Key::new("scrape", &job.name), Make::Scrape(Box::new(job)));
    }
    for source in &config.logs {
        let mut source = source.clone();
        for (name, value) in &config.labels {
            source.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        wanted.insert(Key::new("source", &source.name), Make::Source(Box::new(source), instance.to_owned()));
    }
    for output in &config.prometheus {
        // Without the labels of all that is pushed: an output need not restart when those change.
        let own = Identity::new("taffrail", instance, &BTreeMap::new());
        let make = Make::Prometheus(output.clone(), own);
        wanted.insert(Key::new("prometheus", &output.receiver.name), make);
    }
    for output in &config.loki {
        wanted.insert(Key::new("loki", &output.receiver.name), Make::Loki(output.clone()));
    }
    for output in &config.archives {
        let make = Make::Archive(output.clone(), instance.to_owned());
        wanted.insert(Key::new("archive", &output.name), make);
    }
    wanted
}
