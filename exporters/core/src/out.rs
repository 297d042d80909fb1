//! Where a subject writes its samples.
//!
//! An [`Out`] remembers the series of the run before. A subject writes its values in much the same order every time, so
//! the series expected next is compared first, and the hash table is asked only when that guess is wrong.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
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
    hasher: RandomState,
    /// The series of the run before, in the order written, and where in it the next one is expected.
    previous: Vec<SeriesRef>,
    expected: usize,
    run: u64,
    collected: Collected,
}

struct Entry {
    metric: &'static Metric,
    key: Box<str>,
    values: Box<[Box<str>]>,
    /// The last run that wrote it, and where in that run.
    run: u64,
    at: usize,
}

impl Entry {
    fn is<'a>(&self, metric: &'static Metric, key: &str, values: impl Iterator<Item = &'a str>) -> bool {
        std::ptr::eq(self.metric, metric) && *self.key == *key && self.values.iter().map(|v| &**v).eq(values)
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

/// A declaration's address, which is its identity, and the key.
type FamilyKey = (usize, Box<str>);

impl Out {
    /// Starts a run whose values are read at `ts_ms`.
    pub fn begin(&mut self, ts_ms: i64) {
        self.run += 1;
        self.expected = 0;
        self.collected = Collected { ts_ms, ..Collected::default() };
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

    /// Tells what a number cannot.
    pub fn note(&mut self, note: Note) {
        self.collected.notes.push(note);
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
        self.previous.clear();
        self.previous.extend(self.collected.samples.iter().map(|s| s.series));
        std::mem::take(&mut self.collected)
    }

    fn write<'a>(
        &mut self,
        metric: &'static Metric,
        key: &str,
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
        key: &str,
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
        key: &str,
        values: impl Iterator<Item = &'a str>,
        hash: u64,
        def: SeriesDef,
    ) -> SeriesRef {
        let entry = Entry { metric, key: key.into(), values: values.map(Box::from).collect(), run: 0, at: 0 };
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
        let id: FamilyKey = (std::ptr::from_ref(&FOUND).addr(), family.name.as_str().into());
        let hash = self.hasher.hash_one(&id);
        if let Some((_, known)) = self.families.find(hash, |(k, _)| *k == id) {
            let same = Arc::ptr_eq(known, family) || known == family;
            if !same && !self.changed.contains(&id) {
                self.changed.push(id);
            }
            return same;
        }
        let hasher = &self.hasher;
        self.families.insert_unique(hash, (id, family.clone()), |(k, _)| hasher.hash_one(k));
        true
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
        let hash = hash_entry(&self.hasher, &self.entries[series.index()]);
        if let Ok(found) = self.index.find_entry(hash, |&i| i == series.0) {
            found.remove();
            self.free.push(series.0);
        }
    }
}

fn hash_entry(hasher: &RandomState, entry: &Entry) -> u64 {
    hash(hasher, entry.metric, &entry.key, entry.values.iter().map(|v| &**v))
}

fn hash<'a>(
    hasher: &RandomState,
    metric: &'static Metric,
    key: &str,
    values: impl Iterator<Item = &'a str>,
) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut state = hasher.build_hasher();
    std::ptr::hash(metric, &mut state);
    key.hash(&mut state);
    values.for_each(|v| v.hash(&mut state));
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
mod tests {
    use super::*;

    crate::metrics! {
        /// A.
        A: Gauge = "a" ["x"];
        /// Field {key}.
        F: Untyped = "f_" {"test"} "" [];
    }

    fn run(out: &mut Out, ts_ms: i64, values: &[(&str, f64)]) -> Collected {
        out.begin(ts_ms);
        for (label, value) in values {
            out.put(&A, [label], *value);
        }
        out.finish()
    }

