//! How long a source's thread may write positions: until it was given up, as it hangs and a successor has them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::status::lock;

/// The right to write positions and to release chunks.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    over: AtomicBool,
    writing: Mutex<()>,
}

impl Tenure {
    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// To be held while positions are written; `None` when it has ended.
    pub(super) fn hold(&self) -> Option<MutexGuard<'_, ()>> {
        let writing = lock(&self.writing);
        (!self.is_over()).then_some(writing)
    }

    /// Ends it, and waits for a write that is under way, for at most `patience`: a disk may hang, too.
    pub(super) async fn end(&self, patience: Duration) {
        self.over.store(true, Ordering::Release);
        let written = async {
            while matches!(self.writing.try_lock(), Err(TryLockError::WouldBlock)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Then the disk that has the positions hangs, and the successor will wait for it and say so.
        let _ = tokio::time::timeout(patience, written).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn its_end_waits_for_a_write_and_allows_no_other() {
        let tenure = Tenure::default();
        let writing = tenure.hold();
        assert!(writing.is_some());
        let patient = tokio::time::timeout(Duration::from_millis(50), tenure.end(Duration::from_secs(60)));
        assert!(patient.await.is_err(), "a write is under way");
        tenure.end(Duration::from_millis(10)).await;
        drop(writing);
        assert!(tenure.hold().is_none());
        tenure.end(Duration::from_secs(60)).await;
    }
}
