//! The one clock. Nothing else in Taffrail reads the time, so that a test can set it.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of wall time and of monotonic time. Cheap to clone; clones of a manual clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(None)
    }

    /// A clock that stands still at `unix_ns` until [`Clock::advance`] moves it.
    pub fn manual(unix_ns: i64) -> Self {
        Clock(Some(Arc::new(AtomicI64::new(unix_ns))))
    }

    /// Moves a manual clock forward; the machine's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Some(ns) = &self.0 {
            ns.fetch_add(by.as_nanos() as i64, Ordering::SeqCst);
        }
    }

    /// Wall time in nanoseconds since 1970-01-01 UTC.
    pub fn now_ns(&self) -> i64 {
        match &self.0 {
            Some(ns) => ns.load(Ordering::SeqCst),
            // Before 1970 the machine's clock is plainly not set; 0 says so without a panic.
            None => system_now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64),
        }
    }

    /// Wall time in milliseconds since 1970-01-01 UTC, the unit of Prometheus' timestamps.
    pub fn now_ms(&self) -> i64 {
        self.now_ns() / 1_000_000
    }

    /// Time since some fixed moment, never going back: for durations and deadlines.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Some(ns) => Duration::from_nanos(ns.load(Ordering::SeqCst).max(0) as u64),
            None => {
                static START: OnceLock<Instant> = OnceLock::new();
                let now = instant_now();
                now.saturating_duration_since(*START.get_or_init(|| now))
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
fn system_now() -> SystemTime {
    SystemTime::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
fn instant_now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(5_000_000);
        let other = clock.clone();
        assert_eq!(clock.now_ms(), 5);
        other.advance(Duration::from_millis(7));
        assert_eq!(clock.now_ms(), 12);
        assert_eq!(clock.monotonic(), Duration::from_millis(12));
    }

    #[test]
    fn the_system_clock_goes_forward() {
        let clock = Clock::system();
        let before = clock.monotonic();
        assert!(clock.now_ms() > 1_700_000_000_000);
        assert!(clock.monotonic() >= before);
    }
}
