//! Databases: size, limit of connections, and how far transaction ids are from wrapping around.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Bytes on disk that the database takes.
    SIZE: Gauge = "pg_database_size_bytes" ["datname"];
    /// The most connections that the database takes; -1 where there is no limit.
    LIMIT: Gauge = "pg_database_connection_limit" ["datname"];
    /// Transactions since the database's oldest unfrozen one (the name says seconds, as the incumbent's does).
    FROZEN: Gauge = "pg_database_wraparound_age_datfrozenxid_seconds" ["datname"];
    /// Multixacts since the database's oldest one (the name says seconds, as the incumbent's does).
    MULTIXACT: Gauge = "pg_database_wraparound_age_datminmxid_seconds" ["datname"];
}

/// Sizes and limits.
pub static VIEW: View = View {
    name: "database",
    about: "`pg_database`: the size of each database, its limit of connections, and how near its transaction ids are to wrapping around.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        // The size of a database that the role may not connect to is an error of the whole statement, unless it may read
        // all statistics.
        sql: "select datname, datconnlimit, \
            case when has_database_privilege(oid, 'connect') or pg_has_role('pg_read_all_stats', 'member') \
            then pg_database_size(oid) end as size, \
            case when datallowconn then age(datfrozenxid) end as frozen, \
            case when datallowconn then mxid_age(datminmxid) end as multixact \
            from pg_database",
        read: Read::Columns(&[&[
            ("size", SIZE.metric()),
            ("datconnlimit", LIMIT.metric()),
            ("frozen", FROZEN.metric()),
            ("multixact", MULTIXACT.metric()),
        ]]),
    }],
    without_monitor: "the size of databases that the role may not connect to",
};
