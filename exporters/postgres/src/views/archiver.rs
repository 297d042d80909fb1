//! `pg_stat_archiver`: whether WAL is archived.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// WAL files that were archived.
    ARCHIVED: Counter = "pg_stat_archiver_archived_count" [] irregular;
    /// Attempts to archive that failed.
    FAILED: Counter = "pg_stat_archiver_failed_count" [] irregular;
    /// Seconds since a WAL file was archived; nothing when none ever was.
    AGE: Gauge = "pg_stat_archiver_last_archive_age" [];
}

/// The archiver.
pub static VIEW: View = View {
    name: "stat_archiver",
    about: "`pg_stat_archiver`: archived WAL files, failures, and how long ago the last one was.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        sql: "select archived_count, failed_count, \
            extract(epoch from now() - last_archived_time)::float8 as age from pg_stat_archiver",
        read: Read::Columns(&[&[
            ("archived_count", ARCHIVED.metric()),
            ("failed_count", FAILED.metric()),
            ("age", AGE.metric()),
        ]]),
    }],
    without_monitor: "",
};
