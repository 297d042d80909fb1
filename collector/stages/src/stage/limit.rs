//! The stage `limit`: so many entries a second of each stream, or of each value of a field.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Outcome;
use crate::entry::Entry;
use crate::hash::hash;

/// The most streams or values that are counted apart; the others are counted together.
pub const MAX_BUCKETS: usize = 10_000;

/// Leaves out what is more than so many entries a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    rate: f64,
    burst: f64,
    by: Option<String>,
}

/// How full the buckets are.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<u64, Bucket>>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at_ns: i64,
}

impl Limit {
    /// `rate` entries a second, and `burst` at once, of each stream or, with `by`, of each value of that field. An error
    /// says what is wrong, then, behind a line feed, what would be right.
    pub fn new(rate: f64, burst: Option<u64>, by: Option<String>) -> Result<Self, String> {
        if !rate.is_finite() || rate <= 0.0 {
            return Err(format!("{rate} entries a second are no rate\nmore than 0; `drop` leaves out all"));
        }
        let burst = burst.map_or_else(|| rate.ceil(), |burst| burst as f64);
        if burst < 1.0 {
            return Err("a burst of 0 lets nothing through\n1 or more".to_owned());
        }
        Ok(Limit { rate, burst, by })
    }

    pub(super) fn apply(&self, buckets: &Buckets, entry: &Entry<'_>) -> Outcome {
        let key = match &self.by {
            None => entry.stream,
            Some(name) => match entry.fields.get(name) {
                Some(value) => hash(value),
                None => return Outcome::Keep,
            },
        };
        let mut buckets = buckets.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key);
        let bucket = buckets
            .entry(if full { 0 } else { key })
            .or_insert(Bucket { tokens: self.burst, at_ns: entry.read_ns });
        // Time as it was when the line was read: a backlog is limited as it is read, and no clock is asked.
        let passed = entry.read_ns.saturating_sub(bucket.at_ns).max(0) as f64 / 1e9;
        bucket.tokens = (bucket.tokens + passed * self.rate).min(self.burst);
        bucket.at_ns = bucket.at_ns.max(entry.read_ns);
        if bucket.tokens < 1.0 {
            return Outcome::Drop;
        }
        bucket.tokens -= 1.0;
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_a_rate_of_its_own() {
        let limit = Limit::new(10.0, Some(5), None).unwrap();
        let buckets = Buckets::default();
        // A hundred entries a second in each of two streams, for ten seconds.
        let kept = |stream| {
            let entry = |n: i64| Entry { stream, read_ns: n * 10_000_000, ..Entry::default() };
            (0..1000).filter(|n| limit.apply(&buckets, &entry(*n)) == Outcome::Keep).count()
        };
        let (one, other) = (kept(1), kept(2));
        assert!((103..=106).contains(&one), "{one}");
        assert_eq!(one, other);
    }

    #[test]
    fn values_of_a_field_and_too_many_of_them() {
        let limit = Limit::new(0.5, None, Some("path".into())).unwrap();
        let buckets = Buckets::default();
        let kept = |path: String| {
            let mut entry = Entry::default();
            entry.fields.set("path", path);
            limit.apply(&buckets, &entry)
        };
        assert_eq!(kept("a".into()), Outcome::Keep);
        assert_eq!(kept("a".into()), Outcome::Drop);
        (0..MAX_BUCKETS + 10).for_each(|n| {
            kept(n.to_string());
        });
        assert!(buckets.0.lock().unwrap().len() <= MAX_BUCKETS + 1);
        assert_eq!(kept("one more".into()), Outcome::Drop, "those share one");
        assert_eq!(limit.apply(&buckets, &Entry::default()), Outcome::Keep, "without the field");
        for (rate, burst) in [(0.0, None), (-1.0, None), (f64::NAN, None), (1.0, Some(0))] {
            assert!(Limit::new(rate, burst, None).is_err());
        }
    }
}
