//! A source on a thread of its own: waiting between rounds, and stopping.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::source::{Config, Source, Step};
use super::tenure::Tenure;
use crate::logs::Chunk;
use crate::sources::Context;
use crate::status::{Failure, SourceStatus, lock};

/// Between rounds while lines come, so that they are seen soon.
const SOON: Duration = Duration::from_millis(250);
/// Between rounds when there were none for a while.
const LATER: Duration = Duration::from_secs(1);
/// Between looks for a file that was named before it is there: a container may be gone again in a tenth of a second.
const AWAITED: Duration = Duration::from_millis(20);
/// How long lines are expected to go on coming.
const LIVELY: Duration = Duration::from_secs(10);
/// How long after a panic the source is started again.
const AFTER_PANIC: Duration = Duration::from_secs(5);
/// How long after its time to settle the thread may take to answer: it may be saving, or it hangs in the file system.
const TO_ANSWER: Duration = Duration::from_millis(900);
/// How long a write that is under way is waited for when the thread is given up.
const TO_WRITE: Duration = Duration::from_millis(100);

/// What a source left when it stopped. All of it is read, or read again, by the next run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Bytes that were read, and that no output has had the last word on.
    pub unsettled_bytes: u64,
    /// Bytes that were there and not read.
    pub unread_bytes: u64,
    /// The thread hangs in the file system and was left to itself; the figures are those of when it last could tell.
    pub stuck: bool,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Left { unsettled_bytes, unread_bytes, stuck } = self;
        if *stuck {
            write!(
                f,
                "its file system does not answer (a dead mount?), so it is not waited for; when it last did: "
            )?;
        }
        write!(
            f,
            "{unsettled_bytes} bytes read but not settled, {unread_bytes} bytes not read; they stay in their files"
        )
    }
}

/// A source that runs. When this is dropped the source stops at once, with its positions saved.
#[derive(Debug)]
pub struct Running {
    orders: Arc<Orders>,
    tenure: Arc<Tenure>,
    status: Arc<Mutex<SourceStatus>>,
    thread: Thread,
    left: Option<oneshot::Receiver<Left>>,
}

#[derive(Debug, Default)]
struct Orders {
    stop: AtomicBool,
    /// How long to wait for what is not settled.
    by: Mutex<Duration>,
}

/// Starts reading on a thread of its own; waits for no file system.
///
/// # Errors
/// When a glob cannot be used, or no thread can be had.
pub fn start(config: &Config, context: Context) -> io::Result<Running> {
    let opened = Source::new(config, context.clone())?;
    let (tenure, status) = (opened.tenure.clone(), context.status.clone());
    let orders = Arc::new(Orders::default());
    let (say, left) = oneshot::channel();
    let (config, its_orders) = (config.clone(), orders.clone());
    let thread = std::thread::Builder::new()
        .name(format!("files {}", config.name).chars().take(15).collect())
        .spawn(move || {
            // If nobody waits for the answer any longer, nobody misses it.
            let _ = say.send(run_through_panics(opened, &config, context, &its_orders));
        })?;
    Ok(Running { orders, tenure, status, thread: thread.thread().clone(), left: Some(left) })
}

impl Running {
    /// Stops reading at once, waits until everything that was read is settled, at most for `by`, and saves positions.
    /// Says what is left. A thread that hangs in the file system is left to itself a second after that, at the latest;
    /// it writes nothing any longer.
    pub async fn stop(mut self, by: Duration) -> Left {
        *lock(&self.orders.by) = by;
        self.order_stop();
        let Some(left) = self.left.take() else { return Left::default() };
        match tokio::time::timeout(by + TO_ANSWER, left).await {
            Ok(left) => left.unwrap_or_default(),
            // Its positions are in the journal.
            Err(_) => {
                self.tenure.end(TO_WRITE).await;
                let status = lock(&self.status);
                Left {
                    unsettled_bytes: status.unsettled_bytes,
                    unread_bytes: status.behind_bytes,
                    stuck: true,
                }
            }
        }
    }

