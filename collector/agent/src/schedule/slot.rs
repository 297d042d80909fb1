//! A subject's place in the schedule.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::note::{Level, Note};
use taffrail_core::{Clock, Out, Run, Subject};
use tracing::{debug, info, warn};

use super::pace::{Change, Pace};
use super::runner::{Outcome, Report, Runner};
use crate::logs::Notes;
use crate::metrics::Scope;
use crate::status::{Failure, SubjectStatus};

/// When a subject runs, whether it does, and what came of it.
pub(super) struct Slot {
    pub(super) name: Cow<'static, str>,
    pub(super) pace: Pace,
    pub(super) budget: Duration,
    pub(super) scope: Arc<Scope>,
    /// Where in its interval it runs, as a hash.
    pub(super) phase: u64,
    /// When it is to run next, on the monotonic clock.
    pub(super) next: Duration,
    /// Here while it does not run.
    pub(super) runner: Option<Runner>,
    /// When what it gave last is two of its intervals old.
    pub(super) expires: Duration,
    /// When it began to run, where that is not the crew's to know.
    pub(super) began: Duration,
    /// It is due and waits for others to end.
    pub(super) waiting: bool,
    pub(super) late: bool,
    pub(super) on_thread: bool,
    /// What its runs have left open, and have taken for buffers.
    held_files: i64,
    held_bytes: i64,
    pub(super) status: SubjectStatus,
    /// The status is not on the board yet.
    pub(super) changed: bool,
}

impl Slot {
    pub(super) fn new(
        index: usize,
        subject: Subject,
        scope: Arc<Scope>,
        interval: Duration,
        clock: &Clock,
    ) -> Self {
        let (name, budget) = (subject.name.clone(), subject.budget);
        let instance = subject.target.as_ref().map(|target| target.instance.clone());
        let on_thread = matches!(subject.run, Run::Blocking(_));
        let runner =
            Runner { index, subject, out: Out::default(), scope: scope.clone(), clock: clock.clone() };
        let (interval_s, asked_s) = (interval.as_secs_f64(), interval.as_secs_f64());
        let status =
            SubjectStatus { name: name.clone(), instance, interval_s, asked_s, ..Default::default() };
        let now = clock.monotonic();
        Slot {
            name,
            pace: Pace::new(interval),
            budget,
            scope,
            phase: 0,
            next: now,
            runner: Some(runner),
            expires: now + interval * 2,
            began: now,
            waiting: false,
            late: false,
            on_thread,
            held_files: 0,
            held_bytes: 0,
            status,
            changed: true,
        }
    }

    /// Whether it was due and has not answered yet.
    pub(super) fn away(&self) -> bool {
        self.waiting || self.runner.is_none()
    }

    /// Whether it runs on the runtime and may still answer in time.
    pub(super) fn runs_async(&self) -> bool {
        !self.on_thread && self.runner.is_none() && !self.late
    }

    /// Notes that its run has outlived its budget.
    pub(super) fn mark_late(&mut self, exporter: &'static str, notes: &Notes) {
        self.late = true;
        self.status.late = true;
        self.changed = true;
        let text = format!("has not answered within {:?}; the others go on without it", self.budget);
        warn!(exporter, subject = &*self.name, "{text}");
        notes.send(self.event(exporter, Level::Warn, "subject_late", text));
    }

    fn event(&self, exporter: &'static str, level: Level, event: &'static str, text: String) -> Note {
        let facts = vec![("exporter", exporter.into()), ("subject", self.name.to_string())];
        Note { level, event, text, facts }
    }

    /// Takes its runner back with what the run gave. Whether its interval is another now.
    pub(super) fn take_back(
        &mut self,
        exporter: &'static str,
        runner: Runner,
        report: &Report,
        notes: &Notes,
    ) -> bool {
        self.runner = Some(runner);
        if self.late {
            let text = format!("has answered, after {:.1} s", report.took.as_secs_f64());
            info!(exporter, subject = &*self.name, "{text}");
            notes.send(self.event(exporter, Level::Info, "subject_answered", text));
        }
        self.late = false;
        let slowed = self.keep_pace(exporter, report, notes);
        self.expires = report.started + self.pace.interval() * 2;
        self.account(report);
        self.take_outcome(exporter, report);
        self.changed = true;
        slowed
    }

    /// Runs more seldom after a slow or costly run, and more often after quick ones.
    fn keep_pace(&mut self, exporter: &'static str, report: &Report, notes: &Notes) -> bool {
        let change = self.pace.take(report.took, report.spent.cpu, self.budget);
        let Some(change) = change else { return false };
        let interval = self.pace.interval();
        self.scope.set_interval(interval);
        self.status.interval_s = interval.as_secs_f64();
        let why = match change {
            Change::Overran => format!(
                "took {:?} with a budget of {:?}: it runs every {interval:?} until it is quick again",
                report.took, self.budget
            ),
            Change::Costly => format!(
                "used {:?} of a CPU again and again: it runs every {interval:?} until it costs less",
                report.spent.cpu
            ),
            Change::Quick => format!("is quick again: it runs every {interval:?}"),
        };
        // Said once when it begins and once when it is over; the steps between are on the board.
        match (change, self.pace.factor()) {
            (Change::Quick, 1) => {
                info!(exporter, subject = &*self.name, "{why}");
                notes.send(self.event(exporter, Level::Info, "subject_quick", why));
            }
            (Change::Overran | Change::Costly, 2) => {
                warn!(exporter, subject = &*self.name, "{why}");
                notes.send(self.event(exporter, Level::Warn, "subject_slowed", why));
            }
            _ => debug!(exporter, subject = &*self.name, "{why}"),
        }
        true
    }

    /// Adds what the run cost.
    fn account(&mut self, report: &Report) {
        let (status, spent) = (&mut self.status, &report.spent);
        status.cpu_s += spent.cpu.as_secs_f64();
        status.read_bytes += spent.read_bytes;
        status.series = report.series;
        // What was opened before the first run and is closed in one would count below nothing.
        self.held_files = (self.held_files + spent.held_files).max(0);
        self.held_bytes = (self.held_bytes + spent.held_bytes).max(0);
        status.held_files = self.held_files as u64;
        status.memory_bytes = self.held_bytes as u64 + report.bytes as u64;
    }

    fn take_outcome(&mut self, exporter: &'static str, report: &Report) {
        let was_ok = self.status.ok || self.status.last_run_ms == 0;
        let status = &mut self.status;
        status.late = false;
        status.last_run_ms = report.started_ms;
        status.duration_s = report.took.as_secs_f64();
        status.samples = report.samples;
        status.ok = matches!(report.outcome, Outcome::Ok);
        let text = match &report.outcome {
            Outcome::Ok => return,
            Outcome::Failed(text) => text.clone(),
            Outcome::Panicked(text) => format!("a fault of the collector's own: {text}"),
        };
        // Said once when it begins; the board and the success metric tell that it goes on.
        if was_ok {
            warn!(exporter, subject = &*self.name, "{text}");
        } else {
            debug!(exporter, subject = &*self.name, "{text}");
        }
        status.last_error = Some(Failure { at_ms: report.started_ms, text });
    }
}
