//! `pg_stat_database` and `pg_stat_database_conflicts` ("The Cumulative Statistics System", PostgreSQL's documentation).

use taffrail_core::metrics;

use crate::view::{Column, Pace, Query, Read, View};

metrics! {
    /// Connections to the database.
    NUMBACKENDS: Gauge = "pg_stat_database_numbackends" ["datid", "datname"];
    /// Transactions that were committed.
    XACT_COMMIT: Counter = "pg_stat_database_xact_commit" ["datid", "datname"] irregular;
    /// Transactions that were rolled back.
    XACT_ROLLBACK: Counter = "pg_stat_database_xact_rollback" ["datid", "datname"] irregular;
    /// Blocks read from files, or from the kernel's cache.
    BLKS_READ: Counter = "pg_stat_database_blks_read" ["datid", "datname"] irregular;
    /// Blocks found in the shared buffers.
    BLKS_HIT: Counter = "pg_stat_database_blks_hit" ["datid", "datname"] irregular;
    /// Live rows fetched by sequential scans, and index entries returned by index scans.
    TUP_RETURNED: Counter = "pg_stat_database_tup_returned" ["datid", "datname"] irregular;
    /// Live rows fetched by index scans.
    TUP_FETCHED: Counter = "pg_stat_database_tup_fetched" ["datid", "datname"] irregular;
    /// Rows inserted.
    TUP_INSERTED: Counter = "pg_stat_database_tup_inserted" ["datid", "datname"] irregular;
    /// Rows updated.
    TUP_UPDATED: Counter = "pg_stat_database_tup_updated" ["datid", "datname"] irregular;
    /// Rows deleted.
    TUP_DELETED: Counter = "pg_stat_database_tup_deleted" ["datid", "datname"] irregular;
    /// Queries cancelled because they conflicted with recovery; on replicas only.
    CONFLICTS: Counter = "pg_stat_database_conflicts" ["datid", "datname"] irregular;
    /// Temporary files that queries wrote.
    TEMP_FILES: Counter = "pg_stat_database_temp_files" ["datid", "datname"] irregular;
    /// Bytes that queries wrote to temporary files.
    TEMP_BYTES: Counter = "pg_stat_database_temp_bytes" ["datid", "datname"] irregular;
    /// Deadlocks.
    DEADLOCKS: Counter = "pg_stat_database_deadlocks" ["datid", "datname"] irregular;
    /// Milliseconds spent reading blocks, where `track_io_timing` is on.
    BLK_READ_TIME: Counter = "pg_stat_database_blk_read_time" ["datid", "datname"] irregular;
    /// Milliseconds spent writing blocks, where `track_io_timing` is on.
    BLK_WRITE_TIME: Counter = "pg_stat_database_blk_write_time" ["datid", "datname"] irregular;
    /// When these counters were reset last, in seconds since 1970-01-01; 0 when they never were.
    STATS_RESET: Counter = "pg_stat_database_stats_reset" ["datid", "datname"] irregular;
    /// Seconds spent running statements.
    ACTIVE_TIME: Counter = "pg_stat_database_active_time_seconds_total" ["datid", "datname"];
    /// Queries cancelled because a tablespace was dropped.
    CONFL_TABLESPACE: Counter = "pg_stat_database_conflicts_confl_tablespace" ["datid", "datname", "server"] irregular;
    /// Queries cancelled because of lock timeouts.
    CONFL_LOCK: Counter = "pg_stat_database_conflicts_confl_lock" ["datid", "datname", "server"] irregular;
    /// Queries cancelled because of old snapshots.
    CONFL_SNAPSHOT: Counter = "pg_stat_database_conflicts_confl_snapshot" ["datid", "datname", "server"] irregular;
    /// Queries cancelled because of pinned buffers.
    CONFL_BUFFERPIN: Counter = "pg_stat_database_conflicts_confl_bufferpin" ["datid", "datname", "server"] irregular;
    /// Queries cancelled because of deadlocks.
    CONFL_DEADLOCK: Counter = "pg_stat_database_conflicts_confl_deadlock" ["datid", "datname", "server"] irregular;
    /// Uses of logical slots cancelled because of old snapshots, or because `wal_level` is too low on the primary.
    CONFL_SLOT: Untyped = "pg_stat_database_conflicts_confl_active_logicalslot" ["datid", "datname", "server"];
}

/// Each database's work.
pub static VIEW: View = View {
    name: "stat_database",
    about: "`pg_stat_database` and `pg_stat_database_conflicts`: each database's transactions, rows, blocks, temporary files, deadlocks and conflicts.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[
        Query { versions: 13..14, extension: None, sql: STAT_13, read: Read::Columns(&[STAT]) },
        Query { versions: 14..u32::MAX, extension: None, sql: STAT_14, read: Read::Columns(&[STAT, TIME]) },
        Query { versions: 13..16, extension: None, sql: CONFL_13, read: Read::Columns(&[CONFL]) },
        Query { versions: 16..u32::MAX, extension: None, sql: CONFL_16, read: Read::Columns(&[CONFL, SLOT]) },
    ],
    without_monitor: "",
};

macro_rules! stat {
    ($more:literal) => {
        concat!(
            "select datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, \
             tup_fetched, tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, \
             blk_read_time, blk_write_time, coalesce(floor(extract(epoch from stats_reset)), 0)::float8 as reset",
            $more,
            " from pg_stat_database where datname is not null"
        )
    };
}
const STAT_13: &str = stat!("");
const STAT_14: &str = stat!(", active_time / 1000 as active");

const STAT: &[Column] = &[
    ("numbackends", NUMBACKENDS.metric()),
    ("xact_commit", XACT_COMMIT.metric()),
    ("xact_rollback", XACT_ROLLBACK.metric()),
    ("blks_read", BLKS_READ.metric()),
    ("blks_hit", BLKS_HIT.metric()),
    ("tup_returned", TUP_RETURNED.metric()),
    ("tup_fetched", TUP_FETCHED.metric()),
    ("tup_inserted", TUP_INSERTED.metric()),
    ("tup_updated", TUP_UPDATED.metric()),
    ("tup_deleted", TUP_DELETED.metric()),
    ("conflicts", CONFLICTS.metric()),
    ("temp_files", TEMP_FILES.metric()),
    ("temp_bytes", TEMP_BYTES.metric()),
    ("deadlocks", DEADLOCKS.metric()),
    ("blk_read_time", BLK_READ_TIME.metric()),
    ("blk_write_time", BLK_WRITE_TIME.metric()),
    ("reset", STATS_RESET.metric()),
];
const TIME: &[Column] = &[("active", ACTIVE_TIME.metric())];

const CONFL_13: &str = "select datid, datname, confl_tablespace, confl_lock, confl_snapshot, confl_bufferpin, \
    confl_deadlock from pg_stat_database_conflicts";
const CONFL_16: &str = "select datid, datname, confl_tablespace, confl_lock, confl_snapshot, confl_bufferpin, \
    confl_deadlock, confl_active_logicalslot from pg_stat_database_conflicts";

const CONFL: &[Column] = &[
    ("confl_tablespace", CONFL_TABLESPACE.metric()),
    ("confl_lock", CONFL_LOCK.metric()),
    ("confl_snapshot", CONFL_SNAPSHOT.metric()),
    ("confl_bufferpin", CONFL_BUFFERPIN.metric()),
    ("confl_deadlock", CONFL_DEADLOCK.metric()),
];
const SLOT: &[Column] = &[("confl_active_logicalslot", CONFL_SLOT.metric())];
