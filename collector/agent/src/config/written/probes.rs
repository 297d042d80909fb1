//! `probes` and `probe` as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Labels;
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{
    Count, Interval, LabelValue, Name, Network, PathText, ProbedUrl, Size, Text, Url,
};
use crate::config::secret::Secret;

/// What all probes share, and `/probe`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeSection {
    /// The `job` label of probes.
    #[schemars(extend("default" = defaults::PROBE_JOB))]
    pub job: Field<LabelValue>,
    /// How often is probed where a probe does not say. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub interval: Field<Interval>,
    /// How long a probe may take where neither it nor its module says; never longer than its interval.
    #[schemars(extend("default" = defaults::PROBE_TIMEOUT))]
    pub timeout: Field<Interval>,
    /// A module file of blackbox_exporter (`blackbox.yml`), read as it is: for `/probe`, and for `module` of probes.
    /// Without one there are `http_2xx`, `http_post_2xx`, `tcp_connect`, `tls_connect` and `icmp`.
    #[schemars(extend("examples" = ["/etc/taffrail/blackbox.yml"]))]
    pub modules_file: Field<PathText>,
    /// Turns on `/probe?target=…&module=…`, for Prometheus jobs that were made for blackbox_exporter: the networks that
    /// it may probe. Link-local addresses and those where clouds serve credentials are never probed by it. Configured
    /// probes are not bound to these.
    #[schemars(extend("examples" = [["10.0.0.0/8", "2001:db8::/32"]]))]
    pub networks: Field<Vec<Field<Network>>>,
}

/// One probe. It has one of `http`, `tcp`, `tls`, `dns`, `icmp`, `postgres`, `freshness` and `certificate`, which says
/// how is probed, and what.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// Unique among probes; logs and the live page use it. Default: the kind, such as `http`.
    pub name: Field<Name>,
    /// Asks a web server for this URL: 200 to 299 is right, redirects are followed.
    #[schemars(extend("examples" = ["https://shop.example/healthz"]))]
    pub http: Field<ProbedUrl>,
    /// Connects to this port.
    #[schemars(extend("examples" = ["queue.example:5672"]))]
    pub tcp: Field<Text>,
    /// Shakes hands with this server, and tells its certificates. Port 443 where none is named.
    #[schemars(extend("examples" = ["shop.example:443"]))]
    pub tls: Field<Text>,
    /// Asks a DNS server: a mapping, or the server alone where a `module` says what is asked.
    #[schemars(extend("examples" = [{"server": "192.0.2.53", "query": "shop.example", "type": "A"}]))]
    pub dns: Field<OneOf<Text, DnsProbe>>,
    /// Sends an echo request ("ping") to this host.
    #[schemars(extend("examples" = ["router.example"]))]
    pub icmp: Field<Text>,
    /// Asks a PostgreSQL server whether it takes connections: `host` or `host:port`, or a mapping.
    #[schemars(extend("examples" = ["db.example:5432"]))]
    pub postgres: Field<OneOf<Text, PostgresProbe>>,
    /// Looks at the newest of some files, folders or objects: a path or a mapping. This is how backups are watched.
    #[schemars(extend("examples" = [{"path": "/backup/*.dump", "max_age": "26h"}]))]
    pub freshness: Field<OneOf<Text, FreshnessProbe>>,
    /// Reads certificates in files: a path or a mapping.
    #[schemars(extend("examples" = ["/etc/letsencrypt/live/*/cert.pem"]))]
    pub certificate: Field<OneOf<Text, CertificateProbe>>,
    /// A module that says how is probed; its prober has to be the kind's. Of `http`, `tcp`, `dns` and `icmp`.
    #[schemars(extend("examples" = ["http_post_2xx"]))]
    pub module: Field<Text>,
    /// How often is probed. Default: `probe.interval`.
    #[schemars(extend("examples" = ["1m"]))]
    pub interval: Field<Interval>,
    /// How long it may take. Default: `probe.timeout`, never longer than its interval.
    #[schemars(extend("examples" = ["5s"]))]
    pub timeout: Field<Interval>,
    /// Labels of its series, beside `job` and `instance`.
    #[schemars(extend("examples" = [{"team": "shop"}]))]
    pub labels: Field<Labels>,
}

/// A question to a DNS server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["server", "query"]))]
pub struct DnsProbe {
    /// The server: `host` or `host:port`.
    #[schemars(extend("examples" = ["192.0.2.53"]))]
    pub server: Field<Text>,
    /// The name that is asked for.
    #[schemars(extend("examples" = ["shop.example"]))]
    pub query: Field<Text>,
    /// The type of records that are asked for.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "A"))]
    pub kind: Field<Text>,
    /// How the question travels.
    #[schemars(extend("default" = "udp"))]
    pub transport: Field<Transport>,
    /// Response codes that are right.
    #[schemars(extend("default" = ["NOERROR"]))]
    pub valid_rcodes: Field<Vec<Field<Text>>>,
}

