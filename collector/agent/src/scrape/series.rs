//! The series of one target: found by their bytes on the page, written to the log by their numbers.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use taffrail_core::sample::STALE_NAN;
use taffrail_spool::SegmentId;
use taffrail_wire::page::{Found, Key, Series as Exposed, Table};
use taffrail_wire::relabel::Labels;
use taffrail_wire::remote_write::{MetricKind, encode_labels};

use crate::metrics::Writer;
use crate::metrics::record::{Encoder, Family};

/// Samples that are written as one record.
const RECORD: usize = 8192;
/// Lines that bad pages may add to twice those of the last good one before those that are gone are forgotten.
const SPARE_LINES: usize = 1000;
/// Families that may be known beyond two for every series.
const SPARE_FAMILIES: usize = 64;

/// A series, as an index into [`Series`].
pub type Index = u32;

/// What a target's pages were found to hold, and what was written of it.
#[derive(Debug, Default)]
pub struct Series {
    /// By bytes on the page; [`DROPPED`] where relabelling drops it.
    lines: Table<Index>,
    /// By labels, as different lines may become one series.
    labels: HashTable<Index>,
    known: Vec<Option<Known>>,
    free: Vec<Index>,
    families: Vec<KnownFamily>,
    hasher: RandomState,
    /// The page that is being read.
    page: u32,
    /// How many lines the last good page left.
    good: usize,
    /// Whether there may be series that no line leads to, which end unless the next good page has them.
    strays: bool,
}

/// No series.
const DROPPED: Index = Index::MAX;

#[derive(Debug)]
struct Known {
    number: u64,
    labels: Box<[u8]>,
    family: u32,
    /// The segment of the log that last defined it.
    defined: Option<SegmentId>,
    /// The last page with a sample of it, and that sample's time; the page may turn out to be bad.
    page: u32,
    page_ts_ms: i64,
    /// The time of what was last written of it.
    ts_ms: i64,
    /// Whether a value was written that a marker has to end.
    alive: bool,
    /// How many lines lead to it.
    lines: u32,
}

/// A family that series belong to.
#[derive(Debug, PartialEq, Eq)]
struct KnownFamily {
    name: Box<str>,
    kind: MetricKind,
    help: Box<str>,
    unit: Box<str>,
}

/// A sample of a page, before it is known whether the page is good.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Whose.
    pub series: Index,
    /// Milliseconds since 1970.
    pub ts_ms: i64,
    /// The value.
    pub value: f64,
    /// Whether the series ends when it is gone from the page.
    pub tracked: bool,
}

/// What is to be done with a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is written.
    New,
    /// It was written when the last page had it.
    Again,
    /// Its series has one of this time on this page, or a later one: it would be out of order.
    Late,
}

impl Series {
    /// A new page begins.
    pub fn begin(&mut self) {
        self.page = self.page.wrapping_add(1);
        self.lines.begin();
    }

    /// What lines are known by their bytes.
    pub fn lines(&mut self) -> &mut Table<Index> {
        &mut self.lines
    }

    /// The series that is meant by what [`lines`](Self::lines) hold; none if relabelling drops it.
    pub fn index(line: Index) -> Option<Index> {
        (line != DROPPED).then_some(line)
    }

    /// The series of a line, none if relabelling drops it; or what it is inserted by.
    pub fn find(&mut self, exposed: &Exposed<'_>) -> Result<Option<Index>, Key> {
        match self.lines.find(exposed) {
            Found::Known { of, .. } => Ok(Self::index(of)),
            Found::New(key) => Err(key),
        }
    }

    /// The same of a series that stands on no page.
    pub fn find_name(&mut self, name: &str) -> Result<Option<Index>, Key> {
        match self.lines.find_name(name) {
            Found::Known { of, .. } => Ok(Self::index(of)),
            Found::New(key) => Err(key),
        }
    }

