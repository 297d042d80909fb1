//! A job: how to find targets and how to scrape them, with every default filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_wire::relabel::{Names, Rule};

use super::target::Group;
use crate::config::{Auth, Secret};

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
    /// What a target may not exceed.
    pub limits: Limits,
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

/// How pages are asked for and read.
#[derive(Clone, Debug, PartialEq)]
pub struct Formats {
    /// `scrape_protocols`, the most wanted first.
    pub protocols: Vec<String>,
    /// `fallback_scrape_protocol`
    pub fallback: Option<String>,
    /// `metric_name_validation_scheme`
    pub names: Names,
    /// `metric_name_escaping_scheme`
    pub escaping: String,
}

/// How targets, and services that know of targets, are reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// `basic_auth`, or `authorization` with the type `Bearer`.
    pub auth: Option<Auth>,
    /// `authorization` of another type: `Authorization: <type> <credentials>`.
    pub authorization: Option<(String, Secret)>,
    /// `oauth2`
    pub oauth2: Option<OAuth2>,
    /// `tls_config`
    pub tls: Tls,
    /// `proxy_url`
    pub proxy: Option<http::Uri>,
    /// `no_proxy`
    pub no_proxy: Option<String>,
    /// `proxy_from_environment`
    pub proxy_from_environment: bool,
    /// `follow_redirects`
    pub follow_redirects: bool,
    /// `enable_http2`
    pub http2: bool,
    /// `http_headers`
    pub headers: Vec<(String, Secret)>,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            auth: None,
            authorization: None,
            oauth2: None,
            tls: Tls::default(),
            proxy: None,
            no_proxy: None,
            proxy_from_environment: false,
            follow_redirects: true,
            http2: true,
            headers: Vec::new(),
        }
    }
}

/// The client-credentials grant of OAuth 2.0.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuth2 {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`, or the contents of `client_secret_file`.
    pub client_secret: Secret,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `token_url`
    pub token_url: http::Uri,
    /// `endpoint_params`
    pub endpoint_params: BTreeMap<String, String>,
    /// `tls_config` of the token's server.
    pub tls: Tls,
}

/// `tls_config`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// `ca` or the contents of `ca_file`, PEM.
    pub ca: Option<String>,
    /// `cert` or the contents of `cert_file`, PEM.
    pub cert: Option<String>,
    /// `key` or the contents of `key_file`, PEM.
    pub key: Option<Secret>,
    /// `server_name`
    pub server_name: Option<String>,
    /// `insecure_skip_verify`
    pub insecure_skip_verify: bool,
    /// `min_version` is TLS 1.3; else 1.2 will do.
    pub tls13_only: bool,
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
        /// `refresh_interval`
        refresh: Duration,
    },
    /// `http_sd_configs`
    Http {
        /// What is asked for groups of targets.
        url: http::Uri,
        /// `refresh_interval`
        refresh: Duration,
        /// How it is reached.
        http: Box<Http>,
    },
    /// `dns_sd_configs`
    Dns {
        /// The names that are asked for.
        names: Vec<String>,
        /// `type`
        kind: DnsKind,
        /// `port`, of types that have none.
        port: u16,
        /// `refresh_interval`
        refresh: Duration,
    },
    /// `docker_sd_configs`
    Docker(Box<Docker>),
}

/// What a DNS name is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsKind {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
    /// Services with their ports.
    Srv,
}

/// `docker_sd_configs`
#[derive(Clone, Debug, PartialEq)]
pub struct Docker {
    /// `host`: `unix:///var/run/docker.sock`, `tcp://…`, `http://…`.
    pub host: String,
    /// `port`, of containers that publish none.
    pub port: u16,
    /// `host_networking_host`, the address of containers in the host's network.
    pub host_networking_host: String,
    /// `match_first_network`
    pub match_first_network: bool,
    /// `filters`, as the engine's API has them.
    pub filters: Vec<(String, Vec<String>)>,
    /// `refresh_interval`
    pub refresh: Duration,
    /// How it is reached.
    pub http: Http,
}

#[cfg(test)]
pub(super) mod tests {
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
            limits: Limits {
                samples: 0,
                labels: 0,
                label_name_bytes: 0,
                label_value_bytes: 0,
                body_bytes: DEFAULT_BODY_BYTES,
            },
            target_limit: 0,
            keep_dropped_targets: 0,
            formats: Formats {
                protocols: vec!["PrometheusText0.0.4".into()],
                fallback: None,
                names: Names::Utf8,
                escaping: "allow-utf-8".into(),
            },
            compression: true,
            http: Http::default(),
            relabel: Vec::new(),
            metric_relabel: Vec::new(),
            discovery: Vec::new(),
        }
    }
}
