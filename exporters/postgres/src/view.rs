//! A view: a query for each range of versions, and which column is which metric's value.

use std::borrow::Cow;
use std::ops::Range;

use taffrail_core::{Metric, Out};
use tokio_postgres::{Row, Statement};

use crate::cell;
use crate::config::Server;
use crate::memory::Memory;
use crate::session::{APPLICATION, Facts};

/// How often a view is read, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Once for the server, at its interval.
    Often,
    /// Once for the server, as seldom as the views of databases.
    Seldom,
    /// In each database.
    Database,
    /// In each database, as seldom as what costs most is read.
    Costly,
}

/// One view of the server's.
#[derive(Debug)]
pub struct View {
    /// Its name: the `collector` label of its success.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub about: &'static str,
    /// What it may publish.
    pub metrics: &'static [&'static Metric],
    /// How often it is read.
    pub pace: Pace,
    /// Put off while sessions wait for locks: it may wait, the server's own work may not.
    pub patient: bool,
    /// Whether it is read where nothing is said.
    pub on: bool,
    /// What it asks.
    pub queries: &'static [Query],
    /// What is missing for a role that is not in `pg_monitor`; empty where nothing is.
    pub without_monitor: &'static str,
}

/// One query of a view.
#[derive(Debug)]
pub struct Query {
    /// The major versions that it is for, the last one excluded.
    pub versions: Range<u32>,
    /// The extension that it needs; `{schema}` stands for where that is.
    pub extension: Option<&'static str>,
    /// Its text. `{databases}`, `{tables}`, `{statements}` stand for the limits, `{application}` for the sessions' name,
    /// `{detail}` for whether activity is told in detail.
    pub sql: &'static str,
    /// What becomes of its rows.
    pub read: Read,
}

/// What becomes of rows.
#[derive(Debug)]
pub enum Read {
    /// Lists of columns. A column is a metric's value; its labels are the columns of their names, or the instance for `server`.
    Columns(&'static [&'static [Column]]),
    /// Something that a table cannot say.
    Rows(fn(&mut Memory, &[Row], &mut Out)),
}

/// A column of an answer, and the metric whose value it is.
pub type Column = (&'static str, &'static Metric);

/// Every version.
pub const ALL: Range<u32> = 13..u32::MAX;

impl Query {
    /// Whether it is for a server like this.
    pub fn fits(&self, facts: &Facts) -> bool {
        // Newer than known is asked as the newest that is known.
        let has = |name: &str| facts.extensions.contains_key(name);
        self.versions.contains(&facts.major()) && self.extension.is_none_or(has)
    }

    /// Its text for a server like this.
    pub fn text(&self, facts: &Facts, server: &Server) -> String {
        let limits = server.limits;
        let schema = self.extension.and_then(|name| facts.extensions.get(name));
        let schema = format!("\"{}\"", schema.map_or("public", String::as_str).replace('"', "\"\""));
        self.sql
            .replace("{schema}", &schema)
            .replace("{databases}", &limits.databases.to_string())
            .replace("{tables}", &limits.tables.to_string())
            .replace("{statements}", &limits.statements.to_string())
            .replace("{application}", APPLICATION)
            .replace("{detail}", if server.activity_detail { "true" } else { "false" })
    }
}

/// The most labels that a metric of a table has.
const MAX_LABELS: usize = 8;

/// Where a label's value comes from.
enum Source {
    Column(usize),
    Server,
}

/// Writes the rows of a query as its columns say. The error names a column that the table has and the answer has not.
pub fn write(
    columns: &[&[Column]],
    statement: &Statement,
    rows: &[Row],
    instance: &str,
    out: &mut Out,
) -> Result<(), String> {
    let place = |name: &str| statement.columns().iter().position(|column| column.name() == name);
    let missing = |name: &str| format!("the answer has no column `{name}`");
    let mut plan = Vec::with_capacity(columns.len());
    for (column, metric) in columns.iter().copied().flatten() {
        let value = place(column).ok_or_else(|| missing(column))?;
        let source = |label: &&str| match place(label) {
            Some(column) => Ok(Source::Column(column)),
            None if *label == "server" => Ok(Source::Server),
            None => Err(missing(label)),
        };
        plan.push((value, *metric, metric.labels.iter().map(source).collect::<Result<Vec<_>, _>>()?));
    }
    // A metric's values together, as a page has them.
    for (value, metric, sources) in &plan {
        for row in rows {
            let Some(value) = cell::number(row, *value) else { continue };
            let texts: [Cow<'_, str>; MAX_LABELS] = std::array::from_fn(|at| match sources.get(at) {
                Some(Source::Column(column)) => cell::text(row, *column),
                Some(Source::Server) => Cow::Borrowed(instance),
                None => Cow::Borrowed(""),
            });
            let labels: [&str; MAX_LABELS] = std::array::from_fn(|at| &*texts[at]);
            out.put_row(metric, &labels[..sources.len()], value);
        }
    }
    Ok(())
}
