//! The thread that runs an exporter's blocking subjects one after another, and its replacement when one is stuck.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_core::worker::Worker;
use tokio::sync::Notify;

use super::meter::Meter;
use super::runner::{Report, Runner};
use crate::status::lock;

/// A runner that has come back, with what its run gave.
pub type Done = (Runner, Report);

/// Where runners come back to. Holds at most every subject of the exporter once.
#[derive(Default)]
pub struct Results {
    done: Mutex<Vec<Done>>,
    ready: Notify,
}

impl Results {
    /// Takes one back; [`Results::announce`] says so to the exporter.
    pub fn put(&self, done: Done) {
        lock(&self.done).push(done);
    }

    /// Wakes the exporter: once for many runners, as waking costs more than most runs.
    pub fn announce(&self) {
        self.ready.notify_one();
    }

    /// Waits for an announcement.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// What has come back.
    pub fn take(&self) -> Vec<Done> {
        std::mem::take(&mut lock(&self.done))
    }
}

/// What is to run, and what runs.
#[derive(Default)]
struct Shift {
    waiting: VecDeque<Runner>,
    /// The subject that runs now, since when, and how long it may.
    running: Option<(usize, Duration, Duration)>,
    /// Whether a thread is at it.
    working: bool,
}

/// Runs blocking subjects. Its thread pops them from a queue that is taken away when one of them is stuck.
pub struct Crew {
    worker: Worker,
    clock: Clock,
    shift: Arc<Mutex<Shift>>,
    results: Arc<Results>,
}

impl Crew {
    pub fn new(exporter: &str, clock: Clock, results: Arc<Results>) -> Self {
        Crew { worker: Worker::new(exporter), clock, shift: Arc::default(), results }
    }

    /// Runs `runners`, in this order, after what is still waiting. If no thread can be had they wait for the next call.
    pub fn start(&mut self, runners: impl IntoIterator<Item = Runner>) -> io::Result<()> {
        let mut shift = lock(&self.shift);
        shift.waiting.extend(runners);
        if shift.working || shift.waiting.is_empty() {
            return Ok(());
        }
        shift.working = true;
        drop(shift);
        let (shift, clock, results) = (self.shift.clone(), self.clock.clone(), self.results.clone());
        let submitted = self.worker.submit(move || {
            work(&shift, &clock, &results);
            results.announce();
        });
        if submitted.is_err() {
            lock(&self.shift).working = false;
        }
        submitted
    }

    /// Does something short off the runtime: on the thread while that rests, else, as what runs there may hang, on
    /// another.
    pub fn submit(&mut self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        if lock(&self.shift).working {
            tokio::task::spawn_blocking(job);
            return Ok(());
        }
        self.worker.submit(job)
    }

    /// When the subject that runs now will be late, if one runs.
    pub fn deadline(&self) -> Option<Duration> {
        lock(&self.shift).running.map(|(_, since, budget)| since + budget)
    }

    /// If the subject that runs now is late: leaves the thread to it, and says which it is. [`Crew::start`] goes on with
    /// the others.
    pub fn relieve(&mut self) -> Option<usize> {
        let now = self.clock.monotonic();
        let mut shift = lock(&self.shift);
        let (index, since, budget) = shift.running?;
        if now < since + budget {
            return None;
        }
        let waiting = std::mem::take(&mut shift.waiting);
        drop(shift);
        self.shift = Arc::new(Mutex::new(Shift { waiting, ..Shift::default() }));
        self.worker.abandon();
        Some(index)
    }
}

fn work(shift: &Mutex<Shift>, clock: &Clock, results: &Results) {
    let mut meter = Meter::start();
    loop {
        let mut present = lock(shift);
        present.running = None;
        let Some(mut runner) = present.waiting.pop_front() else {
            present.working = false;
            return;
        };
        present.running = Some((runner.index, clock.monotonic(), runner.subject.budget));
        drop(present);
        let report = runner.run_blocking(&mut meter);
        results.put((runner, report));
    }
}
