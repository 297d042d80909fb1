//! When a target is scraped, and which time its samples carry.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::target::Target;

/// A scrape that begins this much later than it was due carries the time at which it was due: times with equal
/// distances take less room in the receiver. Prometheus does the same.
const TOLERANCE_MS: i64 = 2;

/// The times of one target: spread over the interval by a hash, so that targets are not all asked at once, and each
/// keeps its place over restarts.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    interval_ms: i64,
    phase_ms: i64,
    last_ms: i64,
}

impl Times {
    /// The times of `target`.
    pub fn new(target: &Target) -> Self {
        let mut hasher = DefaultHasher::new();
        target.labels.hash(&mut hasher);
        target.url.hash(&mut hasher);
        let interval_ms = (target.interval.as_millis() as i64).max(1);
        let phase_ms = (hasher.finish() % interval_ms as u64) as i64;
        Times { interval_ms, phase_ms, last_ms: i64::MIN }
    }

    /// The next time, and how long it is until then. No time is given twice, also where a timer is early.
    pub fn next(&mut self, now_ms: i64) -> (i64, Duration) {
        // A last time far ahead is one of a clock that was set back since.
        let early = self.last_ms > now_ms && self.last_ms - now_ms < self.interval_ms;
        let from_ms = if early { self.last_ms } else { now_ms };
        let due_ms = from_ms + self.interval_ms - (from_ms - self.phase_ms).rem_euclid(self.interval_ms);
        self.last_ms = due_ms;
        (due_ms, Duration::from_millis((due_ms - now_ms) as u64))
    }

    /// The time of samples of a scrape that was due at `due_ms` and begins at `now_ms`.
    pub fn stamp(&self, due_ms: i64, now_ms: i64) -> i64 {
        let tolerance = TOLERANCE_MS.min(self.interval_ms / 100);
        if (now_ms - due_ms).abs() <= tolerance { due_ms } else { now_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(interval_ms: i64, phase_ms: i64) -> Times {
        Times { interval_ms, phase_ms, last_ms: i64::MIN }
    }

    #[test]
    fn each_interval_has_one_time() {
        let mut times = times(1000, 300);
        assert_eq!(times.next(5_000), (5_300, Duration::from_millis(300)));
        assert_eq!(times.next(5_300).0, 6_300, "the same time is not given twice");
        assert_eq!(times.next(6_299).0, 7_300, "nor where the timer was early");
        assert_eq!(times.next(9_900).0, 10_300, "what was missed is not caught up on");
        assert_eq!(times.next(2_000).0, 2_300, "a clock that is set back is followed");
    }

    #[test]
    fn small_delays_are_not_seen() {
        let times = times(1000, 0);
        for (now_ms, stamp) in [(5_000, 5_000), (5_002, 5_000), (4_999, 5_000), (5_003, 5_003)] {
            assert_eq!(times.stamp(5_000, now_ms), stamp);
        }
        let fast = Times { interval_ms: 100, ..times };
        assert_eq!((fast.stamp(500, 501), fast.stamp(500, 502)), (500, 502), "1 % of the interval at most");
    }
}
