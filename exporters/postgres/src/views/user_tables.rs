//! `pg_stat_user_tables` and `pg_statio_user_tables`, of the largest tables of each database.
//!
//! The views themselves add up the indexes of every table that there is; so the functions below them are asked, for the
//! tables that are told only ("Cumulative Statistics Functions", PostgreSQL's documentation).

use taffrail_core::metrics;

use crate::view::{ALL, Column, Pace, Query, Read, View};

metrics! {
    /// Sequential scans.
    SEQ_SCAN: Counter = "pg_stat_user_tables_seq_scan" ["datname", "schemaname", "relname"] irregular;
    /// Live rows fetched by sequential scans.
    SEQ_READ: Counter = "pg_stat_user_tables_seq_tup_read" ["datname", "schemaname", "relname"] irregular;
    /// Index scans.
    IDX_SCAN: Counter = "pg_stat_user_tables_idx_scan" ["datname", "schemaname", "relname"] irregular;
    /// Live rows fetched by index scans.
    IDX_FETCH: Counter = "pg_stat_user_tables_idx_tup_fetch" ["datname", "schemaname", "relname"] irregular;
    /// Rows inserted.
    INS: Counter = "pg_stat_user_tables_n_tup_ins" ["datname", "schemaname", "relname"] irregular;
    /// Rows updated.
    UPD: Counter = "pg_stat_user_tables_n_tup_upd" ["datname", "schemaname", "relname"] irregular;
    /// Rows deleted.
    DEL: Counter = "pg_stat_user_tables_n_tup_del" ["datname", "schemaname", "relname"] irregular;
    /// Rows updated without touching an index.
    HOT: Counter = "pg_stat_user_tables_n_tup_hot_upd" ["datname", "schemaname", "relname"] irregular;
    /// Live rows, about.
    LIVE: Gauge = "pg_stat_user_tables_n_live_tup" ["datname", "schemaname", "relname"];
    /// Dead rows, about.
    DEAD: Gauge = "pg_stat_user_tables_n_dead_tup" ["datname", "schemaname", "relname"];
    /// Rows changed since the table was analyzed last, about.
    MODIFIED: Gauge = "pg_stat_user_tables_n_mod_since_analyze" ["datname", "schemaname", "relname"];
    /// When the table was vacuumed last by hand, in seconds since 1970-01-01; 0 for never.
    LAST_VACUUM: Gauge = "pg_stat_user_tables_last_vacuum" ["datname", "schemaname", "relname"];
    /// When autovacuum vacuumed the table last, in seconds since 1970-01-01; 0 for never.
    LAST_AUTOVACUUM: Gauge = "pg_stat_user_tables_last_autovacuum" ["datname", "schemaname", "relname"];
    /// When the table was analyzed last by hand, in seconds since 1970-01-01; 0 for never.
    LAST_ANALYZE: Gauge = "pg_stat_user_tables_last_analyze" ["datname", "schemaname", "relname"];
    /// When autovacuum analyzed the table last, in seconds since 1970-01-01; 0 for never.
    LAST_AUTOANALYZE: Gauge = "pg_stat_user_tables_last_autoanalyze" ["datname", "schemaname", "relname"];
    /// Times that the table was vacuumed by hand.
    VACUUMS: Counter = "pg_stat_user_tables_vacuum_count" ["datname", "schemaname", "relname"] irregular;
    /// Times that autovacuum vacuumed the table.
    AUTOVACUUMS: Counter = "pg_stat_user_tables_autovacuum_count" ["datname", "schemaname", "relname"] irregular;
    /// Times that the table was analyzed by hand.
    ANALYZES: Counter = "pg_stat_user_tables_analyze_count" ["datname", "schemaname", "relname"] irregular;
    /// Times that autovacuum analyzed the table.
    AUTOANALYZES: Counter = "pg_stat_user_tables_autoanalyze_count" ["datname", "schemaname", "relname"] irregular;
    /// Bytes that the table's indexes take.
    INDEX_SIZE: Gauge = "pg_stat_user_tables_index_size_bytes" ["datname", "schemaname", "relname"];
    /// Bytes that the table takes, with its maps and its TOAST table.
    TABLE_SIZE: Gauge = "pg_stat_user_tables_table_size_bytes" ["datname", "schemaname", "relname"];
    /// Blocks of the table read from files, or from the kernel's cache.
    HEAP_READ: Counter = "pg_statio_user_tables_heap_blocks_read" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of the table found in the shared buffers.
    HEAP_HIT: Counter = "pg_statio_user_tables_heap_blocks_hit" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of its indexes read from files, or from the kernel's cache.
    IDX_READ: Counter = "pg_statio_user_tables_idx_blocks_read" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of its indexes found in the shared buffers.
    IDX_HIT: Counter = "pg_statio_user_tables_idx_blocks_hit" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of its TOAST table read from files, or from the kernel's cache.
    TOAST_READ: Counter = "pg_statio_user_tables_toast_blocks_read" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of its TOAST table found in the shared buffers.
    TOAST_HIT: Counter = "pg_statio_user_tables_toast_blocks_hit" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of its TOAST table's indexes read from files, or from the kernel's cache.
    TIDX_READ: Counter = "pg_statio_user_tables_tidx_blocks_read" ["datname", "schemaname", "relname"] irregular;
    /// Blocks of its TOAST table's indexes found in the shared buffers.
    TIDX_HIT: Counter = "pg_statio_user_tables_tidx_blocks_hit" ["datname", "schemaname", "relname"] irregular;
    /// Tables that are not told, as `max_tables` allows no more; the largest are.
    LEFT_OUT: Gauge = "taffrail_postgres_tables_left_out" ["datname"];
}

