//! Vacuum under way: `pg_stat_progress_vacuum`, and autovacuum's sessions.

use taffrail_core::metrics;

use crate::view::{ALL, Column, Pace, Query, Read, View};

metrics! {
    /// 1 for the phase that the vacuum is in, 0 for the others.
    PHASE: Gauge = "pg_stat_progress_vacuum_phase" ["datname", "relname", "phase"];
    /// Blocks of the table.
    BLOCKS: Gauge = "pg_stat_progress_vacuum_heap_blks" ["datname", "relname"];
    /// Blocks that were scanned.
    SCANNED: Gauge = "pg_stat_progress_vacuum_heap_blks_scanned" ["datname", "relname"];
    /// Blocks that were vacuumed.
    VACUUMED: Gauge = "pg_stat_progress_vacuum_heap_blks_vacuumed" ["datname", "relname"];
    /// Times that the indexes were vacuumed.
    INDEXES: Gauge = "pg_stat_progress_vacuum_index_vacuums" ["datname", "relname"];
    /// Dead rows that can be kept in mind before the indexes have to be vacuumed; up to version 16.
    MAX_DEAD: Gauge = "pg_stat_progress_vacuum_max_dead_tuples" ["datname", "relname"];
    /// Dead rows found since the indexes were vacuumed last.
    DEAD: Gauge = "pg_stat_progress_vacuum_num_dead_tuples" ["datname", "relname"];
    /// When autovacuum began with a table, in seconds since 1970-01-01.
    AUTOVACUUM: Gauge = "pg_stat_activity_autovacuum_timestamp_seconds" ["relname"];
}

/// `$dead` are the columns that tell of dead rows.
macro_rules! progress {
    ($dead:literal) => {
        concat!(
            "select datname, case when datname = current_database() then relid::regclass::text \
             else relid::text end as relname, heap_blks_total, heap_blks_scanned, heap_blks_vacuumed, \
             index_vacuum_count, ",
            $dead,
            " from pg_stat_progress_vacuum"
        )
    };
}

/// Vacuum under way.
pub static VIEW: View = View {
    name: "stat_progress_vacuum",
    about: "`pg_stat_progress_vacuum`: how far each vacuum is, and since when autovacuum is at which table.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[
        Query {
            versions: 13..17,
            extension: None,
            sql: progress!("max_dead_tuples as most, num_dead_tuples as dead"),
            read: Read::Columns(&[PROGRESS]),
        },
        Query {
            versions: 17..u32::MAX,
            extension: None,
            // What is kept in mind is counted in bytes there: no number of rows can be told.
            sql: progress!("null::int8 as most, num_dead_item_ids as dead"),
            read: Read::Columns(&[PROGRESS]),
        },
        Query {
            versions: ALL,
            extension: None,
            sql: "select datname, case when datname = current_database() then relid::regclass::text \
                else relid::text end as relname, p.phase, (v.phase = p.phase)::int as now \
                from pg_stat_progress_vacuum v cross join (values ('initializing'), ('scanning heap'), \
                ('vacuuming indexes'), ('vacuuming heap'), ('cleaning up indexes'), ('truncating heap'), \
                ('performing final cleanup')) p(phase) where v.phase is not null",
            read: Read::Columns(&[&[("now", PHASE.metric())]]),
        },
        Query {
            versions: ALL,
            extension: None,
            sql: "select split_part(query, '.', 2) as relname, \
                max(extract(epoch from xact_start))::float8 as began \
                from pg_stat_activity where backend_type = 'autovacuum worker' and query like 'autovacuum:%' \
                group by 1",
            read: Read::Columns(&[&[("began", AUTOVACUUM.metric())]]),
        },
    ],
    without_monitor: "all of it",
};

const PROGRESS: &[Column] = &[
    ("heap_blks_total", BLOCKS.metric()),
    ("heap_blks_scanned", SCANNED.metric()),
    ("heap_blks_vacuumed", VACUUMED.metric()),
    ("index_vacuum_count", INDEXES.metric()),
    ("most", MAX_DEAD.metric()),
    ("dead", DEAD.metric()),
];
