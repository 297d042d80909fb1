//! A job: how to find targets and how to scrape them, with every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use taffrail_probe::http::Proxy;
use taffrail_wire::page::Format;
use taffrail_wire::relabel::{Names, Rule};

use super::target::Group;
use crate::http_client::{Auth, Source, Tls};

/// One entry of `scrape_configs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// `job_name`: the label `job` of its targets where nothing else gives one.
    pub name: String,
    /// `scrape_interval`
    pub interval: Duration,
    /// `scrape_timeout`, at most the interval.
    pub timeout: Duration,
    /// `metrics_path`
    pub path: String,
    /// `scheme`: `http` or `https`.
    pub scheme: String,
    /// `params`
    pub params: BTreeMap<String, Vec<String>>,
    /// `honor_labels`: what a target says of itself stands above what we know of it.
    pub honor_labels: bool,
    /// `honor_timestamps`: times on the page are taken.
    pub honor_timestamps: bool,
    /// `track_timestamps_staleness`: series with times of their own end when they are gone, like others.
    pub track_timestamps_staleness: bool,
    /// Labels of all that is pushed, where a target's series have no label of the name.
    pub labels: BTreeMap<String, String>,
    /// What a target may not exceed.
    pub limits: Limits,
    /// `relay`: its series are on `/metrics/scraped`.
    pub relay: bool,
    /// `fold`: labels whose values become few.
    pub fold: Vec<Fold>,
    /// `series_budget`; 0 is none.
    pub series_budget: usize,
    /// `target_limit`; 0 is none.
    pub target_limit: usize,
    /// `keep_dropped_targets`: how many of those that relabelling dropped are shown; 0 is all.
    pub keep_dropped_targets: usize,
    /// How pages are asked for and read.
    pub formats: Formats,
    /// `enable_compression`
    pub compression: bool,
    /// How targets are reached.
    pub http: Http,
    /// `relabel_configs`
    pub relabel: Vec<Rule>,
    /// `metric_relabel_configs`
    pub metric_relabel: Vec<Rule>,
    /// Where targets come from.
    pub discovery: Vec<Discovery>,
}

/// A label whose values become few: series of others are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The label.
    pub label: String,
    /// How many values stay as they are, of each metric of a target.
    pub keep: usize,
}

/// What a target may not exceed; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `sample_limit`, after metric relabelling.
    pub samples: usize,
    /// `label_limit`
    pub labels: usize,
    /// `label_name_length_limit`, in bytes.
    pub label_name_bytes: usize,
    /// `label_value_length_limit`, in bytes.
    pub label_value_bytes: usize,
    /// `body_size_limit`: bytes of a page, not compressed.
    pub body_bytes: u64,
}

/// The page's largest size when `body_size_limit` is not set: 64 MB.
pub const DEFAULT_BODY_BYTES: u64 = 64 << 20;

/// How pages are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Formats {
    /// `metric_name_validation_scheme`
    pub names: Names,
    /// `fallback_scrape_protocol`: the format of pages that do not say theirs.
    pub fallback: Option<Format>,
    /// `scrape_protocols` and `metric_name_escaping_scheme`: the header that asks for pages.
    pub accept: String,
    /// `scrape_native_histograms`
    pub native: bool,
    /// `always_scrape_classic_histograms`: classic buckets are kept of histograms that are native, or become so.
    pub classic_too: bool,
    /// `convert_classic_histograms_to_nhcb`
    pub convert_classic: bool,
    /// `native_histogram_bucket_limit`; 0 is none.
    pub bucket_limit: usize,
    /// `native_histogram_min_bucket_factor`: the finest schema that is kept.
    pub finest: i32,
}

impl Job {
    /// Whether a line of a page means the same to `other`, given the same target.
    pub fn reads_alike(&self, other: &Job) -> bool {
        self.honor_labels == other.honor_labels
            && self.metric_relabel == other.metric_relabel
            && self.labels == other.labels
            && self.limits == other.limits
            && self.fold == other.fold
            && self.formats == other.formats
    }
}

/// How targets, and services that know of targets, are reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// `basic_auth`, `authorization` or `oauth2`.
    pub auth: Option<Auth>,
    /// `tls_config`
    pub tls: Tls,
    /// `proxy_url` with `no_proxy`, or `proxy_from_environment`.
    pub proxy: Option<Proxy>,
    /// `enable_http2`: HTTP/2 where TLS is spoken and the host wants it.
    pub http2: bool,
    /// `follow_redirects`
    pub follow_redirects: bool,
    /// `http_headers`
    pub headers: Vec<(String, Source)>,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            auth: None,
            tls: Tls::default(),
            proxy: None,
            http2: true,
            follow_redirects: true,
            headers: Vec::new(),
        }
    }
}