/// How a question travels.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// As a datagram; port 53.
    Udp,
    /// On a connection; port 53.
    Tcp,
    /// On a connection with TLS; port 853.
    Tls,
}

/// A question to a PostgreSQL server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["server"]))]
pub struct PostgresProbe {
    /// The server: `host` or `host:port`.
    #[schemars(extend("examples" = ["db.example:5432"]))]
    pub server: Field<Text>,
    /// Who asks. Without a password nobody logs in; a user that exists keeps the server's log quiet.
    #[schemars(extend("default" = "postgres"))]
    pub user: Field<Text>,
    /// The database.
    #[schemars(extend("default" = "postgres"))]
    pub database: Field<Text>,
    /// With a password, the probe logs in and runs `select 1`. Better: `password_file`.
    pub password: Field<Secret>,
    /// A file that holds the password. It is read at each probe.
    #[schemars(extend("examples" = ["/run/secrets/password"]))]
    pub password_file: Field<PathText>,
    /// Ask for TLS, and tell the server's certificates. `true`, or how to trust the server.
    #[schemars(extend("default" = false))]
    pub tls: Field<OneOf<bool, ProbeTls>>,
}

/// How to trust a probed server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeTls {
    /// Certificates of the authorities to trust instead of the machine's, in PEM.
    #[schemars(extend("examples" = ["/etc/ssl/private-ca.pem"]))]
    pub ca_file: Field<PathText>,
    /// The name that the server's certificate has to be for. Default: the host that is probed.
    #[schemars(extend("examples" = ["db.example"]))]
    pub server_name: Field<Text>,
    /// Any certificate will do: only its expiry is told.
    #[schemars(extend("default" = false))]
    pub insecure_skip_verify: Field<bool>,
}

/// What has to be there, and how fresh.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["path"]))]
pub struct FreshnessProbe {
    /// An absolute glob of files or folders (a folder is one match, as large as all in it), or objects:
    /// `s3://bucket/prefix`, `s3://bucket/folder/*.dump`.
    #[schemars(extend("examples" = ["/backup/*.dump"]))]
    pub path: Field<Text>,
    /// The oldest that the newest match may be.
    #[schemars(extend("examples" = ["26h"]))]
    pub max_age: Field<Interval>,
    /// The least that the newest match may have: a dump of an empty database is no backup.
    #[schemars(extend("examples" = ["1MiB"]))]
    pub min_size: Field<Size>,
    /// The fewest matches.
    #[schemars(extend("default" = 1))]
    pub min_matches: Field<Count>,
    /// What says when a restore was last verified.
    pub restore_verified: Field<RestoreVerified>,
    /// How to reach the object store, where the path is `s3://…`.
    pub store: Field<Store>,
}

/// A file or object that is written when a restore has been verified.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["marker"]))]
pub struct RestoreVerified {
    /// Its path, or its key in the bucket. Where its first line is a time (RFC 3339, or seconds since 1970), that
    /// counts; else when it was last written.
    #[schemars(extend("examples" = ["/backup/restore-verified"]))]
    pub marker: Field<Text>,
    /// The oldest that it may be.
    #[schemars(extend("examples" = ["35d"]))]
    pub max_age: Field<Interval>,
}

/// An object store that speaks S3.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Where it is. Default: Amazon's own, in the region.
    #[schemars(extend("examples" = ["https://minio.example:9000"]))]
    pub endpoint: Field<Url>,
    /// The region.
    #[schemars(extend("default" = "us-east-1"))]
    pub region: Field<Text>,
    /// The id of the access key. Without a key, the machine's own role is used.
    pub access_key_id: Field<Text>,
    /// A file that holds the secret access key.
    #[schemars(extend("examples" = ["/run/secrets/s3-key"]))]
    pub secret_access_key_file: Field<PathText>,
    /// Ask without a key: for buckets that anybody may read.
    #[schemars(extend("default" = false))]
    pub anonymous: Field<bool>,
}

/// What certificates have to be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["path"]))]
pub struct CertificateProbe {
    /// An absolute glob of files in PEM or DER.
    #[schemars(extend("examples" = ["/etc/letsencrypt/live/*/cert.pem"]))]
    pub path: Field<Text>,
    /// How long each certificate has to be valid still; below that, the probe fails. Default: until now.
    #[schemars(extend("examples" = ["14d"]))]
    pub min_remaining: Field<Interval>,
}
