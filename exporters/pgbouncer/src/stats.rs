//! What was done for each database, from `SHOW STATS_TOTALS`. <https://www.pgbouncer.org/usage.html>

use taffrail_core::metrics;

use crate::table::{Column, Table};

metrics! {
    /// Queries.
    QUERIES_POOLED_TOTAL: Counter = "pgbouncer_stats_queries_pooled_total" ["database"];
    /// Seconds in which the server ran queries.
    QUERIES_DURATION_SECONDS_TOTAL: Counter = "pgbouncer_stats_queries_duration_seconds_total" ["database"];
    /// Bytes from clients.
    RECEIVED_BYTES_TOTAL: Counter = "pgbouncer_stats_received_bytes_total" ["database"];
    /// Bytes to clients.
    SENT_BYTES_TOTAL: Counter = "pgbouncer_stats_sent_bytes_total" ["database"];
    /// Requests, as versions before 1.8 count them.
    QUERIES_TOTAL: Counter = "pgbouncer_stats_queries_total" ["database"];
    /// Seconds that clients waited for a connection to the server.
    CLIENT_WAIT_SECONDS_TOTAL: Counter = "pgbouncer_stats_client_wait_seconds_total" ["database"];
    /// Transactions.
    SQL_TRANSACTIONS_POOLED_TOTAL: Counter = "pgbouncer_stats_sql_transactions_pooled_total" ["database"];
    /// Seconds in which the server was in a transaction, idle or not.
    SERVER_IN_TRANSACTION_SECONDS_TOTAL: Counter = "pgbouncer_stats_server_in_transaction_seconds_total" ["database"];
    /// Statements that clients prepared.
    CLIENT_PARSES_TOTAL: Counter = "pgbouncer_stats_client_parses_total" ["database"];
    /// Statements that were prepared on the server.
    SERVER_PARSES_TOTAL: Counter = "pgbouncer_stats_server_parses_total" ["database"];
    /// Prepared statements that were made ready to run.
    BINDS_TOTAL: Counter = "pgbouncer_stats_binds_total" ["database"];
    /// How often a client was given a connection to the server.
    SERVER_ASSIGNMENTS_TOTAL: Counter = "pgbouncer_stats_server_assignments_total" ["database"];
}

/// The command, and what its columns become.
pub(crate) static TABLE: Table<1> = Table {
    command: "SHOW STATS_TOTALS",
    labels: ["database"],
    columns: &[
        Column { name: "query_count", family: &QUERIES_POOLED_TOTAL, scale: 1.0 },
        Column { name: "query_time", family: &QUERIES_DURATION_SECONDS_TOTAL, scale: 1e-6 },
        Column { name: "bytes_received", family: &RECEIVED_BYTES_TOTAL, scale: 1.0 },
        Column { name: "bytes_sent", family: &SENT_BYTES_TOTAL, scale: 1.0 },
        Column { name: "requests", family: &QUERIES_TOTAL, scale: 1.0 },
        Column { name: "wait_time", family: &CLIENT_WAIT_SECONDS_TOTAL, scale: 1e-6 },
        Column { name: "xact_count", family: &SQL_TRANSACTIONS_POOLED_TOTAL, scale: 1.0 },
        Column { name: "xact_time", family: &SERVER_IN_TRANSACTION_SECONDS_TOTAL, scale: 1e-6 },
        Column { name: "client_parse_count", family: &CLIENT_PARSES_TOTAL, scale: 1.0 },
        Column { name: "server_parse_count", family: &SERVER_PARSES_TOTAL, scale: 1.0 },
        Column { name: "bind_count", family: &BINDS_TOTAL, scale: 1.0 },
        Column { name: "server_assignment_count", family: &SERVER_ASSIGNMENTS_TOTAL, scale: 1.0 },
    ],
};
