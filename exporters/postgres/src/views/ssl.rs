//! `pg_stat_ssl`: whether connections compress, which TLS should not do.

use taffrail_core::metrics;

use crate::view::{Pace, Query, Read, View};

metrics! {
    /// Whether any connection compresses below TLS. From version 14 on none can: 0.
    COMPRESSION: Gauge = "pg_stat_ssl_compression" [];
}

/// Compression below TLS.
pub static VIEW: View = View {
    name: "stat_ssl",
    about: "`pg_stat_ssl`: compression below TLS, which rules ask for; from version 14 on there is none.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: false,
    on: true,
    queries: &[
        Query {
            versions: 13..14,
            extension: None,
            sql: "select coalesce(bool_or(compression), false) as compression from pg_stat_ssl",
            read: Read::Columns(&[&[("compression", COMPRESSION.metric())]]),
        },
        Query {
            versions: 14..u32::MAX,
            extension: None,
            sql: "select 0 as compression",
            read: Read::Columns(&[&[("compression", COMPRESSION.metric())]]),
        },
    ],
    without_monitor: "",
};
