//! The WAL: the files that there are, and what was written.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// WAL files in `pg_wal`.
    SEGMENTS: Gauge = "pg_wal_segments" [];
    /// Bytes that they take.
    SIZE: Gauge = "pg_wal_size_bytes" [];
    /// WAL records written.
    RECORDS: Counter = "pg_stat_wal_records_total" [];
    /// Whole pages written to WAL, as each page's first change after a checkpoint is.
    PAGES: Counter = "pg_stat_wal_full_page_images_total" [];
    /// Bytes written to WAL.
    BYTES: Counter = "pg_stat_wal_bytes_total" [];
    /// Times that WAL had to be written because its buffers were full.
    FULL: Counter = "pg_stat_wal_buffers_full_total" [];
}

/// The WAL.
pub static VIEW: View = View {
    name: "wal",
    about: "`pg_ls_waldir()` and `pg_stat_wal`: WAL files, and what was written to them.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: false,
    on: true,
    queries: &[
        Query {
            versions: ALL,
            extension: None,
            sql: "select count(*) as segments, sum(size) as size from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'",
            read: Read::Columns(&[&[("segments", SEGMENTS.metric()), ("size", SIZE.metric())]]),
        },
        Query {
            versions: 14..u32::MAX,
            extension: None,
            sql: "select wal_records, wal_fpi, wal_bytes, wal_buffers_full from pg_stat_wal",
            read: Read::Columns(&[&[
                ("wal_records", RECORDS.metric()),
                ("wal_fpi", PAGES.metric()),
                ("wal_bytes", BYTES.metric()),
                ("wal_buffers_full", FULL.metric()),
            ]]),
        },
    ],
    without_monitor: "the number and size of WAL files",
};
