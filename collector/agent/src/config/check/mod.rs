//! From what is written to what is valid: defaults filled in, files read, and what only shows when keys are seen
//! together.

mod access;
mod archive;
mod container_logs;
mod containers;
mod discovery;
mod doors;
mod formats;
mod host;
mod http;
mod journald;
mod listen;
mod logs;
mod loki;
mod meter;
mod multiline;
mod outputs;
mod pgbouncer;
mod postgres;
mod preset;
mod probe_kinds;
mod probes;
mod queries;
mod redact;
mod redis;
mod scrape;
mod stages;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::defaults;
use super::env::Env;
use super::error::Fault;
use super::field::Field;
use super::scalar::{Interval, PathText, Size, show_duration};
use super::secret::Secret;
use super::source::{Source, Span};
use super::valid::{Config, OwnLog};
use super::written::{Format, Labels, Written};
use crate::metrics::cardinality::BUDGET;

/// The largest file with a secret, in bytes.
const MAX_SECRET: u64 = 64 << 10;

/// Checks what is written, and notes what is wrong.
pub struct Checker<'a> {
    sources: &'a [Source],
    env: Env<'a>,
    faults: &'a mut Vec<Fault>,
    /// How probes trust servers where nothing is written: made once, shared by all of them.
    tls: Option<taffrail_probe::tls::Client>,
    /// The metrics that are made of lines, by name.
    metrics: BTreeMap<String, std::sync::Arc<taffrail_stages::stage::Metric>>,
}

impl<'a> Checker<'a> {
    /// A checker that adds to `faults`.
    pub fn new(sources: &'a [Source], env: Env<'a>, faults: &'a mut Vec<Fault>) -> Self {
        Checker { sources, env, faults, tls: None, metrics: BTreeMap::new() }
    }

    /// The valid configuration; it counts only when no fault was noted.
    pub fn config(&mut self, written: &Written) -> Config {
        let interval = self.interval(&written.interval, defaults::INTERVAL);
        let json = written.log.get().and_then(|log| log.format.get()) == Some(&Format::Json);
        let level = written.log.get().and_then(|log| log.level.get());
        let outputs = written.outputs.get();
        let grace = bounds(Duration::ZERO, Duration::from_secs(3600));
        let host = written.host.get().map(|host| self.host(host, interval));
        let containers = written.containers.get();
        let containers = containers.map(|containers| self.containers(containers, host.as_ref(), interval));
        let logs = self.logs(&written.logs, containers.as_ref(), host.as_ref());
        Config {
            listen: self.listen(&written.listen),
            data_dir: written
                .data_dir
                .good()
                .map_or_else(|| defaults::data_dir(self.env), |(at, p)| self.path(at, p)),
            spool_size: self.spool_size(&written.spool_size),
            hostname: written.hostname.get().map(|name| name.0.clone()),
            labels: self.labels(&written.labels, &RESERVED_EVERYWHERE),
            interval,
            host,
            containers,
            postgres: self.postgres_servers(written, interval),
            probes: self.probes(written, interval),
            pgbouncer: self.pgbouncer(&written.pgbouncer, interval),
            redis: self.redis(&written.redis, interval),
            own_metrics: written.own.get().copied().unwrap_or(defaults::OWN_METRICS),
            scrape_memory: self.scrape_memory(&written.scrape_memory),
            scrape: self.scrape(written, interval),
            more_files: self.more_files(written),
            series_budget: written.series_budget.get().map_or(BUDGET, |series| *series as usize),
            logs,
            prometheus: self.prometheus(outputs),
            loki: self.loki(outputs),
            archives: self.archives(outputs),
            log: OwnLog {
                json,
                level: level.map_or_else(|| defaults::LEVEL.to_owned(), |level| level.0.clone()),
            },
            grace: self.duration(&written.grace_period, defaults::GRACE, &grace),
            watch: written.reload_on_change.get().copied().unwrap_or(defaults::WATCH),
        }
    }

