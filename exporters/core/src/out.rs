//! Where a subject writes its samples.
//!
//! An [`Out`] remembers the series of the run before. A subject writes its values in much the same order every time, so
//! the series expected next is compared first, and the hash table is asked only when that guess is wrong.

mod more;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::metric::{Family, Keyed, Kind, Metric};
use crate::note::Note;
use crate::sample::{Collected, FamilyInfo, Sample, SeriesDef, SeriesRef, Value};

/// Collects one scope's samples, run after run.
#[derive(Default)]
pub struct Out {
    entries: Vec<Entry>,
    free: Vec<u32>,
    index: HashTable<u32>,
    families: HashTable<(FamilyKey, Arc<FamilyInfo>)>,
    /// Found families that came with another type or help than before.
    changed: Vec<FamilyKey>,
    /// How many families there were when those that are over were forgotten last.
    kept_families: usize,
    hasher: RandomState,
    /// The series of the run before, in the order written, and where in it the next one is expected.
    previous: Vec<SeriesRef>,
    expected: usize,
    run: u64,
    collected: Collected,
    /// Bytes that the entries' names and values take.
    text: usize,
}

struct Entry {
    metric: &'static Metric,
    /// The key and all values, each with [`END`] behind it: in one piece, as every run compares all of them.
    text: Box<[u8]>,
    /// The last run that wrote it, and where in that run.
    run: u64,
    at: usize,
}

/// No byte of UTF-8.
const END: u8 = 0xff;

impl Entry {
    /// Bytes of its texts.
    fn bytes(&self) -> usize {
        self.text.len()
    }

