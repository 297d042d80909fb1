//! `pg_replication_slots`: what holds WAL back.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Whether the slot is in use (1) or not (0).
    ACTIVE: Gauge = "pg_replication_slots_active" ["slot_name", "database"];
    /// Bytes of WAL that the slot holds back.
    DIFF: Gauge = "pg_replication_slots_pg_wal_lsn_diff" ["slot_name", "database"];
    /// Where the server's WAL is, in bytes.
    CURRENT: Gauge = "pg_replication_slots_slot_current_wal_lsn" ["slot_name", "slot_type"];
    /// Up to where the slot's reader has confirmed, in bytes; of slots in use.
    CONFIRMED: Gauge = "pg_replication_slots_slot_confirmed_flush_lsn" ["slot_name", "slot_type"];
    /// Whether the slot is in use (1) or not (0), by type.
    IS_ACTIVE: Gauge = "pg_replication_slots_slot_is_active" ["slot_name", "slot_type"];
    /// Bytes of WAL that can be written before the slot is in danger of being lost.
    SAFE: Gauge = "pg_replication_slots_safe_wal_size_bytes" ["slot_name", "slot_type"];
    /// 1 for how much of the slot's WAL is there: reserved, extended, unreserved or lost.
    STATUS: Gauge = "pg_replication_slots_wal_status" ["slot_name", "slot_type", "wal_status"];
}

/// Slots.
pub static VIEW: View = View {
    name: "replication_slots",
    about: "`pg_replication_slots`: which slots are in use, and how much WAL each holds back.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        sql: "with here as (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() \
            else pg_current_wal_lsn() end as lsn) \
            select slot_name, slot_type, database, wal_status, active, \
            (here.lsn - restart_lsn)::float8 as diff, (here.lsn - '0/0')::float8 as current, \
            case when active then (coalesce(confirmed_flush_lsn, '0/0') - '0/0')::float8 end as confirmed, \
            safe_wal_size as safe, case when wal_status is not null then 1 end as one \
            from here cross join pg_replication_slots",
        read: Read::Columns(&[&[
            ("active", ACTIVE.metric()),
            ("diff", DIFF.metric()),
            ("current", CURRENT.metric()),
            ("confirmed", CONFIRMED.metric()),
            ("active", IS_ACTIVE.metric()),
            ("safe", SAFE.metric()),
            ("one", STATUS.metric()),
        ]]),
    }],
    without_monitor: "",
};