/// Tables: what dashboards and alerts ask for.
pub static VIEW: View = View {
    name: "stat_user_tables",
    about: "`pg_stat_user_tables`: scans, rows, vacuum, sizes and blocks of the largest tables.",
    metrics: METRICS,
    pace: Pace::Database,
    patient: true,
    on: true,
    queries: &[
        Query { versions: ALL, extension: None, sql: TABLES, read: Read::Columns(&[TOLD]) },
        Query {
            versions: ALL,
            extension: None,
            sql: "select current_database() as datname, greatest(count(*) - {tables}, 0) as more from pg_class \
                where relkind in ('r', 't', 'm', 'p') and relnamespace in (select oid from pg_namespace \
                where nspname !~ '^pg_toast' and nspname not in ('pg_catalog', 'information_schema'))",
            read: Read::Columns(&[&[("more", LEFT_OUT.metric())]]),
        },
    ],
    without_monitor: "",
};

/// The rest of what there is of tables.
pub static DETAIL: View = View {
    name: "statio_user_tables",
    about: "The rest of `pg_stat_user_tables` and of `pg_statio_user_tables`, of the same tables.",
    metrics: &[],
    pace: Pace::Database,
    patient: true,
    on: false,
    queries: &[Query { versions: ALL, extension: None, sql: TABLES, read: Read::Columns(&[REST]) }],
    without_monitor: "",
};

