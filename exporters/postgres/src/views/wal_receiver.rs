//! `pg_stat_wal_receiver`: how a replica receives.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Where receiving began, in bytes of WAL.
    START_LSN: Counter = "pg_stat_wal_receiver_receive_start_lsn" ["upstream_host", "slot_name", "status"] irregular;
    /// Up to where WAL was received and flushed to disk, in bytes.
    FLUSHED: Counter = "pg_stat_wal_receiver_flushed_lsn" ["upstream_host", "slot_name", "status"] irregular;
    /// The timeline that receiving began with.
    START_TLI: Gauge = "pg_stat_wal_receiver_receive_start_tli" ["upstream_host", "slot_name", "status"];
    /// The timeline of what was received last.
    TLI: Gauge = "pg_stat_wal_receiver_received_tli" ["upstream_host", "slot_name", "status"];
    /// When the last message was sent, in seconds since 1970-01-01, by the sender's clock.
    SENT: Counter = "pg_stat_wal_receiver_last_msg_send_time" ["upstream_host", "slot_name", "status"] irregular;
    /// When the last message came, in seconds since 1970-01-01.
    RECEIPT: Counter = "pg_stat_wal_receiver_last_msg_receipt_time" ["upstream_host", "slot_name", "status"] irregular;
    /// Up to where the sender was told, in bytes of WAL.
    END_LSN: Counter = "pg_stat_wal_receiver_latest_end_lsn" ["upstream_host", "slot_name", "status"] irregular;
    /// When the sender was told, in seconds since 1970-01-01.
    END_TIME: Counter = "pg_stat_wal_receiver_latest_end_time" ["upstream_host", "slot_name", "status"] irregular;
    /// The number of the node that is followed, where repmgr named the slot.
    NODE: Gauge = "pg_stat_wal_receiver_upstream_node" ["upstream_host", "slot_name", "status"];
}

/// The receiver.
pub static VIEW: View = View {
    name: "stat_wal_receiver",
    about: "`pg_stat_wal_receiver`: from whom a replica receives, and how far it came. Nothing on a primary.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        // A connection's text may hold a password: only the host is taken out of it, by the server.
        sql: "select coalesce(nullif(sender_host, ''), trim(both '''' from substring(conninfo from 'host=([^ ]*)'))) \
            as upstream_host, slot_name, status, \
            (receive_start_lsn - '0/0')::float8 as start_lsn, (flushed_lsn - '0/0')::float8 as flushed, \
            receive_start_tli, received_tli, \
            extract(epoch from last_msg_send_time)::float8 as sent, \
            extract(epoch from last_msg_receipt_time)::float8 as receipt, \
            (latest_end_lsn - '0/0')::float8 as end_lsn, extract(epoch from latest_end_time)::float8 as end_time, \
            substring(slot_name from 'repmgr_slot_([0-9]*)') as node \
            from pg_stat_wal_receiver where status is not null",
        read: Read::Columns(&[&[
            ("start_lsn", START_LSN.metric()),
            ("flushed", FLUSHED.metric()),
            ("receive_start_tli", START_TLI.metric()),
            ("received_tli", TLI.metric()),
            ("sent", SENT.metric()),
            ("receipt", RECEIPT.metric()),
            ("end_lsn", END_LSN.metric()),
            ("end_time", END_TIME.metric()),
            ("node", NODE.metric()),
        ]]),
    }],
    without_monitor: "all of it",
};
