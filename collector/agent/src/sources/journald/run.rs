//! The source on a thread of its own, and how it stops.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::task::Task;
use super::wake::{Bell, Watch};
use crate::config::{Journald, LogSource};
use crate::sources::{Context, Running};
use crate::status::{Failure, lock};

/// How long after a panic the source is started again.
const AFTER_PANIC: Duration = Duration::from_secs(5);
/// How long after its time to settle the thread may take to answer.
const TO_ANSWER: Duration = Duration::from_millis(900);

/// What the thread is told.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) bell: Bell,
    pub(super) stop: AtomicBool,
    /// It is given up: it must not write any longer.
    pub(super) over: AtomicBool,
    /// How long to wait for what is not settled.
    pub(super) by: Mutex<Duration>,
}

/// Stops the thread when it is dropped.
struct Guard(Arc<Orders>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Release);
        self.0.bell.ring();
    }
}

/// Starts reading; waits for no file system.
///
/// # Errors
/// When no thread can be had.
pub fn start(source: &LogSource, config: &Journald, context: Context) -> anyhow::Result<Running> {
    let orders = Arc::new(Orders {
        bell: Bell::new()?,
        stop: AtomicBool::new(false),
        over: AtomicBool::new(false),
        by: Mutex::new(Duration::ZERO),
    });
    let (say, left) = oneshot::channel();
    let (source, config, its_orders) = (source.clone(), config.clone(), orders.clone());
    std::thread::Builder::new().name("taffrail-journal".to_owned()).spawn(move || {
        // If nobody waits for the answer any longer, nobody misses it.
        let _ = say.send(run_through_panics(&source, &config, context, &its_orders));
    })?;
    let guard = Guard(orders);
    Ok(Running::new(move |by| async move {
        let orders = guard.0.clone();
        *lock(&orders.by) = by;
        drop(guard);
        match tokio::time::timeout(by + TO_ANSWER, left).await {
            Ok(left) => {
                let left = left.unwrap_or_default();
                format!("{left} bytes read but not settled; they stay in the journal")
            }
            Err(_) => {
                orders.over.store(true, Ordering::Release);
                "the journal's file system does not answer (a dead mount?), so it is not waited for"
                    .to_owned()
            }
        }
    }))
}

/// Runs the source; after a panic, which is a defect, it goes on from its cursors.
fn run_through_panics(source: &LogSource, config: &Journald, context: Context, orders: &Orders) -> u64 {
    let (status, clock) = (context.status.clone(), context.clock.clone());
    let mut context = Some(context);
    while let Some(given) = context.clone() {
        let mut task = Task::new(source, config, given);
        let run = AssertUnwindSafe(|| task.run(orders, &mut context));
        if let Ok(left) = std::panic::catch_unwind(run) {
            return left;
        }
        let text =
            "a defect in the collector stopped reading (see its log); it goes on from its cursors".to_owned();
        tracing::error!(source = source.name, "{text}");
        lock(&status).last_error = Some(Failure { at_ms: clock.now_ms(), text });
        Watch::new().wait(&orders.bell, AFTER_PANIC);
        if orders.stop.load(Ordering::Acquire) {
            break;
        }
    }
    0
}
