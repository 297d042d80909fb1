//! Who blocks whom: sessions that wait for a lock, by the applications on both sides; and a note that tells their
//! statements, without what was written in them.

use std::collections::{BTreeMap, HashSet};

use taffrail_core::note::Level;
use taffrail_core::{Note, Out, metrics};
use tokio_postgres::Row;

use crate::cell;
use crate::memory::Memory;
use crate::redact;
use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// Sessions that wait for a lock which another session holds, or waits for before them.
    BLOCKED: Gauge = "pg_blocked_sessions" ["datname", "application_name", "blocking_application_name"];
    /// Seconds that the one of them that waits longest has waited.
    WAITED: Gauge = "pg_blocked_max_seconds" ["datname", "application_name", "blocking_application_name"];
}

/// Who blocks whom.
pub static VIEW: View = View {
    name: "blocking",
    about: "`pg_blocking_pids()`: sessions that wait for locks, by application and by the application that blocks them. A note tells both statements, without their literals.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        sql: "select w.datname::text, w.application_name, b.application_name, w.pid, b.pid, \
            extract(epoch from clock_timestamp() - w.query_start)::float8, \
            left(w.query, 4000), left(b.query, 4000), coalesce(b.state, '') \
            from (select * from pg_stat_activity where wait_event_type = 'Lock' order by query_start limit 100) w \
            cross join lateral unnest(pg_blocking_pids(w.pid)) as p(pid) \
            left join pg_stat_activity b on b.pid = p.pid limit 500",
        read: Read::Rows(read),
    }],
    without_monitor: "other users' applications and statements",
};

/// The most combinations of applications that are told.
const MOST_SERIES: usize = 50;
/// The most notes of one round: in a jam they all say the same.
const MOST_NOTES: usize = 5;
/// How long a session waits before it is worth a note, in seconds.
const WORTH_A_NOTE: f64 = 5.0;

fn read(memory: &mut Memory, rows: &[Row], out: &mut Out) {
    let mut found: BTreeMap<[String; 3], (HashSet<i64>, f64)> = BTreeMap::new();
    let mut present = HashSet::new();
    let mut notes = 0;
    for row in rows {
        let text = |column| cell::text(row, column).into_owned();
        let pid = |column| cell::number(row, column).map_or(0, |pid| pid as i64);
        let waited = cell::number(row, 5).unwrap_or(0.0);
        let key = [text(0), text(1), text(2)];
        if found.len() < MOST_SERIES || found.contains_key(&key) {
            let (sessions, longest) = found.entry(key.clone()).or_default();
            sessions.insert(pid(3));
            *longest = longest.max(waited);
        }
        let pair = (pid(3), pid(4));
        present.insert(pair);
        if waited >= WORTH_A_NOTE && !memory.blocked.contains(&pair) && notes < MOST_NOTES {
            notes += 1;
            memory.blocked.insert(pair);
            out.note(note(&key, pair, waited, &text(6), &text(7), &text(8)));
        }
    }
    memory.blocked.retain(|pair| present.contains(pair));
    for ([datname, waiting, blocking], (sessions, _)) in &found {
        out.put(&BLOCKED, [datname, waiting, blocking], sessions.len() as f64);
    }
    for ([datname, waiting, blocking], (_, longest)) in &found {
        out.put(&WAITED, [datname, waiting, blocking], *longest);
    }
}

fn note(
    [datname, waiting, blocking]: &[String; 3],
    (pid, by): (i64, i64),
    waited: f64,
    query: &str,
    blocking_query: &str,
    state: &str,
) -> Note {
    let facts = vec![
        ("datname", datname.clone()),
        ("application_name", waiting.clone()),
        ("pid", pid.to_string()),
        ("query", redact::statement(query)),
        ("blocking_application_name", blocking.clone()),
        ("blocking_pid", by.to_string()),
        ("blocking_state", state.to_owned()),
        ("blocking_query", redact::statement(blocking_query)),
    ];
    let text = format!("a session has waited {waited:.0} s for a lock that another one holds");
    Note { level: Level::Warn, event: "postgres_blocked", text, facts }
}
