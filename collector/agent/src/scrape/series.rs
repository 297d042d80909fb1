//! The series of one target: found by their bytes on the page, written to the log by their numbers.

mod folded;
mod line;
mod shown;
mod starts;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use hashbrown::HashTable;
use taffrail_core::sample::STALE_NAN;
use taffrail_spool::SegmentId;
use taffrail_wire::page::{Found, Key, Series as Exposed, Table};
use taffrail_wire::relabel::Labels;

pub use self::line::Line;
use self::starts::Start;
use super::families::Families;
use super::fold::Folds;
use super::known::{Known, write_more};
use super::taken::{More, Sample, Taken};
use crate::metrics::Writer;
use crate::metrics::cardinality::Counter;
use crate::metrics::interner::{Interner, Key as Labelled};
use crate::metrics::record::{Encoder, Family, Slot};
use crate::status::lock;

/// The most samples that are written as one record, and about the most bytes.
const RECORD: usize = 8192;
const RECORD_BYTES: usize = 1 << 20;
/// Lines that bad pages may add to twice those of the last good one before those that are gone are forgotten.
const SPARE_LINES: usize = 1000;

/// A series, as an index into [`Series`].
pub type Index = u32;

/// What a target's pages were found to hold, and what was written of it.
#[derive(Debug, Default)]
pub struct Series {
    /// By bytes on the page.
    lines: Table<Line>,
    /// By labels, as different lines may become one series.
    labels: HashTable<Index>,
    known: Vec<Option<Known>>,
    free: Vec<Index>,
    families: Families,
    hasher: RandomState,
    /// The page that is being read.
    page: u32,
    /// How many lines the last good page left.
    good: usize,
    /// Whether there may be series that no line leads to, which end unless the next good page has them.
    strays: bool,
    /// What gave the series their keys, once there are any.
    interner: Option<Arc<Mutex<Interner>>>,
    /// Where they are counted.
    counter: Option<Arc<Counter>>,
    /// When series began, as far as pages say so.
    starts: HashMap<Index, Start>,
    /// The values of the series that say so.
    telling: HashMap<Index, u64>,
    /// There are such lines, and relabelling drops them.
    hidden: bool,
    /// The lines that are folded.
    folds: Folds,
    /// The hash of the last exemplar of series that have any: a page repeats it until there is another.
    exemplars: HashMap<Index, u64>,
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
        self.folds.begin();
    }

    /// Series that begin are counted there, and always the same.
    pub fn count_in(&mut self, counter: &Arc<Counter>) {
        self.counter.get_or_insert_with(|| counter.clone());
    }

    /// What lines are known by their bytes.
    pub fn lines(&mut self) -> &mut Table<Line> {
        &mut self.lines
    }

    /// What a line means, or what it is inserted by.
    pub fn find(&mut self, exposed: &Exposed<'_>) -> Result<Line, Key> {
        match self.lines.find(exposed) {
            Found::Known { of, .. } => Ok(of),
            Found::New(key) => Err(key),
        }
    }

    /// The same of a series that stands on no page.
    pub fn find_name(&mut self, name: &str) -> Result<Option<Index>, Key> {
        match self.lines.find_name(name) {
            Found::Known { of, .. } => Ok(of.series()),
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
        self.lines.insert(key, series.map_or(Line::DROPPED, Line::of));
        series
    }

    fn series(&mut self, labels: &Labels, family: Family<'_>, writer: &Writer) -> Index {
        let interner = self.interner.get_or_insert_with(|| writer.interner().clone());
        let labels = lock(interner).key(labels.iter());
        let hash = self.hasher.hash_one(&labels);
        let same =
            |index: &Index| matches!(&self.known[*index as usize], Some(known) if known.labels == labels);
        if let Some(index) = self.labels.find(hash, same) {
            lock(interner).release(&labels);
            return *index;
        }
        if let Some(counter) = &self.counter {
            counter.add(&labels);
        }
        let known = Known {
            labels,
            slot: Slot::default(),
            family: self.families.number(family),
            page: 0,
            page_ts_ms: i64::MIN,
            ts_ms: i64::MIN,
            lines: 0,
            alive: false,
            histogram: false,
            started: false,
            tells: false,
        };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                if self.known.len() == self.known.capacity() {
                    // A quarter more, not twice as much: it is most of what a target costs.
                    self.known.reserve_exact((self.known.len() / 4).max(16));
                }
                self.known.push(None);
                (self.known.len() - 1) as Index
            }
        };
        self.known[index as usize] = Some(known);
        let (known, hasher) = (&self.known, &self.hasher);
        self.labels.insert_unique(hash, index, |index| hash_of(hasher, known, *index));
        index
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

    /// Marks that the series has a sample on this page. Whether it is one that says when others began, and says another
    /// time than before.
    #[inline]
    pub fn see(&mut self, index: Index, ts_ms: i64, value: f64) -> bool {
        let Some(known) = &mut self.known[index as usize] else { return false };
        (known.page, known.page_ts_ms) = (self.page, ts_ms);
        known.tells && self.telling.insert(index, value.to_bits()) != Some(value.to_bits())
    }

    /// Whether the last page had a sample of the very series that `other` calls `index`.
    pub fn has(&self, other: &Series, index: Index) -> bool {
        let Some(wanted) = &other.known[index as usize] else { return false };
        let hash = self.hasher.hash_one(&wanted.labels);
        let same = |at: &Index| matches!(&self.known[*at as usize], Some(known) if known.page == self.page && known.labels == wanted.labels);
        self.labels.find(hash, same).is_some()
    }

    /// Writes a good page's samples, ends the series that are gone from it, and forgets lines that are.
    pub fn accept(&mut self, taken: &Taken, now_ms: i64, writer: &Writer) {
        let (mut at, mut more) = (0, &taken.more[..]);
        while at < taken.samples.len() {
            writer.append(|encoder| {
                let end = taken.samples.len().min(at + RECORD);
                while at < end && encoder.len() < RECORD_BYTES {
                    let own = more.iter().take_while(|(of, _)| *of as usize == at).count();
                    let (this, behind) = more.split_at(own);
                    self.write(&taken.samples[at], this, encoder);
                    (more, at) = (behind, at + 1);
                }
            });
        }
        let page = self.page;
        self.mark(now_ms, writer, |known| known.page != page);
        self.forget();
        self.good = self.lines.len();
    }

    #[inline]
    fn write(&mut self, sample: &Sample, more: &[(u32, More)], encoder: &mut Encoder<SegmentId>) {
        let Some(known) = &mut self.known[sample.series as usize] else { return };
        known.define(encoder, &self.families);
        if known.started
            && let Some(start) = self.starts.get_mut(&sample.series)
            && start.said != known.slot
        {
            encoder.start(known.slot, start.ms);
            start.said = known.slot;
        }
        known.ts_ms = sample.ts_ms;
        known.alive = sample.tracked && sample.value.to_bits() != STALE_NAN;
        let mut histogram = false;
        if !more.is_empty() {
            histogram = write_more(known.slot, sample, more, encoder);
        } else {
            encoder.sample(known.slot, sample.ts_ms, sample.value);
        }
        known.histogram = histogram;
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
        self.folds.forget_lines();
        self.known.iter_mut().flatten().for_each(|known| known.lines = 0);
        (self.good, self.strays, self.hidden) = (0, true, false);
    }

    fn mark(&mut self, now_ms: i64, writer: &Writer, gone: impl Fn(&Known) -> bool) {
        let ending = |known: &Known| known.alive && gone(known);
        if !self.known.iter().flatten().any(ending) {
            return;
        }
        let mut rest = &mut self.known[..];
        while !rest.is_empty() {
            writer.append(|encoder| {
                let mut count = 0;
                while let Some((known, behind)) = std::mem::take(&mut rest).split_first_mut() {
                    rest = behind;
                    if let Some(known) = known.as_mut().filter(|known| ending(known)) {
                        known.end(now_ms, encoder, &self.families);
                        count += 1;
                    }
                    if count == RECORD || encoder.len() >= RECORD_BYTES {
                        break;
                    }
                }
            });
        }
    }

    /// Forgets lines that were not on this page, and series that no line leads to.
    fn forget(&mut self) {
        let (known, folds) = (&mut self.known, &mut self.folds);
        let mut orphans = Vec::new();
        self.lines.sweep(|line| {
            let of = line.series().or_else(|| folds.remove(line.member()?));
            if let Some((index, series)) = of.and_then(|at| Some((at, known[at as usize].as_mut()?))) {
                series.lines -= 1;
                if series.lines == 0 {
                    orphans.push(index);
                }
            }
        });
        if std::mem::take(&mut self.strays) {
            let stray = |index: &Index| matches!(&known[*index as usize], Some(known) if known.lines == 0);
            orphans.extend((0..known.len() as Index).filter(stray));
        }
        orphans.into_iter().for_each(|index| self.release(index));
        let series = self.count();
        self.families.forget(series, self.known.iter_mut().flatten().map(|known| &mut known.family));
    }

    fn release(&mut self, index: Index) {
        if self.known[index as usize].is_none() {
            return;
        }
        let hash = hash_of(&self.hasher, &self.known, index);
        if let Ok(entry) = self.labels.find_entry(hash, |at| *at == index) {
            entry.remove();
        }
        if let Some(known) = self.known[index as usize].take() {
            release(&known.labels, self.counter.as_deref(), self.interner.as_deref());
        }
        self.folds.forget(index);
        self.starts.remove(&index);
        self.exemplars.remove(&index);
        self.telling.remove(&index);
        self.free.push(index);
    }

    /// How many series there are.
    pub fn count(&self) -> usize {
        self.known.len() - self.free.len()
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        let known = std::mem::take(&mut self.known);
        let (counter, interner) = (self.counter.as_deref(), self.interner.as_deref());
        known.iter().flatten().for_each(|known| release(&known.labels, counter, interner));
    }
}

/// Lets go of the labels of a series that is gone.
fn release(labels: &Labelled, counter: Option<&Counter>, interner: Option<&Mutex<Interner>>) {
    if let Some(counter) = counter {
        counter.remove(labels);
    }
    if let Some(interner) = interner {
        lock(interner).release(labels);
    }
}

fn hash_of(hasher: &RandomState, known: &[Option<Known>], index: Index) -> u64 {
    known[index as usize].as_ref().map_or(0, |known| hasher.hash_one(&known.labels))
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
