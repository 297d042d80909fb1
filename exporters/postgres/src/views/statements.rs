//! `pg_stat_statements`: what statements cost, of those that cost most.
//!
//! A statement is told while it is among the first by time, and for an hour after; the rest is told as `other`, which
//! grows by what the rest did since the round before: it never falls when a statement is told apart from then on.

use std::collections::HashMap;
use std::time::Duration;

use taffrail_core::{Out, metrics};
use tokio_postgres::Row;

use crate::cell;
use crate::memory::Memory;
use crate::view::{Pace, Query, Read, View};

metrics! {
    /// Times that the statement ran.
    CALLS: Counter = "pg_stat_statements_calls_total" ["user", "datname", "queryid"];
    /// Seconds that it ran.
    SECONDS: Counter = "pg_stat_statements_seconds_total" ["user", "datname", "queryid"];
    /// Rows that it gave or touched.
    ROWS: Counter = "pg_stat_statements_rows_total" ["user", "datname", "queryid"];
    /// Seconds that it read blocks, where `track_io_timing` is on.
    READ: Counter = "pg_stat_statements_block_read_seconds_total" ["user", "datname", "queryid"];
    /// Seconds that it wrote blocks, where `track_io_timing` is on.
    WRITE: Counter = "pg_stat_statements_block_write_seconds_total" ["user", "datname", "queryid"];
}

/// `$read` and `$write` are the columns of times, in milliseconds.
macro_rules! statements {
    ($read:literal, $write:literal) => {
        concat!(
            "with s as materialized (select userid, dbid, queryid, sum(calls)::float8 as calls, \
             sum(total_exec_time) / 1000 as seconds, sum(rows)::float8 as rows, \
             sum(",
            $read,
            ") / 1000 as read, sum(",
            $write,
            ") / 1000 as write from {schema}.pg_stat_statements(false) group by 1, 2, 3), \
             first as (select * from s where queryid is not null order by seconds desc limit {statements} * 3) \
             select pg_get_userbyid(userid)::text, datname::text, queryid, calls, seconds, rows, read, write, \
             {statements}::int from first join pg_database d on d.oid = dbid \
             union all select null, null, null, sum(calls), sum(seconds), sum(rows), sum(read), sum(write), \
             {statements}::int from s order by 5 desc"
        )
    };
}

/// Statements.
pub static VIEW: View = View {
    name: "stat_statements",
    about: "`pg_stat_statements`: calls, time, rows and blocks of the statements that take most time; the rest as `other`. Needs the extension in the server's database.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: true,
    on: true,
    queries: &[
        Query {
            versions: 13..17,
            extension: Some("pg_stat_statements"),
            sql: statements!("blk_read_time", "blk_write_time"),
            read: Read::Rows(read),
        },
        Query {
            versions: 17..u32::MAX,
            extension: Some("pg_stat_statements"),
            sql: statements!("shared_blk_read_time", "shared_blk_write_time"),
            read: Read::Rows(read),
        },
    ],
    without_monitor: "statements of other users",
};

/// How long a statement is told after it was among the first.
const KEPT: Duration = Duration::from_secs(3600);
/// Calls, seconds, rows, seconds reading, seconds writing.
type Values = [f64; 5];

/// The statements that are told.
#[derive(Debug, Default)]
pub struct Told {
    statements: HashMap<(String, String, String), Statement>,
    all: Option<Values>,
    other: Values,
}

#[derive(Debug)]
struct Statement {
    values: Values,
    /// When it was among the first, on the monotonic clock.
    first_at: Duration,
}

fn read(memory: &mut Memory, rows: &[Row], out: &mut Out) {
    let values = |row: &Row| std::array::from_fn(|at| cell::number(row, 3 + at).unwrap_or(0.0));
    let most = rows.first().and_then(|row| cell::number(row, 8)).unwrap_or(0.0) as usize;
    let (mut all, mut statements) = (Values::default(), Vec::new());
    for row in rows {
        let id = cell::text(row, 2);
        if id.is_empty() {
            all = values(row);
            continue;
        }
        let key = (cell::text(row, 0).into_owned(), cell::text(row, 1).into_owned(), id.into_owned());
        statements.push((key, values(row)));
    }
    let now = memory.now;
    memory.statements.take(statements, all, most, now, out);
}

