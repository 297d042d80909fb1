//! Rows to samples: no label set twice, no more series than are allowed, and every reason for what is left out.

use std::collections::HashMap;
use std::sync::Arc;

use taffrail_core::sample::FamilyInfo;
use taffrail_core::{Out, text};
use tokio_postgres::Row;

use super::plan::{From, Plan, Value};
use super::{CustomQuery, Usage, span};
use crate::cell;

/// How many series a row may have, on average of the rows that are allowed.
const SERIES_A_ROW: usize = 10;
/// The longest text that an error shows.
const SHOWN: usize = 60;

/// Names and values of labels, in the order of their names.
pub type Labels = Vec<(Box<str>, Box<str>)>;

/// Writes one round of a query, database by database.
pub struct Writer<'a> {
    query: &'a CustomQuery,
    /// Labels that no column gives.
    fixed: Labels,
    /// Label sets that were told, and in which row.
    seen: HashMap<Labels, usize>,
    series: usize,
    rows: usize,
}

impl<'a> Writer<'a> {
    /// Nothing written yet.
    pub fn new(query: &'a CustomQuery) -> Self {
        Writer { query, fixed: Vec::new(), seen: HashMap::new(), series: 0, rows: 0 }
    }

    /// How many rows it takes still.
    pub fn room(&self) -> usize {
        (self.query.max_rows as usize).saturating_sub(self.rows)
    }

    /// Writes rows, and says what of them is left out. NULL and NaN are: they are no values.
    pub fn write(
        &mut self,
        plan: &Plan,
        rows: &[Row],
        fixed: Labels,
        out: &mut Out,
        problems: &mut Vec<String>,
    ) {
        self.fixed = fixed;
        let mut labelled = Vec::with_capacity(rows.len());
        let mut equal = (0, String::new());
        for (at, row) in rows.iter().enumerate() {
            let labels = self.labels(plan, row);
            let number = self.rows + at + 1;
            if let Some(first) = self.seen.get(&labels) {
                if equal.0 == 0 {
                    let labels = shown_labels(&labels);
                    equal.1 = format!("rows {first} and {number} have the same labels ({labels})");
                }
                equal.0 += 1;
                continue;
            }
            self.seen.insert(labels.clone(), number);
            labelled.push((row, labels));
        }
        self.rows += rows.len();
        if let (more @ 1.., what) = equal {
            let help = "add a LABEL that tells them apart, or aggregate";
            problems.push(format!("{what}: the first is told, and {more} left out; {help}"));
        }
        // A metric's values together, as a page has them.
        for value in &plan.values {
            let mut wrong = (0, String::new());
            for (row, labels) in &labelled {
                if let Err(why) = self.value(value, row, labels, out) {
                    wrong = (wrong.0 + 1, if wrong.0 == 0 { why } else { wrong.1 });
                }
            }
            let (rows, why) = wrong;
            match rows {
                0 => {}
                1 => problems.push(format!("column `{}`: {why}", value.column)),
                _ => problems.push(format!("column `{}`, in {rows} rows: {why}", value.column)),
            }
        }
    }

    fn labels(&self, plan: &Plan, row: &Row) -> Labels {
        let given = plan.labels.iter().map(|(name, column)| (name.clone(), cell::text(row, *column).into()));
        let has = |name: &str| plan.labels.iter().any(|(given, _)| **given == *name);
        let fixed = self.fixed.iter().filter(|(name, _)| !has(name)).cloned();
        let mut labels: Labels =
            given.chain(fixed).filter(|(_, value): &(_, Box<str>)| !value.is_empty()).collect();
        labels.sort_unstable();
        labels
    }

    fn value(&mut self, value: &Value, row: &Row, labels: &Labels, out: &mut Out) -> Result<(), String> {
        let number = match &value.from {
            From::Number(at) if cell::is_null(row, *at) => return Ok(()),
            From::Number(at) => match cell::number(row, *at) {
                Some(number) => number,
                None if cell::is_nan(row, *at) => return Ok(()),
                None => return Err(format!("`{}` is no number", shown(&cell::text(row, *at)))),
            },
            From::Mapped(at) if cell::is_null(row, *at) => return Ok(()),
            From::Mapped(at) => {
                let text = cell::text(row, *at);
                let said = self.query.columns.get(&value.column).map(|column| &column.usage);
                let Some(Usage::Mapped(mapping)) = said else { return Ok(()) };
                *mapping
                    .get(&*text)
                    .ok_or_else(|| format!("`{}` is not in its metric_mapping", shown(&text)))?
            }
            From::Span(at) if cell::is_null(row, *at) => return Ok(()),
            From::Span(at) => {
                let text = cell::text(row, *at);
                // The incumbent's way of saying that there is none.
                if text == "-1" {
                    return Ok(());
                }
                let help = "is no span of time such as 1m30s";
                span::milliseconds(&text).ok_or_else(|| format!("`{}` {help}", shown(&text)))?
            }
            From::Histogram(columns) => return self.histogram(&value.family, columns, row, labels, out),
        };
        self.put(&value.family, "", labels, number, out)
    }

    fn histogram(
        &mut self,
        family: &Arc<FamilyInfo>,
        columns: &[usize; 4],
        row: &Row,
        labels: &Labels,
        out: &mut Out,
    ) -> Result<(), String> {
        let [bounds, buckets, sum, count] = *columns;
        if columns.iter().any(|column| cell::is_null(row, *column)) {
            return Ok(());
        }
        let lists = cell::numbers(row, bounds).zip(cell::numbers(row, buckets));
        let (bounds, buckets) =
            lists.ok_or("its bounds and buckets have to be arrays of numbers without NULL")?;
        let (sum, count) =
            cell::number(row, sum).zip(cell::number(row, count)).ok_or("its sum or count is no number")?;
        if bounds.len() != buckets.len() {
            return Err(format!("it has {} bounds and {} buckets", bounds.len(), buckets.len()));
        }
        let rising = |list: &[f64]| list.windows(2).all(|two| two[0] <= two[1]);
        if !bounds.windows(2).all(|two| two[0] < two[1]) || !rising(&buckets) {
            return Err("its bounds have to rise, and its buckets count all up to their bound".to_owned());
        }
        let ends = bounds.last().is_some_and(|last| last.is_infinite());
        let all = bounds.into_iter().zip(buckets).chain((!ends).then_some((f64::INFINITY, count)));
        for (bound, value) in all {
            let mut own = labels.clone();
            let mut le = Vec::new();
            text::number(&mut le, bound);
            own.push(("le".into(), String::from_utf8_lossy(&le).into()));
            own.sort_unstable();
            self.put(family, "_bucket", &own, value, out)?;
        }
        self.put(family, "_sum", labels, sum, out)?;
        self.put(family, "_count", labels, count, out)
    }

    fn put(
        &mut self,
        family: &Arc<FamilyInfo>,
        suffix: &'static str,
        labels: &Labels,
        value: f64,
        out: &mut Out,
    ) -> Result<(), String> {
        let most = self.query.max_rows as usize * SERIES_A_ROW;
        if self.series == most {
            return Err(format!("the query has more than {most} series in all: the rest is left out"));
        }
        self.series += 1;
        out.put_found(family, suffix, labels, value);
        Ok(())
    }
}

fn shown_labels(labels: &Labels) -> String {
    let all: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    if all.is_empty() { "none".to_owned() } else { shown(&all.join(", ")) }
}

/// A text, not too long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
