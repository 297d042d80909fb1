//! `outputs`, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::archive::Archive;
use super::http::{Authorization, Tls};
use super::loki::{DeadLetters, LokiLimits};
use super::scrape::Relabel;
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{HeaderName, HeaderValue, Interval, LabelName, Name, PathText, Text, Url};
use crate::config::secret::Secret;

/// Receivers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outputs {
    /// Prometheus, Mimir, VictoriaMetrics or whatever takes Prometheus remote write. A URL without a path gets
    /// `/api/v1/write`.
    #[schemars(extend("examples" = [[{"url": "http://prometheus:9090/api/v1/write"}]]))]
    pub prometheus: Field<Vec<Field<Output>>>,
    /// Loki. A URL without a path gets `/loki/api/v1/push`.
    #[schemars(extend("examples" = [[{"url": "http://loki:3100"}]]))]
    pub loki: Field<Vec<Field<Output>>>,
    /// Folders and object stores that keep log entries for long.
    #[schemars(extend("examples" = [[{"folder": "/var/lib/taffrail/archive", "keep": "90d"}]]))]
    pub archive: Field<Vec<Field<Archive>>>,
}

/// One receiver.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct Output {
    /// Unique among outputs of its kind. Cursors and metrics use it. Default: the kind, `prometheus` or `loki`.
    pub name: Field<Name>,
    /// Where to push, `http://` or `https://`. No user or password in it.
    pub url: Field<Url>,
    /// Sent with every request.
    #[schemars(extend("examples" = [{"X-Team": "shop"}]))]
    pub headers: Field<BTreeMap<HeaderName, Field<HeaderValue>>>,
    /// User and password.
    pub basic_auth: Field<BasicAuth>,
    /// The `Authorization` header.
    pub authorization: Field<Authorization>,
    /// Tokens of OAuth 2.0.
    pub oauth2: Field<OAuth2>,
    /// A bearer token. Better: `bearer_token_file`.
    pub bearer_token: Field<Secret>,
    /// A file that holds a bearer token. It is read again when it changes; white space around it is left out.
    #[schemars(extend("examples" = ["/run/secrets/token"]))]
    pub bearer_token_file: Field<PathText>,
    /// How long to wait for an answer.
    #[schemars(extend("default" = defaults::TIMEOUT))]
    pub timeout: Field<Interval>,
    /// How to trust the receiver, and who we are to it. Files are read again when they change.
    pub tls: Field<Tls>,
    /// The tenant, sent as `X-Scope-OrgID` (Loki, Mimir).
    #[schemars(extend("examples" = ["shop"]))]
    pub tenant: Field<Text>,
    /// A label of log streams: its value is the tenant that a Loki gets the stream for, and the label is not sent. Streams
    /// without it are `tenant`'s. Each tenant has a cursor of its own, and the output's name with `@` and the tenant behind
    /// it in metrics.
    #[schemars(extend("examples" = ["team"]))]
    pub tenant_label: Field<LabelName>,
    /// The most tenants by label; what is of others is refused, and kept as dead letters.
    #[schemars(extend("default" = defaults::MAX_TENANTS))]
    pub max_tenants: Field<u64>,
    /// The version of Prometheus remote write: `auto` sends 2.0 where the receiver takes it, else 1.0.
    #[schemars(extend("default" = "auto"))]
    pub version: Field<Version>,
    /// Rules that change or drop series before they are sent, of a Prometheus output. They see all labels, those of
    /// `labels` too. `$` is a dollar here: no variables are replaced.
    #[schemars(extend("examples" = [[{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}]]))]
    pub write_relabel_configs: Field<Vec<Field<Relabel>>>,
    /// How many requests a Prometheus output may have under way at once, at most 64. Only as many are used as a slow answer
    /// and a backlog need; the samples of one series stay in order.
    #[schemars(extend("default" = defaults::MAX_SHARDS))]
    pub max_shards: Field<u64>,
    /// Whether a Prometheus output sends what is new at once after an outage, beside what waits: `auto` where the receiver
    /// takes samples out of order, as it is asked first.
    #[schemars(extend("default" = "auto"))]
    pub out_of_order: Field<OutOfOrder>,
    /// What a Loki takes, in the words of its own `limits_config`: only what differs from Loki's defaults has to be said.
    /// It is kept to before anything is sent.
    #[schemars(extend("examples" = [{"max_label_names_per_series": 30, "max_line_size": "1MB"}]))]
    pub limits: Field<LokiLimits>,
    /// How much of what a Loki refuses for good is kept, to be looked at and sent again with `taffrail spool dead`.
    #[schemars(extend("examples" = [{"max_bytes": "256MiB", "max_age": "30d"}]))]
    pub dead_letters: Field<DeadLetters>,
}

