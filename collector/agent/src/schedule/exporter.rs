//! The task that runs one exporter's subjects at their times.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::note::Level;
use taffrail_core::{Clock, Exporter};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::crew::{Crew, Results};
use super::frame::Frame;
use super::runner::Runner;
use super::slot::Slot;
use crate::component::Key;
use crate::logs::Notes;
use crate::metrics::{Identity, Pages, Scope, Writer};
use crate::page::Live;
use crate::status::{Board, ExporterStatus, Place, lock};

/// What an exporter's task is given.
#[derive(Clone)]
pub struct Settings {
    /// Labels of all its series.
    pub identity: Identity,
    /// How often subjects run that do not say otherwise.
    pub interval: Duration,
    /// The one clock.
    pub clock: Clock,
    /// Where samples go.
    pub writer: Arc<Writer>,
    /// What the page draws.
    pub live: Arc<Live>,
    /// The pull pages.
    pub pages: Arc<Pages>,
    /// The board.
    pub board: Arc<Board>,
    /// Where notes go.
    pub notes: Notes,
}

/// The most asynchronous subjects of one exporter that run at once. One that is late gives up its place, but goes on;
/// the rest wait for their turn, at most all of them, and are counted in `taffrail_exporter_waiting_subjects`.
pub const ASYNC_AT_ONCE: usize = 64;
/// How soon it is looked again whether the series of a subject that does not answer have ended.
const EXPIRY_AGAIN: Duration = Duration::from_millis(100);
/// Subjects with targets of their own first run within this time for each of them, spread as later.
const FIRST_SPREAD: Duration = Duration::from_millis(10);

/// One exporter, running.
pub struct ExporterTask {
    name: &'static str,
    settings: Settings,
    slots: Vec<Slot>,
    /// Asynchronous subjects that are due and wait for others to end.
    waiting: VecDeque<usize>,
    crew: Crew,
    results: Arc<Results>,
    frame: Frame,
    status: Place<ExporterStatus>,
}

impl ExporterTask {
    /// Prepares `exporter`. Nothing runs before [`ExporterTask::run`].
    pub fn new(exporter: Exporter, settings: Settings) -> Self {
        let results = Arc::new(Results::default());
        let Settings { identity, writer, live, clock, .. } = &settings;
        let scope = |identity: Identity, interval| {
            Arc::new(Scope::new(exporter.name, identity, interval, writer.clone(), live.clone()))
        };
        let whole = scope(identity.clone(), settings.interval);
        let frame = Frame::new(&exporter, whole.clone(), settings.interval, clock.monotonic());
        let targets = exporter.subjects.iter().filter(|subject| subject.target.is_some()).count() as u32;
        let mut slots = Vec::new();
        for (index, subject) in exporter.subjects.into_iter().enumerate() {
            let interval = subject.interval.unwrap_or(settings.interval);
            let own = subject.target.as_ref().map(|target| identity.of(target));
            let name = own.is_some().then(|| subject.name.clone());
            let phase = phase(exporter.name, name.as_deref(), own.as_ref().unwrap_or(identity));
            let scope = scope(own.unwrap_or_else(|| identity.clone()), interval);
            let mut slot = Slot::new(index, subject, scope, interval, clock);
            slot.phase = phase;
            if name.is_some() {
                let within = interval.min(FIRST_SPREAD * targets).as_millis().max(1) as u64;
                slot.next += Duration::from_millis(phase % within);
            }
            slots.push(slot);
        }
        let scopes = slots.iter().map(|slot| slot.scope.clone()).chain([whole]);
        settings.pages.set(exporter.name, scopes.collect());
        let subjects = slots.iter().map(|slot| slot.status.clone()).collect();
        let status =
            ExporterStatus { name: exporter.name.into(), job: exporter.job, subjects, ..Default::default() };
        let status = settings.board.exporter(Key::new("exporter", exporter.name), status);
        let crew = Crew::new(exporter.name, clock.clone(), results.clone());
        let waiting = VecDeque::new();
        ExporterTask { name: exporter.name, settings, slots, waiting, crew, results, frame, status }
    }

