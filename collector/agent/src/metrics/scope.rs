//! A scope: the series of one subject (or one target), as last seen.
//!
//! It gives series their identity, appends their samples to the metrics log, says when one has ended, and is what the
//! pull page is made from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::{Collected, SeriesDef, Target, Value};
use taffrail_spool::SegmentId;

use super::cardinality::Counter;
use super::interner::{Interner, Key};
use super::record::{Encoder, Family, Slot};
use super::writer::Writer;
use crate::page::Live;
use crate::status::lock;

/// The labels that every series of a job, or of one target, gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `job`, `instance`, and what the config adds.
    labels: BTreeMap<String, String>,
    /// Those that the pull page shows too. Prometheus knows a job's labels itself, but not a target's: without them
    /// the series of all targets would be one.
    shown: Vec<(String, String)>,
}

impl Identity {
    /// `job` and `instance`, and `extra` where it does not say otherwise.
    pub fn new(job: &str, instance: &str, extra: &BTreeMap<String, String>) -> Self {
        let mut labels = extra.clone();
        labels.insert("job".into(), job.into());
        labels.insert("instance".into(), instance.into());
        Identity { labels, shown: Vec::new() }
    }

    /// The same job's identity of one target.
    pub fn of(&self, target: &Target) -> Self {
        let mut own = target.labels.clone();
        own.insert("instance".into(), target.instance.clone());
        let mut labels = self.labels.clone();
        labels.extend(own.clone());
        Identity { labels, shown: own.into_iter().collect() }
    }

    /// The labels themselves.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The job.
    fn job(&self) -> &str {
        self.labels.get("job").map_or("", String::as_str)
    }