/// Whether new samples may go before older ones.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum OutOfOrder {
    /// Where the receiver takes it.
    #[default]
    Auto,
    /// Always: the receiver is known to take samples out of order, of any age that the log keeps.
    On,
    /// Never.
    Off,
}

/// Tokens of OAuth 2.0, by the client's own credentials.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["client_id", "token_url"]))]
pub struct OAuth2 {
    /// The client's name.
    pub client_id: Field<Text>,
    /// The client's secret. Better: `client_secret_file`.
    pub client_secret: Field<Secret>,
    /// A file that holds it. It is read again when it changes; white space around it is left out.
    #[schemars(extend("examples" = ["/run/secrets/client"]))]
    pub client_secret_file: Field<PathText>,
    /// What is asked for.
    #[schemars(extend("examples" = [["metrics:write"]]))]
    pub scopes: Field<Vec<String>>,
    /// The server of tokens.
    #[schemars(extend("examples" = ["https://login.example/oauth2/token"]))]
    pub token_url: Field<Url>,
    /// Sent with the request for a token.
    #[schemars(extend("examples" = [{"audience": "https://mimir.example"}]))]
    pub endpoint_params: Field<BTreeMap<String, String>>,
    /// How to trust the server of tokens, and who we are to it.
    pub tls_config: Field<Tls>,
}

/// A version of Prometheus remote write.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum Version {
    /// 2.0 where the receiver takes it, else 1.0.
    #[serde(rename = "auto")]
    Auto,
    /// 1.0 only.
    #[serde(rename = "1.0")]
    V1,
    /// 2.0 only.
    #[serde(rename = "2.0")]
    V2,
}

/// User and password.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["username"]))]
pub struct BasicAuth {
    /// The user's name.
    pub username: Field<Text>,
    /// The password. Better: `password_file`.
    pub password: Field<Secret>,
    /// A file that holds the password. It is read again when it changes.
    #[schemars(extend("examples" = ["/run/secrets/password"]))]
    pub password_file: Field<PathText>,
}

/// Where keys of Prometheus' `remote_write` and of promtail's `clients` are here.
pub(super) fn hint(path: &str) -> Option<String> {
    let key = path.strip_prefix("outputs.prometheus.").or_else(|| path.strip_prefix("outputs.loki."))?;
    let moved = match key {
        "tenant_id" => "here it is `tenant`",
        "username" => "here it is `basic_auth: {username: …, password_file: …}`",
        "tls_config" => "here it is `tls`, with the same keys",
        "remote_timeout" => "here it is `timeout`",
        "protobuf_message" => "here it is `version`: `1.0`, `2.0` or `auto`",
        "queue_config" => "here it is `max_shards`; the rest sets itself",
        "metadata_config" | "send_exemplars" | "send_native_histograms" => {
            "all that the receiver takes is sent; remove the key"
        }
        "external_labels" => "here it is the top-level `labels`",
        "proxy_url" | "no_proxy" | "proxy_from_environment" | "proxy_connect_header" => {
            "receivers are reached directly; remove the key"
        }
        "follow_redirects" => "redirects of a push are not followed: put the address they lead to into `url`",
        "enable_http2" => "receivers are reached by HTTP/1.1; remove the key",
        "sigv4" | "azuread" | "google_iam" => {
            "signing for this cloud is not built in: put its own proxy between, or use `oauth2`"
        }
        "backoff_config" => "how often is tried again sets itself; remove the key",
        "batchwait" | "batchsize" => "batches set themselves; remove the key",
        _ => return None,
    };
    Some(format!("`{key}`: {moved}"))
}
