//! The valid configuration: every default filled in, every reference resolved, nothing left to check.

mod archive;
mod doors;
mod journald;
mod logs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use taffrail_container::ContainerConfig;
use taffrail_host::HostConfig;
use taffrail_wire::relabel::Rule;

#[cfg(feature = "object-store")]
pub use self::archive::RemoteArchive;
pub use self::archive::{ArchiveOutput, ArchivePlace};
pub use self::doors::{Push, Stdin, Syslog};
pub use self::journald::{Journald, WhichEntries};
pub use self::logs::{ContainerLogs, Files, LogSource, Reads, Start, Which};
pub use super::scalar::Network;
pub use super::written::OutOfOrder;
use crate::http_client::{self, Tls};
use crate::outputs::dead::DeadBounds;
use crate::scrape::Job;

/// What the process is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the live page, the pull pages and the API are served.
    pub listen: SocketAddr,
    /// State: positions, logs on disk, the lock.
    pub data_dir: PathBuf,
    /// How many bytes the log of metrics may hold, and those of log lines together.
    pub spool_size: u64,
    /// The `instance` of this host's metrics and logs, when it is not the host's own name.
    pub hostname: Option<String>,
    /// Added to all that is pushed.
    pub labels: BTreeMap<String, String>,
    /// How often is collected when nothing else is said.
    pub interval: Duration,
    /// Host metrics, when on.
    pub host: Option<Host>,
    /// Container metrics, when on.
    pub containers: Option<Containers>,
    /// PostgreSQL servers.
    pub postgres: Vec<taffrail_postgres::Server>,
    /// Probes, and `/probe`, when anything is written about them.
    pub probes: Option<Probes>,
    /// PgBouncer; each as a server whose database is the console.
    pub pgbouncer: Vec<taffrail_postgres::Server>,
    /// Redis servers.
    pub redis: Vec<taffrail_redis::Server>,
    /// Whether the collector's own metrics are pushed too.
    pub own_metrics: bool,
    /// Bytes of pages that may be held before they are read, over all targets of scrape jobs.
    pub scrape_memory: usize,
    /// Scrape jobs.
    pub scrape: Vec<Job>,
    /// Absolute patterns of the files that some of these stand in.
    pub more_files: Vec<String>,
    /// How many series all jobs together should have at most; 0 is no budget.
    pub series_budget: usize,
    /// Log sources.
    pub logs: Vec<LogSource>,
    /// Prometheus remote-write receivers.
    pub prometheus: Vec<PrometheusOutput>,
    /// Loki push receivers.
    pub loki: Vec<LokiOutput>,
    /// Archives of log entries.
    pub archives: Vec<ArchiveOutput>,
    /// The collector's own log.
    pub log: OwnLog,
    /// How long outputs may drain after SIGTERM.
    pub grace: Duration,
    /// Whether a change of the config file reloads it.
    pub watch: bool,
}

/// Host metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The `job` label.
    pub job: String,
    /// How often is collected.
    pub interval: Duration,
    /// Roots, subjects and filters.
    pub config: HostConfig,
}

/// Container metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Containers {
    /// The `job` label.
    pub job: String,
    /// How often is collected.
    pub interval: Duration,
    /// Roots, the engine's address, details and labels.
    pub config: ContainerConfig,
}

/// Probes, and `/probe`.
#[derive(Clone, Debug, PartialEq)]
pub struct Probes {
    /// The `job` label.
    pub job: String,
    /// How often is probed where a probe does not say.
    pub interval: Duration,
    /// How long a probe may take where it does not say.
    pub timeout: Duration,
    /// The networks that `/probe` may probe; without any, it is off.
    pub networks: Vec<Network>,
    /// The modules of `/probe`: those of the module file, or a few that everybody knows.
    pub modules: taffrail_probe::Modules,
    /// The probes.
    pub list: Vec<Probe>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Unique among probes.
    pub name: String,
    /// What is probed.
    pub target: String,
    /// How.
    pub module: taffrail_probe::Module,
    /// How often.
    pub interval: Duration,
    /// How long it may take.
    pub timeout: Duration,
    /// Labels of its series, beside `job` and `instance`.
    pub labels: BTreeMap<String, String>,
}

/// How to reach a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Unique among outputs of its kind.
    pub name: String,
    /// The whole URL that is posted to.
    pub url: http::Uri,
    /// Sent with every request, beside what the protocol needs.
    pub headers: BTreeMap<String, String>,
    /// How to authenticate.
    pub auth: Option<http_client::Auth>,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How to trust the receiver, and who we are to it.
    pub tls: Tls,
}

/// A Prometheus remote-write receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct PrometheusOutput {
    /// Where it is.
    pub receiver: Receiver,
    /// What is spoken.
    pub version: RemoteWriteVersion,
    /// `write_relabel_configs`
    pub relabel: Vec<Rule>,
    /// The most requests under way at once.
    pub max_shards: usize,
    /// Whether new samples may go before older ones.
    pub out_of_order: OutOfOrder,
}

/// Which version of remote write is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemoteWriteVersion {
    /// 2.0 where the receiver takes it, else 1.0.
    #[default]
    Auto,
    /// 1.0 only.
    V1,
    /// 2.0 only.
    V2,
}

/// A Loki push receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct LokiOutput {
    /// Where it is; the URL has Loki's push path.
    pub receiver: Receiver,
    /// The tenant, where one is named; `receiver` has its header.
    pub tenant: Option<String>,
    /// The label whose value is the tenant of a stream.
    pub tenant_label: Option<String>,
    /// The most tenants by label.
    pub max_tenants: usize,
    /// What it takes.
    pub limits: LokiLimits,
    /// How much of what it refuses is kept.
    pub dead_letters: DeadBounds,
}

/// What a Loki takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LokiLimits {
    /// Labels of a stream, `service_name` not counted.
    pub label_names: usize,
    /// Bytes of a label's name.
    pub label_name: usize,
    /// Bytes of a label's value.
    pub label_value: usize,
    /// Bytes of a line.
    pub line: usize,
    /// Whether it takes structured metadata.
    pub allow_metadata: bool,
    /// Bytes of an entry's structured metadata.
    pub metadata: usize,
    /// Pairs of an entry's structured metadata.
    pub metadata_pairs: usize,
    /// How old an entry may be, where there is a bound.
    pub max_age: Option<Duration>,
    /// Streams of a tenant; 0 is no bound.
    pub streams: usize,
    /// Bytes a second of one stream.
    pub stream_rate: u64,
    /// Bytes of one stream at once.
    pub stream_burst: u64,
    /// Bytes a second of a tenant, where they are to be kept to from the start.
    pub rate: Option<u64>,
    /// Bytes of a tenant at once, where that is said.
    pub burst: Option<u64>,
}

/// The collector's own log, to standard error.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnLog {
    /// One JSON object a line, instead of text.
    pub json: bool,
    /// `info`, or levels by module: `warn,taffrail_collector::outputs=debug`.
    pub level: String,
}
