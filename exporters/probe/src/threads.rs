//! Threads for calls that may never return, or not soon: looking at files on a mount whose server is gone, and looking up
//! names. They are no others' threads, so that what hangs here holds up nothing else in the process.
//!
//! There are a few, started when they are needed and ended when they are not. What hangs keeps its thread, and is not
//! asked a second time while it does.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// How long a thread waits for the next job before it ends.
const IDLE: Duration = Duration::from_secs(20);
/// What these jobs need: they walk folders, and recurse no deeper than a bound.
const STACK: usize = 512 << 10;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Threads(Arc<Inner>);

struct Inner {
    most: usize,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// What runs, or waits to, by name.
    under_way: BTreeSet<String>,
    threads: usize,
    idle: usize,
}

/// Why a job gave nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoResult {
    /// The same was asked before, and has not come back.
    #[error("an earlier look has not come back yet: its file system does not answer")]
    UnderWay,
    /// No thread could be started, or it panicked.
    #[error("no thread could look")]
    NoThread,
}

impl Threads {
    /// At most `most` threads; none is started yet.
    pub fn new(most: usize) -> Self {
        Threads(Arc::new(Inner { most, state: Mutex::default(), news: Condvar::new() }))
    }

    /// Runs `job` on a thread, unless one of the same `name` is still under way.
    pub async fn run<T: Send + 'static>(
        &self,
        name: &str,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let mark = {
            if !self.0.lock().under_way.insert(name.to_owned()) {
                return Err(NoResult::UnderWay);
            }
            UnderWay { inner: self.0.clone(), name: name.to_owned() }
        };
        self.run_any(move || {
            let _mark = mark;
            job()
        })
        .await
    }

    /// Runs `job` on a thread, whatever else is under way.
    pub async fn run_any<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let (done, result) = oneshot::channel();
        self.submit(move || {
            // Nobody waits any more for a probe whose time is up while it waited for a thread.
            if !done.is_closed() {
                let _ = done.send(job());
            }
        });
        result.await.map_err(|_| NoResult::NoThread)
    }

    fn submit(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        state.waiting.push_back(Box::new(job));
        let grow = state.idle < state.waiting.len() && state.threads < self.0.most;
        state.threads += usize::from(grow);
        drop(state);
        self.0.news.notify_one();
        if grow {
            let inner = self.0.clone();
            let named = std::thread::Builder::new().name("probe".into()).stack_size(STACK);
            if named.spawn(move || inner.work()).is_err() {
                self.0.lock().threads -= 1;
            }
        }
    }
}

/// Ends a job's being under way, however the job ends.
struct UnderWay {
    inner: Arc<Inner>,
    name: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.inner.lock().under_way.remove(&self.name);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No job runs under the lock, so what it guards is whole whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                // A job that panics drops its channel, which tells whoever waits; the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let waited = self.news.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.waiting.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("most", &self.0.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_job_that_hangs_is_not_started_twice_and_holds_up_no_other() {
        let threads = Threads::new(2);
        let (release, gate) = channel::<()>();
        let hanging = threads.run("mount", move || gate.recv().is_ok());
        assert!(tokio::time::timeout(Duration::from_millis(20), hanging).await.is_err());
        assert_eq!(threads.run("mount", || true).await, Err(NoResult::UnderWay));
        assert_eq!(threads.run("mount", || true).await, Err(NoResult::UnderWay), "and it stays so");
        for name in ["a", "b", "c"] {
            assert_eq!(threads.run(name, || 7).await, Ok(7));
        }
        assert_eq!(threads.0.lock().threads, 2);
        release.send(()).unwrap();
        while threads.run("mount", || true).await != Ok(true) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_ends_its_job_only() {
        let threads = Threads::new(1);
        assert_eq!(threads.run("a", || panic!("as it should")).await, Err::<(), _>(NoResult::NoThread));
        assert_eq!(threads.run("a", || 7).await, Ok(7));
    }
}
