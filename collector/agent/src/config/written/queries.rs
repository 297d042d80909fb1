//! `postgres[].queries` as they are written: the shape is that of postgres_exporter's `queries.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::field::Field;
use crate::config::scalar::{Interval, LabelName, MetricName, Sql, Text};

/// Queries by the names that their metrics begin with.
pub type Queries = BTreeMap<MetricName, Field<Query>>;

/// One query of your own. A row is one value for each of its columns that are no labels: `<query>_<column>`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["query"]))]
pub struct Query {
    /// One statement. It runs read-only, for at most `timeout`, and waits for no lock longer than 100 ms. No variable is
    /// replaced in it.
    #[schemars(extend("examples" = ["select state, count(*) as count from orders group by state"]))]
    pub query: Field<Sql>,
    /// What its columns are: a list of mappings from a column's name to its `usage` and `description`. A number of which
    /// nothing is said is told without a type.
    #[schemars(extend("examples" = [[{"state": {"usage": "LABEL"}}, {"count": {"usage": "GAUGE", "description": "Orders."}}]]))]
    pub metrics: Field<Vec<Field<Columns>>>,
    /// Ask in every database that is looked into, with a label `datname`, not only in the server's own.
    #[schemars(extend("default" = false))]
    pub each_database: Field<bool>,
    /// `true` says that it is asked in the server's own database only, which is so without it; postgres_exporter's word.
    pub master: Field<bool>,
    /// How often it is asked. Default: the server's `interval`; with `each_database`, its `database_interval`.
    #[schemars(extend("examples" = ["5m"]))]
    pub interval: Field<Interval>,
    /// The same in seconds, where that is longer; postgres_exporter's word.
    #[schemars(extend("examples" = [300]))]
    pub cache_seconds: Field<u64>,
    /// Ask only servers of these versions: comparisons parted by blanks, alternatives by `||`.
    #[schemars(extend("examples" = [">=14.0.0 <17.0.0"]))]
    pub runonserver: Field<Text>,
    /// How many rows are told, of all databases together; at most 100000. Where there are more, the query fails aloud,
    /// and the first ones are told. There are at most ten times as many series.
    #[schemars(extend("default" = 1000))]
    pub max_rows: Field<u64>,
}

/// Columns by their names; the names of labels are more strict than SQL's.
pub type Columns = BTreeMap<LabelName, Field<Column>>;

/// What a column is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["usage"]))]
pub struct Column {
    /// What becomes of the column.
    pub usage: Field<Usage>,
    /// The metric's help text.
    pub description: Field<Text>,
    /// With `MAPPEDMETRIC`: the number that each text stands for.
    #[schemars(extend("examples" = [{"ok": 1, "broken": 0}]))]
    pub metric_mapping: Field<BTreeMap<String, Field<f64>>>,
}

/// What becomes of a column.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Usage {
    /// A label of the row's values.
    Label,
    /// A value that only goes up.
    Counter,
    /// A value.
    Gauge,
    /// A histogram's upper bounds, as an array. The columns `<name>_bucket` (an array too, cumulative), `<name>_sum` and
    /// `<name>_count` go with it.
    Histogram,
    /// A text that stands for a number, by `metric_mapping`.
    MappedMetric,
    /// A span of time as text (`1m30s`): the metric `<query>_<column>_milliseconds`.
    Duration,
    /// Nothing.
    Discard,
}