/// Indexes are added up for the tables chosen only. The size of what is locked exclusively is left out, as the server
/// would wait for the lock.
const TABLES: &str = "with c as materialized ( \
        select c.oid, n.nspname, c.relname, c.reltoastrelid, c.relkind, \
        exists (select from pg_locks l where l.relation = c.oid and l.granted and l.mode = 'AccessExclusiveLock' \
        and l.database = (select oid from pg_database where datname = current_database())) as locked \
        from pg_class c join pg_namespace n on n.oid = c.relnamespace \
        where c.relkind in ('r', 't', 'm', 'p') and n.nspname !~ '^pg_toast' \
        and n.nspname not in ('pg_catalog', 'information_schema') \
        order by c.relpages desc, c.oid limit {tables}) \
    select current_database() as datname, c.nspname as schemaname, c.relname, \
    pg_stat_get_numscans(c.oid) as seq_scan, pg_stat_get_tuples_returned(c.oid) as seq_tup_read, \
    i.scans as idx_scan, i.fetched + pg_stat_get_tuples_fetched(c.oid) as idx_tup_fetch, \
    pg_stat_get_tuples_inserted(c.oid) as ins, pg_stat_get_tuples_updated(c.oid) as upd, \
    pg_stat_get_tuples_deleted(c.oid) as del, pg_stat_get_tuples_hot_updated(c.oid) as hot, \
    pg_stat_get_live_tuples(c.oid) as live, pg_stat_get_dead_tuples(c.oid) as dead, \
    pg_stat_get_mod_since_analyze(c.oid) as modified, \
    coalesce(floor(extract(epoch from pg_stat_get_last_vacuum_time(c.oid))), 0)::float8 as last_vacuum, \
    coalesce(floor(extract(epoch from pg_stat_get_last_autovacuum_time(c.oid))), 0)::float8 as last_autovacuum, \
    coalesce(floor(extract(epoch from pg_stat_get_last_analyze_time(c.oid))), 0)::float8 as last_analyze, \
    coalesce(floor(extract(epoch from pg_stat_get_last_autoanalyze_time(c.oid))), 0)::float8 as last_autoanalyze, \
    pg_stat_get_vacuum_count(c.oid) as vacuums, pg_stat_get_autovacuum_count(c.oid) as autovacuums, \
    pg_stat_get_analyze_count(c.oid) as analyzes, pg_stat_get_autoanalyze_count(c.oid) as autoanalyzes, \
    case when not c.locked then pg_indexes_size(c.oid) end as index_size, \
    case when not c.locked then pg_table_size(c.oid) end as table_size, \
    pg_stat_get_blocks_fetched(c.oid) - pg_stat_get_blocks_hit(c.oid) as heap_read, \
    pg_stat_get_blocks_hit(c.oid) as heap_hit, i.read as idx_read, i.hit as idx_hit, \
    case when c.reltoastrelid <> 0 then pg_stat_get_blocks_fetched(c.reltoastrelid) \
    - pg_stat_get_blocks_hit(c.reltoastrelid) end as toast_read, \
    case when c.reltoastrelid <> 0 then pg_stat_get_blocks_hit(c.reltoastrelid) end as toast_hit, \
    t.read as tidx_read, t.hit as tidx_hit \
    from c cross join lateral (select sum(pg_stat_get_numscans(indexrelid))::int8 as scans, \
        sum(pg_stat_get_tuples_fetched(indexrelid))::int8 as fetched, \
        sum(pg_stat_get_blocks_fetched(indexrelid) - pg_stat_get_blocks_hit(indexrelid))::int8 as read, \
        sum(pg_stat_get_blocks_hit(indexrelid))::int8 as hit from pg_index where indrelid = c.oid) i \
    cross join lateral (select \
        sum(pg_stat_get_blocks_fetched(indexrelid) - pg_stat_get_blocks_hit(indexrelid))::int8 as read, \
        sum(pg_stat_get_blocks_hit(indexrelid))::int8 as hit \
        from pg_index where indrelid = c.reltoastrelid and c.reltoastrelid <> 0) t";

const TOLD: &[Column] = &[
    ("seq_scan", SEQ_SCAN.metric()),
    ("idx_scan", IDX_SCAN.metric()),
    ("ins", INS.metric()),
    ("upd", UPD.metric()),
    ("del", DEL.metric()),
    ("hot", HOT.metric()),
    ("live", LIVE.metric()),
    ("dead", DEAD.metric()),
    ("modified", MODIFIED.metric()),
    ("last_autovacuum", LAST_AUTOVACUUM.metric()),
    ("last_autoanalyze", LAST_AUTOANALYZE.metric()),
    ("index_size", INDEX_SIZE.metric()),
    ("table_size", TABLE_SIZE.metric()),
    ("heap_read", HEAP_READ.metric()),
    ("heap_hit", HEAP_HIT.metric()),
];
const REST: &[Column] = &[
    ("seq_tup_read", SEQ_READ.metric()),
    ("idx_tup_fetch", IDX_FETCH.metric()),
    ("last_vacuum", LAST_VACUUM.metric()),
    ("last_analyze", LAST_ANALYZE.metric()),
    ("vacuums", VACUUMS.metric()),
    ("autovacuums", AUTOVACUUMS.metric()),
    ("analyzes", ANALYZES.metric()),
    ("autoanalyzes", AUTOANALYZES.metric()),
    ("idx_read", IDX_READ.metric()),
    ("idx_hit", IDX_HIT.metric()),
    ("toast_read", TOAST_READ.metric()),
    ("toast_hit", TOAST_HIT.metric()),
    ("tidx_read", TIDX_READ.metric()),
    ("tidx_hit", TIDX_HIT.metric()),
];