/// Where targets come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Discovery {
    /// `static_configs`
    Static(Vec<Group>),
    /// `file_sd_configs`: globs of files, read when they change and every so often.
    Files {
        /// Absolute; `*` stands in the last part only.
        files: Vec<String>,
    },
    /// `http_sd_configs`
    Http(HttpList),
    /// `dns_sd_configs`
    Dns(DnsNames),
    /// `docker_sd_configs`
    Docker(DockerEngine),
}

impl Discovery {
    /// Where it asks: another that asks there, perhaps at other times or with other credentials, knows the same.
    pub fn place(&self) -> String {
        match self {
            Discovery::Static(_) => String::new(),
            Discovery::Files { files } => format!("files {}", files.join(" ")),
            Discovery::Http(list) => format!("http {}", list.url),
            Discovery::Dns(DnsNames { names, kind, port, .. }) => {
                format!("dns {kind:?} {port} {}", names.join(" "))
            }
            Discovery::Docker(engine) => {
                let DockerEngine { host, port, host_networking_host, match_first_network, filters, .. } =
                    engine;
                format!("docker {host:?} {port} {host_networking_host} {match_first_network} {filters:?}")
            }
        }
    }

    /// The key in the config.
    pub fn kind(&self) -> &'static str {
        match self {
            Discovery::Static(_) => "static_configs",
            Discovery::Files { .. } => "file_sd_configs",
            Discovery::Http(_) => "http_sd_configs",
            Discovery::Dns(_) => "dns_sd_configs",
            Discovery::Docker(_) => "docker_sd_configs",
        }
    }
}

/// A list of targets that a service has.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpList {
    /// Where it is.
    pub url: String,
    /// How often it is asked for.
    pub refresh: Duration,
    /// How the service is reached.
    pub http: Http,
}

/// Names whose records are targets.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsNames {
    /// The names.
    pub names: Vec<String>,
    /// Which records.
    pub kind: DnsKind,
    /// The port of targets; a service record has its own.
    pub port: u16,
    /// How often they are asked for.
    pub refresh: Duration,
}

/// Records that tell of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsKind {
    /// Services: hosts with ports.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
}

/// A Docker engine whose containers are targets.
#[derive(Clone, Debug, PartialEq)]
pub struct DockerEngine {
    /// Where it is.
    pub host: DockerHost,
    /// The port of containers that expose none.
    pub port: u16,
    /// The address of containers in the host's network.
    pub host_networking_host: String,
    /// Of several networks of a container, only the first by name.
    pub match_first_network: bool,
    /// Names and values, as `docker ps --filter` has them.
    pub filters: BTreeMap<String, Vec<String>>,
    /// How often it is asked.
    pub refresh: Duration,
    /// How it is reached, where that is not a socket.
    pub http: Http,
}

/// Where a Docker engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerHost {
    /// A socket in the file system.
    Socket(PathBuf),
    /// `http://host:port`, without a slash at its end.
    Url(String),
}

#[cfg(test)]
pub(super) mod tests {
    use taffrail_core::histogram::FINEST;
    use taffrail_wire::page::{Escaping, Protocol, accept};

    use super::*;

    /// A job with Prometheus' defaults.
    pub(in super::super) fn job(name: &str) -> Job {
        Job {
            name: name.to_owned(),
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            path: "/metrics".into(),
            scheme: "http".into(),
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            labels: BTreeMap::new(),
            limits: Limits {
                samples: 0,
                labels: 0,
                label_name_bytes: 0,
                label_value_bytes: 0,
                body_bytes: DEFAULT_BODY_BYTES,
            },
            relay: false,
            fold: Vec::new(),
            series_budget: 0,
            target_limit: 0,
            keep_dropped_targets: 0,
            formats: Formats {
                names: Names::Utf8,
                fallback: None,
                accept: accept(&Protocol::DEFAULT, Escaping::AllowUtf8),
                native: false,
                classic_too: false,
                convert_classic: false,
                bucket_limit: 0,
                finest: FINEST,
            },
            compression: true,
            http: Http::default(),
            relabel: Vec::new(),
            metric_relabel: Vec::new(),
            discovery: Vec::new(),
        }
    }
}
