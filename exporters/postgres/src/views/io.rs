//! `pg_stat_io`, from version 16 on: who reads and writes, and for what.

use taffrail_core::metrics;

use crate::view::{Pace, Query, Read, View};

metrics! {
    /// Reads from files, or from the kernel's cache; without those that are 0.
    READS: Counter = "pg_stat_io_reads_total" ["backend_type", "object", "context"];
    /// Writes to files; without those that are 0.
    WRITES: Counter = "pg_stat_io_writes_total" ["backend_type", "object", "context"];
    /// Blocks by which files were made longer; without those that are 0.
    EXTENDS: Counter = "pg_stat_io_extends_total" ["backend_type", "object", "context"];
    /// Blocks found in the shared buffers; without those that are 0.
    HITS: Counter = "pg_stat_io_hits_total" ["backend_type", "object", "context"];
    /// Blocks that were written to make room; without those that are 0.
    EVICTIONS: Counter = "pg_stat_io_evictions_total" ["backend_type", "object", "context"];
    /// Files that were flushed to disk; without those that are 0.
    FSYNCS: Counter = "pg_stat_io_fsyncs_total" ["backend_type", "object", "context"];
}

/// Input and output.
pub static VIEW: View = View {
    name: "stat_io",
    about: "`pg_stat_io`: reads, writes, hits and evictions by kind of process, object and context. From version 16 on.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: false,
    on: true,
    queries: &[Query {
        versions: 16..u32::MAX,
        extension: None,
        sql: "select backend_type, object, context, nullif(reads, 0) as reads, nullif(writes, 0) as writes, \
            nullif(extends, 0) as extends, nullif(hits, 0) as hits, nullif(evictions, 0) as evictions, \
            nullif(fsyncs, 0) as fsyncs from pg_stat_io",
        read: Read::Columns(&[&[
            ("reads", READS.metric()),
            ("writes", WRITES.metric()),
            ("extends", EXTENDS.metric()),
            ("hits", HITS.metric()),
            ("evictions", EVICTIONS.metric()),
            ("fsyncs", FSYNCS.metric()),
        ]]),
    }],
    without_monitor: "",
};