    #[test]
    fn a_series_is_defined_once_and_leaves_once() {
        let mut out = Out::default();
        let first = run(&mut out, 1, &[("1", 1.0), ("2", 2.0), ("3", 3.0)]);
        assert_eq!(first.new.len(), 3);
        let second = run(&mut out, 2, &[("1", 1.0), ("3", 3.0), ("4", 4.0)]);
        assert_eq!(second.new.len(), 1);
        assert_eq!(second.new[0].1.labels[0], (Cow::Borrowed("x"), Box::from("4")));
        assert_eq!(second.gone, [first.new[1].0]);
        assert_eq!(second.samples[1].series, first.new[2].0);
        let third = run(&mut out, 3, &[]);
        assert_eq!(third.gone.len(), 3);
        assert!(run(&mut out, 4, &[]).gone.is_empty());
    }

    #[test]
    fn a_freed_reference_is_defined_anew() {
        let mut out = Out::default();
        let first = run(&mut out, 1, &[("1", 1.0)]);
        run(&mut out, 2, &[]);
        let third = run(&mut out, 3, &[("2", 2.0)]);
        assert_eq!(third.new[0].0, first.new[0].0);
        assert_eq!(&*third.new[0].1.labels[0].1, "2");
    }

    #[test]
    fn any_order_finds_the_same_series() {
        let mut out = Out::default();
        let first = run(&mut out, 1, &[("1", 1.0), ("2", 2.0), ("3", 3.0)]);
        let second = run(&mut out, 2, &[("3", 3.0), ("1", 1.0), ("2", 2.0)]);
        assert!(second.new.is_empty() && second.gone.is_empty());
        assert_eq!(second.samples[0].series, first.samples[2].series);
        assert_eq!(second.samples[2].series, first.samples[1].series);
    }

    #[test]
    fn the_first_of_two_equal_series_is_kept_and_counted() {
        let collected = run(&mut Out::default(), 1, &[("1", 1.0), ("1", 2.0)]);
        assert_eq!(collected.samples.len(), 1);
        assert_eq!(collected.samples[0].value, Value::F64(1.0));
        assert_eq!(collected.duplicates, 1);
    }

    fn found(out: &mut Out, kind: Kind, values: &[(&'static str, &str, f64)]) -> Collected {
        let family = FamilyInfo { name: "job_seconds".into(), kind, help: "Help.".into() };
        let family = Arc::new(family);
        out.begin(0);
        for (suffix, le, value) in values {
            let labels: &[(Box<str>, Box<str>)] = &[("le".into(), (*le).into())];
            out.put_found(&family, suffix, if le.is_empty() { &[] } else { labels }, *value);
        }
        out.finish()
    }

    #[test]
    fn a_found_family_keeps_its_series_and_their_names() {
        let values = [("_bucket", "1", 1.0), ("_bucket", "+Inf", 2.0), ("_count", "", 2.0)];
        let mut out = Out::default();
        let first = found(&mut out, Kind::Histogram, &values);
        let names: Vec<_> = first.new.iter().map(|(_, def)| def.name()).collect();
        assert_eq!(names, ["job_seconds_bucket", "job_seconds_bucket", "job_seconds_count"]);
        assert_eq!(first.new[1].1.labels[0], (Cow::Borrowed("le"), Box::from("+Inf")));
        let second = found(&mut out, Kind::Histogram, &values[1..]);
        assert!(second.new.is_empty());
        assert_eq!(second.gone, [first.new[0].0]);
        assert_eq!(second.samples[0].series, first.new[1].0);
    }

    #[test]
    fn a_found_family_that_changes_its_type_ends_before_it_begins_anew() {
        let mut out = Out::default();
        assert_eq!(found(&mut out, Kind::Gauge, &[("", "", 1.0)]).new.len(), 1);
        let changed = found(&mut out, Kind::Counter, &[("", "", 2.0)]);
        assert_eq!((changed.gone.len(), changed.samples.len()), (1, 0));
        let anew = found(&mut out, Kind::Counter, &[("", "", 3.0)]);
        assert_eq!(anew.new[0].1.family.kind, Kind::Counter);
        assert_eq!(anew.samples.len(), 1);
    }

    #[test]
    fn a_key_becomes_part_of_name_and_help() {
        let mut out = Out::default();
        out.begin(1);
        out.put_keyed(&F, "Active(anon)", [], 1.0);
        let family = out.finish().new[0].1.family.clone();
        assert_eq!(family.name, "f_Active_anon_");
        assert_eq!(family.help, "Field Active_anon_.");
    }
}
