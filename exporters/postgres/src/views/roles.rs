//! `pg_roles`: limits of connections.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// The most connections that the role takes; -1 where there is no limit.
    LIMIT: Gauge = "pg_roles_connection_limit" ["rolname"];
}

/// Roles.
pub static VIEW: View = View {
    name: "roles",
    about: "`pg_roles`: each role's limit of connections.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        sql: "select rolname, rolconnlimit from pg_roles",
        read: Read::Columns(&[&[("rolconnlimit", LIMIT.metric())]]),
    }],
    without_monitor: "",
};
