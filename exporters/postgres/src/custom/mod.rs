//! Queries of a user's own: what is asked, and which column becomes what. The shape is that of postgres_exporter's
//! `queries.yaml`.

mod plan;
mod run;
mod span;
mod versions;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

pub use run::{Custom, tells};
pub use versions::Versions;

/// The most rows that a query may be allowed.
pub const MOST_ROWS: u32 = 100_000;
/// How many rows are told where nothing is said.
pub const ROWS: u32 = 1000;

/// One query.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomQuery {
    /// What the names of its metrics begin with, before `_` and the column's name.
    pub name: String,
    /// One statement.
    pub sql: String,
    /// What is said of columns, by their names. Others are told as they are, where they are numbers.
    pub columns: BTreeMap<String, Column>,
    /// Asked in each database, not only in the server's.
    pub each_database: bool,
    /// How often.
    pub interval: Duration,
    /// Of servers of these versions only.
    pub versions: Versions,
    /// How many rows are told; of the others is said that there are some.
    pub max_rows: u32,
}

/// A column that something is said of.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What becomes of it.
    pub usage: Usage,
    /// The metric's help text.
    pub help: String,
}

/// What becomes of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Usage {
    /// A label of the row's values.
    Label,
    /// A value that only goes up.
    Counter,
    /// A value.
    Gauge,
    /// Upper bounds, as an array; the columns `…_bucket` (an array as long, cumulative), `…_sum` and `…_count` belong to it.
    Histogram,
    /// A text that stands for a number.
    Mapped(BTreeMap<String, f64>),
    /// A span of time as text (`1m30s`), told in milliseconds.
    Duration,
    /// Nothing.
    Discard,
}

impl CustomQuery {
    /// The metric that a column becomes, where it is one.
    pub fn metric(&self, column: &str) -> String {
        match self.columns.get(column).map(|column| &column.usage) {
            Some(Usage::Duration) => format!("{}_{column}_milliseconds", self.name),
            _ => format!("{}_{column}", self.name),
        }
    }

    /// The metrics that its columns are said to become.
    pub fn metrics(&self) -> impl Iterator<Item = String> {
        let told = |usage: &Usage| !matches!(usage, Usage::Label | Usage::Discard);
        self.columns.iter().filter(move |(_, column)| told(&column.usage)).map(|(name, _)| self.metric(name))
    }
}
