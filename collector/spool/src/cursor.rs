//! One reader's place in a log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::frames::Frames;
use crate::disk::read::{Batch, Job};
use crate::engine::Engine;
use crate::log::{Peeked, Position, Record};
use crate::places::{Opened, Step};
use crate::segment::Spot;

/// A named place in a log, held by one reader.
///
/// It reads ahead of what it has committed: several [`Cursor::peek`]s may be outstanding. Dropping it keeps the place;
/// [`Log::remove_cursor`](crate::Log::remove_cursor) gives it up.
///
/// **Definitions.** A reader keeps what the records of the segment it is in have defined, and forgets it when
/// [`Record::segment`] changes. Where a cursor begins in the middle of a segment, the records before its place come
/// first, marked [`Record::replay`].
#[derive(Debug)]
pub struct Cursor {
    engine: Arc<Engine>,
    name: Arc<str>,
    id: u64,
    read: Spot,
    /// The last known spot at or before the committed position.
    committed: Spot,
    /// The ends of the batches given out since.
    marks: VecDeque<Mark>,
    /// The file it reads, while it lags.
    frames: Option<Frames>,
    /// How long to wait before a file that could not be read is tried again; `None`: it can be read.
    pause: Option<Duration>,
}

/// The first and the longest of these waits.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The end of a batch that was given out.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Spot,
    /// When its first and its last record were appended.
    first_ms: i64,
    last_ms: i64,
}

