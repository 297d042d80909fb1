//! What a run costs: CPU time of its thread, and what it counts in [`taffrail_core::cost`].

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use taffrail_core::cost::{Tally, tally};

/// What was spent between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// CPU time, the kernel's on its behalf included.
    pub cpu: Duration,
    /// Bytes read.
    pub read_bytes: u64,
    /// Files held open, more or less than before.
    pub held_files: i64,
    /// Bytes of buffers held, more or less than before.
    pub held_bytes: i64,
}

impl Spent {
    /// Adds another.
    pub fn add(&mut self, more: Spent) {
        self.cpu += more.cpu;
        self.read_bytes += more.read_bytes;
        self.held_files += more.held_files;
        self.held_bytes += more.held_bytes;
    }
}

/// Looks at what this thread has spent. One look between two runs ends the first and begins the second, as a look at
/// the thread's CPU time is a system call.
#[derive(Debug)]
pub struct Meter {
    cpu: Duration,
    tally: Tally,
}

impl Meter {
    /// Begins on this thread.
    pub fn start() -> Self {
        Meter { cpu: thread_cpu(), tally: tally() }
    }

    /// What was spent since the look before. On the thread of that look.
    pub fn lap(&mut self) -> Spent {
        let now = Self::start();
        let spent = Spent {
            cpu: now.cpu.saturating_sub(self.cpu),
            read_bytes: now.tally.read_bytes - self.tally.read_bytes,
            held_files: now.tally.held_files - self.tally.held_files,
            held_bytes: now.tally.held_bytes - self.tally.held_bytes,
        };
        *self = now;
        spent
    }
}

/// Runs `future`, and adds what each of its polls spends.
pub async fn metered<F: Future>(future: F) -> (F::Output, Spent) {
    let mut future = pin!(future);
    let mut spent = Spent::default();
    let output = poll_fn(|cx| {
        let mut meter = Meter::start();
        let poll = future.as_mut().poll(cx);
        spent.add(meter.lap());
        poll
    })
    .await;
    (output, spent)
}

/// CPU time that this thread has used (clock_gettime(2), `CLOCK_THREAD_CPUTIME_ID`). No time of day, and of no use as
/// one: so not the clock's.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::cost;

    /// Work that the compiler cannot leave out.
    fn work() {
        let mut sum = 0u64;
        (0..3_000_000u64).for_each(|i| sum = std::hint::black_box(sum ^ i));
    }

    #[test]
    fn a_lap_is_what_was_spent_in_it() {
        let mut meter = Meter::start();
        work();
        cost::read(7);
        let worked = meter.lap();
        assert!(worked.cpu > Duration::from_millis(1), "{worked:?}");
        assert_eq!(worked.read_bytes, 7);
        std::thread::sleep(Duration::from_millis(50));
        let slept = meter.lap();
        assert!(slept.cpu < Duration::from_millis(20) && slept.read_bytes == 0, "{slept:?}");
    }

    #[tokio::test]
    async fn of_a_future_its_polls_count_and_its_waiting_does_not() {
        let other = tokio::spawn(async {
            work();
            cost::read(1000);
        });
        let ((), spent) = metered(async {
            cost::read(1);
            tokio::time::sleep(Duration::from_millis(50)).await;
            cost::read(2);
        })
        .await;
        other.await.unwrap();
        assert_eq!(spent.read_bytes, 3);
        assert!(spent.cpu < Duration::from_millis(20), "{spent:?}");
    }
}
