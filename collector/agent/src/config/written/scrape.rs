//! `global` and `scrape_configs`, as they are written in prometheus.yml.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/>

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::discovery::{DnsNames, DockerEngine, Files, HttpList, Static};
use super::http::{Authorization, Header, Tls, http_keys};
use super::{BasicAuth, OAuth2};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Base2Size, HeaderName, Interval, LabelName, Text};
use crate::config::secret::Secret;
use crate::metrics::cardinality::JOB_BUDGET;

/// Defaults of all scrape jobs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Global {
    /// How often targets are scraped. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub scrape_interval: Field<Interval>,
    /// How long a scrape may take, at most as long as the interval.
    #[schemars(extend("default" = defaults::SCRAPE_TIMEOUT))]
    pub scrape_timeout: Field<Interval>,
    /// The largest page, in bytes, not compressed; `0` is no limit.
    #[schemars(extend("default" = "64MB"))]
    pub body_size_limit: Field<Base2Size>,
    /// The most samples of a page, after metric relabelling; `0` is no limit. A page with more is not taken.
    #[schemars(extend("default" = 0))]
    pub sample_limit: Field<u64>,
    /// The most targets of a job; `0` is no limit. A job with more is not scraped.
    #[schemars(extend("default" = 0))]
    pub target_limit: Field<u64>,
    /// The most labels of a series; `0` is no limit.
    #[schemars(extend("default" = 0))]
    pub label_limit: Field<u64>,
    /// The longest name of a label, in bytes; `0` is no limit.
    #[schemars(extend("default" = 0))]
    pub label_name_length_limit: Field<u64>,
    /// The longest value of a label, in bytes; `0` is no limit.
    #[schemars(extend("default" = 0))]
    pub label_value_length_limit: Field<u64>,
    /// How many of the targets that relabelling dropped are shown; `0` shows a hundred.
    #[schemars(extend("default" = 0))]
    pub keep_dropped_targets: Field<u64>,
    /// Show the series of targets on `/metrics/scraped`, for a Prometheus that pulls them from there.
    #[schemars(extend("default" = false))]
    pub relay: Field<bool>,
    /// How many series a job should have at most; `0` is no budget. Nothing is dropped for it: who exceeds it is told,
    /// with the metric and the label that explode.
    #[schemars(extend("default" = JOB_BUDGET))]
    pub series_budget: Field<u64>,
    /// Which names of labels and metrics are valid.
    #[schemars(extend("default" = "utf8"))]
    pub metric_name_validation_scheme: Field<Validation>,
    /// Formats to ask for, the most wanted first. Default: OpenMetrics, then text; with native histograms protobuf first.
    #[schemars(extend("examples" = [["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"]]))]
    pub scrape_protocols: Field<Vec<Field<Protocol>>>,
    /// Take native histograms. Only protobuf pages have them, so that is asked for first.
    #[schemars(extend("default" = false))]
    pub scrape_native_histograms: Field<bool>,
    /// Take the classic buckets too of a histogram that is native, or is made so.
    #[schemars(extend("default" = false))]
    pub always_scrape_classic_histograms: Field<bool>,
    /// Make native histograms with custom buckets of classic ones.
    #[schemars(extend("default" = false))]
    pub convert_classic_histograms_to_nhcb: Field<bool>,
    /// How targets shall write names of other characters than letters, digits and `_`. Default: as they are, or
    /// `underscores` where only `legacy` names are valid.
    #[schemars(extend("examples" = ["underscores"]))]
    pub metric_name_escaping_scheme: Field<Escaping>,
}

/// A label whose values become few.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["label"]))]
pub struct Fold {
    /// Its name, after relabelling.
    #[schemars(extend("examples" = ["user"]))]
    pub label: Field<LabelName>,
    /// How many values stay as they are, of each metric of a target: those that come first.
    #[schemars(extend("default" = defaults::FOLD_KEEP))]
    pub keep: Field<u64>,
}

