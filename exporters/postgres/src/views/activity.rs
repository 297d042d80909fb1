//! `pg_stat_activity`: sessions by what they do, and the transactions that run longest.

use taffrail_core::metrics;

use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Sessions in this state. Users, applications and what is waited for are told where `activity_detail` asks for it.
    COUNT: Gauge = "pg_stat_activity_count" ["datname", "state", "usename", "application_name", "backend_type", "wait_event_type", "wait_event"] irregular;
    /// Seconds that the oldest transaction of a session in this state has been open.
    DURATION: Gauge = "pg_stat_activity_max_tx_duration" ["datname", "state", "usename", "application_name", "backend_type", "wait_event_type", "wait_event"];
    /// Open transactions of other sessions, without autovacuum's.
    LONG: Gauge = "pg_long_running_transactions" [];
    /// Seconds that the oldest of them has been open (the name says timestamp, as the incumbent's does); 0 without any.
    OLDEST: Gauge = "pg_long_running_transactions_oldest_timestamp_seconds" [];
    /// Connections of clients, this one among them.
    USED: Gauge = "pg_connections_used" [];
    /// Connections that ordinary roles can have in all: `max_connections` without those kept for others.
    LIMIT: Gauge = "pg_connections_limit" [];
}

/// One row for the server; `$reserved` connections are kept beside those for superusers.
macro_rules! whole {
    ($reserved:literal) => {
        concat!(
            "select count(*) filter (where xact_start is not null and state is distinct from 'idle' \
             and pid <> pg_backend_pid() and backend_type <> 'autovacuum worker') as long, \
             coalesce(max(extract(epoch from clock_timestamp() - xact_start)) \
             filter (where state is distinct from 'idle' and pid <> pg_backend_pid() \
             and backend_type <> 'autovacuum worker'), 0)::float8 as oldest, \
             count(*) filter (where backend_type = 'client backend') as used, \
             current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - ",
            $reserved,
            " as most from pg_stat_activity"
        )
    };
}
/// Sessions.
pub static VIEW: View = View {
    name: "stat_activity",
    about: "`pg_stat_activity`: sessions by database and state, the oldest transactions, and connections against the limit.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[
        Query {
            versions: ALL,
            extension: None,
            sql: COUNTS,
            read: Read::Columns(&[&[("count", COUNT.metric()), ("max_tx_duration", DURATION.metric())]]),
        },
        Query { versions: 13..16, extension: None, sql: whole!("0"), read: Read::Columns(WHOLE) },
        Query {
            versions: 16..u32::MAX,
            extension: None,
            sql: whole!("current_setting('reserved_connections')::int"),
            read: Read::Columns(WHOLE),
        },
    ],
    without_monitor: "state, transactions and applications of other users' sessions",
};

/// Zeros are told of the databases that people use, up to the limit of databases: with hundreds of them the zeros would
/// be most of what a server gives.
const COUNTS: &str = "with sessions as ( \
        select datname, state, \
        case when {detail} then usename else '' end as usename, \
        case when {detail} then application_name else '' end as application_name, \
        case when {detail} then backend_type else '' end as backend_type, \
        case when {detail} then wait_event_type else '' end as wait_event_type, \
        case when {detail} then wait_event else '' end as wait_event, \
        count(*) as count, \
        coalesce(max(extract(epoch from now() - xact_start)), 0)::float8 as max_tx_duration \
        from pg_stat_activity where pid <> pg_backend_pid() and datname is not null and state is not null \
        group by 1, 2, 3, 4, 5, 6, 7) \
    select * from sessions \
    union all \
    select d.datname, s.state, '', '', '', '', '', 0, 0 from \
        (select datname from pg_database order by oid limit {databases}) d \
        cross join (values ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'), \
        ('fastpath function call'), ('disabled')) s(state) \
        where not exists (select from sessions where sessions.datname = d.datname and sessions.state = s.state)";

const WHOLE: &[&[crate::view::Column]] = &[&[
    ("long", LONG.metric()),
    ("oldest", OLDEST.metric()),
    ("used", USED.metric()),
    ("most", LIMIT.metric()),
]];