    /// Runs until `stop`. With `end`, its series are then marked as ended: the job was removed, not restarted.
    pub async fn run(mut self, stop: CancellationToken, end: impl FnOnce() -> bool) {
        loop {
            self.start_due();
            self.look_after_late();
            self.start_waiting();
            self.publish();
            self.show();
            let wait = self.next_event().saturating_sub(self.settings.clock.monotonic());
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.results.ready() => {}
                () = tokio::time::sleep(wait) => {}
            }
            self.take_back();
        }
        if end() {
            let now_ms = self.settings.clock.now_ms();
            let scopes: Vec<_> = self.slots.iter().map(|slot| slot.scope.clone()).collect();
            let frame = self.frame.scope.clone();
            let ending = tokio::task::spawn_blocking(move || {
                scopes.iter().chain([&frame]).for_each(|scope| scope.end(now_ms));
            });
            // It cannot be cancelled, and a panic in it was logged.
            let _ = ending.await;
            self.settings.pages.remove(self.name);
            self.settings.board.remove(&Key::new("exporter", self.name));
        }
    }

    fn start_due(&mut self) {
        let clock = &self.settings.clock;
        let (now, now_ms) = (clock.monotonic(), clock.now_ms());
        let mut blocking = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.next > now {
                continue;
            }
            slot.next = now + until_next(now_ms, slot.pace.interval(), slot.phase);
            // A subject that still runs, or waits, is not run a second time.
            if slot.away() {
                continue;
            }
            if slot.on_thread {
                blocking.extend(slot.runner.take());
            } else {
                slot.waiting = true;
                self.waiting.push_back(index);
            }
        }
        self.work(blocking);
    }

    /// Starts as many of the asynchronous subjects that wait as may run.
    fn start_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let now = self.settings.clock.monotonic();
        let mut running = self.slots.iter().filter(|slot| slot.runs_async()).count();
        while running < ASYNC_AT_ONCE
            && let Some(index) = self.waiting.pop_front()
        {
            let slot = &mut self.slots[index];
            slot.waiting = false;
            slot.began = now;
            let Some(runner) = slot.runner.take() else { continue };
            running += 1;
            let results = self.results.clone();
            tokio::spawn(async move {
                if let Some(done) = runner.run_async().await {
                    results.put(done);
                    results.announce();
                }
            });
        }
    }

    /// Runs `runners`, and what has been waiting for a thread.
    fn work(&mut self, runners: Vec<Runner>) {
        if let Err(error) = self.crew.start(runners) {
            error!(exporter = self.name, %error, "no thread could be started to collect");
        }
    }

    fn look_after_late(&mut self) {
        let now = self.settings.clock.monotonic();
        if let Some(index) = self.crew.relieve() {
            self.slots[index].mark_late(self.name, &self.settings.notes);
            self.frame.news = true;
            self.work(vec![]);
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.away()) {
            if slot.runs_async() && now >= slot.began + slot.budget {
                slot.mark_late(self.name, &self.settings.notes);
                self.frame.news = true;
            }
            if now >= slot.expires && slot.status.series > 0 {
                slot.status.series = slot.scope.alive();
                slot.changed = true;
                // Looked at once more, until it is done: the two clocks may differ by a moment.
                slot.expires = now + EXPIRY_AGAIN;
                let (scope, now_ms) = (slot.scope.clone(), self.settings.clock.now_ms());
                // The log may have to wait for the disk; the runtime must not. If no thread can be had, the next look
                // tries again.
                let _ = self.crew.submit(move || scope.expire(now_ms));
            }
        }
    }

    fn take_back(&mut self) {
        for (runner, report) in self.results.take() {
            let slot = &mut self.slots[runner.index];
            if slot.take_back(self.name, runner, &report, &self.settings.notes) {
                let clock = &self.settings.clock;
                slot.next = clock.monotonic() + until_next(clock.now_ms(), slot.pace.interval(), slot.phase);
            }
            self.frame.news = true;
            for note in report.notes {
                match note.level {
                    Level::Info => info!(exporter = self.name, facts = ?note.facts, "{}", note.text),
                    Level::Warn | Level::Error => {
                        warn!(exporter = self.name, facts = ?note.facts, "{}", note.text);
                    }
                }
                self.settings.notes.send(note);
            }
        }
    }

    /// Publishes the frame's own metrics when they are due.
    fn publish(&mut self) {
        let clock = &self.settings.clock;
        let (now, now_ms) = (clock.monotonic(), clock.now_ms());
        if now < self.frame.due(&self.slots) {
            return;
        }
        let collected = self.frame.collect(&self.slots, now_ms, now);
        let scope = self.frame.scope.clone();
        if let Err(error) = self.crew.submit(move || scope.accept(&collected, now_ms)) {
            error!(exporter = self.name, %error, "no thread could be started to publish");
        }
    }

    /// Puts what has changed on the board.
    fn show(&mut self) {
        let mut status = lock(&self.status);
        status.waiting = self.waiting.len();
        if !self.slots.iter().any(|slot| slot.changed) {
            return;
        }
        for (slot, shown) in self.slots.iter_mut().zip(&mut status.subjects) {
            if std::mem::take(&mut slot.changed) {
                shown.clone_from(&slot.status);
            }
        }
        status.series = status.subjects.iter().map(|subject| subject.series).sum();
    }

    fn next_event(&self) -> Duration {
        let starts = self.slots.iter().map(|slot| slot.next);
        let away = self.slots.iter().filter(|slot| slot.away());
        let late = away.flat_map(|slot| {
            let deadline = slot.runs_async().then(|| slot.began + slot.budget);
            [Some(slot.expires), deadline].into_iter().flatten()
        });
        // What has passed already was looked after just now.
        let now = self.settings.clock.monotonic();
        let late = late.filter(|at| *at > now);
        let others = [Some(self.frame.due(&self.slots)), self.crew.deadline()].into_iter().flatten();
        starts.chain(late).chain(others).min().unwrap_or(now + self.settings.interval)
    }
}

/// How long from now until the next run: at multiples of the interval on the wall clock, shifted by `phase`, so that
/// not everything on every machine runs at once; and never sooner than half an interval.
fn until_next(now_ms: i64, interval: Duration, phase: u64) -> Duration {
    let every = (interval.as_millis() as i64).max(1);
    let shift = (phase % every as u64) as i64;
    let wait = every - (now_ms - shift).rem_euclid(every);
    Duration::from_millis(if wait * 2 < every { wait + every } else { wait } as u64)
}

/// Where in its interval a subject runs: all of a job together, as one waking is cheaper than many; but subjects with
/// targets of their own (`name` is given) each by itself, or hundreds of probes would start in one moment.
fn phase(exporter: &str, name: Option<&str>, identity: &Identity) -> u64 {
    let mut hasher = DefaultHasher::new();
    exporter.hash(&mut hasher);
    name.hash(&mut hasher);
    identity.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "exporter_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "hours_tests.rs"]
mod hours_tests;
