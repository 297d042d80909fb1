//! What the frame publishes of its own: `up` of the job, and each subject's success and duration.

use std::sync::Arc;
use std::time::Duration;

use taffrail_core::{Collected, Exporter, Family, Out, UP};

use super::slot::Slot;
use crate::metrics::Scope;

/// The frame's own series, and when they are due.
pub(super) struct Frame {
    out: Out,
    pub(super) scope: Arc<Scope>,
    duration: Option<&'static Family<1>>,
    success: Option<&'static Family<1>>,
    interval: Duration,
    /// Subjects run at times of their own, so that there is no moment at which all are back.
    spread: bool,
    /// When it was published last, on the monotonic clock.
    published: Duration,
    /// The time of its last values, in milliseconds since 1970.
    stamped_ms: i64,
    /// Whether anything has come back, or become late, since then.
    pub(super) news: bool,
}

impl Frame {
    pub(super) fn new(exporter: &Exporter, scope: Arc<Scope>, interval: Duration, now: Duration) -> Self {
        let spread = exporter.subjects.iter().any(|subject| subject.target.is_some());
        Frame {
            out: Out::default(),
            scope,
            duration: exporter.duration,
            success: exporter.success,
            interval,
            spread,
            // With the first answer, where there is no moment to wait for.
            published: if spread { now.saturating_sub(interval) } else { now },
            stamped_ms: 0,
            news: false,
        }
    }

    /// When it is to be published: once every subject that was due is back or late; where that never is, or takes long,
    /// an interval after the last time. Without news too, so that a job whose only subject hangs still says so: later
    /// than the news of a run would come.
    pub(super) fn due(&self, slots: &[Slot]) -> Duration {
        if !self.news {
            return self.published + self.interval * 3 / 2;
        }
        let hold = self.spread || slots.iter().any(|slot| slot.away() && !slot.late);
        if hold { self.published + self.interval } else { Duration::ZERO }
    }

    /// Collects the frame's own samples.
    pub(super) fn collect(&mut self, slots: &[Slot], now_ms: i64, now: Duration) -> Collected {
        self.news = false;
        self.published = now;
        // A round that comes back as another is given up on is published in the same moment; a receiver refuses a second
        // value of one time.
        self.stamped_ms = now_ms.max(self.stamped_ms + 1);
        let out = &mut self.out;
        out.begin(self.stamped_ms);
        out.put(&UP, [], 1.0);
        for slot in slots.iter().filter(|slot| slot.late || slot.status.last_run_ms > 0) {
            let ok = slot.status.ok && !slot.late;
            if let Some(duration) = self.duration {
                out.put(duration, [&slot.name], slot.status.duration_s);
            }
            if let Some(success) = self.success {
                out.put(success, [&slot.name], f64::from(u8::from(ok)));
            }
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use taffrail_core::Clock;

    use super::*;
    use crate::metrics::{Identity, Writer};

    #[test]
    fn no_two_values_have_one_time() {
        let clock = Clock::manual(0);
        let log = taffrail_spool::MemoryLog::new(taffrail_spool::MemoryOptions::default(), clock);
        let identity = Identity::new("test", "here", &Default::default());
        let second = Duration::from_secs(1);
        let writer = Arc::new(Writer::new(Arc::new(log)));
        let scope = Arc::new(Scope::new("test", identity, second, writer, Arc::default()));
        let exporter =
            Exporter { name: "test", job: "test".into(), subjects: vec![], duration: None, success: None };
        let mut frame = Frame::new(&exporter, scope, second, Duration::ZERO);
        let mut times = [5, 5, 6, 4, 100].map(|now_ms| frame.collect(&[], now_ms, second).ts_ms).to_vec();
        assert_eq!(times, [5, 6, 7, 8, 100]);
        times.dedup();
        assert_eq!(times.len(), 5);
    }
}
