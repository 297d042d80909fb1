//! `pg_buffercache_summary()`, from version 16 on: what is in the shared buffers.

use taffrail_core::metrics;

use crate::view::{Pace, Query, Read, View};

metrics! {
    /// Buffers in use.
    USED: Gauge = "pg_buffercache_summary_buffers_used" [];
    /// Buffers not in use.
    UNUSED: Gauge = "pg_buffercache_summary_buffers_unused" [];
    /// Buffers that have to be written still.
    DIRTY: Gauge = "pg_buffercache_summary_buffers_dirty" [];
    /// Buffers that something holds on to.
    PINNED: Gauge = "pg_buffercache_summary_buffers_pinned" [];
    /// How often buffers in use are used, on average: from 0 to 5.
    USAGE: Gauge = "pg_buffercache_summary_usagecount_avg" [];
}

/// The shared buffers.
pub static VIEW: View = View {
    name: "buffercache_summary",
    about: "`pg_buffercache_summary()`: what is in the shared buffers. Needs the extension pg_buffercache, from version 16 on.",
    metrics: METRICS,
    pace: Pace::Costly,
    patient: true,
    on: true,
    queries: &[Query {
        versions: 16..u32::MAX,
        extension: Some("pg_buffercache"),
        sql: "select * from {schema}.pg_buffercache_summary()",
        read: Read::Columns(&[&[
            ("buffers_used", USED.metric()),
            ("buffers_unused", UNUSED.metric()),
            ("buffers_dirty", DIRTY.metric()),
            ("buffers_pinned", PINNED.metric()),
            ("usagecount_avg", USAGE.metric()),
        ]]),
    }],
    without_monitor: "all of it",
};
