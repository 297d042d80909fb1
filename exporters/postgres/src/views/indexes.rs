//! `pg_statio_user_indexes`, and the sizes of the largest relations.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Blocks of the index read from files, or from the kernel's cache.
    READ: Counter = "pg_statio_user_indexes_idx_blks_read_total" ["datname", "schemaname", "relname", "indexrelname"];
    /// Blocks of the index found in the shared buffers.
    HIT: Counter = "pg_statio_user_indexes_idx_blks_hit_total" ["datname", "schemaname", "relname", "indexrelname"];
    /// Bytes that the index takes, without what is locked exclusively.
    SIZE: Gauge = "pg_general_index_info_pg_relation_size" ["datname", "schemaname", "relname", "indexrelname"];
    /// Scans of the index.
    SCANS: Counter = "pg_general_index_info_idx_scan" ["datname", "schemaname", "relname", "indexrelname"] irregular;
}

/// Indexes.
pub static VIEW: View = View {
    name: "statio_user_indexes",
    about: "`pg_statio_user_indexes` and `pg_stat_user_indexes`: blocks, scans and sizes of the largest indexes.",
    metrics: METRICS,
    pace: Pace::Database,
    patient: true,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        sql: "with i as materialized ( \
                select i.oid, n.nspname, t.relname, i.relname as indexrelname, \
                exists (select from pg_locks l where l.relation in (i.oid, t.oid) and l.granted \
                and l.mode = 'AccessExclusiveLock' and l.database = \
                (select oid from pg_database where datname = current_database())) as locked \
                from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid \
                join pg_namespace n on n.oid = t.relnamespace \
                where t.relkind in ('r', 't', 'm') and n.nspname !~ '^pg_toast' \
                and n.nspname not in ('pg_catalog', 'information_schema') \
                order by i.relpages desc, i.oid limit {tables}) \
            select current_database() as datname, nspname as schemaname, relname, indexrelname, \
            pg_stat_get_blocks_fetched(oid) - pg_stat_get_blocks_hit(oid) as read, \
            pg_stat_get_blocks_hit(oid) as hit, pg_stat_get_numscans(oid) as scans, \
            case when not locked then pg_relation_size(oid) end as size from i",
        read: Read::Columns(&[&[
            ("read", READ.metric()),
            ("hit", HIT.metric()),
            ("size", SIZE.metric()),
            ("scans", SCANS.metric()),
        ]]),
    }],
    without_monitor: "",
};