    /// Remembers what a line means. The first line of a series gives it its family.
    pub fn insert(
        &mut self,
        key: Key,
        labels: Option<&Labels>,
        family: Family<'_>,
        writer: &Writer,
    ) -> Option<Index> {
        let series = labels.map(|labels| self.series(labels, family, writer));
        if let Some(known) = series.and_then(|index| self.known[index as usize].as_mut()) {
            known.lines += 1;
        }
        self.lines.insert(key, series.unwrap_or(DROPPED));
        series
    }

    fn series(&mut self, labels: &Labels, family: Family<'_>, writer: &Writer) -> Index {
        let mut bytes = Vec::new();
        encode_labels(&mut bytes, labels.iter());
        let hash = self.hasher.hash_one(&*bytes);
        let same =
            |index: &Index| matches!(&self.known[*index as usize], Some(known) if *known.labels == *bytes);
        if let Some(index) = self.labels.find(hash, same) {
            return *index;
        }
        let known = Known {
            number: writer.number(),
            labels: bytes.into(),
            family: self.family(family),
            defined: None,
            page: 0,
            page_ts_ms: i64::MIN,
            ts_ms: i64::MIN,
            alive: false,
            lines: 0,
        };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.known.push(None);
                (self.known.len() - 1) as Index
            }
        };
        self.known[index as usize] = Some(known);
        let (known, hasher) = (&self.known, &self.hasher);
        self.labels.insert_unique(hash, index, |index| hash_of(hasher, known, *index));
        index
    }

    fn family(&mut self, family: Family<'_>) -> u32 {
        let Family { name, kind, help, unit } = family;
        // A page's series come family by family: the last one is nearly always it.
        let same = |known: &KnownFamily| {
            *known.name == *name && known.kind == kind && *known.help == *help && *known.unit == *unit
        };
        if let Some(at) = self.families.iter().rposition(same) {
            return at as u32;
        }
        self.families.push(KnownFamily { name: name.into(), kind, help: help.into(), unit: unit.into() });
        (self.families.len() - 1) as u32
    }

    /// What is to be done with a sample of this time; `own` is a time that the page says.
    pub fn place(&self, index: Index, ts_ms: i64, own: bool) -> Place {
        let Some(known) = &self.known[index as usize] else { return Place::Late };
        match known.page == self.page {
            true if known.page_ts_ms >= ts_ms => Place::Late,
            // Times of our own only grow, unless the clock is set back: then it is the receiver's to decide.
            false if own && known.ts_ms == ts_ms => Place::Again,
            false if own && known.ts_ms > ts_ms => Place::Late,
            _ => Place::New,
        }
    }

    /// Marks that the series has a sample on this page.
    pub fn see(&mut self, index: Index, ts_ms: i64) {
        if let Some(known) = &mut self.known[index as usize] {
            (known.page, known.page_ts_ms) = (self.page, ts_ms);
        }
    }

    /// Whether the last page had a sample of the very series that `other` calls `index`.
    pub fn has(&self, other: &Series, index: Index) -> bool {
        let Some(wanted) = &other.known[index as usize] else { return false };
        let hash = self.hasher.hash_one(&*wanted.labels);
        let same = |at: &Index| matches!(&self.known[*at as usize], Some(known) if known.page == self.page && known.labels == wanted.labels);
        self.labels.find(hash, same).is_some()
    }

    /// Writes a good page's samples, ends the series that are gone from it, and forgets lines that are.
    pub fn accept(&mut self, samples: &[Sample], now_ms: i64, writer: &Writer) {
        for samples in samples.chunks(RECORD) {
            writer.append(|segment, encoder| {
                for sample in samples {
                    let Some(known) = &mut self.known[sample.series as usize] else { continue };
                    known.define(segment, encoder, &self.families);
                    encoder.sample(known.number, sample.ts_ms, sample.value);
                    known.ts_ms = sample.ts_ms;
                    known.alive = sample.tracked && sample.value.to_bits() != STALE_NAN;
                }
            });
        }
        let page = self.page;
        self.mark(now_ms, writer, |known| known.page != page);
        self.forget();
        self.good = self.lines.len();
    }

    /// Ends all series: the page could not be had, or was bad. What its lines mean is remembered, as the next good page
    /// will have most of them, but not without bound: a bad page may hold anything.
    pub fn reject(&mut self, now_ms: i64, writer: &Writer) {
        self.end(now_ms, writer);
        if self.lines.len() > 2 * self.good + SPARE_LINES {
            self.forget();
        }
    }

    /// Ends all series: the target is gone.
    pub fn end(&mut self, now_ms: i64, writer: &Writer) {
        self.mark(now_ms, writer, |_| true);
    }

    /// Forgets what lines mean, as other rules hold from now on. Series that the next good page has again go on.
    pub fn forget_lines(&mut self) {
        self.lines.clear();
        self.known.iter_mut().flatten().for_each(|known| known.lines = 0);
        (self.good, self.strays) = (0, true);
    }

    fn mark(&mut self, now_ms: i64, writer: &Writer, gone: impl Fn(&Known) -> bool) {
        let ending = |known: &Known| known.alive && gone(known);
        if !self.known.iter().flatten().any(ending) {
            return;
        }
        for known in self.known.chunks_mut(RECORD) {
            writer.append(|segment, encoder| {
                for known in known.iter_mut().flatten().filter(|known| ending(known)) {
                    known.alive = false;
                    // A page may say times that are still to come; a marker before them is of no use.
                    if known.ts_ms < now_ms {
                        known.define(segment, encoder, &self.families);
                        encoder.sample(known.number, now_ms, f64::from_bits(STALE_NAN));
                        known.ts_ms = now_ms;
                    }
                }
            });
        }
    }

    /// Forgets lines that were not on this page, and series that no line leads to.
    fn forget(&mut self) {
        let known = &mut self.known;
        let mut orphans = Vec::new();
        self.lines.sweep(|line| {
            let series = Self::index(line).and_then(|index| known[index as usize].as_mut());
            if let Some(series) = series {
                series.lines -= 1;
                if series.lines == 0 {
                    orphans.push(line);
                }
            }
        });
        if std::mem::take(&mut self.strays) {
            let stray = |index: &Index| matches!(&known[*index as usize], Some(known) if known.lines == 0);
            orphans.extend((0..known.len() as Index).filter(stray));
        }
        orphans.into_iter().for_each(|index| self.release(index));
        self.forget_families();
    }

    fn release(&mut self, index: Index) {
        if self.known[index as usize].is_none() {
            return;
        }
        let hash = hash_of(&self.hasher, &self.known, index);
        if let Ok(entry) = self.labels.find_entry(hash, |at| *at == index) {
            entry.remove();
        }
        self.known[index as usize] = None;
        self.free.push(index);
    }

    /// Forgets families without series, once there are many: a page may change its help texts all the time.
    fn forget_families(&mut self) {
        if self.families.len() <= 2 * self.count() + SPARE_FAMILIES {
            return;
        }
        let mut moved: Vec<Option<u32>> = vec![None; self.families.len()];
        let mut kept = Vec::new();
        let mut families: Vec<Option<KnownFamily>> =
            std::mem::take(&mut self.families).into_iter().map(Some).collect();
        for known in self.known.iter_mut().flatten() {
            let at = known.family as usize;
            if let Some(family) = families[at].take() {
                moved[at] = Some(kept.len() as u32);
                kept.push(family);
            }
            known.family = moved[at].unwrap_or_default();
        }
        self.families = kept;
    }

    /// How many series there are.
    pub fn count(&self) -> usize {
        self.known.len() - self.free.len()
    }
}

fn hash_of(hasher: &RandomState, known: &[Option<Known>], index: Index) -> u64 {
    known[index as usize].as_ref().map_or(0, |known| hasher.hash_one(&*known.labels))
}

impl Known {
    fn define(&mut self, segment: SegmentId, encoder: &mut Encoder<SegmentId>, families: &[KnownFamily]) {
        if self.defined != Some(segment) {
            let KnownFamily { name, kind, help, unit } = &families[self.family as usize];
            encoder.define(self.number, Family { name, kind: *kind, help, unit }, &self.labels);
            self.defined = Some(segment);
        }
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
