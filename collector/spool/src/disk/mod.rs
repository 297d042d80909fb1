//! The log on disk: segment files that survive the process.

pub(crate) mod frame;
pub(crate) mod frames;
pub(crate) mod positions;
pub(crate) mod read;
mod recover;
mod store;
mod unwritten;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use taffrail_core::Clock;

use crate::disk::positions::{Saved, epoch};
use crate::disk::recover::{Recovered, recover};
use crate::disk::store::Store;
use crate::engine::{Backed, Engine};
use crate::error::FileError;
use crate::ledger::{Bounds, Effects, Ledger};
use crate::log::SegmentId;
use crate::loss::{Listener, Loss};
use crate::state_file::{Loaded, StateFile};

/// When records go to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// At once: a record is in its file (the kernel's cache; a kill loses nothing) before the append returns, and its
    /// ticket is settled as spooled.
    Through,
    /// Only when a cursor lags by more than this. Until then records are in memory, and their tickets are settled when
    /// all cursors have committed them.
    OnLag {
        /// In bytes.
        bytes: u64,
        /// In time.
        age: Duration,
    },
}

/// The bounds of a [`DiskLog`].
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// How much it holds. Full, it drops its oldest segment. A record may be half of this (and never over 64 MiB).
    pub max_bytes: u64,
    /// How long a record is held, within a sixteenth: a segment goes when its newest record is older.
    pub max_age: Duration,
    /// The part of the file system, 0 to 1, that stays free for others: the oldest segments go to keep it so.
    pub min_free: f64,
    /// The most bytes that [`DiskOptions::min_free`] comes to, on however large a file system.
    pub min_free_most: u64,
    /// How large a segment grows; at most a quarter of `max_bytes`.
    pub segment_bytes: u64,
    /// How much memory the newest records take, so that readers that keep up never read the disk; also what is kept
    /// while the disk takes no writes.
    pub memory_bytes: u64,
    /// How often the disk is told to keep what was written, and cursor positions are saved: what a power cut may cost.
    pub sync_every: Duration,
    /// When records go to the disk.
    pub write: WriteMode,
}

impl Default for DiskOptions {
    fn default() -> Self {
        DiskOptions {
            max_bytes: 1 << 30,
            max_age: Duration::from_secs(6 * 3600),
            min_free: 0.1,
            min_free_most: u64::MAX,
            segment_bytes: 8 << 20,
            memory_bytes: 2 << 20,
            sync_every: Duration::from_secs(1),
            write: WriteMode::Through,
        }
    }
}

/// A [`Log`](crate::Log) on disk, in a directory of its own.
///
/// Reads and writes files in the calling thread when appending, on tokio's blocking threads when a reader lags, and on
/// a thread of its own to sync. While it has no cursor it writes no records: nobody will read them.
///
/// **Its end.** [`close`](crate::Log::close) never waits for the disk. Dropping the log completes its files and saves
/// the cursors, and waits for that for 5 seconds at most. A disk that does not answer by then (a dead network mount) is
/// left to the log's thread, with a warning: what was settled as spooled before is in the kernel's hands, what was not
/// written is not settled, and what was committed within the last [`DiskOptions::sync_every`] may come again. Only another
/// process may open the directory then. [`DiskLog::sync`], and `append` where it has to write, wait for the disk as long
/// as it takes.
#[derive(Debug)]
pub struct DiskLog {
    store: Arc<Store>,
    worker: Option<Worker>,
    _noter: Noter,
}

/// The thread that notes where cursors are as soon as they have moved: it may have to wait for the disk, and who
/// commits may not.
#[derive(Debug)]
struct Noter {
    over: Arc<AtomicBool>,
    thread: Thread,
}

impl Noter {
    fn start(store: Arc<Store>, dir: &Path) -> Result<Self, FileError> {
        let over = Arc::new(AtomicBool::new(false));
        let (engine, its_over) = (store.engine.clone(), over.clone());
        let work = move || {
            while !its_over.load(Ordering::Acquire) {
                store.save_recent();
                std::thread::park();
            }
        };
        let spawned = std::thread::Builder::new().name("spool cursors".to_owned()).spawn(work);
        let thread =
            spawned.map_err(|cause| FileError::new("start a thread for", dir, cause))?.thread().clone();
        engine.tell_commits_to(thread.clone());
        Ok(Noter { over, thread })
    }
}

