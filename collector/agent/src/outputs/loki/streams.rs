//! What is known of the streams that were sent: how their labels fit, whether the receiver has them, how much they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;
use std::time::Duration;

use hashbrown::HashMap;
use taffrail_wire::loki::parse_label_set;

use super::limits::Fit;

/// The most streams that are remembered; with more, those that were idle longest are forgotten.
const REMEMBERED: usize = 20_000;
/// Loki forgets a stream that gets nothing for so long (its `chunk_idle_period`): after that it is new again.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a stream that found no room is not tried again.
const PARKED: Duration = Duration::from_secs(5 * 60);

/// One stream.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) fit: Fit,
    /// When the receiver last took something of it.
    taken: Option<Duration>,
    /// Until when it is not tried again.
    parked: Option<Duration>,
    /// The newest time of its entries.
    pub(super) newest_ns: i64,
    /// Bytes of the receiver's burst that it has used, and when that was so.
    used: (f64, Duration),
    /// The times were too old, and that was said.
    pub(super) told_old: bool,
}

/// The streams by label set; times are on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Streams {
    known: HashMap<String, Known, RandomState>,
}

impl Known {
    pub(super) fn is_new(&self, now: Duration) -> bool {
        self.taken.is_none_or(|at| now.saturating_sub(at) > IDLE)
    }

    pub(super) fn is_parked(&self, now: Duration) -> bool {
        self.parked.is_some_and(|until| now < until)
    }

    /// Takes bytes of its rate; whether they are more than that.
    pub(super) fn exceeds(&mut self, bytes: usize, rate: u64, burst: u64, now: Duration) -> bool {
        let (used, at) = self.used;
        let refilled = now.saturating_sub(at).as_secs_f64() * rate as f64;
        let used = (used - refilled).max(0.0) + bytes as f64;
        // What is refused is not taken from the receiver's account.
        let most = burst as f64;
        self.used = (used.min(most), now);
        used > most
    }
}

impl Streams {
    /// What is known of a stream; `fit` says how its labels fit, once.
    pub(super) fn of(&mut self, labels: &str, now: Duration, fit: impl FnOnce() -> Fit) -> &mut Known {
        if !self.known.contains_key(labels) && self.known.len() >= REMEMBERED {
            self.forget();
        }
        self.known.entry_ref(labels).or_insert_with(|| Known {
            fit: fit(),
            taken: None,
            parked: None,
            newest_ns: i64::MIN,
            used: (0.0, now),
            told_old: false,
        })
    }

    /// Forgets half of them, those first of which nothing was taken lately.
    fn forget(&mut self) {
        let mut times: Vec<Option<Duration>> = self.known.values().map(|known| known.taken).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        self.known.retain(|_, known| known.taken > middle);
    }

    /// The labels fit otherwise than was thought.
    pub(super) fn refit(&mut self) {
        self.known.clear();
    }

    /// The receiver took something of the stream that was sent with these labels.
    pub(super) fn taken(&mut self, labels: &str, now: Duration) {
        if let Some(known) = self.known.get_mut(labels) {
            (known.taken, known.parked) = (Some(now), None);
        }
    }

    /// The receiver has counted so many bytes of the stream now, which may be long after they were read.
    pub(super) fn charge(&mut self, labels: &str, bytes: usize, rate: u64, burst: u64, now: Duration) {
        if let Some(known) = self.known.get_mut(labels) {
            known.exceeds(bytes, rate, burst, now);
        }
    }

    /// The receiver has no room for the stream.
    pub(super) fn park(&mut self, labels: &str, now: Duration) {
        if let Some(known) = self.known.get_mut(labels) {
            (known.taken, known.parked) = (None, Some(now + PARKED));
        }
    }

    /// How many the receiver has.
    pub(super) fn active(&self, now: Duration) -> usize {
        self.known.values().filter(|known| !known.is_new(now)).count()
    }

    /// The label with the most values, and how many.
    pub(super) fn exploding(&self) -> Option<(String, usize)> {
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for labels in self.known.keys() {
            for (name, value) in parse_label_set(labels).into_iter().flatten() {
                values.entry(name.into_owned()).or_default().insert(value.into_owned());
            }
        }
        let counts = values.into_iter().map(|(name, values)| (name, values.len()));
        counts.max_by_key(|(_, count)| *count)
    }
}