/// One scrape job.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["job_name"]))]
pub struct Job {
    /// The label `job` of its targets. No two jobs have the same.
    pub job_name: Field<Text>,
    /// How often its targets are scraped. Default: as `global` says.
    #[schemars(extend("examples" = ["30s"]))]
    pub scrape_interval: Field<Interval>,
    /// How long a scrape may take. Default: as `global` says, at most the interval.
    pub scrape_timeout: Field<Interval>,
    /// The path that is asked for.
    #[schemars(extend("default" = "/metrics"))]
    pub metrics_path: Field<Text>,
    /// `http` or `https`.
    #[schemars(extend("default" = "http"))]
    pub scheme: Field<Scheme>,
    /// Query parameters.
    #[schemars(extend("examples" = [{"module": ["http_2xx"]}]))]
    pub params: Field<BTreeMap<String, Vec<String>>>,
    /// Labels on the page stand above those of the target. Otherwise they are kept as `exported_…`.
    #[schemars(extend("default" = false))]
    pub honor_labels: Field<bool>,
    /// Times on the page are taken.
    #[schemars(extend("default" = true))]
    pub honor_timestamps: Field<bool>,
    /// Series with times of their own end when they are gone from the page, as others do.
    #[schemars(extend("default" = false))]
    pub track_timestamps_staleness: Field<bool>,
    /// The largest page, in bytes, not compressed; `0` is as `global` says.
    pub body_size_limit: Field<Base2Size>,
    /// The most samples of a page, after metric relabelling; `0` is as `global` says.
    pub sample_limit: Field<u64>,
    /// The most targets; `0` is as `global` says.
    pub target_limit: Field<u64>,
    /// The most labels of a series; `0` is as `global` says.
    pub label_limit: Field<u64>,
    /// The longest name of a label, in bytes; `0` is as `global` says.
    pub label_name_length_limit: Field<u64>,
    /// The longest value of a label, in bytes; `0` is as `global` says.
    pub label_value_length_limit: Field<u64>,
    /// How many of the targets that relabelling dropped are shown; `0` is as `global` says.
    pub keep_dropped_targets: Field<u64>,
    /// Show the series of its targets on `/metrics/scraped`. Default: as `global` says.
    pub relay: Field<bool>,
    /// Labels whose values become few: of each counter and classic histogram, the first values stay, and series of others
    /// are added up as `__other__`.
    #[schemars(extend("examples" = [[{"label": "user", "keep": 50}]]))]
    pub fold: Field<Vec<Field<Fold>>>,
    /// How many series the job should have at most; `0` is as `global` says.
    pub series_budget: Field<u64>,
    /// Which names of labels and metrics are valid. Default: as `global` says.
    pub metric_name_validation_scheme: Field<Validation>,
    /// Formats to ask for, the most wanted first. Default: as `global` says.
    #[schemars(extend("examples" = [["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"]]))]
    pub scrape_protocols: Field<Vec<Field<Protocol>>>,
    /// Take native histograms. Only protobuf pages have them, so that is asked for first. Default: as `global` says.
    pub scrape_native_histograms: Field<bool>,
    /// Take the classic buckets too of a histogram that is native, or is made so. Default: as `global` says.
    pub always_scrape_classic_histograms: Field<bool>,
    /// Make native histograms with custom buckets of classic ones. Default: as `global` says.
    pub convert_classic_histograms_to_nhcb: Field<bool>,
    /// How targets shall write names of other characters than letters, digits and `_`. Default: as
    /// `global` says.
    #[schemars(extend("examples" = ["underscores"]))]
    pub metric_name_escaping_scheme: Field<Escaping>,
    /// The same as `always_scrape_classic_histograms`, as Prometheus 2 calls it.
    pub scrape_classic_histograms: Field<bool>,
    /// The most buckets of a native histogram, which is made coarser if it has more; `0` is no limit. A page with one
    /// that cannot be made coarser is not taken.
    #[schemars(extend("default" = 0))]
    pub native_histogram_bucket_limit: Field<u64>,
    /// How much a bucket of a native histogram has to reach further than the one before, at least. A finer one is made
    /// coarser; `0` is no limit.
    #[schemars(extend("default" = 0))]
    pub native_histogram_min_bucket_factor: Field<f64>,
    /// The format of pages whose `Content-Type` says none. Without it, such pages are refused.
    pub fallback_scrape_protocol: Field<Protocol>,
    /// Ask for compressed pages.
    #[schemars(extend("default" = true))]
    pub enable_compression: Field<bool>,
    /// User and password.
    pub basic_auth: Field<BasicAuth>,
    /// The `Authorization` header.
    pub authorization: Field<Authorization>,
    /// Tokens of OAuth 2.0.
    pub oauth2: Field<OAuth2>,
    /// How to trust targets, and who we are.
    pub tls_config: Field<Tls>,
    /// A proxy that targets are asked through, `http://host:port`.
    #[schemars(extend("examples" = ["http://proxy:3128"]))]
    pub proxy_url: Field<Text>,
    /// Hosts, domains and networks that are asked without the proxy, with commas between.
    #[schemars(extend("examples" = ["localhost,.internal.example,10.0.0.0/8"]))]
    pub no_proxy: Field<String>,
    /// Take the proxy from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    #[schemars(extend("default" = false))]
    pub proxy_from_environment: Field<bool>,
    /// Sent to the proxy with CONNECT.
    pub proxy_connect_header: Field<BTreeMap<HeaderName, Vec<Secret>>>,
    /// Follow redirects.
    #[schemars(extend("default" = true))]
    pub follow_redirects: Field<bool>,
    /// Speak HTTP/2 over TLS where the target wants it.
    #[schemars(extend("default" = true))]
    pub enable_http2: Field<bool>,
    /// Sent with every request.
    pub http_headers: Field<BTreeMap<HeaderName, Field<Header>>>,
    /// Rules that change or drop targets.
    pub relabel_configs: Field<Vec<Field<Relabel>>>,
    /// Rules that change or drop series.
    pub metric_relabel_configs: Field<Vec<Field<Relabel>>>,
    /// Targets by address.
    pub static_configs: Field<Vec<Field<Static>>>,
    /// Files that list targets.
    pub file_sd_configs: Field<Vec<Field<Files>>>,
    /// Services that have a list of targets.
    pub http_sd_configs: Field<Vec<Field<HttpList>>>,
    /// Names whose records are targets.
    pub dns_sd_configs: Field<Vec<Field<DnsNames>>>,
    /// Docker engines whose containers are targets.
    pub docker_sd_configs: Field<Vec<Field<DockerEngine>>>,
}