impl Drop for Noter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// The thread that syncs and, at last, completes the files.
#[derive(Debug)]
struct Worker {
    /// Tells of a new reader; dropped, it ends the thread.
    wake: Sender<()>,
    /// Hung up on when the thread ends. Behind a lock only so that threads can share the log.
    ended: Mutex<Receiver<()>>,
    thread: JoinHandle<()>,
}

/// How long dropping a log waits for its disk.
const LAST_WAIT: Duration = Duration::from_secs(5);

impl DiskLog {
    /// Opens the log in `dir`, which is created if need be. The directory must be ours alone ([`crate::DirLock`]).
    ///
    /// Damage is counted and skipped; cursor positions that cannot be read make every cursor begin at the oldest
    /// record, so that records come twice rather than never.
    ///
    /// # Errors
    /// If the directory cannot be created or listed, or no thread can be started.
    pub fn open(dir: &Path, options: DiskOptions, clock: Clock) -> Result<Self, FileError> {
        Self::open_with(dir, options, clock, None)
    }

    /// The same. `tell` is told of what is given up while some cursor still needs it, as long as it can be read. It is
    /// called by whoever appends and by the log's own thread, while the log is being written: it must not touch it.
    ///
    /// # Errors
    /// As [`DiskLog::open`].
    pub fn open_telling(
        dir: &Path,
        options: DiskOptions,
        clock: Clock,
        tell: impl Fn(&Loss) + Send + Sync + 'static,
    ) -> Result<Self, FileError> {
        Self::open_with(dir, options, clock, Some(Listener::new(tell)))
    }

    fn open_with(
        dir: &Path,
        options: DiskOptions,
        clock: Clock,
        listener: Option<Listener>,
    ) -> Result<Self, FileError> {
        std::fs::create_dir_all(dir).map_err(|cause| FileError::new("create the directory", dir, cause))?;
        let found = recover(dir)?;
        let mut state = StateFile::new(dir.join("cursors"));
        let (saved, problem) = match state.load() {
            Loaded::Empty => (Some(Saved::default()), None),
            Loaded::Found { bytes, problem, .. } => {
                if let Some(problem) = problem {
                    tracing::info!(%problem, "the other generation of the cursors' positions is used");
                }
                (Saved::decode(&bytes), Some("they are not in a format that this version knows".to_owned()))
            }
            Loaded::Unreadable { problem } => (None, Some(problem)),
        };
        let mut recent = StateFile::new(dir.join("recent"));
        let saved = match (saved, recent.load()) {
            (Some(mut saved), Loaded::Found { bytes, .. }) => {
                // What does not read says nothing: it is no more than a hint.
                Saved::decode(&bytes).iter().for_each(|recent| saved.catch_up(recent));
                Some(saved)
            }
            (saved, _) => saved,
        };
        let ledger = restore(&options, found, saved, problem, clock.now_ms());
        let engine = Engine::new(clock, ledger);
        if let Some(listener) = listener {
            // Before the first look at what is too old.
            engine.tell_losses_to(listener);
        }
        let every = options.sync_every.max(Duration::from_millis(10));
        let store = Arc::new(Store::new(engine, dir.to_owned(), options, [state, recent]));
        store.tick();
        let noter = Noter::start(store.clone(), dir)?;
        let (wake, woken) = channel();
        let (end, ended) = channel::<()>();
        let worker = store.clone();
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || {
                while wait(&woken, every, worker.nobody_reads()) {
                    worker.tick();
                }
                worker.finish();
                drop(end);
            })
            .map_err(|cause| FileError::new("start a thread for", dir, cause))?;
        Ok(DiskLog { store, worker: Some(Worker { wake, ended: Mutex::new(ended), thread }), _noter: noter })
    }

    /// From now on this log and `other`, which was opened with the same bound, hold no more than that together: what one
    /// has is not the other's to fill. Full, `other` gives up its oldest, whichever of them takes a record; this one gives
    /// up its own only when `other` has nothing left but the segment it is writing. Age and free disk bound each by itself.
    pub fn outranks(&self, other: &DiskLog) {
        self.store.engine.outrank(&other.store.engine);
    }

    /// Does now what is done every [`DiskOptions::sync_every`]: waits until all that was appended and committed would
    /// survive a power cut, gives up what is too old, and tries again a disk that took no writes.
    pub fn sync(&self) {
        self.store.tick();
    }
}

