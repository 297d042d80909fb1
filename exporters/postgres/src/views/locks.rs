//! `pg_locks`: locks by database and mode.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Locks held or waited for.
    COUNT: Gauge = "pg_locks_count" ["datname", "mode"] irregular;
}

/// Locks.
pub static VIEW: View = View {
    name: "locks",
    about: "`pg_locks`: locks by database and mode.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        // Zeros are told up to the limit of databases.
        sql: "with held as (select d.datname, lower(l.mode) as mode, count(*) as count from pg_locks l \
                join pg_database d on d.oid = l.database group by 1, 2) \
            select * from held union all \
            select d.datname, m.mode, 0 from (select datname from pg_database order by oid limit {databases}) d \
            cross join (values ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), \
            ('shareupdateexclusivelock'), ('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), \
            ('accessexclusivelock'), ('sireadlock')) m(mode) \
            where not exists (select from held where held.datname = d.datname and held.mode = m.mode)",
        read: Read::Columns(&[&[("count", COUNT.metric())]]),
    }],
    without_monitor: "",
};
