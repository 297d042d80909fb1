//! The task that runs one exporter's subjects at their times.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::note::{Level, Note};
use taffrail_core::{Clock, Exporter, Family, Out, Run, Subject, UP};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::crew::{Crew, Results};
use super::runner::{Outcome, Report, Runner};
use crate::component::Key;
use crate::logs::Notes;
use crate::metrics::{Identity, Pages, Scope, Writer};
use crate::page::Live;
use crate::status::{Board, ExporterStatus, Failure, Place, SubjectStatus, lock};

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

/// One exporter, running.
pub struct ExporterTask {
    name: &'static str,
    settings: Settings,
    slots: Vec<Slot>,
    crew: Crew,
    results: Arc<Results>,
    frame: Frame,
    status: Place<ExporterStatus>,
}

/// A subject's place in the schedule.
struct Slot {
    name: &'static str,
    interval: Duration,
    budget: Duration,
    scope: Arc<Scope>,
    /// When it is to run next, on the monotonic clock.
    next: Duration,
    /// Here while it does not run.
    runner: Option<Runner>,
    /// Since when it has been running.
    since: Duration,
    late: bool,
    on_thread: bool,
    status: SubjectStatus,
}

/// What the frame itself publishes: `up`, and each subject's success and duration.
struct Frame {
    out: Out,
    scope: Arc<Scope>,
    duration: &'static Family<1>,
    success: &'static Family<1>,
    /// Whether anything has come back since it was last published.
    due: bool,
}

impl ExporterTask {
    /// Prepares `exporter`. Nothing runs before [`ExporterTask::run`].
    pub fn new(exporter: Exporter, settings: Settings) -> Self {
        let results = Arc::new(Results::default());
        let scope = |interval| {
            let Settings { identity, writer, live, .. } = &settings;
            Arc::new(Scope::new(exporter.name, identity.clone(), interval, writer.clone(), live.clone()))
        };
        let frame = Frame {
            out: Out::default(),
            scope: scope(settings.interval),
            duration: exporter.duration,
            success: exporter.success,
            due: false,
        };
        let mut slots = Vec::new();
        for (index, subject) in exporter.subjects.into_iter().enumerate() {
            let interval = subject.interval.unwrap_or(settings.interval);
            slots.push(Slot::new(index, subject, scope(interval), interval, &settings.clock));
        }
        let scopes = slots.iter().map(|slot| slot.scope.clone()).chain([frame.scope.clone()]);
        settings.pages.set(exporter.name, scopes.collect());
        let status = ExporterStatus { name: exporter.name.into(), job: exporter.job, ..Default::default() };
        let status = settings.board.exporter(Key::new("exporter", exporter.name), status);
        let crew = Crew::new(exporter.name, settings.clock.clone(), results.clone());
        ExporterTask { name: exporter.name, settings, slots, crew, results, frame, status }
    }

    /// Runs until `stop`. With `end`, its series are then marked as ended: the job was removed, not restarted.
    pub async fn run(mut self, stop: CancellationToken, end: impl FnOnce() -> bool) {
        loop {
            self.start_due();
            self.look_after_late();
            self.publish();
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
        let now = clock.monotonic();
        let mut blocking = Vec::new();
        for slot in &mut self.slots {
            if slot.next > now {
                continue;
            }
            slot.next =
                now + until_next(clock.now_ms(), slot.interval, phase(self.name, &self.settings.identity));
            // A subject that still runs is not run a second time.
            let Some(mut runner) = slot.runner.take() else { continue };
            slot.since = now;
            if slot.on_thread {
                blocking.push(runner);
                continue;
            }
            let results = self.results.clone();
            tokio::spawn(async move {
                let report = runner.run_async().await;
                results.put((runner, report));
                results.announce();
            });
        }
        self.work(blocking);
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
            self.work(vec![]);
        }
        for slot in &mut self.slots {
            if slot.runner.is_none() && !slot.on_thread && !slot.late && now >= slot.since + slot.budget {
                slot.mark_late(self.name, &self.settings.notes);
            }
            if slot.late && now >= slot.since + slot.interval * 2 {
                let (scope, now_ms) = (slot.scope.clone(), self.settings.clock.now_ms());
                // The log may have to wait for the disk; the runtime must not.
                let _ = self.crew.submit(move || scope.expire(now_ms));
            }
        }
        self.frame.due |= self.slots.iter().any(|slot| slot.late && !slot.status.late);
        self.slots.iter_mut().for_each(|slot| slot.status.late = slot.late);
    }

