//! The configuration as it is written in `taffrail.yml`. These texts are the reference: `docs/reference/config.md` and
//! the JSON schema are made from them.

mod archive;
mod containers;
pub mod discovery;
mod doors;
pub mod http;
mod journald;
mod logs;
mod loki;
pub mod meter;
pub mod multiline;
mod outputs;
mod pgbouncer;
mod postgres;
mod probes;
mod queries;
mod redis;
pub mod scrape;
pub mod stages;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults;
use super::field::{Field, OneOf};
use super::scalar::{FolderGlob, HostName, Interval, LabelName, LabelValue, Level, PathText, Size, Text};
use super::subjects::{self, Subjects};
use crate::metrics::cardinality::BUDGET;

pub use archive::{Archive, Azure, Gcs, S3};
pub use containers::{Containers, Detail};
pub use doors::{Push, ServerTls, Stdin, Syslog, SyslogTls};
pub use journald::{Journald, Priority, WhichEntries};
pub use logs::{ContainerLogs, Files, LineFormat, LogPreset, LogSource, Start, WhenFull, Which};
pub use loki::{DeadLetters, LokiLimits};
pub use outputs::{BasicAuth, OAuth2, OutOfOrder, Output, Outputs, Version};
pub use pgbouncer::PgBouncer;
pub use postgres::PostgresServer;
pub use probes::{
    CertificateProbe, DnsProbe, FreshnessProbe, PostgresProbe, Probe, ProbeSection, ProbeTls,
    RestoreVerified, Store, Transport,
};
pub use queries::{Column as QueryColumn, Columns as QueryColumns, Queries, Query, Usage};
pub use redis::{Redis, RedisTls};

/// Labels by name.
pub type Labels = BTreeMap<LabelName, Field<LabelValue>>;

/// taffrail.yml
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// Where the live page, `/metrics`, `/metrics/host`, `/-/healthy`, `/-/ready` and `POST /-/reload` are served.
    /// An address that other machines reach needs the long form with `insecure: true`.
    #[schemars(extend("default" = defaults::LISTEN))]
    pub listen: Field<OneOf<Text, Listen>>,
    /// Where positions and other state are kept. One process at a time uses it. Default: `$STATE_DIRECTORY` (which
    /// systemd sets), else `$XDG_STATE_HOME/taffrail`, else `~/.local/state/taffrail`, else `/var/lib/taffrail`.
    #[schemars(extend("examples" = ["/var/lib/taffrail"]))]
    pub data_dir: Field<PathText>,
    /// How much the log of metrics on disk may hold, and how much those of log lines may together. Between 8MiB and 1TiB.
    #[schemars(extend("default" = defaults::SPOOL_SIZE))]
    pub spool_size: Field<Size>,
    /// The `instance` label of this host's metrics and logs. Default: what `<rootfs>/etc/hostname` says, else the
    /// kernel.
    #[schemars(extend("examples" = ["web-1"]))]
    pub hostname: Field<HostName>,
    /// Added to every series and every log stream that is pushed.
    #[schemars(extend("examples" = [{"env": "prod", "region": "eu-1"}]))]
    pub labels: Field<Labels>,
    /// How often is collected, where nothing else is said.
    #[schemars(extend("default" = defaults::INTERVAL))]
    pub interval: Field<Interval>,
    /// Metrics of this machine, named as node_exporter names them. `host: {}` turns them on with every default.
    pub host: Field<Host>,
    /// Metrics of containers, named as cAdvisor names them. `containers: {}` turns them on with every default.
    pub containers: Field<Containers>,
    /// Metrics of PostgreSQL servers, seen from inside; named as postgres_exporter names them.
    #[schemars(extend("examples" = [[{"name": "main", "url": "postgres://monitor@db.example/postgres", "password_file": "/run/secrets/password"}]]))]
    pub postgres: Field<Vec<Field<PostgresServer>>>,
    /// Probes: whether services answer, how fast, until when their certificates hold, and how fresh backups are; named as
    /// blackbox_exporter names them.
    #[schemars(extend("examples" = [[{"name": "shop", "http": "https://shop.example/healthz"}]]))]
    pub probes: Field<Vec<Field<Probe>>>,
    /// What all probes share, and `/probe` for Prometheus jobs that were made for blackbox_exporter.
    pub probe: Field<ProbeSection>,
    /// PgBouncer, named as pgbouncer_exporter names it.
    #[schemars(extend("examples" = [[{"url": "postgres://stats@pool.example:6432"}]]))]
    pub pgbouncer: Field<Vec<Field<PgBouncer>>>,
    /// Redis servers, named as redis_exporter names them.
    #[schemars(extend("examples" = [[{"url": "redis://cache.example:6379", "keys": ["celery"]}]]))]
    pub redis: Field<Vec<Field<Redis>>>,
    /// Push the collector's own metrics too, as `job="taffrail"`.
    #[serde(rename = "self")]
    #[schemars(extend("default" = defaults::OWN_METRICS))]
    pub own: Field<bool>,
    /// Defaults of all scrape jobs, as in prometheus.yml.
    pub global: Field<scrape::Global>,
    /// Files with more `scrape_configs`; a relative name starts at the configuration's folder, and `*` may stand in it.
    #[schemars(extend("examples" = [["jobs/*.yml"]]))]
    pub scrape_config_files: Field<Vec<Field<PathText>>>,
    /// Bytes of pages that may be held before they are read, over all targets. Scrapes that find no room wait for it
    /// within their timeout. No page may be larger.
    #[schemars(extend("default" = defaults::SCRAPE_MEMORY))]
    pub scrape_memory: Field<Size>,
    /// What to scrape, as in prometheus.yml.
    pub scrape_configs: Field<Vec<Field<scrape::Job>>>,
    /// How many series all jobs together should have at most; `0` is no budget. Nothing is dropped for it: who exceeds
    /// it is told, with the metric and the label that explode.
    #[schemars(extend("default" = BUDGET))]
    pub series_budget: Field<u64>,
    /// Log sources.
    pub logs: Field<Vec<Field<LogSource>>>,
    /// Where metrics and logs are pushed. Without any, they are on the live page and the pull pages only.
    pub outputs: Field<Outputs>,
    /// The collector's own log, on standard error.
    pub log: Field<OwnLog>,
    /// How long outputs may go on delivering after SIGTERM.
    #[schemars(extend("default" = defaults::GRACE))]
    pub grace_period: Field<Interval>,
    /// Reload when this file changes. SIGHUP and `POST /-/reload` always do.
    #[schemars(extend("default" = defaults::WATCH))]
    pub reload_on_change: Field<bool>,
}