    fn fault(&mut self, at: Span, what: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Fault::at(at, what).help(help));
    }

    /// A path; a relative one starts where the text is that names it.
    fn path(&self, at: Span, path: &PathText) -> PathBuf {
        let dir = self.sources.get(at.source as usize).map_or(Path::new(""), |source| &source.dir);
        dir.join(&path.0)
    }

    /// How much a log on disk may hold.
    fn spool_size(&mut self, field: &Field<Size>) -> u64 {
        let size = match field.good() {
            Some((_, size)) => size.0,
            None => Size::parse(defaults::SPOOL_SIZE).map_or(*SPOOL_SIZE.end(), |size| size.0),
        };
        if let Some(at) = field.span().filter(|_| !SPOOL_SIZE.contains(&size)) {
            self.fault(at, format!("{size} bytes are out of bounds"), "between 8MiB and 1TiB");
        }
        size as u64
    }

    /// How often is collected.
    fn interval(&mut self, field: &Field<Interval>, default: &str) -> Duration {
        self.duration(field, default, &bounds(Duration::from_millis(100), Duration::from_secs(3600)))
    }

    fn duration(
        &mut self,
        field: &Field<Interval>,
        default: &str,
        (least, most): &(Duration, Duration),
    ) -> Duration {
        let Some((at, Interval(duration))) = field.good() else {
            return Interval::parse(default).map_or(*least, |interval| interval.0);
        };
        if duration < least || duration > most {
            let what = format!("{} is out of bounds", show_duration(*duration));
            self.fault(at, what, format!("between {} and {}", show_duration(*least), show_duration(*most)));
        }
        *duration
    }

    /// Labels, without those that are set by other keys.
    fn labels(&mut self, field: &Field<Labels>, reserved: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for (name, value) in field.get().into_iter().flatten() {
            let Some((at, text)) = value.good() else { continue };
            if let Some((_, help)) = reserved.iter().find(|(label, _)| *label == name.0) {
                self.fault(at, format!("the label `{}` cannot be set here", name.0), *help);
            }
            labels.insert(name.0.clone(), text.0.clone());
        }
        labels
    }

    /// The secret in a file, without the line feed at its end.
    fn secret(&mut self, at: Span, path: &PathText) -> Secret {
        let path = self.path(at, path);
        match read_secret(&path) {
            Ok(secret) => Secret::new(secret),
            Err(what) => {
                let help = "name a file that holds the secret, and that the user who runs taffrail can read";
                self.fault(at, format!("{}: {what}", path.display()), help);
                Secret::new("")
            }
        }
    }

    /// Notes names that were given before; `seen` holds those of one kind.
    fn unique(&mut self, kind: &str, name: &str, at: Option<Span>, seen: &mut Vec<String>) {
        if seen.iter().any(|known| known == name) {
            let what = format!("two {kind} are called `{name}`");
            self.fault(at.unwrap_or_default(), what, "give each a `name` of its own");
        }
        seen.push(name.to_owned());
    }
}

/// What `spool_size` may be: less would hold a few batches, and nothing of an outage.
const SPOOL_SIZE: std::ops::RangeInclusive<usize> = 8 << 20..=1 << 40;

/// Labels that are Taffrail's to set, on everything.
const RESERVED_EVERYWHERE: [(&str, &str); 2] = [
    ("instance", "use `hostname` to change it"),
    ("job", "use `host: {job: …}`, or `labels` of the log source"),
];

fn bounds(least: Duration, most: Duration) -> (Duration, Duration) {
    (least, most)
}

fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    file.take(MAX_SECRET + 1).read_to_string(&mut text).map_err(|e| format!("cannot be read: {e}"))?;
    if text.len() as u64 > MAX_SECRET {
        return Err("is larger than 64 KiB, which no secret is".to_owned());
    }
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() { Err("is empty".to_owned()) } else { Ok(secret.to_owned()) }
}
