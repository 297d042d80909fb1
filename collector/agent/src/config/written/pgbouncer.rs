//! `pgbouncer` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Labels;
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, LabelValue, Name, PathText, Text};
use crate::config::secret::Secret;

/// One PgBouncer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct PgBouncer {
    /// Unique among poolers; logs and the live page use it.
    #[schemars(extend("default" = "pgbouncer"))]
    pub name: Field<Name>,
    /// Where the pooler is and who asks: `postgres://user@host:6432?sslmode=require`, as for `postgres`. The user stands in
    /// `stats_users` or `admin_users` of pgbouncer.ini. The database is always the console, `pgbouncer`.
    #[schemars(extend("examples" = ["postgres://stats@pool.example:6432"]))]
    pub url: Field<Text>,
    /// The password. Better: `password_file`.
    pub password: Field<Secret>,
    /// A file that holds the password. It is read at each login.
    #[schemars(extend("examples" = ["/run/secrets/pgbouncer"]))]
    pub password_file: Field<PathText>,
    /// The `instance` label of its series. Default: `host:port`.
    #[schemars(extend("examples" = ["pool-1:6432"]))]
    pub instance: Field<LabelValue>,
    /// Labels of its series, beside `job` and `instance`.
    #[schemars(extend("examples" = [{"team": "shop"}]))]
    pub labels: Field<Labels>,
    /// How often it is asked. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub interval: Field<Interval>,
    /// How long it may take to answer; never longer than its interval.
    #[schemars(extend("default" = defaults::PGBOUNCER_TIMEOUT))]
    pub timeout: Field<Interval>,
}