impl Cursor {
    pub(crate) fn new(engine: Arc<Engine>, name: &str, opened: &Opened) -> Self {
        let Opened { id, committed, read, .. } = *opened;
        Cursor {
            engine,
            name: name.into(),
            id,
            read,
            committed,
            marks: VecDeque::new(),
            frames: None,
            pause: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next records: as many as fit `max_bytes`, but at least one. Waits until there is one; `None` when the log is
    /// closed and all is read, or the cursor was removed.
    ///
    /// Where a file cannot be read for a reason that may pass (no descriptor or memory left), it waits and tries again,
    /// and [`LogStats::last_error`](crate::LogStats::last_error) says why; that needs a runtime with timers. What is
    /// damaged or gone is left out, and counted.
    ///
    /// Moves the reading position, not the committed one. May be cancelled: what it has not returned, the next call
    /// returns.
    pub async fn peek(&mut self, max_bytes: usize) -> Option<Peeked> {
        loop {
            let engine = self.engine.clone();
            let changed = engine.changed.notified();
            tokio::pin!(changed);
            // Before looking, so that what changes between the look and the wait is not missed.
            changed.as_mut().enable();
            match self.step(max_bytes) {
                Step::Records { records, after } => {
                    self.frames = None;
                    return Some(self.hand_out(records, after));
                }
                Step::File { path, from, end, until, committed } => {
                    let batch = self.read(Job { path, from, end, until, committed, max_bytes }).await?;
                    if !batch.records.is_empty() {
                        return Some(self.hand_out(batch.records, batch.after));
                    }
                    if batch.trouble.is_some() {
                        self.wait_for_file().await;
                        continue;
                    }
                    // Nothing but damage, or what was read before.
                    self.read = batch.after;
                }
                Step::Wait => changed.await,
                Step::Ended => return None,
            }
        }
    }

    /// The next records if they are in memory now, as they are where the reader keeps up: never waits, never reads a
    /// file. For adding to a batch what has come meanwhile.
    pub fn try_peek(&mut self, max_bytes: usize) -> Option<Peeked> {
        match self.step(max_bytes) {
            Step::Records { records, after } => {
                self.frames = None;
                Some(self.hand_out(records, after))
            }
            Step::File { .. } | Step::Wait | Step::Ended => None,
        }
    }

    fn step(&self, max_bytes: usize) -> Step {
        let now_ms = self.engine.clock.now_ms();
        self.engine.change(|ledger, fx| {
            // A log that nobody appends to ages too.
            ledger.expire(now_ms, fx);
            ledger.step(self.id, &self.read, max_bytes)
        })
    }

    /// Reads from a file; `None` if tokio is shutting down.
    async fn read(&mut self, job: Job) -> Option<Batch> {
        let frames = self.frames.take();
        let at = job.from;
        let read = tokio::task::spawn_blocking(move || job.run(frames)).await;
        let mut batch = match read {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(cursor = %self.name, %error, "reading the log was broken off");
                return None;
            }
        };
        self.frames = batch.frames.take();
        match &batch.trouble {
            Some(error) if batch.records.is_empty() => {
                let now_ms = self.engine.clock.now_ms();
                let what = self.engine.ledger().note_trouble(at, error, now_ms);
                if self.pause.is_none() {
                    tracing::warn!(cursor = %self.name, %what, "a reader of the log waits");
                }
            }
            _ if self.pause.take().is_some() => {
                tracing::info!(cursor = %self.name, "the reader of the log goes on");
            }
            _ => {}
        }
        if !batch.damage.is_empty() {
            let now_ms = self.engine.clock.now_ms();
            self.engine.ledger().note_damage(self.id, at, &batch, now_ms);
        }
        Some(batch)
    }

    /// Waits before the next try to read a file, longer each time.
    async fn wait_for_file(&mut self) {
        let (first, longest) = PAUSES;
        let pause = self.pause.map_or(first, |last| longest.min(2 * last));
        self.pause = Some(pause);
        tokio::time::sleep(pause).await;
    }

    fn hand_out(&mut self, records: Vec<Record>, after: Spot) -> Peeked {
        self.read = after;
        let first = records.iter().find(|record| !record.replay);
        if let (Some(first), Some(last)) = (first, records.last()) {
            self.marks.push_back(Mark { at: after, first_ms: first.appended_ms, last_ms: last.appended_ms });
        }
        Peeked { records, upto: after.position }
    }

    /// All records before `upto` are done with. A position that was not read yet, or was committed before, changes
    /// nothing beyond what was read. Where the log is on disk a kill of the process a moment later does not undo it, and a
    /// power cut a second later does not; after one before that, what was committed last is given again.
    pub fn commit(&mut self, upto: Position) {
        self.settle(upto, None);
    }

    /// All records before `upto` that are not committed yet are given up, for a reason that is counted.
    pub fn skip(&mut self, upto: Position, reason: &'static str) {
        self.settle(upto, Some(reason));
    }

    fn settle(&mut self, upto: Position, skip: Option<&'static str>) {
        let upto = upto.min(self.read.position);
        if upto <= self.committed.position {
            return;
        }
        let mut at = self.committed;
        let mut next_ms = 0;
        while let Some(mark) = self.marks.front().copied().filter(|mark| mark.at.position <= upto) {
            (at, next_ms) = (mark.at, mark.last_ms);
            self.marks.pop_front();
        }
        // Not later than the next record was appended, and exact between batches.
        next_ms = self.marks.front().map_or(next_ms, |mark| mark.first_ms);
        at.position = upto;
        let id = self.id;
        let (committed, on_disk) = self.engine.change(|ledger, fx| {
            let exact = ledger.locate(upto).filter(|exact| exact.segment == at.segment).unwrap_or(at);
            ledger.commit(id, exact, next_ms, skip, fx);
            (exact, ledger.on_disk())
        });
        self.committed = committed;
        self.engine.committed(on_disk);
    }

    /// Goes back to the committed position: what was peeked since comes again.
    ///
    /// If that is in another segment than the record read last, the records before it in its segment come first, marked
    /// as replay.
    pub fn rewind(&mut self) {
        let ledger = self.engine.ledger();
        let Some(state) = ledger.cursors.iter().find(|cursor| cursor.id == self.id) else { return };
        // The log may have moved it past what was dropped.
        self.committed = state.committed;
        self.marks.clear();
        self.frames = None;
        self.read = if self.read.segment == self.committed.segment {
            self.committed
        } else {
            ledger.replay_from(&self.committed)
        };
    }

    /// The position of the next record it has to commit.
    pub fn committed(&self) -> Position {
        self.committed.position
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let now_ms = self.engine.clock.now_ms();
        let mut ledger = self.engine.ledger();
        if let Some(state) = ledger.cursors.iter_mut().find(|cursor| cursor.id == self.id) {
            state.open = false;
            state.seen_ms = now_ms;
        }
    }
}
