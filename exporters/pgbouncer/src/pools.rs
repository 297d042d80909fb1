//! Pools, one for each database and user, from `SHOW POOLS`. <https://www.pgbouncer.org/usage.html>

use taffrail_core::metrics;

use crate::table::{Column, Table};

metrics! {
    /// Clients that have a connection to the server or are idle.
    CLIENT_ACTIVE_CONNECTIONS: Gauge = "pgbouncer_pools_client_active_connections" ["database", "user"];
    /// Clients whose cancellation was sent and not answered yet.
    CLIENT_ACTIVE_CANCEL_CONNECTIONS: Gauge = "pgbouncer_pools_client_active_cancel_connections" ["database", "user"];
    /// Clients that wait for a connection to the server.
    CLIENT_WAITING_CONNECTIONS: Gauge = "pgbouncer_pools_client_waiting_connections" ["database", "user"];
    /// Clients whose cancellation was not sent yet.
    CLIENT_WAITING_CANCEL_CONNECTIONS: Gauge = "pgbouncer_pools_client_waiting_cancel_connections" ["database", "user"];
    /// Connections to the server that a client has.
    SERVER_ACTIVE_CONNECTIONS: Gauge = "pgbouncer_pools_server_active_connections" ["database", "user"];
    /// Connections that take a cancellation to the server.
    SERVER_ACTIVE_CANCEL_CONNECTIONS: Gauge = "pgbouncer_pools_server_active_cancel_connections" ["database", "user"];
    /// Connections that wait until cancellations under way are done.
    SERVER_BEING_CANCELED_CONNECTIONS: Gauge = "pgbouncer_pools_server_being_canceled_connections" ["database", "user"];
    /// Connections to the server that any client may have.
    SERVER_IDLE_CONNECTIONS: Gauge = "pgbouncer_pools_server_idle_connections" ["database", "user"];
    /// Connections that were idle for so long that they are checked first.
    SERVER_USED_CONNECTIONS: Gauge = "pgbouncer_pools_server_used_connections" ["database", "user"];
    /// Connections that are being checked or reset.
    SERVER_TESTING_CONNECTIONS: Gauge = "pgbouncer_pools_server_testing_connections" ["database", "user"];
    /// Connections that are logging in.
    SERVER_LOGIN_CONNECTIONS: Gauge = "pgbouncer_pools_server_login_connections" ["database", "user"];
    /// How long the client that waits longest has waited.
    CLIENT_MAXWAIT_SECONDS: Gauge = "pgbouncer_pools_client_maxwait_seconds" ["database", "user"];
}

/// The command, and what its columns become.
pub(crate) static TABLE: Table<2> = Table {
    command: "SHOW POOLS",
    labels: ["database", "user"],
    columns: &[
        Column { name: "cl_active", family: &CLIENT_ACTIVE_CONNECTIONS, scale: 1.0 },
        Column { name: "cl_active_cancel_req", family: &CLIENT_ACTIVE_CANCEL_CONNECTIONS, scale: 1.0 },
        Column { name: "cl_waiting", family: &CLIENT_WAITING_CONNECTIONS, scale: 1.0 },
        Column { name: "cl_waiting_cancel_req", family: &CLIENT_WAITING_CANCEL_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_active", family: &SERVER_ACTIVE_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_active_cancel", family: &SERVER_ACTIVE_CANCEL_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_being_canceled", family: &SERVER_BEING_CANCELED_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_idle", family: &SERVER_IDLE_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_used", family: &SERVER_USED_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_tested", family: &SERVER_TESTING_CONNECTIONS, scale: 1.0 },
        Column { name: "sv_login", family: &SERVER_LOGIN_CONNECTIONS, scale: 1.0 },
        Column { name: "maxwait", family: &CLIENT_MAXWAIT_SECONDS, scale: 1.0 },
    ],
};
