//! Databases, from `SHOW DATABASES`. <https://www.pgbouncer.org/usage.html>

use taffrail_core::metrics;

use crate::table::{Column, Table};

metrics! {
    /// The most connections to the server for each user.
    POOL_SIZE: Gauge = "pgbouncer_databases_pool_size" ["name", "host", "port", "database", "force_user", "pool_mode"];
    /// Connections beyond that for when clients wait long.
    RESERVE_POOL: Gauge = "pgbouncer_databases_reserve_pool" ["name", "host", "port", "database", "force_user", "pool_mode"];
    /// The most connections to the server in all; 0 where there is no bound.
    MAX_CONNECTIONS: Gauge = "pgbouncer_databases_max_connections" ["name", "host", "port", "database", "force_user", "pool_mode"];
    /// Connections to the server now.
    CURRENT_CONNECTIONS: Gauge = "pgbouncer_databases_current_connections" ["name", "host", "port", "database", "force_user", "pool_mode"];
    /// Whether the database is paused (1) or not (0).
    PAUSED: Gauge = "pgbouncer_databases_paused" ["name", "host", "port", "database", "force_user", "pool_mode"];
    /// Whether the database is disabled (1) or not (0).
    DISABLED: Gauge = "pgbouncer_databases_disabled" ["name", "host", "port", "database", "force_user", "pool_mode"];
}

/// The command, and what its columns become.
pub(crate) static TABLE: Table<6> = Table {
    command: "SHOW DATABASES",
    labels: ["name", "host", "port", "database", "force_user", "pool_mode"],
    columns: &[
        Column { name: "pool_size", family: &POOL_SIZE, scale: 1.0 },
        Column { name: "reserve_pool", family: &RESERVE_POOL, scale: 1.0 },
        Column { name: "reserve_pool_size", family: &RESERVE_POOL, scale: 1.0 },
        Column { name: "max_connections", family: &MAX_CONNECTIONS, scale: 1.0 },
        Column { name: "current_connections", family: &CURRENT_CONNECTIONS, scale: 1.0 },
        Column { name: "paused", family: &PAUSED, scale: 1.0 },
        Column { name: "disabled", family: &DISABLED, scale: 1.0 },
    ],
};
