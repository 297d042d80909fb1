//! What a segment of the metrics log has defined.

use taffrail_wire::remote_write::MetricKind;
use taffrail_wire::remote_write::v2::{Series, Symbols};

use super::decode::DecodeError;
use super::number::{number, varint};

/// The most of what is numbered that may be missing before a record: it was damaged, and the rest is still of use.
const MOST_MISSING: usize = 1 << 20;

/// Texts, families and series of one segment, by their numbers.
#[derive(Debug, Default)]
pub struct Table {
    symbols: Symbols,
    families: Vec<Family>,
    series: Vec<Known>,
    /// The labels of all series, one behind the other.
    labels: Vec<u8>,
    /// A record was missing: there may be numbers that stand for nothing.
    holes: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Family {
    kind: MetricKind,
    help: u32,
    unit: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    family: u32,
    /// Where its labels end; they begin where those before end.
    end: u32,
}

/// A series, as a [`Visit`](super::Visit) is given it.
#[derive(Clone, Copy, Debug)]
pub struct Numbered<'a> {
    pub(super) table: &'a Table,
    /// Its number in the table.
    pub number: u32,
}

impl<'a> Numbered<'a> {
    /// What it is.
    pub fn series(self) -> Option<Series<'a>> {
        self.table.series(self.number)
    }

    /// What is known of its family: type, help text, unit.
    pub fn family(self) -> (MetricKind, &'a str, &'a str) {
        let known = self.series().map(|of| (of.kind, of.help, of.unit)).unwrap_or_default();
        (known.0, self.table.symbols.text(known.1), self.table.symbols.text(known.2))
    }

    /// Its labels, sorted by name.
    pub fn labels(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.series().map(|series| series.pairs(&self.table.symbols).collect::<Vec<_>>());
        pairs.unwrap_or_default().into_iter()
    }
}

impl Table {
    /// The texts, for [`series`](Table::series).
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The series of a number that a [`Visit`](super::Visit) was given.
    #[inline]
    pub fn series(&self, number: u32) -> Option<Series<'_>> {
        let known = self.series.get(number as usize)?;
        let Family { kind, help, unit } = *self.families.get(known.family as usize)?;
        Some(Series {
            labels: &self.labels[self.begin(number as usize)..known.end as usize],
            kind,
            help,
            unit,
        })
    }

    fn begin(&self, number: usize) -> usize {
        number.checked_sub(1).map_or(0, |before| self.series[before].end as usize)
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Gives a text the next number.
    pub fn add_text(&mut self, text: &str) -> Option<u32> {
        self.symbols.push(text)
    }

    /// Adds a series that no record defined: labels that rules have made, sorted by name, names and values in turn as
    /// numbers of texts. Gives its number, or nothing if all would take too much.
    pub fn add_series(&mut self, kind: MetricKind, help: u32, unit: u32, labels: &[u32]) -> Option<u32> {
        let same = |known: &Family| (known.kind, known.help, known.unit) == (kind, help, unit);
        // Series of a family come one after the other.
        if !self.families.last().is_some_and(same) {
            self.families.push(Family { kind, help, unit });
        }
        labels.iter().for_each(|text| varint(&mut self.labels, u64::from(*text)));
        let end = u32::try_from(self.labels.len()).ok()?;
        reserve(&mut self.series, 1);
        self.series.push(Known { family: (self.families.len() - 1) as u32, end });
        u32::try_from(self.series.len() - 1).ok()
    }

    #[inline]
    pub(super) fn has(&self, number: u32) -> bool {
        let at = number as usize;
        at < self.series.len() && (!self.holes || self.begin(at) < self.series[at].end as usize)
    }

    /// Takes a text. One whose number is taken is the same as before: its record was read twice.
    pub(super) fn text(&mut self, number: u64, text: &str) -> Result<(), DecodeError> {
        self.gap(number, self.symbols.len(), |table| table.symbols.push("").map(drop))?;
        if number == self.symbols.len() as u64 {
            self.symbols.push(text).ok_or(DecodeError::Undefined(number))?;
        }
        Ok(())
    }

    pub(super) fn family(
        &mut self,
        number: u64,
        kind: MetricKind,
        help: u64,
        unit: u64,
    ) -> Result<(), DecodeError> {
        self.gap(number, self.families.len(), |table| {
            table.families.push(Family::default());
            Some(())
        })?;
        if number == self.families.len() as u64 {
            let (help, unit) = (self.symbol(help)?, self.symbol(unit)?);
            self.families.push(Family { kind, help, unit });
        }
        Ok(())
    }

    pub(super) fn define(&mut self, number: u64, family: u64, labels: &[u8]) -> Result<(), DecodeError> {
        let end = u32::try_from(self.labels.len()).map_err(|_| DecodeError::Undefined(number))?;
        self.gap(number, self.series.len(), |table| {
            table.series.push(Known { family: 0, end });
            Some(())
        })?;
        if number < self.series.len() as u64 {
            return Ok(());
        }
        let known = usize::try_from(family).ok().filter(|at| *at < self.families.len());
        known.ok_or(DecodeError::Undefined(family))?;
        let (mut rest, mut count) = (labels, 0);
        while !rest.is_empty() {
            self.symbol(number_of(&mut rest)?)?;
            count += 1;
        }
        if count % 2 == 1 || count == 0 {
            return Err(DecodeError::Short);
        }
        let end =
            u32::try_from(self.labels.len() + labels.len()).map_err(|_| DecodeError::Undefined(number))?;
        reserve(&mut self.labels, labels.len());
        self.labels.extend_from_slice(labels);
        reserve(&mut self.series, 1);
        self.series.push(Known { family: family as u32, end });
        Ok(())
    }

    /// A text that is used: it is there.
    fn symbol(&self, number: u64) -> Result<u32, DecodeError> {
        let known = u32::try_from(number).ok().filter(|number| (*number as usize) < self.symbols.len());
        known
            .filter(|number| !self.holes || *number == 0 || !self.symbols.text(*number).is_empty())
            .ok_or(DecodeError::Undefined(number))
    }

    /// Fills the numbers between what is there and what comes.
    fn gap(
        &mut self,
        number: u64,
        len: usize,
        mut fill: impl FnMut(&mut Self) -> Option<()>,
    ) -> Result<(), DecodeError> {
        let missing = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(len);
        if missing > MOST_MISSING {
            return Err(DecodeError::Undefined(number));
        }
        self.holes |= missing > 0;
        (0..missing).try_for_each(|_| fill(self)).ok_or(DecodeError::Undefined(number))
    }
}

fn number_of(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    number(bytes).ok_or(DecodeError::Short)
}

/// Makes room by a quarter, not by as much again: these lists are most of what an output takes.
fn reserve<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact((list.len() / 4).max(64).max(more));
    }
}
