//! Bloat, estimated: how much larger tables and their btree indexes are than their rows, as ANALYZE saw them, need.
//!
//! A row takes a header of 24 bytes and a line pointer of 4 ("Database Page Layout"); its columns as wide as they are on
//! average, without those that are NULL. An index entry has a header of 8, and the column's width. Fill factors count.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// The part of the table's pages that its rows do not need, in percent; estimated from ANALYZE.
    TABLE_PCT: Gauge = "pg_bloat_table_bloat_pct" ["datname", "schemaname", "relname"];
    /// Bytes that the table's pages take.
    TABLE_SIZE: Gauge = "pg_bloat_table_real_size" ["datname", "schemaname", "relname"];
    /// The part of the index's pages that its entries do not need, in percent; estimated from ANALYZE.
    BTREE_PCT: Gauge = "pg_bloat_btree_bloat_pct" ["datname", "schemaname", "relname", "idxname"];
    /// Bytes that the index's pages take.
    BTREE_SIZE: Gauge = "pg_bloat_btree_real_size" ["datname", "schemaname", "relname", "idxname"];
}

/// Bloat.
pub static VIEW: View = View {
    name: "bloat",
    about: "Tables and btree indexes that are larger than their rows need, estimated from `pg_stats`: of those that the role may read.",
    metrics: METRICS,
    pace: Pace::Costly,
    patient: true,
    on: true,
    queries: &[
        Query {
            versions: ALL,
            extension: None,
            sql: "with t as (select c.oid, n.nspname, c.relname, c.reltuples, c.relpages, \
                    current_setting('block_size')::float8 as bs, \
                    coalesce(substring(array_to_string(c.reloptions, ' ') from 'fillfactor=([0-9]+)')::float8, 100) as fill \
                    from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                    where c.relkind in ('r', 'm') and c.reltuples > 0 and c.relpages > 1 \
                    and n.nspname !~ '^pg_toast' and n.nspname not in ('pg_catalog', 'information_schema') \
                    order by c.relpages desc, c.oid limit {tables}), \
                w as (select t.*, sum((1 - s.null_frac) * s.avg_width) as width, count(*) as columns \
                    from t join pg_stats s on s.schemaname = t.nspname and s.tablename = t.relname and not s.inherited \
                    group by t.oid, t.nspname, t.relname, t.reltuples, t.relpages, t.bs, t.fill), \
                e as (select *, ceil(reltuples / greatest(1, floor((bs - 24) * fill / 100 \
                    / (4 + 24 + 8 * ceil(width / 8))))) as pages from w) \
                select current_database() as datname, nspname as schemaname, relname, \
                100 * greatest(0, relpages - pages) / relpages as pct, relpages * bs as size from e",
            read: Read::Columns(&[&[("pct", TABLE_PCT.metric()), ("size", TABLE_SIZE.metric())]]),
        },
        Query {
            versions: ALL,
            extension: None,
            sql: "with i as (select c.oid, n.nspname, t.relname, c.relname as idxname, c.reltuples, c.relpages, \
                    x.indrelid, x.indkey, t.oid as toid, current_setting('block_size')::float8 as bs, \
                    coalesce(substring(array_to_string(c.reloptions, ' ') from 'fillfactor=([0-9]+)')::float8, 90) as fill \
                    from pg_index x join pg_class c on c.oid = x.indexrelid join pg_class t on t.oid = x.indrelid \
                    join pg_namespace n on n.oid = t.relnamespace join pg_am a on a.oid = c.relam \
                    where a.amname = 'btree' and c.reltuples > 0 and c.relpages > 2 and 0 <> all (x.indkey) \
                    and n.nspname !~ '^pg_toast' and n.nspname not in ('pg_catalog', 'information_schema') \
                    order by c.relpages desc, c.oid limit {tables}), \
                w as (select i.oid, i.nspname, i.relname, i.idxname, i.reltuples, i.relpages, i.bs, i.fill, \
                    sum((1 - s.null_frac) * s.avg_width) as width \
                    from i join pg_attribute c on c.attrelid = i.toid and c.attnum = any (i.indkey) \
                    join pg_stats s on s.schemaname = i.nspname and s.tablename = i.relname \
                    and s.attname = c.attname and not s.inherited group by 1, 2, 3, 4, 5, 6, 7, 8), \
                e as (select *, 1 + ceil(reltuples / greatest(1, floor((bs - 40) * fill / 100 \
                    / (4 + 8 + 8 * ceil(width / 8))))) as pages from w) \
                select current_database() as datname, nspname as schemaname, relname, idxname, \
                100 * greatest(0, relpages - pages) / relpages as pct, relpages * bs as size from e",
            read: Read::Columns(&[&[("pct", BTREE_PCT.metric()), ("size", BTREE_SIZE.metric())]]),
        },
    ],
    without_monitor: "tables that the role may not read, with pg_monitor too: pg_read_all_data tells them",
};
