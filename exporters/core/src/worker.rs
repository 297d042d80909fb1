//! A thread for calls that may never return.
//!
//! The kernel gives no way to end a `statfs` on a dead mount, so nobody waits for one longer than its deadline: the
//! stuck thread is left to itself, later jobs get a new one, and the owner decides when to ask again.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs one after another on a thread of its own, which is replaced when a job is given up on.
#[derive(Debug)]
pub struct Worker {
    name: String,
    jobs: Option<Sender<Job>>,
}

/// A job that outlived its deadline. It still runs; its result may yet come.
#[derive(Debug)]
pub struct Late<T>(Receiver<T>);

impl<T> Late<T> {
    /// The result, if it has come meanwhile; `Err(self)` while it has not; `Ok(None)` if the job panicked.
    pub fn poll(self) -> Result<Option<T>, Self> {
        match self.0.try_recv() {
            Ok(value) => Ok(Some(value)),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => Ok(None),
            Err(std::sync::mpsc::TryRecvError::Empty) => Err(self),
        }
    }
}

/// Why there is no result.
#[derive(Debug)]
pub enum NoResult<T> {
    /// The deadline passed.
    Late(Late<T>),
    /// The job panicked.
    Panicked,
    /// No thread could be started.
    NoThread(io::Error),
}

impl Worker {
    /// A worker whose threads carry `name` (15 bytes of it are seen in `ps`). No thread is started yet.
    pub fn new(name: impl Into<String>) -> Self {
        Worker { name: name.into(), jobs: None }
    }

    /// Hands a job to the thread and returns at once. `job` says itself, by its own channel, when it is done.
    pub fn submit(&mut self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut job: Job = Box::new(job);
        if let Some(jobs) = &self.jobs {
            match jobs.send(job) {
                Ok(()) => return Ok(()),
                // The thread ended with the panic of an earlier job.
                Err(back) => job = back.0,
            }
        }
        let (jobs, queue) = channel::<Job>();
        thread::Builder::new().name(self.name.clone()).stack_size(256 << 10).spawn(move || {
            for job in queue {
                job();
            }
        })?;
        let sent = jobs.send(job);
        self.jobs = Some(jobs);
        sent.map_err(|_| io::Error::other("the thread ended before its first job"))
    }

    /// Leaves the present thread to its job; it ends when the job does. The next job gets a new thread.
    pub fn abandon(&mut self) {
        self.jobs = None;
    }

    /// Runs `job` and waits for its result until `deadline` has passed.
    pub fn run<T: Send + 'static>(
        &mut self,
        deadline: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult<T>> {
        let (done, result) = channel();
        self.submit(move || {
            // Nobody may be waiting any more: then the result is nobody's.
            let _ = done.send(job());
        })
        .map_err(NoResult::NoThread)?;
        match result.recv_timeout(deadline) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Disconnected) => {
                self.abandon();
                Err(NoResult::Panicked)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.abandon();
                Err(NoResult::Late(Late(result)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn one_thread_does_all_jobs() {
        let mut worker = Worker::new("test");
        let first = worker.run(LONG, || thread::current().id()).unwrap();
        assert_eq!(worker.run(LONG, || thread::current().id()).unwrap(), first);
    }

    #[test]
    fn a_stuck_job_holds_up_nothing_and_is_heard_of_later() {
        let mut worker = Worker::new("test");
        let (release, gate) = channel::<()>();
        let stuck = worker.run(Duration::from_millis(10), move || gate.recv().is_ok());
        let Err(NoResult::Late(late)) = stuck else { panic!("not late") };
        assert_eq!(worker.run(LONG, || 7).unwrap(), 7);
        let late = late.poll().unwrap_err();
        release.send(()).unwrap();
        let mut waiting = Some(late);
        while let Some(late) = waiting.take() {
            match late.poll() {
                Ok(result) => assert_eq!(result, Some(true)),
                Err(still) => waiting = Some(still),
            }
        }
    }

    #[test]
    fn a_panic_ends_its_job_only() {
        let mut worker = Worker::new("test");
        let panicked = worker.run(LONG, || panic!("as it should"));
        assert!(matches!(panicked, Err::<(), _>(NoResult::Panicked)));
        assert_eq!(worker.run(LONG, || 7).unwrap(), 7);
    }
}