/// `listen` in its long form.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Address and port. Port 0 takes any free one.
    #[schemars(extend("default" = defaults::LISTEN))]
    pub address: Field<Text>,
    /// Allow an address that other machines reach. Whoever reaches it sees the metrics and the end of the logs.
    #[schemars(extend("default" = false))]
    pub insecure: Field<bool>,
}

/// Host metrics.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Host {
    /// The `job` label of host metrics.
    #[schemars(extend("default" = defaults::HOST_JOB))]
    pub job: Field<LabelValue>,
    /// How often is collected. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub interval: Field<Interval>,
    /// The host's /proc. In a container: where it is mounted.
    #[schemars(extend("default" = "/proc", "examples" = ["/host/proc"]))]
    pub procfs: Field<PathText>,
    /// The host's /sys.
    #[schemars(extend("default" = "/sys", "examples" = ["/host/sys"]))]
    pub sysfs: Field<PathText>,
    /// The host's root directory.
    #[schemars(extend("default" = "/", "examples" = ["/host/root"]))]
    pub rootfs: Field<PathText>,
    /// Where the host's udev keeps what it knows of devices.
    #[schemars(extend("default" = "/run/udev/data"))]
    pub udev: Field<PathText>,
    /// Folders in which other programs leave metrics: their `*.prom` files are read, in the Prometheus text format. `*`, `?`
    /// and `[a-z]` stand for parts of names. In a container: as the container sees them.
    #[schemars(extend("examples" = [["/var/lib/node_exporter/textfile"]]))]
    pub textfile: Field<Vec<Field<FolderGlob>>>,
    /// Single subjects: `false` turns one off, `true` turns one on that is off by default, a mapping turns it on and
    /// changes it. Subjects that are not named here run with their defaults.
    #[schemars(extend("examples" = [{"netclass": false, "filesystem": {"interval": "60s"}}]))]
    pub subjects: Field<Subjects>,
}

/// The collector's own log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnLog {
    /// One line of text, or one JSON object, for each event.
    #[schemars(extend("default" = "text"))]
    pub format: Field<Format>,
    /// `error`, `warn`, `info`, `debug` or `trace`; by module: `warn,taffrail_collector::outputs=debug`.
    #[schemars(extend("default" = defaults::LEVEL))]
    pub level: Field<Level>,
}

/// How own log lines look.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Whether `$` has a meaning of its own below a path, so that no variable is replaced there.
pub fn literal(path: &str) -> bool {
    matches!(
        path,
        "logs.stages"
            | "logs.multiline"
            | "scrape_configs"
            | "outputs.prometheus.write_relabel_configs"
            | "postgres.queries"
    )
}

/// Why a key is not known, where more can be said than that: by its path, without indices.
pub fn hint(path: &str) -> Option<String> {
    const LATER: [(&str, &str); 5] = [
        ("otlp", "OTLP"),
        ("outputs.otlp", "the OTLP output"),
        ("logs.containers", "logs of containers"),
        ("logs.docker", "logs of containers"),
        ("logs.journald", "the journal"),
    ];
    if let Some((_, what)) = LATER.iter().find(|(key, _)| *key == path) {
        let key = path.rsplit('.').next().unwrap_or(path);
        return Some(format!("`{key}`: this version does not have {what} yet; remove the key"));
    }
    if let Some(hint) = subjects::elsewhere(path)
        .or_else(|| scrape::hint(path))
        .or_else(|| outputs::hint(path))
        .or_else(|| stages::hint(path))
    {
        return Some(hint);
    }
    let moved = match path {
        "scrape_interval" => "`interval`",
        "insecure" => "`listen: {address: \"…\", insecure: true}`",
        "remote_write" => "`outputs: {prometheus: [{url: …}]}`",
        "clients" => "`outputs: {loki: [{url: …}]}`",
        "outputs.remote_write" => "`prometheus`",
        "logs.include" | "logs.path" => "`files: {include: […]}`",
        _ => return None,
    };
    let key = path.rsplit('.').next().unwrap_or(path);
    Some(format!("unknown key `{key}`: here it is {moved}"))
}
