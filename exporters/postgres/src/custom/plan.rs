//! What becomes of an answer's columns.

use std::borrow::Cow;
use std::sync::Arc;

use taffrail_core::Kind;
use taffrail_core::sample::FamilyInfo;
use tokio_postgres::Column as Given;

use super::{CustomQuery, Usage};
use crate::cell;

/// What becomes of an answer.
pub struct Plan {
    /// Labels in the order of their names, as far as columns give them: the name, and the column.
    pub labels: Vec<(Box<str>, usize)>,
    /// Values, each with its family.
    pub values: Vec<Value>,
}

/// One metric.
pub struct Value {
    /// Its column's name.
    pub column: String,
    /// What it becomes.
    pub family: Arc<FamilyInfo>,
    /// Where it comes from.
    pub from: From,
}

/// Where a value comes from.
pub enum From {
    /// A column that is a number.
    Number(usize),
    /// A column whose text stands for a number.
    Mapped(usize),
    /// A column whose text is a span of time.
    Span(usize),
    /// Upper bounds, counts up to each, their sum, and how many there are in all.
    Histogram([usize; 4]),
}

/// The longest list of columns that an error has.
const SHOWN: usize = 20;

impl Plan {
    /// What becomes of `given`. A column of which nothing can be made is a problem, and the others are told. `told` is
    /// what this exporter tells itself, which is told once.
    pub fn new(
        query: &CustomQuery,
        given: &[Given],
        told: &dyn Fn(&str) -> bool,
        problems: &mut Vec<String>,
    ) -> Self {
        let mut plan = Plan { labels: Vec::new(), values: Vec::new() };
        let place = |name: &str| given.iter().position(|column| column.name() == name);
        for name in query.columns.keys().filter(|name| place(name).is_none()) {
            let mut has = given.iter().take(SHOWN).map(Given::name).collect::<Vec<_>>().join(", ");
            if given.len() > SHOWN {
                has.push_str(", …");
            }
            problems.push(format!("the answer has no column `{name}`; it has {has}"));
        }
        for (at, column) in given.iter().enumerate() {
            let name = column.name();
            if place(name) != Some(at) {
                problems.push(format!("two columns are called `{name}`: rename one with AS"));
                continue;
            }
            if part_of_histogram(query, name) {
                continue;
            }
            match plan.column(query, at, given, told) {
                Ok(()) => {}
                Err(problem) => problems.push(problem),
            }
        }
        plan.labels.sort_unstable();
        plan
    }

    fn column(
        &mut self,
        query: &CustomQuery,
        at: usize,
        given: &[Given],
        told: &dyn Fn(&str) -> bool,
    ) -> Result<(), String> {
        let (name, of) = (given[at].name(), given[at].type_());
        let said = query.columns.get(name);
        let metric = query.metric(name);
        let cast = |to: &str| format!("column `{name}` is of type {of}, {to}");
        let from = match said.map(|column| &column.usage) {
            Some(Usage::Discard) => return Ok(()),
            Some(Usage::Label) if cell::may_be_text(of) => {
                self.labels.push((name.into(), at));
                return Ok(());
            }
            Some(Usage::Label) => return Err(cast(&format!("which is no label: write {name}::text"))),
            _ if told(&metric) => return Ok(()),
            Some(Usage::Histogram) => From::Histogram(histogram(name, at, given)?),
            Some(Usage::Mapped(_)) => From::Mapped(at),
            Some(Usage::Duration) => From::Span(at),
            Some(Usage::Counter | Usage::Gauge) if cell::may_be_number(of) => From::Number(at),
            Some(_) => {
                return Err(cast(&format!("which is no number: write {name}::float8, or call it a LABEL")));
            }
            None if !cell::may_be_number(of) || is_text(of) => {
                return Err(cast("and `metrics` does not say what it is: call it a LABEL, or DISCARD it"));
            }
            None => From::Number(at),
        };
        if !is_metric(&metric) {
            return Err(format!("column `{name}` cannot end a metric's name: rename it with AS"));
        }
        let (kind, help) = match said {
            None => (Kind::Untyped, Cow::Owned(format!("Column {name} of the query {}.", query.name))),
            Some(column) => {
                let kind = match column.usage {
                    Usage::Counter => Kind::Counter,
                    Usage::Histogram => Kind::Histogram,
                    _ => Kind::Gauge,
                };
                (kind, Cow::Owned(column.help.clone()))
            }
        };
        let family = Arc::new(FamilyInfo { name: metric, kind, help });
        self.values.push(Value { column: name.to_owned(), family, from });
        Ok(())
    }
}

/// Whether a column belongs to another that is a histogram, and nothing is said of it.
fn part_of_histogram(query: &CustomQuery, name: &str) -> bool {
    let whole = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let is = |whole: &str| query.columns.get(whole).is_some_and(|column| column.usage == Usage::Histogram);
    whole.is_some_and(is)
}

/// The columns of a histogram.
fn histogram(name: &str, at: usize, given: &[Given]) -> Result<[usize; 4], String> {
    let mut columns = [at; 4];
    for (place, suffix, list) in
        [(0, "", true), (1, "_bucket", true), (2, "_sum", false), (3, "_count", false)]
    {
        let part = format!("{name}{suffix}");
        let found = given.iter().position(|column| column.name() == part);
        let Some(found) = found else {
            return Err(format!("the histogram `{name}` needs a column `{part}` beside it"));
        };
        let of = given[found].type_();
        let fits = if list { cell::may_be_numbers(of) } else { cell::may_be_number(of) };
        if !fits {
            let wanted = if list { "an array of numbers" } else { "a number" };
            return Err(format!(
                "column `{part}` of the histogram `{name}` is of type {of}, and has to be {wanted}"
            ));
        }
        columns[place] = found;
    }
    Ok(columns)
}

fn is_text(kind: &tokio_postgres::types::Type) -> bool {
    use tokio_postgres::types::Type;
    matches!(*kind, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::UNKNOWN)
}

fn is_metric(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}