impl Told {
    /// Takes in a round: statements by time, the first ones first, and the sum of all that there are.
    fn take(
        &mut self,
        statements: Vec<((String, String, String), Values)>,
        all: Values,
        most: usize,
        now: Duration,
        out: &mut Out,
    ) {
        let mut told = HashMap::new();
        let mut apart = Values::default();
        for (rank, (key, values)) in statements.into_iter().enumerate() {
            let before = self.statements.remove(&key);
            let first_at =
                if rank < most { Some(now) } else { before.as_ref().map(|before| before.first_at) };
            let kept = first_at.filter(|at| now.saturating_sub(*at) < KEPT);
            let Some(first_at) = kept.filter(|_| told.len() < 2 * most) else { continue };
            if let Some(before) = before {
                for (sum, (new, old)) in apart.iter_mut().zip(values.iter().zip(before.values)) {
                    // Less than before is a beginning anew.
                    *sum += if *new >= old { new - old } else { *new };
                }
            }
            put([&key.0, &key.1, &key.2], &values, out);
            told.insert(key, Statement { values, first_at });
        }
        self.statements = told;
        if let Some(before) = self.all.replace(all) {
            for (at, other) in self.other.iter_mut().enumerate() {
                *other += (all[at] - before[at] - apart[at]).max(0.0);
            }
            put(["", "", "other"], &self.other, out);
        }
    }
}

fn put(labels: [&str; 3], values: &Values, out: &mut Out) {
    for (family, value) in [&CALLS, &SECONDS, &ROWS, &READ, &WRITE].into_iter().zip(values) {
        out.put(family, labels, *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::text::{Format, page};

    /// The calls that a round tells, by statement.
    fn round(told: &mut Told, at: u64, calls: &[(&str, f64)], all: f64) -> Vec<String> {
        let mut out = Out::default();
        out.begin(0);
        let statement = |(id, calls): &(&str, f64)| {
            (("u".to_owned(), "d".to_owned(), (*id).to_owned()), [*calls, 0.0, 0.0, 0.0, 0.0])
        };
        let statements = calls.iter().map(statement).collect();
        told.take(statements, [all, 0.0, 0.0, 0.0, 0.0], 1, Duration::from_secs(at), &mut out);
        let text = String::from_utf8(page(&out.finish(), Format::Prometheus)).unwrap();
        let calls = text.lines().filter(|line| line.starts_with("pg_stat_statements_calls_total{"));
        let short = |line: &str| line.split("queryid=").nth(1).unwrap_or_default().to_owned();
        calls.map(short).collect()
    }

    #[test]
    fn the_rest_grows_by_what_it_did() {
        let mut told = Told::default();
        assert_eq!(round(&mut told, 0, &[("1", 10.0), ("2", 5.0)], 100.0), ["\"1\"} 10"]);
        // 20 more in all, 12 of them statement 1's.
        assert_eq!(round(&mut told, 60, &[("1", 22.0), ("2", 6.0)], 120.0), ["\"1\"} 22", "\"other\"} 8"]);
        // Another comes first: 1 is told on, and what 2 did before is not taken out of the rest.
        let now = round(&mut told, 120, &[("2", 30.0), ("1", 23.0)], 150.0);
        assert_eq!(now, ["\"2\"} 30", "\"1\"} 23", "\"other\"} 37"]);
        // The server forgot: the rest does not fall.
        let now = round(&mut told, 180, &[("2", 1.0), ("1", 1.0)], 2.0);
        assert_eq!(now, ["\"2\"} 1", "\"1\"} 1", "\"other\"} 37"]);
        // An hour after it was among the first, 1 is not told any more.
        let now = round(&mut told, 60 + 3600, &[("2", 2.0), ("1", 1.0)], 3.0);
        assert_eq!(now, ["\"2\"} 2", "\"other\"} 37"]);
    }
}
