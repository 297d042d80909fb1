//! What both logs share: the ledger behind its lock, and who is woken when it changes.

use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use tokio::sync::{Notify, watch};

use crate::cursor::Cursor;
use crate::ledger::{Effects, Ledger};
use crate::log::{AppendError, CursorError, Log, LogStats, Position, Pressure, SegmentId, Start};
use crate::loss::{Listener, Loss};
use crate::segment::framed;
use crate::ticket::{Reason, Settled, Ticket};

/// A log without its storage.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) clock: Clock,
    ledger: Mutex<Ledger>,
    /// Held for the whole of an append: positions are given and files written in one order.
    writer: Mutex<()>,
    pub(crate) changed: Notify,
    /// A cursor has moved.
    moved: Notify,
    /// Files that a reader has freed, and what it found given up: it waits neither for their removal nor for its telling.
    trash: Mutex<Trash>,
    listener: OnceLock<Listener>,
    pressure: watch::Sender<Pressure>,
    /// Woken by each commit.
    commits: OnceLock<Thread>,
    first_to_go: OnceLock<FirstToGo>,
}

/// What is left to do with files, apart from who caused it.
#[derive(Debug, Default)]
struct Trash {
    lost: Vec<Loss>,
    unlink: Vec<Arc<Path>>,
}

/// A log that gives up its records before another one does, which shares its bound.
#[derive(Debug)]
struct FirstToGo {
    engine: Arc<Engine>,
    /// What it knows of how much the other one holds.
    beside: Arc<AtomicU64>,
}

/// A log that keeps its records in an [`Engine`].
pub(crate) trait Backed: Send + Sync {
    fn engine(&self) -> &Arc<Engine>;

    /// Called after each append, with the writer's lock held.
    fn store(&self, _fx: &mut Effects) {}

    /// Called once a cursor is there that was not, before anybody has it.
    fn cursor_added(&self) {}
}

impl Engine {
    pub(crate) fn new(clock: Clock, ledger: Ledger) -> Arc<Self> {
        Arc::new(Engine {
            clock,
            ledger: Mutex::new(ledger),
            writer: Mutex::new(()),
            changed: Notify::new(),
            moved: Notify::new(),
            trash: Mutex::default(),
            listener: OnceLock::new(),
            pressure: watch::Sender::new(Pressure::Low),
            commits: OnceLock::new(),
            first_to_go: OnceLock::new(),
        })
    }

    /// From now on this log and `other` share the bound, and `other` gives up its records first.
    pub(crate) fn outrank(&self, other: &Arc<Engine>) {
        let (beside, least) = {
            let other = other.ledger();
            (other.beside.clone(), other.least())
        };
        let mut ledger = self.ledger();
        ledger.bounds.max_bytes = ledger.bounds.max_bytes.saturating_sub(least);
        beside.store(ledger.held_bytes, Ordering::Relaxed);
        drop(ledger);
        // There is one in the life of a log.
        let _ = self.first_to_go.set(FirstToGo { engine: other.clone(), beside });
    }

