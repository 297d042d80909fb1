//! `postgres[].queries`: columns that are one thing each, and metrics that no two queries make.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_postgres::Server;
use taffrail_postgres::custom::{Column, CustomQuery, MOST_ROWS, ROWS, Usage, Versions};

use super::{Checker, bounds};
use crate::config::error::Fault;
use crate::config::field::Field;
use crate::config::source::Span;
use crate::config::written;

/// The most queries of one server.
const MOST_QUERIES: usize = 200;
/// Labels that say whose series they are.
const IDENTITY: [&str; 2] = ["job", "instance"];

impl Checker<'_> {
    /// The queries of one server.
    pub(super) fn queries(&mut self, written: &Field<written::Queries>, server: &Server) -> Vec<CustomQuery> {
        let mut queries: Vec<CustomQuery> = Vec::new();
        // Who makes a metric.
        let mut makers: BTreeMap<String, String> = BTreeMap::new();
        for (name, query) in written.get().into_iter().flatten() {
            let Some((at, query)) = query.good() else { continue };
            let Some(query) = self.query(at, &name.0, query, server) else { continue };
            for metric in query.metrics() {
                if let Some(other) = makers.insert(metric.clone(), name.0.clone()) {
                    let what = format!("the queries `{other}` and `{}` both make `{metric}`", name.0);
                    self.fault(at, what, "call one of them, or its column, something else");
                }
            }
            queries.push(query);
        }
        if let (true, Some(at)) = (queries.len() > MOST_QUERIES, written.span()) {
            self.fault(
                at,
                format!("{} queries", queries.len()),
                format!("at most {MOST_QUERIES} of one server"),
            );
        }
        queries
    }

    fn query(
        &mut self,
        at: Span,
        name: &str,
        written: &written::Query,
        server: &Server,
    ) -> Option<CustomQuery> {
        let Some(sql) = written.query.get() else {
            if matches!(written.query, Field::Absent) {
                self.fault(
                    at,
                    format!("`{name}` has no `query`"),
                    "add query: select count(*) as count from orders",
                );
            }
            return None;
        };
        let each_database = written.each_database.get().copied().unwrap_or(false);
        if let (true, Some((at, true))) = (each_database, written.master.good().map(|(at, on)| (at, *on))) {
            self.fault(at, "`master: true` says the opposite of `each_database: true`", "keep one of them");
        }
        let versions = written.runonserver.good().map(|(at, text)| (at, Versions::parse(&text.0)));
        let versions = match versions {
            Some((_, Ok(versions))) => versions,
            Some((at, Err(error))) => {
                let (what, help) = error.split_once('\n').unwrap_or((&error, ""));
                self.faults.push(Fault::at(at, what).help(help));
                Versions::default()
            }
            None => Versions::default(),
        };
        let most = written.max_rows.good().map_or(u64::from(ROWS), |(at, most)| {
            if !(1..=u64::from(MOST_ROWS)).contains(most) {
                self.fault(at, format!("{most} is out of bounds"), format!("between 1 and {MOST_ROWS}"));
            }
            *most
        });
        Some(CustomQuery {
            name: name.to_owned(),
            sql: sql.0.clone(),
            columns: self.columns(&written.metrics),
            each_database,
            interval: self.query_interval(
                written,
                if each_database { server.database_interval } else { server.interval },
            ),
            versions,
            max_rows: u32::try_from(most).unwrap_or(MOST_ROWS),
        })
    }

    fn query_interval(&mut self, written: &written::Query, least: Duration) -> Duration {
        let day = Duration::from_secs(86_400);
        if let (Some((at, _)), Some(_)) = (written.cache_seconds.good(), written.interval.good()) {
            self.fault(at, "`cache_seconds` says the same as `interval`", "keep one of them");
        }
        if written.interval.span().is_some() {
            return self.duration(&written.interval, "1m", &bounds(Duration::from_secs(1), day));
        }
        let Some((at, seconds)) = written.cache_seconds.good() else { return least };
        if *seconds > day.as_secs() {
            self.fault(at, format!("{seconds} seconds are out of bounds"), "at most 86400");
        }
        Duration::from_secs((*seconds).min(day.as_secs())).max(least)
    }

    fn columns(&mut self, written: &Field<Vec<Field<written::QueryColumns>>>) -> BTreeMap<String, Column> {
        let mut columns = BTreeMap::new();
        let entries = written.get().into_iter().flatten().filter_map(Field::get).flatten();
        for (name, column) in entries {
            let Some((at, column)) = column.good() else { continue };
            let Some(usage) = self.usage(at, &name.0, column) else { continue };
            let help = column.description.get().map_or_else(String::new, |text| text.0.clone());
            if columns.insert(name.0.clone(), Column { usage, help }).is_some() {
                self.fault(at, format!("the column `{}` is named twice", name.0), "remove one");
            }
        }
        columns
    }

    fn usage(&mut self, at: Span, name: &str, column: &written::QueryColumn) -> Option<Usage> {
        let mapping = column.metric_mapping.good();
        let Some((usage_at, usage)) = column.usage.good() else {
            if matches!(column.usage, Field::Absent) {
                self.fault(at, format!("the column `{name}` has no `usage`"), "write `usage: GAUGE`");
            }
            return None;
        };
        if let (Some((at, _)), true) = (mapping, *usage != written::Usage::MappedMetric) {
            self.fault(at, "`metric_mapping` without `usage: MAPPEDMETRIC`", "remove it, or change `usage`");
        }
        Some(match usage {
            written::Usage::Label => {
                if IDENTITY.contains(&name) {
                    let what = format!("the label `{name}` says whose series it is, and is the server's");
                    self.fault(usage_at, what, format!("write `{name} as other_{name}` in the query"));
                }
                Usage::Label
            }
            written::Usage::Counter => Usage::Counter,
            written::Usage::Gauge => Usage::Gauge,
            written::Usage::Histogram => Usage::Histogram,
            written::Usage::Duration => Usage::Duration,
            written::Usage::Discard => Usage::Discard,
            written::Usage::MappedMetric => {
                let Some((_, mapping)) = mapping else {
                    let what = format!("`{name}` has no `metric_mapping`");
                    self.fault(usage_at, what, "add metric_mapping: {ok: 1, broken: 0}");
                    return None;
                };
                let pairs = mapping.iter().filter_map(|(text, number)| Some((text.clone(), *number.get()?)));
                Usage::Mapped(pairs.collect())
            }
        })
    }
}
