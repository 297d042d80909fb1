//! How many logs the engine is asked for at a time: each is a connection. Where there are more, they take turns.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most logs that are followed at a time; `taffrail socket-proxy` takes twice as many connections.
const SEATS: usize = 128;

/// How long a turn is where others wait.
pub(super) const TURN: Duration = Duration::from_secs(5);

/// The seats; who waits longest is the next to have one.
#[derive(Debug)]
pub(super) struct Seats {
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Seats {
    fn default() -> Self {
        Seats { free: Semaphore::new(SEATS), waiting: AtomicUsize::new(0) }
    }
}

impl Seats {
    /// A seat, as soon as one is free; `None` is never.
    pub(super) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        self.free.acquire().await.ok()
    }

    /// Whether somebody waits for a seat.
    pub(super) fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Somebody waits, as long as this is there.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_known_until_there_is_a_seat_or_they_leave() {
        let seats = Seats::default();
        let mut taken = Vec::new();
        for _ in 0..SEATS {
            taken.extend(seats.take().await);
        }
        assert!(!seats.are_wanted());
        let waits = tokio::time::timeout(Duration::from_millis(10), async {
            let mut next = Box::pin(seats.take());
            assert!(futures_pending(next.as_mut()));
            assert!(seats.are_wanted());
        });
        waits.await.unwrap();
        assert!(!seats.are_wanted(), "who waited has left");
        taken.pop();
        assert!(seats.take().await.is_some());
    }

    fn futures_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.poll(&mut context).is_pending()
    }
}
