//! `write_relabel_configs`: which series are sent, and under which labels.
//!
//! Rules are applied once to every series of a segment of the log, when it is met first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use taffrail_wire::relabel::{Labels, Rule, apply};
use taffrail_wire::remote_write::MetricKind;

use crate::metrics::record::{Numbered, Table};
use crate::status::lock;

/// Rules, and what they have made of the present segment.
#[derive(Debug)]
pub(super) struct Relabel {
    rules: Arc<[Rule]>,
    table: Arc<Mutex<Table>>,
    texts: HashMap<Box<str>, u32>,
    /// What became of each series, by its number in the log's own table.
    met: Vec<Met>,
}

#[derive(Clone, Copy, Debug)]
enum Met {
    NotYet,
    Dropped,
    /// Its number in the table of what is sent.
    Sent(u32),
}

impl Relabel {
    /// Rules, if there are any.
    pub(super) fn new(rules: &Arc<[Rule]>) -> Option<Self> {
        let (table, texts, met) = Default::default();
        (!rules.is_empty()).then(|| Relabel { rules: rules.clone(), table, texts, met })
    }

    /// A new segment begins. Gives the table of what is sent of it.
    pub(super) fn segment(&mut self) -> Arc<Mutex<Table>> {
        self.table = Arc::default();
        self.texts.clear();
        self.met.clear();
        self.table.clone()
    }

    /// The number of the series as it is sent, or nothing where a rule drops it.
    #[inline]
    pub(super) fn number(&mut self, series: Numbered<'_>) -> Option<u32> {
        match self.met.get(series.number as usize) {
            Some(Met::Sent(number)) => Some(*number),
            Some(Met::Dropped) => None,
            Some(Met::NotYet) | None => self.meet(series),
        }
    }

    fn meet(&mut self, series: Numbered<'_>) -> Option<u32> {
        let mut labels: Labels = series.labels().collect();
        let kept = apply(&self.rules, &mut labels) && !labels.is_empty();
        let number = if kept { self.add(series, &labels) } else { None };
        let at = series.number as usize;
        if self.met.len() <= at {
            self.met.resize(at + 1, Met::NotYet);
        }
        self.met[at] = number.map_or(Met::Dropped, Met::Sent);
        number
    }

    fn add(&mut self, series: Numbered<'_>, labels: &Labels) -> Option<u32> {
        let (kind, help, unit) = series.family();
        let mut table = lock(&self.table);
        let (help, unit) =
            (text(&mut table, &mut self.texts, help)?, text(&mut table, &mut self.texts, unit)?);
        let mut numbers = Vec::with_capacity(2 * labels.len());
        for (name, value) in labels.iter() {
            numbers.push(text(&mut table, &mut self.texts, name)?);
            numbers.push(text(&mut table, &mut self.texts, value)?);
        }
        table.add_series(kind, help, unit, &numbers)
    }
}

fn text(table: &mut Table, texts: &mut HashMap<Box<str>, u32>, text: &str) -> Option<u32> {
    if text.is_empty() {
        return Some(0);
    }
    if let Some(number) = texts.get(text) {
        return Some(*number);
    }
    let number = table.add_text(text)?;
    texts.insert(text.into(), number);
    Some(number)
}

/// A table with one series, which stands in no log.
pub(super) fn alone(labels: &Labels, kind: MetricKind, help: &str) -> Option<(Table, u32)> {
    let (mut table, mut texts) = (Table::default(), HashMap::new());
    let help = text(&mut table, &mut texts, help)?;
    let mut numbers = Vec::new();
    for (name, value) in labels.iter() {
        numbers.push(text(&mut table, &mut texts, name)?);
        numbers.push(text(&mut table, &mut texts, value)?);
    }
    let number = table.add_series(kind, help, 0, &numbers)?;
    Some((table, number))
}