    fn new<'a>(metric: &'static Metric, key: &'a str, values: impl Iterator<Item = &'a str>) -> Self {
        let mut text = Vec::new();
        for part in std::iter::once(key).chain(values) {
            text.extend_from_slice(part.as_bytes());
            text.push(END);
        }
        Entry { metric, text: text.into(), run: 0, at: 0 }
    }

    fn key(&self) -> &[u8] {
        self.text.split(|byte| *byte == END).next().unwrap_or_default()
    }

    fn is<'a>(&self, metric: &'static Metric, key: &'a str, values: impl Iterator<Item = &'a str>) -> bool {
        if !std::ptr::eq(self.metric, metric) {
            return false;
        }
        let mut rest = &*self.text;
        for part in std::iter::once(key).chain(values) {
            match rest.strip_prefix(part.as_bytes()) {
                Some([END, tail @ ..]) => rest = tail,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

/// Stands for all families that nobody declared: their name is the key, and the suffix and the labels' names are among
/// the values.
static FOUND: Metric = Metric {
    name: "found",
    keys: None,
    help: "A family of another program's.",
    kind: Kind::Untyped,
    labels: &[],
    irregular: true,
};

fn found_address() -> usize {
    std::ptr::from_ref(&FOUND).addr()
}

/// A declaration's address, which is its identity, and the key.
type FamilyKey = (usize, Box<str>);

impl Out {
    /// Starts a run whose values are read at `ts_ms`.
    pub fn begin(&mut self, ts_ms: i64) {
        self.run += 1;
        self.expected = 0;
        let samples = Vec::with_capacity(self.previous.len());
        self.collected = Collected { ts_ms, samples, ..Collected::default() };
    }

    /// Gives one value of a declared metric.
    pub fn put<const N: usize>(&mut self, family: &'static Family<N>, labels: [&str; N], value: f64) {
        self.write(family.metric(), "", labels.iter().copied(), value);
    }

    /// Gives one value of a keyed family. What may not stand in a metric's name becomes `_`.
    pub fn put_keyed<const N: usize>(
        &mut self,
        family: &'static Keyed<N>,
        key: &str,
        labels: [&str; N],
        value: f64,
    ) {
        self.write(family.metric(), key, labels.iter().copied(), value);
    }

    /// Gives one value of a metric that a table names, where the number of labels shows when the table is read.
    pub fn put_row(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
        self.write(metric, "", labels.iter().copied(), value);
    }

    /// Gives one value of a family that another program made, not this one: name, type and help come from there.
    /// `suffix` is `_bucket`, `_sum` or `_count` of a histogram or summary, else empty; `labels` are sorted by name.
    ///
    /// A family that has another type or help than in the run before is left out of one run, so that its series end
    /// before those of the new one begin.
    pub fn put_found(
        &mut self,
        family: &Arc<FamilyInfo>,
        suffix: &'static str,
        labels: &[(Box<str>, Box<str>)],
        value: f64,
    ) {
        if !self.is_as_before(family) {
            return;
        }
        let values = labels.iter().flat_map(|(name, value)| [&**name, &**value]);
        let values = std::iter::once(suffix).chain(values);
        let def = |family| SeriesDef {
            family,
            suffix,
            labels: labels.iter().map(|(n, v)| (Cow::Owned(n.to_string()), v.clone())).collect(),
        };
        let series = match self.find(&FOUND, &family.name, &values) {
            Ok(series) => series,
            Err(hash) => self.insert(&FOUND, &family.name, values, hash, def(family.clone())),
        };
        self.sample(series, value);
    }

    /// Gives one value of a metric whose labels a user named, beside none that were declared. The names must be those
    /// of labels (letters, digits and `_`), each once.
    pub fn put_labelled(&mut self, family: &'static Family<0>, labels: &[(&str, &str)], value: f64) {
        let metric = family.metric();
        // Told apart by names and values, as the names are not the declaration's.
        let values = labels.iter().flat_map(|(name, value)| [*name, *value]);
        let series = match self.find(metric, "", &values) {
            Ok(series) => series,
            Err(hash) => {
                let own = labels.iter().map(|(n, v)| (Cow::Owned((*n).to_owned()), Box::from(*v)));
                let def = SeriesDef { family: self.family(metric, ""), suffix: "", labels: own.collect() };
                self.insert(metric, "", values, hash, def)
            }
        };
        self.sample(series, value);
    }

    /// Tells what a number cannot.
    pub fn note(&mut self, note: Note) {
        self.collected.notes.push(note);
    }

    /// Bytes of memory held from run to run, about.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.index.capacity() * size_of::<u32>()
            + (self.free.capacity() + self.previous.capacity()) * size_of::<u32>()
            + self.families.capacity() * size_of::<(FamilyKey, Arc<FamilyInfo>)>()
            + self.text
    }

    /// Ends the run: what was not written in it is gone.
    pub fn finish(&mut self) -> Collected {
        for &series in &self.previous {
            let entry = &self.entries[series.index()];
            if entry.run != self.run {
                self.collected.gone.push(series);
            }
        }
        for i in 0..self.collected.gone.len() {
            self.forget(self.collected.gone[i]);
        }
        for id in self.changed.drain(..) {
            let hash = self.hasher.hash_one(&id);
            if let Ok(found) = self.families.find_entry(hash, |(k, _)| *k == id) {
                found.remove();
            }
        }
        self.forget_families();
        self.previous.clear();
        self.previous.extend(self.collected.samples.iter().map(|s| s.series));
        std::mem::take(&mut self.collected)
    }

    fn write<'a>(
        &mut self,
        metric: &'static Metric,
        key: &'a str,
        values: impl Iterator<Item = &'a str> + Clone,
        value: f64,
    ) {
        let series = match self.find(metric, key, &values) {
            Ok(series) => series,
            Err(hash) => {
                let labels = metric.labels.iter().zip(values.clone());
                let labels = labels.map(|(n, v)| (Cow::Borrowed(*n), Box::from(v))).collect();
                let def = SeriesDef { family: self.family(metric, key), suffix: "", labels };
                self.insert(metric, key, values, hash, def)
            }
        };
        self.sample(series, value);
    }

    fn sample(&mut self, series: SeriesRef, value: f64) {
        let ts_ms = self.collected.ts_ms;
        let at = self.collected.samples.len();
        let entry = &mut self.entries[series.index()];
        if entry.run == self.run {
            self.collected.duplicates += 1;
            return;
        }
        entry.run = self.run;
        entry.at = at;
        self.collected.samples.push(Sample { series, ts_ms, value: Value::F64(value) });
    }

    /// The series, or the hash under which a new one is to be put.
    fn find<'a>(
        &mut self,
        metric: &'static Metric,
        key: &'a str,
        values: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Result<SeriesRef, u64> {
        if let Some(&guess) = self.previous.get(self.expected)
            && self.entries[guess.index()].is(metric, key, values.clone())
        {
            self.expected += 1;
            return Ok(guess);
        }
        let hash = hash(&self.hasher, metric, key, values.clone());
        let entries = &self.entries;
        let found = self.index.find(hash, |&i| entries[i as usize].is(metric, key, values.clone()));
        let &found = found.ok_or(hash)?;
        let entry = &self.entries[found as usize];
        if entry.run != self.run {
            self.expected = entry.at + 1;
        }
        Ok(SeriesRef(found))
    }

    fn insert<'a>(
        &mut self,
        metric: &'static Metric,
        key: &'a str,
        values: impl Iterator<Item = &'a str>,
        hash: u64,
        def: SeriesDef,
    ) -> SeriesRef {
        let entry = Entry::new(metric, key, values);
        self.text += entry.bytes();
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert_unique(hash, slot, |&i| hash_entry(hasher, &entries[i as usize]));
        self.collected.new.push((SeriesRef(slot), def));
        SeriesRef(slot)
    }

    /// Whether a found family has the type and help that it had; one that is new has.
    fn is_as_before(&mut self, family: &Arc<FamilyInfo>) -> bool {
        let key = (found_address(), family.name.as_str());
        // A key hashes as its parts do, whoever owns them: this is asked for every sample, so nothing is allocated.
        let hash = self.hasher.hash_one(key);
        let known = self.families.find(hash, |((metric, name), _)| (*metric, &**name) == key);
        let own = || (key.0, key.1.into());
        if let Some((_, known)) = known {
            let same = Arc::ptr_eq(known, family) || known == family;
            if !same && !self.changed.iter().any(|(_, name)| **name == *key.1) {
                self.changed.push(own());
            }
            return same;
        }
        let hasher = &self.hasher;
        self.families.insert_unique(hash, (own(), family.clone()), |(k, _)| hasher.hash_one(k));
        true
    }

    /// Forgets found families of which nothing is left: another program may give each of its files new names for ever.
    fn forget_families(&mut self) {
        let families = self.families.len();
        if self.collected.gone.is_empty() || families <= 2 * self.kept_families.max(64) {
            return;
        }
        let entries = self.collected.samples.iter().map(|sample| &self.entries[sample.series.index()]);
        let found = entries.filter(|entry| std::ptr::eq(entry.metric, &FOUND));
        let names: HashSet<&[u8]> = found.map(Entry::key).collect();
        self.families
            .retain(|((metric, name), _)| *metric != found_address() || names.contains(name.as_bytes()));
        self.kept_families = self.families.len();
    }

    fn family(&mut self, metric: &'static Metric, key: &str) -> Arc<FamilyInfo> {
        let id: FamilyKey = (std::ptr::from_ref(metric).addr(), key.into());
        let hash = self.hasher.hash_one(&id);
        if let Some((_, info)) = self.families.find(hash, |(k, _)| *k == id) {
            return info.clone();
        }
        let info = Arc::new(describe(metric, key));
        let hasher = &self.hasher;
        self.families.insert_unique(hash, (id, info.clone()), |(k, _)| hasher.hash_one(k));
        info
    }

    fn forget(&mut self, series: SeriesRef) {
        let entry = &self.entries[series.index()];
        self.text = self.text.saturating_sub(entry.bytes());
        let hash = hash_entry(&self.hasher, entry);
        if let Ok(found) = self.index.find_entry(hash, |&i| i == series.0) {
            found.remove();
            self.free.push(series.0);
        }
    }
}

fn hash_entry(hasher: &RandomState, entry: &Entry) -> u64 {
    let mut state = hasher.build_hasher();
    std::ptr::hash(entry.metric, &mut state);
    state.write(&entry.text);
    state.finish()
}

/// The hash of an entry that is not made yet.
fn hash<'a>(
    hasher: &RandomState,
    metric: &'static Metric,
    key: &'a str,
    values: impl Iterator<Item = &'a str>,
) -> u64 {
    let mut state = hasher.build_hasher();
    std::ptr::hash(metric, &mut state);
    for part in std::iter::once(key).chain(values) {
        state.write(part.as_bytes());
        state.write(&[END]);
    }
    state.finish()
}

fn describe(metric: &'static Metric, key: &str) -> FamilyInfo {
    let Some(keys) = metric.keys else {
        return FamilyInfo {
            name: metric.name.to_owned(),
            kind: metric.kind,
            help: Cow::Borrowed(metric.help),
        };
    };
    let key: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    FamilyInfo {
        name: format!("{}{key}{}", metric.name, keys.suffix),
        kind: metric.kind,
        help: Cow::Owned(metric.help.replace("{key}", &key)),
    }
}

#[cfg(test)]
mod tests;
