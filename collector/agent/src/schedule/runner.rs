//! One subject with all that its runs need.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::{Clock, CollectError, Note, Out, Run, Subject};

use super::meter::{Meter, Spent, metered};
use crate::contain::{contain, panic_text};
use crate::metrics::Scope;

/// A subject, what it wrote last, and where its samples go. It moves to where it runs and comes back when it is done.
pub struct Runner {
    pub index: usize,
    pub subject: Subject,
    pub out: Out,
    pub scope: Arc<Scope>,
    pub clock: Clock,
}

/// How a run ended.
pub struct Report {
    pub started_ms: i64,
    /// The same moment on the monotonic clock.
    pub started: Duration,
    pub took: Duration,
    pub samples: usize,
    /// Series that are alive after it.
    pub series: usize,
    /// Bytes that the subject's series take.
    pub bytes: usize,
    pub spent: Spent,
    pub notes: Vec<Note>,
    pub outcome: Outcome,
}

/// What came of a run.
pub enum Outcome {
    /// It has its values, or the machine has no such thing.
    Ok,
    /// It failed; what it wrote before is kept, the rest has ended.
    Failed(String),
    /// It panicked; what it wrote before is kept.
    Panicked(String),
}

impl Runner {
    /// Runs the subject on this thread; `meter` has looked at it last before.
    pub fn run_blocking(&mut self, meter: &mut Meter) -> Report {
        let begun = self.begin();
        let out = &mut self.out;
        let outcome = match &mut self.subject.run {
            Run::Blocking(run) => match catch_unwind(AssertUnwindSafe(|| run(out))) {
                Ok(result) => outcome(result),
                Err(panic) => Outcome::Panicked(panic_text(panic.as_ref())),
            },
            Run::Async(_) => Outcome::Failed("not a blocking subject".into()),
        };
        let mut report = self.end(begun, outcome);
        report.spent = meter.lap();
        report
    }

    /// Runs the subject on the runtime. None when the process ends meanwhile.
    pub async fn run_async(mut self) -> Option<(Self, Report)> {
        let begun = self.begin();
        let (outcome, mut spent) = match &mut self.subject.run {
            Run::Async(collect) => {
                let (result, spent) = metered(contain(collect.collect(&mut self.out))).await;
                (result.map_or_else(Outcome::Panicked, outcome), spent)
            }
            Run::Blocking(_) => (Outcome::Failed("not an asynchronous subject".into()), Spent::default()),
        };
        // The log may have to wait for the disk; the runtime must not.
        let end = move || {
            let mut meter = Meter::start();
            let mut report = self.end(begun, outcome);
            spent.add(meter.lap());
            report.spent = spent;
            (self, report)
        };
        tokio::task::spawn_blocking(end).await.ok()
    }

    fn begin(&mut self) -> (i64, Duration) {
        let now = self.clock.now_ms();
        self.out.begin(now);
        (now, self.clock.monotonic())
    }

    fn end(&mut self, (started_ms, started): (i64, Duration), outcome: Outcome) -> Report {
        let took = self.clock.monotonic().saturating_sub(started);
        let mut collected = self.out.finish();
        let notes = std::mem::take(&mut collected.notes);
        if collected.duplicates > 0 {
            tracing::debug!(
                subject = &*self.subject.name,
                duplicates = collected.duplicates,
                "values for a series that had one already"
            );
        }
        self.scope.accept(&collected, self.clock.now_ms());
        Report {
            started_ms,
            started,
            took,
            samples: collected.samples.len(),
            series: self.scope.alive(),
            bytes: self.out.bytes() + self.scope.bytes(),
            spent: Spent::default(),
            notes,
            outcome,
        }
    }
}

fn outcome(result: Result<(), CollectError>) -> Outcome {
    match result {
        Ok(()) | Err(CollectError::Absent) => Outcome::Ok,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
