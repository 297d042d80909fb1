//! `redis` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Labels;
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, Name, PathText, Text};
use crate::config::secret::Secret;

/// One Redis server, or one that speaks its protocol, such as Valkey.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct Redis {
    /// Unique among Redis servers; logs and the live page use it. Default: `redis`.
    pub name: Field<Name>,
    /// Where the server is: `redis://host:6379`, `rediss://host:6379` with TLS, or `unix:///run/redis.sock`.
    #[schemars(extend("examples" = ["redis://cache.example:6379"]))]
    pub url: Field<Text>,
    /// Who logs in, where the server knows users (`ACL`). It needs `+info +slowlog +select +type`, and for `keys` the
    /// commands that tell a length (`+llen +xlen +scard +zcard +hlen +strlen`) and the keys themselves.
    pub username: Field<Text>,
    /// The password. Better: `password_file`.
    pub password: Field<Secret>,
    /// A file that holds the password. It is read at each login.
    #[schemars(extend("examples" = ["/run/secrets/redis"]))]
    pub password_file: Field<PathText>,
    /// Whom to trust, with `rediss://`.
    pub tls: Field<RedisTls>,
    /// Keys whose length is published, as `redis_key_size`: queues. `db1=celery` is a key of another database than 0.
    #[schemars(extend("examples" = [["celery", "db1=mail"]]))]
    pub keys: Field<Vec<Field<Text>>>,
    /// How often it is asked. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub interval: Field<Interval>,
    /// How long it may take to answer; never longer than its interval.
    #[schemars(extend("default" = defaults::REDIS_TIMEOUT))]
    pub timeout: Field<Interval>,
    /// Labels of its series, beside `job` and `instance`.
    #[schemars(extend("examples" = [{"team": "shop"}]))]
    pub labels: Field<Labels>,
}

/// Whom to trust.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisTls {
    /// Certificates of the authorities to trust instead of the machine's, in PEM.
    #[schemars(extend("examples" = ["/etc/ssl/private-ca.pem"]))]
    pub ca_file: Field<PathText>,
    /// The name that the server's certificate has to be for. Default: the host of `url`.
    #[schemars(extend("examples" = ["cache.example"]))]
    pub server_name: Field<Text>,
}
