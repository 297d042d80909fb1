//! A command's rows as metrics: which columns are labels, and which are values.

use taffrail_core::{Family, Out};
use taffrail_postgres::Rows;

/// A command, and what its columns become.
pub(crate) struct Table<const N: usize> {
    /// What is asked.
    pub(crate) command: &'static str,
    /// Columns that are labels of the same name; empty where this version lacks one.
    pub(crate) labels: [&'static str; N],
    /// Columns that are values. What a version lacks is left out, what it has beyond is not looked at.
    pub(crate) columns: &'static [Column<N>],
}

/// A column that is a value.
pub(crate) struct Column<const N: usize> {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it becomes.
    pub(crate) family: &'static Family<N>,
    /// What the number is multiplied with.
    pub(crate) scale: f64,
}

impl<const N: usize> Table<N> {
    /// Publishes the rows.
    pub(crate) fn write(&self, rows: &Rows, out: &mut Out) {
        let Some(first) = rows.first() else { return };
        let place = |name: &str| first.columns().iter().position(|column| column.name() == name);
        let labels = self.labels.map(place);
        let columns: Vec<_> =
            self.columns.iter().filter_map(|column| Some((column, place(column.name)?))).collect();
        for row in rows {
            let labels = labels.map(|at| at.and_then(|at| row.get(at)).unwrap_or_default());
            for (column, at) in &columns {
                if let Some(value) = row.get(*at).and_then(|value| value.parse::<f64>().ok()) {
                    out.put(column.family, labels, value * column.scale);
                }
            }
        }
    }
}