    fn order_stop(&self) {
        self.orders.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.order_stop();
    }
}

impl Orders {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits, or until there is an order.
    fn wait(&self, time: Duration) {
        if !self.stopping() {
            std::thread::park_timeout(time);
        }
    }
}

/// Runs the source; after a panic, which is a defect, it is opened again from its positions.
fn run_through_panics(opened: Source, config: &Config, context: Context, orders: &Orders) -> Left {
    let (status, clock) = (context.status.clone(), context.clock.clone());
    let tenure = opened.tenure.clone();
    let mut context = Some(context);
    let mut source = Some(opened);
    loop {
        let taken = match (source.take(), &context) {
            (Some(source), _) => Ok(source),
            (None, Some(context)) => Source::new(config, context.clone()).map(|mut source| {
                source.tenure = tenure.clone();
                source
            }),
            (None, None) => return Left::default(),
        };
        let running = AssertUnwindSafe(|| taken.map(|source| run(source, orders, &mut context)));
        let text = match std::panic::catch_unwind(running) {
            Ok(Ok(left)) => return left,
            Ok(Err(e)) => e.to_string(),
            Err(_) => {
                "a defect in the collector stopped reading (see its log); it goes on from its positions"
                    .to_owned()
            }
        };
        tracing::error!(source = config.name, "{text}");
        lock(&status).last_error = Some(Failure { at_ms: clock.now_ms(), text });
        orders.wait(AFTER_PANIC);
        if orders.stopping() {
            return Left::default();
        }
    }
}

fn run(mut source: Source, orders: &Orders, context: &mut Option<Context>) -> Left {
    let mut lively_until = Duration::ZERO;
    while !orders.stopping() {
        let step = source.step();
        let now = source.clock.monotonic();
        if matches!(step, Step::Busy | Step::Full | Step::Idle(true)) {
            lively_until = now + LIVELY;
        }
        match step {
            Step::Busy => {}
            Step::Full => wait_for_room(source.chunks.as_ref(), orders, SOON),
            Step::Idle(_) if source.awaits() => rest(&mut source, orders, AWAITED),
            Step::Idle(_) => rest(&mut source, orders, if now < lively_until { SOON } else { LATER }),
            Step::Closed => orders.wait(LATER),
        }
    }
    // Both hold an end of the queue, which those behind it see close.
    source.halt();
    *context = None;
    source.receipts().wake_for_each(true);
    let deadline = source.clock.monotonic() + *lock(&orders.by);
    loop {
        let (unsettled_bytes, unread_bytes) = source.settle_and_save();
        let wait = deadline.saturating_sub(source.clock.monotonic());
        if unsettled_bytes == 0 || wait.is_zero() {
            return Left { unsettled_bytes, unread_bytes, stuck: false };
        }
        std::thread::park_timeout(wait.min(LATER));
    }
}

/// Waits for the time of the next round. What is settled meanwhile is noted at once, so that a kill now would send
/// none of it again.
fn rest(source: &mut Source, orders: &Orders, time: Duration) {
    let until = source.clock.monotonic() + time;
    source.receipts().wake_for_each(true);
    if let Some(given) = source.listing.given() {
        given.wake_me();
    }
    while !orders.stopping() && !source.is_called() {
        source.settle();
        let left = until.saturating_sub(source.clock.monotonic());
        if left.is_zero() {
            break;
        }
        orders.wait(left);
    }
    source.receipts().wake_for_each(false);
}

/// Waits until the queue has room, there is an order, or `time` is over: rotations are followed meanwhile.
fn wait_for_room(chunks: Option<&mpsc::Sender<Chunk>>, orders: &Orders, time: Duration) {
    let Some(chunks) = chunks else { return };
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut room = pin!(chunks.reserve());
    if room.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending() {
        orders.wait(time);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