    /// The labels of one series as they are sent: sorted, none empty, its own before the job's.
    fn key(&self, def: &SeriesDef, interner: &mut Interner) -> Key {
        let mut all: BTreeMap<&str, &str> = self.labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        all.extend(def.labels.iter().map(|(n, v)| (&**n, &**v)));
        let name = def.name();
        all.insert("__name__", &name);
        interner.key(all.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}

/// The series of one subject.
#[derive(Debug)]
pub struct Scope {
    exporter: String,
    identity: Identity,
    writer: Arc<Writer>,
    counter: Arc<Counter>,
    live: Arc<Live>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    series: Vec<Option<Known>>,
    /// The value of each series, until it ends or the scope expires. They lie together, as pages read them often and
    /// nothing else of a series.
    values: Vec<Option<f64>>,
    /// Another number whenever other series have a value than before.
    shape: u64,
    /// The series that the live page draws, and the shape in which they were looked up.
    drawn: Vec<usize>,
    drawn_in: u64,
    /// How many series have a value.
    alive: usize,
    /// Bytes that their names and values take.
    text: usize,
    /// Values older than this are not shown, and are marked as ended.
    lifetime_ms: i64,
    updated_ms: i64,
    /// When everything was last marked as ended.
    marked_ms: i64,
    /// Its job was removed: nothing is taken in any more.
    ended: bool,
}

#[derive(Debug)]
struct Known {
    def: SeriesDef,
    key: Key,
    /// Its number in the segment of the log that last defined it.
    slot: Slot,
    /// Whether the live page draws it.
    drawn: bool,
}

impl Scope {
    /// An empty scope of `exporter`. Values live for two of its subject's intervals.
    pub fn new(
        exporter: &str,
        identity: Identity,
        interval: Duration,
        writer: Arc<Writer>,
        live: Arc<Live>,
    ) -> Self {
        let exporter = exporter.to_owned();
        let state = State { lifetime_ms: lifetime_ms(interval), ..State::default() };
        let counter = writer.cardinality().job(identity.job());
        Scope { exporter, identity, writer, counter, live, state: Mutex::new(state) }
    }

    /// Its subject runs at another interval from now on: values live for two of that.
    pub fn set_interval(&self, interval: Duration) {
        lock(&self.state).lifetime_ms = lifetime_ms(interval);
    }

    /// Takes in one run. Values that come too late (`now_ms` is past their lifetime) are left out: a dead thing must
    /// not look alive because its last answer was slow.
    pub fn accept(&self, collected: &Collected, now_ms: i64) {
        let mut fresh = false;
        let interner = self.writer.interner();
        // The scope is locked while the record is made, not while it is written: pages do not wait for the disk.
        self.writer.append(|encoder| {
            let mut state = lock(&self.state);
            if state.ended {
                return;
            }
            // Nor may a value be older than the marker that ended its series: it would be out of order.
            fresh = !state.is_past(collected.ts_ms, now_ms) && collected.ts_ms > state.marked_ms;
            state.take_in(collected, fresh, |def| {
                let drawn = self.live.draws(&def.family.name);
                let key = self.identity.key(def, &mut lock(interner));
                self.counter.add(&key);
                Known::new(def, key, drawn)
            });
            let forget = |key: &Key| {
                self.counter.remove(key);
                lock(interner).release(key);
            };
            state.encode(collected, fresh, forget, encoder);
        });
        let mut state = lock(&self.state);
        if fresh && !state.ended {
            state.look_up_drawn();
            let drawn = state.drawn.iter().filter_map(|&index| state.at(index));
            let mut samples = drawn.map(|(known, value)| (&known.def, value)).peekable();
            if samples.peek().is_some() {
                self.live.record(&self.exporter, collected.ts_ms, &mut samples);
            }
        }
    }

    /// Marks everything as ended if the last values are older than two intervals. The next answer brings it back.
    pub fn expire(&self, now_ms: i64) {
        self.writer.append(|encoder| {
            let mut state = lock(&self.state);
            if state.is_past(state.updated_ms, now_ms) {
                state.end_all(now_ms, encoder);
            }
        });
    }

    /// Marks everything as ended, for good: the scope's job was removed. A run still under way changes nothing more.
    pub fn end(&self, now_ms: i64) {
        self.writer.append(|encoder| {
            let mut state = lock(&self.state);
            state.end_all(now_ms, encoder);
            state.ended = true;
        });
    }

    /// How many series are alive.
    pub fn alive(&self) -> usize {
        lock(&self.state).alive
    }

    /// Bytes of memory that its series take, about.
    pub fn bytes(&self) -> usize {
        let state = lock(&self.state);
        state.series.capacity() * size_of::<Option<Known>>()
            + state.values.capacity() * size_of::<Option<f64>>()
            + state.text
    }

    /// The labels that the pull page shows beside those of each series.
    pub fn shown(&self) -> &[(String, String)] {
        &self.identity.shown
    }

    /// Gives every living series to `each`, unless the values are too old to show. Says which series these were
    /// ([`Scope::values`]).
    pub fn visit(&self, now_ms: i64, mut each: impl FnMut(&SeriesDef, f64)) -> Shape {
        let state = lock(&self.state);
        let shape = self.shape(&state, now_ms);
        if shape != Shape::NOTHING {
            state.living().for_each(|(known, value)| each(&known.def, value));
        }
        shape
    }

    /// Adds the values of the living series, in the order of [`Scope::visit`], if they are still those of `shape`.
    pub fn values(&self, now_ms: i64, shape: Shape, into: &mut Vec<f64>) -> bool {
        let state = lock(&self.state);
        if self.shape(&state, now_ms) != shape {
            return false;
        }
        if shape != Shape::NOTHING {
            into.extend(state.values.iter().flatten());
        }
        true
    }

    fn shape(&self, state: &State, now_ms: i64) -> Shape {
        if state.is_past(state.updated_ms, now_ms) { Shape::NOTHING } else { Shape(state.shape) }
    }
}

/// Which of a scope's series are shown: the same shape, the same series in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape(u64);

impl Shape {
    /// None is shown.
    const NOTHING: Shape = Shape(0);
}

/// How long values are shown that come at this interval.
fn lifetime_ms(interval: Duration) -> i64 {
    interval.as_millis() as i64 * 2
}

impl State {
    /// Whether values of the time `ts_ms` are too old at `now_ms`.
    fn is_past(&self, ts_ms: i64, now_ms: i64) -> bool {
        now_ms.saturating_sub(ts_ms) >= self.lifetime_ms
    }

    /// The series that have a value.
    fn living(&self) -> impl Iterator<Item = (&Known, f64)> {
        self.series.iter().zip(&self.values).filter_map(|(known, value)| Some((known.as_ref()?, (*value)?)))
    }

    /// A series and its value, if it has one.
    fn at(&self, index: usize) -> Option<(&Known, f64)> {
        Some((self.series.get(index)?.as_ref()?, (*self.values.get(index)?)?))
    }

    fn look_up_drawn(&mut self) {
        if self.drawn_in == self.shape {
            return;
        }
        self.drawn_in = self.shape;
        let drawn = (0..self.series.len()).filter(|&index| self.at(index).is_some_and(|(k, _)| k.drawn));
        self.drawn = drawn.collect();
    }

    /// Makes the series known that are new, and remembers the time.
    fn take_in(&mut self, collected: &Collected, fresh: bool, known: impl Fn(&SeriesDef) -> Known) {
        for (reference, def) in &collected.new {
            let index = reference.index();
            if self.series.len() <= index {
                self.series.resize_with(index + 1, || None);
                self.values.resize(index + 1, None);
            }
            let known = known(def);
            self.text += known.bytes();
            self.series[index] = Some(known);
            self.set(index, None);
        }
        if fresh {
            self.updated_ms = collected.ts_ms;
        }
    }

    /// Gives a series its value, and returns the one it had.
    fn set(&mut self, index: usize, value: Option<f64>) -> Option<f64> {
        let before = std::mem::replace(self.values.get_mut(index)?, value);
        if before.is_some() != value.is_some() {
            self.shape += 1;
            self.alive = self.alive + usize::from(value.is_some()) - usize::from(before.is_some());
        }
        before
    }

    /// Writes the run's samples, and markers for what is gone, whose keys it gives to `forget`.
    fn encode(
        &mut self,
        collected: &Collected,
        fresh: bool,
        forget: impl Fn(&Key),
        encoder: &mut Encoder<SegmentId>,
    ) {
        for gone in &collected.gone {
            self.end(gone.index(), encoder, collected.ts_ms);
            if let Some(known) = self.series.get_mut(gone.index()).and_then(Option::take) {
                self.text = self.text.saturating_sub(known.bytes());
                forget(&known.key);
            }
        }
        for sample in collected.samples.iter().filter(|_| fresh) {
            let index = sample.series.index();
            let Some(Some(known)) = self.series.get_mut(index) else { continue };
            let value = sample.value.to_f64();
            known.define(encoder);
            encoder.sample(known.slot, sample.ts_ms, value);
            self.set(index, matches!(sample.value, Value::F64(_)).then_some(value));
        }
    }

    /// Marks a series as ended, if it has a value.
    fn end(&mut self, index: usize, encoder: &mut Encoder<SegmentId>, ts_ms: i64) {
        if self.set(index, None).is_some()
            && let Some(Some(known)) = self.series.get_mut(index)
        {
            known.define(encoder);
            encoder.sample(known.slot, ts_ms, Value::Stale.to_f64());
        }
    }

    fn end_all(&mut self, now_ms: i64, encoder: &mut Encoder<SegmentId>) {
        (0..self.series.len()).for_each(|index| self.end(index, encoder, now_ms));
        self.marked_ms = now_ms;
    }
}

impl Known {
    fn new(def: &SeriesDef, key: Key, drawn: bool) -> Self {
        Known { def: def.clone(), key, slot: Slot::default(), drawn }
    }

    /// Bytes of its texts. Those that other series have as well are not counted.
    fn bytes(&self) -> usize {
        let label = size_of_val(&self.def.labels[..]);
        self.key.bytes() + label + self.def.labels.iter().map(|(_, value)| value.len()).sum::<usize>()
    }

    fn define(&mut self, encoder: &mut Encoder<SegmentId>) {
        if !encoder.knows(self.slot) {
            self.slot = encoder.define(Family::from(&*self.def.family), &self.key);
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let mut interner = lock(self.writer.interner());
        let series = std::mem::take(&mut lock(&self.state).series);
        for known in series.into_iter().flatten() {
            self.counter.remove(&known.key);
            interner.release(&known.key);
        }
    }
}
