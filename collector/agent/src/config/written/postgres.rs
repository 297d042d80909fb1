//! `postgres` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Labels, Queries};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, LabelValue, Name, PathText, Text};
use crate::config::secret::Secret;

/// One PostgreSQL server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct PostgresServer {
    /// Unique among servers; logs and the live page use it.
    #[schemars(extend("default" = "postgres"))]
    pub name: Field<Name>,
    /// Where the server is and who asks, as libpq writes it: `postgres://user@host:port/database?sslmode=verify-full`. No
    /// password in it. `sslmode`: `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`;
    /// `sslrootcert`, `sslcert` and `sslkey` name files in PEM.
    /// `postgres:///database?host=/var/run/postgresql&user=monitor` is a socket.
    #[schemars(extend("examples" = ["postgres://monitor@db.example/postgres?sslmode=verify-full"]))]
    pub url: Field<Text>,
    /// The password. Better: `password_file`.
    pub password: Field<Secret>,
    /// A file that holds the password. It is read at each login.
    #[schemars(extend("examples" = ["/run/secrets/password"]))]
    pub password_file: Field<PathText>,
    /// A password file of libpq's, where neither of these is given; read at each login. Default: `$PGPASSFILE`, else
    /// `~/.pgpass`, if it is there.
    #[schemars(extend("examples" = ["/etc/taffrail/pgpass"]))]
    pub passfile: Field<PathText>,
    /// The `job` label of its series.
    #[schemars(extend("default" = defaults::POSTGRES_JOB))]
    pub job: Field<LabelValue>,
    /// The `instance` label of its series. Default: `host:port`.
    #[schemars(extend("examples" = ["db-1:5432"]))]
    pub instance: Field<LabelValue>,
    /// Labels of its series, beside `job` and `instance`.
    #[schemars(extend("examples" = [{"cluster": "shop"}]))]
    pub labels: Field<Labels>,
    /// How often the views of the whole server are read. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub interval: Field<Interval>,
    /// How often each database's own views are read, and what changes seldom: settings, sizes.
    #[schemars(extend("default" = defaults::DATABASE_INTERVAL))]
    pub database_interval: Field<Interval>,
    /// How often what costs most is read: bloat, the buffer cache.
    #[schemars(extend("default" = defaults::COSTLY_INTERVAL))]
    pub costly_interval: Field<Interval>,
    /// How long one statement may take. The server is told, and what runs longer is cancelled.
    #[schemars(extend("default" = defaults::POSTGRES_TIMEOUT))]
    pub timeout: Field<Interval>,
    /// Only these databases' own views are read. Default: of all that the role may connect to.
    #[schemars(extend("examples" = [["shop", "billing"]]))]
    pub databases: Field<Vec<Field<Text>>>,
    /// In how many databases at most, or `all`. How many were left out is told.
    #[schemars(extend("default" = "20", "examples" = ["all"]))]
    pub max_databases: Field<Text>,
    /// How many tables and indexes of each database are told, the largest first; or `all`.
    #[schemars(extend("default" = "200", "examples" = ["all"]))]
    pub max_tables: Field<Text>,
    /// How many statements are told apart, by the time that they took in all; at most 1000.
    #[schemars(extend("default" = "100"))]
    pub max_statements: Field<Text>,
    /// Tell users, applications and what is waited for in `pg_stat_activity_count`: a series for each combination.
    #[schemars(extend("default" = false))]
    pub activity_detail: Field<bool>,
    /// Single views: `false` turns one off, `true` turns one on that is off by default.
    #[schemars(extend("examples" = [{"statio_user_tables": true, "roles": false}]))]
    pub views: Field<BTreeMap<String, Field<bool>>>,
    /// Queries of your own, by the names that their metrics begin with.
    #[schemars(extend("examples" = [{"orders": {"query": "select count(*) as open from orders", "metrics": [{"open": {"usage": "GAUGE"}}]}}]))]
    pub queries: Field<Queries>,
    /// Files with more of them, in the shape of postgres_exporter's `queries.yaml`; a relative name starts at the
    /// configuration's folder.
    #[schemars(extend("examples" = [["queries.yaml"]]))]
    pub query_files: Field<Vec<Field<PathText>>>,
}