http_keys!(Job);

/// `http` or `https`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Not encrypted.
    Http,
    /// TLS.
    Https,
}

/// Which names are valid.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Any text, as Prometheus 3 has it.
    Utf8,
    /// Letters, digits and `_`, as Prometheus 2 had it.
    Legacy,
}

/// How targets shall write names of any characters.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum Escaping {
    /// As they are.
    #[serde(rename = "allow-utf-8")]
    AllowUtf8,
    /// With `_` for each other character.
    #[serde(rename = "underscores")]
    Underscores,
    /// With `_dot_` for a dot, and `__` for others.
    #[serde(rename = "dots")]
    Dots,
    /// With `U__` in front, and the number of each other character.
    #[serde(rename = "values")]
    Values,
}

/// A format of pages.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf, which alone has native histograms.
    #[serde(rename = "PrometheusProto")]
    Proto,
    /// The text format.
    #[serde(rename = "PrometheusText0.0.4")]
    Text004,
    /// The same, with names of any characters.
    #[serde(rename = "PrometheusText1.0.0")]
    Text100,
    /// OpenMetrics before its first version.
    #[serde(rename = "OpenMetricsText0.0.1")]
    OpenMetrics001,
    /// OpenMetrics.
    #[serde(rename = "OpenMetricsText1.0.0")]
    OpenMetrics100,
}

/// A rule of relabelling.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Relabel {
    /// The labels whose values are joined to the source.
    pub source_labels: Field<Vec<String>>,
    /// Stands between them.
    #[schemars(extend("default" = ";"))]
    pub separator: Field<String>,
    /// Has to match all of the source.
    #[schemars(extend("default" = "(.*)"))]
    pub regex: Field<String>,
    /// Of `hashmod`.
    pub modulus: Field<u64>,
    /// What is set, or compared with.
    pub target_label: Field<String>,
    /// What it is set to.
    #[schemars(extend("default" = "$1"))]
    pub replacement: Field<String>,
    /// `replace`, `keep`, `drop`, `keepequal`, `dropequal`, `hashmod`, `labelmap`, `labeldrop`, `labelkeep`,
    /// `lowercase` or `uppercase`.
    #[schemars(extend("default" = "replace"))]
    pub action: Field<String>,
}

/// Why a key of Prometheus' is not known here, and what to do instead.
pub fn hint(path: &str) -> Option<String> {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let of_job = section == "scrape_configs" || section.starts_with("scrape_configs.");
    let what = match (section, key) {
        ("", "rule_files" | "alerting" | "storage" | "remote_read" | "tracing" | "runtime") => {
            "this belongs to the Prometheus that stores the samples; keep it there, and remove it here"
        }
        ("global", "external_labels") => "here it is the top-level `labels`",
        ("global", "evaluation_interval" | "rule_query_offset" | "query_log_file") => {
            "rules are Prometheus' to evaluate; remove the key"
        }
        ("global", "runtime") => "it is about Prometheus' own memory; remove the key",
        (_, "bearer_token" | "bearer_token_file") if of_job => {
            "write `authorization: {credentials_file: …}`, as Prometheus 3 does"
        }
        ("scrape_configs", key) if key.ends_with("_sd_configs") => super::discovery::instead_of(key),
        ("global" | "scrape_configs", "scrape_failure_log_file" | "extra_scrape_metrics") => {
            "failures are shown on the page and logged once; remove the key"
        }
        _ => return None,
    };
    Some(format!("`{key}`: {what}"))
}
