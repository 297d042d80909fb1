//! `logs`, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::multiline::{Language, Multiline};
use super::{Journald, Labels, Push, Stdin, Syslog, stages};
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{EngineAddress, Glob, Name, PathText, Size, Text};

/// One log source.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSource {
    /// Unique among log sources. Positions are kept under it: a source that is renamed starts anew. Default: what it reads,
    /// such as `files`.
    pub name: Field<Name>,
    /// Log files. Each source reads one kind of thing.
    pub files: Field<Files>,
    /// What the containers of this machine write: the engine says which there are.
    pub containers: Field<ContainerLogs>,
    /// The journal of systemd: what services, the kernel and syslog(3) write.
    pub journald: Field<Journald>,
    /// Loki's push API, so that whatever sends to Loki can send here: the address and port, or a mapping.
    #[schemars(extend("examples" = ["127.0.0.1:3500"]))]
    pub push: Field<OneOf<Text, Push>>,
    /// Messages of syslog, RFC 5424 and RFC 3164, by UDP, TCP and TLS.
    #[schemars(extend("examples" = [{"udp": "127.0.0.1:5514", "tcp": "127.0.0.1:5514"}]))]
    pub syslog: Field<Syslog>,
    /// Standard input, as in `program | taffrail run`. Its end ends the source, not the process.
    pub stdin: Field<Stdin>,
    /// Labels of its streams. `job` is the source's name where it is not given; `instance` and `filename` are set for
    /// you.
    #[schemars(extend("examples" = [{"job": "varlog"}]))]
    pub labels: Field<Labels>,
    /// What becomes of its lines when no output takes any and the log on disk is full.
    #[schemars(extend("default" = "drop"))]
    pub when_full: Field<WhenFull>,
    /// What wrote the lines: how they are joined, taken apart and measured, before `stages`.
    pub preset: Field<LogPreset>,
    /// Join lines that belong together, before all else: as a language writes its stack traces, or by what begins an entry.
    #[schemars(extend("examples" = ["java", {"first_line": "^\\d{4}-\\d\\d-\\d\\d "}]))]
    pub multiline: Field<OneOf<Language, Multiline>>,
    /// What its lines pass through, in order. `$` is a dollar here: no variables are replaced.
    #[schemars(extend("examples" = [[{"drop": {"expression": "GET /-/healthy"}}]]))]
    pub stages: Field<Vec<Field<stages::Stage>>>,
    /// Find the level of each line, as the structured metadata `detected_level`, before all stages.
    #[schemars(extend("default" = true))]
    pub level: Field<bool>,
    /// Count errors by fingerprint, and tell those that are new, before all stages but the level. The stage `errors` says
    /// more.
    #[schemars(extend("default" = false))]
    pub errors: Field<bool>,
    /// Take credentials out of each line, behind all stages. The stage `redact` says more.
    #[schemars(extend("default" = true))]
    pub redact: Field<bool>,
}

/// Whose lines go first when the log on disk is full.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// The oldest go.
    Drop,
    /// They are kept as long as there are others to go.
    Keep,
}

/// A program whose logs are known.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogPreset {
    /// PostgreSQL's server log, with a `log_line_prefix` that begins `%m [%p] `: slow queries, deadlocks, failed
    /// authentications.
    Postgres,
    /// nginx' access log in the format `combined`, with or without `$request_time` behind it.
    Nginx,
    /// Apache's access log in the formats `common` and `combined`, with or without `%D` behind it.
    Apache,
    /// Traefik's access log, in its common format or in JSON.
    Traefik,
    /// Redis' and Valkey's log.
    Redis,
    /// The log of Celery's workers: tasks by state, and how long they took.
    Celery,
}

/// Log files by glob.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["include"]))]
pub struct Files {
    /// Which files, as absolute globs: `*` within a folder, `**` through folders, `?`, `[a-z]`, `{a,b}`.
    #[schemars(extend("examples" = [["/var/log/*.log", "/var/log/syslog"]]))]
    pub include: Field<Vec<Field<Glob>>>,
    /// Not these, as absolute globs.
    #[schemars(extend("examples" = [["/var/log/*debug*"]]))]
    pub exclude: Field<Vec<Field<Glob>>>,
    /// Where to start in a file that was never read before.
    #[schemars(extend("default" = "backfill"))]
    pub start: Field<Start>,
    /// Promtail's positions file: a file that was never read before goes on where promtail stopped. When it is there and
    /// cannot be read, the source reads nothing and says so.
    #[schemars(extend("examples" = ["/var/lib/promtail/positions.yaml"]))]
    pub positions_from: Field<PathText>,
    /// How lines stand in the files.
    #[schemars(extend("default" = "plain"))]
    pub format: Field<LineFormat>,
    /// A longer line is cut here, and marked and counted. Between 1KiB and 1MiB; Loki takes 256KB.
    #[schemars(extend("default" = defaults::MAX_LINE))]
    pub max_line_bytes: Field<Size>,
}

/// Logs of containers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerLogs {
    /// Where the engine's API is: `unix:///path`, or `tcp://host:port` of a filter in front of it. Default: that of the section
    /// `containers`, else the first of `/run/docker.sock`, `/var/run/docker.sock` and `/run/podman/podman.sock` that is
    /// there, below `rootfs`.
    #[schemars(extend("examples" = ["unix:///var/run/docker.sock"]))]
    pub docker: Field<EngineAddress>,
    /// The host's root directory, below which the files are that the engine writes. What cannot be read there is asked of the
    /// engine. Default: that of the section `containers`, else of `host`, else `/`.
    #[schemars(extend("examples" = ["/host"]))]
    pub rootfs: Field<PathText>,
    /// Only these containers: those that one of the names or labels fits. Default: all.
    pub include: Field<Which>,
    /// Not these.
    pub exclude: Field<Which>,
    /// Where to start in what a container wrote before this source was. Later containers are read from their beginning.
    #[schemars(extend("default" = "backfill"))]
    pub start: Field<Start>,
    /// A longer line is cut here, and marked and counted. Between 1KiB and 1MiB; Loki takes 256KB.
    #[schemars(extend("default" = defaults::MAX_LINE))]
    pub max_line_bytes: Field<Size>,
}

/// Some containers. `*` stands for anything, `?` for one character.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// By name.
    #[schemars(extend("examples" = [["shop-*"]]))]
    pub names: Field<Vec<Field<Text>>>,
    /// By label: `name`, or `name=value`.
    #[schemars(extend("examples" = [["com.docker.compose.project=shop"]]))]
    pub labels: Field<Vec<Field<Text>>>,
}

/// Where reading starts.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Files that are there at the start: what was written within the last hour, or the last 10 MB. Later files: from
    /// their beginning.
    Backfill,
    /// From the beginning.
    Beginning,
    /// What is written from now on. Later files: from their beginning.
    End,
}

/// How lines stand in files.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LineFormat {
    /// As they were written.
    Plain,
    /// In the records of Docker's logging driver `json-file`. Time and stream (`stdout`, `stderr`) are taken from them, the
    /// parts of long lines are joined.
    Docker,
    /// The same, with the records of the container runtimes of Kubernetes, and of Podman's driver `k8s-file`.
    Cri,
}
