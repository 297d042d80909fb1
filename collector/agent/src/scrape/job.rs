//! A job: how to find targets and how to scrape them, with every default filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_wire::page::Format;
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
    /// Labels of all that is pushed, where a target's series have no label of the name.
    pub labels: BTreeMap<String, String>,
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
            && self.formats == other.formats
    }
}

/// How targets, and services that know of targets, are reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// `basic_auth`, or `authorization` with the type `Bearer`.
    pub auth: Option<Auth>,
    /// `authorization` of another type: `Authorization: <type> <credentials>`.
    pub authorization: Option<(String, Secret)>,
    /// `tls_config`
    pub tls: Tls,
    /// `follow_redirects`
    pub follow_redirects: bool,
    /// `http_headers`
    pub headers: Vec<(String, Secret)>,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            auth: None,
            authorization: None,
            tls: Tls::default(),
            follow_redirects: true,
            headers: Vec::new(),
        }
    }
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
    },
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