    fn take_back(&mut self) {
        for (runner, report) in self.results.take() {
            let slot = &mut self.slots[runner.index];
            slot.note(self.name, &report, &self.settings.notes);
            slot.runner = Some(runner);
            slot.late = false;
            self.frame.due = true;
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

    /// Publishes the frame's own metrics once every subject that was started is back or late.
    fn publish(&mut self) {
        let waiting = self.slots.iter().any(|slot| slot.runner.is_none() && !slot.late);
        if !self.frame.due || waiting {
            return;
        }
        self.frame.due = false;
        let now_ms = self.settings.clock.now_ms();
        let out = &mut self.frame.out;
        out.begin(now_ms);
        out.put(&UP, [], 1.0);
        for slot in self.slots.iter().filter(|slot| slot.late || slot.status.last_run_ms > 0) {
            let ok = slot.status.ok && !slot.late;
            out.put(self.frame.duration, [slot.name], slot.status.duration_s);
            out.put(self.frame.success, [slot.name], f64::from(u8::from(ok)));
        }
        let (scope, collected) = (self.frame.scope.clone(), out.finish());
        if let Err(error) = self.crew.submit(move || scope.accept(&collected, now_ms)) {
            error!(exporter = self.name, %error, "no thread could be started to publish");
        }
        let mut status = lock(&self.status);
        status.subjects = self.slots.iter().map(|slot| slot.status.clone()).collect();
        status.series = self.slots.iter().map(|slot| slot.scope.alive()).sum();
    }

    fn next_event(&self) -> Duration {
        let starts = self.slots.iter().map(|slot| slot.next);
        let late = self.slots.iter().filter(|slot| slot.runner.is_none()).map(|slot| {
            let expiry = slot.since + slot.interval * 2;
            if slot.late || slot.on_thread { expiry } else { slot.since + slot.budget }
        });
        // What has passed already was looked after just now.
        let now = self.settings.clock.monotonic();
        let late = late.filter(|at| *at > now);
        starts.chain(late).chain(self.crew.deadline()).min().unwrap_or(now + self.settings.interval)
    }
}

impl Slot {
    fn new(index: usize, subject: Subject, scope: Arc<Scope>, interval: Duration, clock: &Clock) -> Self {
        let (name, budget) = (subject.name, subject.budget);
        let on_thread = matches!(subject.run, Run::Blocking(_));
        let runner =
            Runner { index, subject, out: Out::default(), scope: scope.clone(), clock: clock.clone() };
        let status = SubjectStatus { name, interval_s: interval.as_secs_f64(), ..Default::default() };
        let now = clock.monotonic();
        Slot {
            name,
            interval,
            budget,
            scope,
            next: now,
            runner: Some(runner),
            since: now,
            late: false,
            on_thread,
            status,
        }
    }

    fn mark_late(&mut self, exporter: &'static str, notes: &Notes) {
        self.late = true;
        let text = format!("has not answered within {:?}; the others go on without it", self.budget);
        warn!(exporter, subject = self.name, "{text}");
        notes.send(self.event(exporter, Level::Warn, "subject_late", text));
    }

    fn event(&self, exporter: &'static str, level: Level, event: &'static str, text: String) -> Note {
        Note { level, event, text, facts: vec![("exporter", exporter.into()), ("subject", self.name.into())] }
    }

    fn note(&mut self, exporter: &'static str, report: &Report, notes: &Notes) {
        if self.late {
            let text = format!("has answered, after {:.1} s", report.took.as_secs_f64());
            info!(exporter, subject = self.name, "{text}");
            notes.send(self.event(exporter, Level::Info, "subject_answered", text));
        }
        let was_ok = self.status.ok || self.status.last_run_ms == 0;
        self.status.last_run_ms = report.started_ms;
        self.status.duration_s = report.took.as_secs_f64();
        self.status.samples = report.samples;
        self.status.ok = matches!(report.outcome, Outcome::Ok);
        let text = match &report.outcome {
            Outcome::Ok => return,
            Outcome::Failed(text) => text.clone(),
            Outcome::Panicked(text) => format!("a fault of the collector's own: {text}"),
        };
        // Said once when it begins; the board and the success metric tell that it goes on.
        if was_ok {
            warn!(exporter, subject = self.name, "{text}");
        } else {
            debug!(exporter, subject = self.name, "{text}");
        }
        self.status.last_error = Some(Failure { at_ms: report.started_ms, text });
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

fn phase(exporter: &str, identity: &Identity) -> u64 {
    let mut hasher = DefaultHasher::new();
    exporter.hash(&mut hasher);
    identity.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "exporter_tests.rs"]
mod tests;