impl Drop for DiskLog {
    fn drop(&mut self) {
        let Some(Worker { wake, ended, thread }) = self.worker.take() else { return };
        drop(wake);
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(LAST_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                dir = %self.store.dir().display(),
                "the disk does not answer: the log on it is left as it is, and what was delivered last may come again"
            );
        } else if thread.join().is_err() {
            // It panicked while it synced; what it left is still worth writing.
            self.store.finish();
        }
    }
}

impl Backed for DiskLog {
    fn engine(&self) -> &Arc<Engine> {
        &self.store.engine
    }

    fn store(&self, fx: &mut Effects) {
        self.store.store(fx);
    }

    fn cursor_added(&self) {
        self.store.save();
        // What is known of an older one of its name holds no longer.
        self.store.save_recent();
        if let Some(worker) = &self.worker {
            // A thread that has ended with a panic needs no waking.
            let _ = worker.wake.send(());
        }
    }
}

/// Waits for the next tick; false when the log was dropped. A log that nobody reads has nothing to do, once it has said
/// so on disk: then only a new reader ends the waiting.
fn wait(woken: &Receiver<()>, every: Duration, nobody_reads: bool) -> bool {
    if nobody_reads && woken.recv().is_err() {
        return false;
    }
    // A new reader is no reason to be early.
    let clock = Clock::system();
    let by = clock.monotonic() + every;
    loop {
        match woken.recv_timeout(by.saturating_sub(clock.monotonic())) {
            Ok(()) => {}
            Err(end) => return end == RecvTimeoutError::Timeout,
        }
    }
}

/// The ledger as it was, as far as that is known.
fn restore(
    options: &DiskOptions,
    found: Recovered,
    saved: Option<Saved>,
    problem: Option<String>,
    now_ms: i64,
) -> Ledger {
    let mut bounds = Bounds::new(options.max_bytes, options.segment_bytes, options.max_age);
    let mut memory = options.memory_bytes;
    if let WriteMode::OnLag { bytes, .. } = options.write {
        // The current segment stays in memory whole, besides what lags.
        bounds.segment_bytes = bounds.segment_bytes.min(bytes.max(1 << 16));
        memory += 2 * bytes;
        bounds.asks_again = true;
    }
    bounds.memory_bytes = Some(memory);
    let lost = saved.is_none();
    let saved = saved.unwrap_or_else(|| Saved {
        // No log gave away more positions than a million a millisecond since 1970.
        next: if found.segments.is_empty() { (now_ms.max(0) as u64) << 20 } else { 0 },
        ..Saved::default()
    });
    let last = found.segments.last().map_or(0, |last| last.end).max(saved.next);
    // A cursor may stand in a segment that only memory held: begun again, that id would take its offset for one of its
    // own and skip what lies before.
    let stood_in = saved.cursors.iter().map(|cursor| cursor.committed.segment.0.saturating_add(1)).max();
    let next_segment = SegmentId(found.free_id.max(saved.next_segment).max(stood_in.unwrap_or(0)));
    let mut ledger = Ledger::new(bounds, epoch(last), next_segment);
    ledger.counters.torn = found.torn;
    ledger.counters.corrupt = found.corrupt;
    ledger.last_error = found.problem.map(|what| (now_ms, what));
    ledger.adopt(found.segments, lost);
    for cursor in saved.cursors {
        let pending_ms = if cursor.pending_ms == 0 { cursor.seen_ms } else { cursor.pending_ms };
        ledger.add_cursor(&cursor.name, cursor.committed, cursor.seen_ms, pending_ms);
    }
    if let Some(problem) = problem.filter(|_| lost) {
        let what = format!("the cursors' positions are lost, all that is held is sent again: {problem}");
        tracing::warn!(%what, "the log on disk");
        ledger.last_error = Some((now_ms, what));
    }
    ledger
}