    /// Has room made for a record of `size` bytes where that is another log's duty. No lock of this log may be held.
    fn ask_for_room(&self, size: u64) {
        let Some(first) = self.first_to_go.get() else { return };
        let held = self.ledger().held_bytes;
        first.engine.change(|ledger, fx| ledger.give_way(held + size, fx));
        // Files that go only at the next tick would lie beside those that need their room.
        first.engine.empty_trash();
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The ledger's methods do not panic half way on any input; serving on beats falling over.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the ledger, then calls tickets outside the lock; files are left to [`Engine::empty_trash`].
    pub(crate) fn change<T>(&self, work: impl FnOnce(&mut Ledger, &mut Effects) -> T) -> T {
        let mut fx = Effects::default();
        let result = {
            let mut ledger = self.ledger();
            let result = work(&mut ledger, &mut fx);
            self.publish(&mut ledger, self.clock.now_ms());
            result
        };
        if !fx.unlink.is_empty() || !fx.lost.is_empty() {
            let mut trash = self.trash.lock().unwrap_or_else(PoisonError::into_inner);
            trash.lost.append(&mut fx.lost);
            trash.unlink.append(&mut fx.unlink);
        }
        self.run(fx);
        result
    }

    /// Wakes `thread` whenever a cursor has moved, from now on.
    pub(crate) fn tell_commits_to(&self, thread: Thread) {
        // There is one such thread in the life of a log.
        let _ = self.commits.set(thread);
    }

    /// A cursor has moved. The thread for that is woken where something is `on_disk`: what only memory holds does not
    /// outlive the process, and needs no note of how far it was read.
    pub(crate) fn committed(&self, on_disk: bool) {
        self.moved.notify_waiters();
        if let Some(thread) = self.commits.get().filter(|_| on_disk) {
            thread.unpark();
        }
    }

    /// Waits for cursors that have more than `bytes` to commit, nothing of it older than `age`.
    async fn wait_for_cursors(&self, bytes: u64, age: Duration) {
        loop {
            let mut moved = pin!(self.moved.notified());
            // Before looking, so that what changes between the look and the wait is not missed.
            moved.as_mut().enable();
            if !self.ledger().runs_ahead(bytes, age, self.clock.now_ms()) {
                return;
            }
            moved.await;
        }
    }

    /// Removes the files that readers have freed; whether there were any.
    pub(crate) fn empty_trash(&self) -> bool {
        let trash = std::mem::take(&mut *self.trash.lock().unwrap_or_else(PoisonError::into_inner));
        let Trash { lost, unlink } = trash;
        let any = !unlink.is_empty();
        self.remove_files(&mut Effects { lost, unlink, ..Effects::default() });
        any
    }

    /// Tells this one of losses from now on.
    pub(crate) fn tell_losses_to(&self, listener: Listener) {
        self.ledger().tells = self.listener.set(listener).is_ok();
    }

    /// Tells of losses, removes the files and calls the tickets. No lock of the log may be held.
    pub(crate) fn run(&self, mut fx: Effects) {
        self.remove_files(&mut fx);
        for (ticket, how) in fx.settle {
            ticket.settle(how);
        }
    }

    /// Tells of losses and removes the files, only.
    pub(crate) fn remove_files(&self, fx: &mut Effects) {
        if let Some(listener) = self.listener.get() {
            fx.lost.drain(..).for_each(|loss| listener.tell(&loss));
        }
        for path in fx.unlink.drain(..) {
            if let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove a segment that is no longer needed");
            }
        }
    }

    fn publish(&self, ledger: &mut Ledger, now_ms: i64) {
        let now = ledger.pressure(now_ms);
        self.pressure.send_if_modified(|was| std::mem::replace(was, now) != now);
        if let Some(first) = self.first_to_go.get() {
            first.beside.store(ledger.held_bytes, Ordering::Relaxed);
        }
    }
}

impl<T: Backed> Log for T {
    fn segment(&self) -> SegmentId {
        self.engine().ledger().next_segment
    }

    fn append(&self, record: Bytes, ticket: Ticket) -> Result<Position, AppendError> {
        let engine = self.engine();
        let mut fx = Effects::default();
        let size = record.len();
        engine.ask_for_room(framed(size));
        let writer = engine.writer();
        let now_ms = engine.clock.now_ms();
        let admitted = {
            let mut ledger = engine.ledger();
            let max = ledger.bounds.max_record;
            if ledger.closed {
                Err(AppendError::Closed)
            } else if size > max {
                ledger.counters.too_large.add(1, framed(size));
                fx.settle.push((ticket, Settled::Dropped(Reason::TooLarge)));
                Err(AppendError::TooLarge { bytes: size, max })
            } else {
                Ok(ledger.admit(now_ms, record, ticket, &mut fx))
            }
        };
        if admitted.is_ok() {
            self.store(&mut fx);
            let mut ledger = engine.ledger();
            ledger.decide_segment(now_ms);
            engine.publish(&mut ledger, now_ms);
        }
        drop(writer);
        engine.changed.notify_waiters();
        engine.run(fx);
        admitted
    }

    fn wait_for_cursors(&self, bytes: u64, age: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let wait = self.engine().wait_for_cursors(bytes, age);
        Box::pin(async move {
            // Who takes longer is no longer waited for.
            let _ = tokio::time::timeout(age, wait).await;
        })
    }

    fn cursor(&self, name: &str, start: Start) -> Result<Cursor, CursorError> {
        let engine = self.engine();
        let now_ms = engine.clock.now_ms();
        let opened = engine.ledger().open_cursor(name, start, now_ms);
        let opened = opened.ok_or_else(|| CursorError::InUse { name: name.to_owned() })?;
        if opened.new {
            // What is promised from now on is promised to it: a kill must not make it unknown again.
            self.cursor_added();
        }
        Ok(Cursor::new(engine.clone(), name, &opened))
    }

    fn remove_cursor(&self, name: &str) {
        self.engine().change(|ledger, fx| ledger.remove_cursor(name, fx));
        self.engine().changed.notify_waiters();
    }

    fn stats(&self) -> LogStats {
        let engine = self.engine();
        let now_ms = engine.clock.now_ms();
        engine.ledger().stats(now_ms)
    }

    fn pressure(&self) -> watch::Receiver<Pressure> {
        self.engine().pressure.subscribe()
    }

    fn close(&self) {
        self.engine().ledger().closed = true;
        self.engine().changed.notify_waiters();
    }
}
