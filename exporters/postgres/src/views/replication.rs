//! Replication as this server sees it: whether it is a replica, how far behind, and who follows it.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Seconds that this server is behind the one it follows; 0 on a primary, and where all that was received is replayed.
    LAG_SECONDS: Gauge = "pg_replication_lag_seconds" [];
    /// The same, under the name that older dashboards ask for.
    LAG: Gauge = "pg_replication_lag" [];
    /// Whether this server follows another (1) or not (0).
    IS_REPLICA: Gauge = "pg_replication_is_replica" [];
    /// Seconds since the last transaction was replayed; 0 on a primary.
    LAST_REPLAY: Gauge = "pg_replication_last_replay_seconds" [];
    /// The transaction id that comes next, with its epoch.
    TXID: Gauge = "pg_txid_current" [];
    /// When the server started, in seconds since 1970-01-01.
    STARTED: Gauge = "pg_postmaster_start_time_seconds" [];
    /// Where this server's WAL is, in bytes.
    CURRENT: Gauge = "pg_stat_replication_pg_current_wal_lsn_bytes" ["application_name", "client_addr", "state", "slot_name", "pid"];
    /// Bytes of WAL that a follower has not replayed.
    DIFF: Gauge = "pg_stat_replication_pg_wal_lsn_diff" ["application_name", "client_addr", "state", "slot_name", "pid"];
}

/// Replication.
pub static VIEW: View = View {
    name: "replication",
    about: "Whether the server is a replica, how far behind it is, and `pg_stat_replication`: who follows it, and how far behind they are.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[
        Query {
            versions: ALL,
            extension: None,
            sql: "select pg_is_in_recovery() as replica, \
                case when not pg_is_in_recovery() or pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0 \
                else greatest(0, extract(epoch from now() - pg_last_xact_replay_timestamp())) end::float8 as lag, \
                greatest(0, extract(epoch from now() - pg_last_xact_replay_timestamp()))::float8 as last, \
                pg_snapshot_xmax(pg_current_snapshot())::text as txid, \
                extract(epoch from pg_postmaster_start_time())::float8 as started",
            read: Read::Columns(&[&[
                ("replica", IS_REPLICA.metric()),
                ("lag", LAG_SECONDS.metric()),
                ("lag", LAG.metric()),
                ("last", LAST_REPLAY.metric()),
                ("txid", TXID.metric()),
                ("started", STARTED.metric()),
            ]]),
        },
        Query {
            versions: ALL,
            extension: None,
            sql: "with here as (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() \
                else pg_current_wal_lsn() end as lsn) \
                select r.application_name, host(r.client_addr) as client_addr, r.state, s.slot_name, r.pid, \
                (here.lsn - '0/0')::float8 as current, (here.lsn - r.replay_lsn)::float8 as diff \
                from here cross join pg_stat_replication r left join pg_replication_slots s on s.active_pid = r.pid",
            read: Read::Columns(&[&[("current", CURRENT.metric()), ("diff", DIFF.metric())]]),
        },
    ],
    without_monitor: "state, address and position of followers",
};
