//! One round after the other: it looks, gathers, sends, takes note of what was settled, and keeps its cursors.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use taffrail_core::Note;
use taffrail_core::note::Level;
use taffrail_wire::journal::Id;
use tokio::sync::mpsc::error::TrySendError;

use super::cursor::Cursor;
use super::entries::Gatherer;
use super::reader::{Next, Reader};
use super::run::Orders;
use super::shelf::{Saved, Shelf};
use super::wake::Watch;
use super::wanted::Wanted;
use crate::config::{Journald, LogSource, Start};
use crate::logs::chunk::{MAX_BYTES, Pairs};
use crate::logs::{Body, Chunk};
use crate::sources::Context;
use crate::sources::files::Receipts;
use crate::status::{Failure, lock};

/// So many bytes are enough for a chunk.
const ENOUGH: usize = MAX_BYTES / 2;
/// Entries that are left out are read at a time, until something else gets its turn.
const TURN: usize = 4096;
/// The most chunks that wait to be settled; reading goes on when some are. 16 MiB.
const MAX_FLIGHTS: usize = 128;
/// Between looks while entries come, and when there were none for a while.
const SOON: Duration = Duration::from_millis(250);
const LATER: Duration = Duration::from_secs(1);
/// How long entries are expected to go on coming.
const LIVELY: Duration = Duration::from_secs(10);
/// Between looks for room in the queue.
const ROOM: Duration = Duration::from_millis(20);
/// Cursors are saved at most so often.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How long until cursors that could not be read are tried again.
const HOLD: Duration = Duration::from_secs(5);

/// A chunk that is not settled yet.
#[derive(Debug)]
struct Flight {
    after: BTreeMap<Id, Cursor>,
    bytes: u64,
    settled: bool,
}

/// What runs on the thread.
pub(super) struct Task {
    pub(super) name: String,
    pub(super) config: Journald,
    /// `None` when it is stopping.
    context: Option<Context>,
    labels: Pairs,
    /// `None` until the cursors were read.
    pub(super) reader: Option<Reader>,
    shelf: Option<Shelf>,
    from_us: u64,
    /// Behind all that was read, and behind all that is settled.
    read: BTreeMap<Id, Cursor>,
    settled: BTreeMap<Id, Cursor>,
    saved: Option<Saved>,
    save_at: Duration,
    pub(super) gatherer: Gatherer,
    /// What was gathered and found no room.
    ready: Option<Bytes>,
    flights: VecDeque<Flight>,
    /// The number of the first of them, in this epoch.
    first: u64,
    /// Grows when what was sent is read again: receipts of before count no longer.
    epoch: u64,
    receipts: Arc<Receipts>,
    watch: Watch,
}

impl Task {
    pub(super) fn new(source: &LogSource, config: &Journald, context: Context) -> Self {
        let mut labels = source.labels.clone();
        let own_service = labels.contains_key("service_name");
        let job = labels.entry("job".to_owned()).or_insert_with(|| source.name.clone()).clone();
        labels.entry("instance".to_owned()).or_insert_with(|| context.instance.clone());
        labels.entry("service_name".to_owned()).or_insert(job);
        Task {
            name: source.name.clone(),
            config: config.clone(),
            context: Some(context),
            labels: labels.into_iter().collect(),
            reader: None,
            shelf: None,
            from_us: 0,
            read: BTreeMap::new(),
            settled: BTreeMap::new(),
            saved: None,
            save_at: Duration::ZERO,
            gatherer: Gatherer::new(own_service),
            ready: None,
            flights: VecDeque::new(),
            first: 0,
            epoch: 0,
            receipts: Arc::default(),
            watch: Watch::new(),
        }
    }

    /// Runs until it is told to stop; gives the bytes that are not settled.
    pub(super) fn run(&mut self, orders: &Orders, outer: &mut Option<Context>) -> u64 {
        let Some(clock) = self.context.as_ref().map(|context| context.clock.clone()) else { return 0 };
        let mut lively_until = Duration::ZERO;
        while !orders.stop.load(Ordering::Acquire) {
            let now = clock.monotonic();
            let busy = self.step(now);
            self.keep(now, orders);
            if busy {
                lively_until = now + LIVELY;
            }
            let wait = if self.reader.is_none() {
                HOLD
            } else if self.ready.is_some() {
                ROOM
            } else if self.flights.len() >= MAX_FLIGHTS || self.is_paused() {
                SOON / 2
            } else if busy {
                continue;
            } else if now < lively_until || !self.flights.is_empty() {
                // What is settled meanwhile is soon noted, so that a kill sends little again.
                SOON
            } else {
                LATER
            };
            self.watch.wait(&orders.bell, wait);
        }
        // Both hold an end of the queue, which those behind it see close.
        let Some(context) = self.context.take() else { return 0 };
        (*outer, self.ready) = (None, None);
        let status = context.status.clone();
        drop(context);
        let deadline = clock.monotonic() + *lock(&orders.by);
        loop {
            self.settle();
            let left = self.unsettled();
            lock(&status).unsettled_bytes = left;
            let wait = deadline.saturating_sub(clock.monotonic());
            if left == 0 || wait.is_zero() {
                self.save(orders);
                return left;
            }
            std::thread::sleep(wait.min(ROOM));
        }
    }

    fn is_paused(&self) -> bool {
        self.context.as_ref().is_some_and(|context| *context.pause.borrow())
    }

    pub(super) fn unsettled(&self) -> u64 {
        self.flights.iter().map(|flight| flight.bytes).sum()
    }

    /// One round; whether there may be more at once.
    fn step(&mut self, now: Duration) -> bool {
        self.settle();
        if self.reader.is_none() {
            self.open(now);
        }
        let Some(context) = self.context.clone() else { return false };
        let Some(reader) = &mut self.reader else { return false };
        let time = UNIX_EPOCH + Duration::from_nanos(context.clock.now_ns().max(0).cast_unsigned());
        reader.look(now, time);
        self.watch.add(reader.folders());
        let mut busy = false;
        if self.ready.is_none() && self.flights.len() < MAX_FLIGHTS && !*context.pause.borrow() {
            busy = self.gather(now, &context);
        }
        if self.ready.is_some() {
            busy = self.send(&context);
        }
        self.show(&context);
        busy
    }

    /// Reads the cursors.
    fn open(&mut self, now: Duration) {
        let Some(context) = self.context.clone() else { return };
        let now_us = u64::try_from(context.clock.now_ns() / 1000).unwrap_or(0);
        match Shelf::open(&context.state) {
            Ok((shelf, saved)) => {
                let fresh = || {
                    let age = u64::try_from(self.config.max_age.as_micros()).unwrap_or(u64::MAX);
                    Saved::new(
                        match self.config.start {
                            Start::Backfill => now_us.saturating_sub(age),
                            Start::Beginning => 0,
                            Start::End => now_us,
                        },
                        std::iter::empty(),
                    )
                };
                // A place later than now was read while the clock was wrong; numbers are not misled by that.
                let saved = saved.unwrap_or_else(fresh);
                self.settled = saved.cursors().map(|cursor| (cursor.seqnum_id, cursor)).collect();
                (self.read, self.from_us) = (self.settled.clone(), saved.from_us);
                let wanted = Wanted::new(&self.config);
                let cursors = self.settled.values().copied();
                self.reader = Some(Reader::new(self.config.paths.clone(), wanted, self.from_us, cursors));
                (self.shelf, self.save_at) = (Some(shelf), now);
                lock(&context.status).holding = None;
            }
            Err(why) => {
                if lock(&context.status).holding.replace(why.clone()).is_none() {
                    tracing::error!(source = self.name, "{why}");
                    let text = format!("the source {} reads nothing: {why}", self.name);
                    let facts = vec![("source", self.name.clone()), ("why", why)];
                    context.notes.send(Note { level: Level::Warn, event: "source_holding", text, facts });
                }
            }
        }
    }

    /// Gathers a chunk; whether there may be more.
    fn gather(&mut self, now: Duration, context: &Context) -> bool {
        let Some(mut reader) = self.reader.take() else { return false };
        let mut more = true;
        for _ in 0..TURN {
            match reader.next(now) {
                Next::Nothing => {
                    more = false;
                    break;
                }
                Next::Entry(raw, cursor) => {
                    self.gatherer.add(&raw, reader.wanted(), now);
                    self.read.insert(cursor.seqnum_id, cursor);
                }
                Next::Gap { missing, before, behind } => self.tell_gap(missing, before, behind, context),
                Next::Damaged { entries, why } => {
                    let text = format!("{entries} entries of the journal cannot be read: {why}");
                    self.lose("damaged", entries, text, Vec::new(), context);
                }
            }
            if self.gatherer.size() >= ENOUGH {
                break;
            }
        }
        self.reader = Some(reader);
        self.ready = self.gatherer.finish();
        if self.ready.is_none() && self.settled != self.read {
            // Nothing of what was read is wanted: the cursor moves all the same.
            match self.flights.back_mut() {
                Some(last) => last.after.clone_from(&self.read),
                None => self.settled.clone_from(&self.read),
            }
        }
        more
    }

    /// Sends what was gathered; whether there was room.
    fn send(&mut self, context: &Context) -> bool {
        let Some(body) = self.ready.take() else { return false };
        let number = self.first + self.flights.len() as u64;
        let permit = match context.chunks.try_reserve() {
            Ok(permit) => permit,
            Err(TrySendError::Full(())) => {
                self.ready = Some(body);
                return false;
            }
            // It is stopping.
            Err(TrySendError::Closed(())) => return false,
        };
        let bytes = body.len() as u64;
        self.flights.push_back(Flight { after: self.read.clone(), bytes, settled: false });
        permit.send(Chunk {
            labels: self.labels.clone(),
            metadata: Arc::from([]),
            body: Body::Entries(body),
            stages: context.stages.clone(),
            keep: context.keep,
            ticket: self.receipts.ticket(self.epoch, number),
        });
        true
    }

    /// Takes note of what was settled.
    fn settle(&mut self) {
        let mut fetched = Vec::new();
        self.receipts.fetch(&mut fetched);
        for receipt in fetched {
            if receipt.id != self.epoch {
                continue;
            }
            if !receipt.settled {
                self.rewind();
                return self.settle();
            }
            let at = receipt.number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            if let Some(flight) = at.and_then(|at| self.flights.get_mut(at)) {
                flight.settled = true;
            }
        }
        while let Some(flight) = self.flights.pop_front_if(|flight| flight.settled) {
            self.first += 1;
            self.settled = flight.after;
        }
    }

    /// What was sent came back: it is read again, from the last that is settled.
    fn rewind(&mut self) {
        self.flights.clear();
        (self.first, self.epoch, self.ready) = (0, self.epoch + 1, None);
        self.read.clone_from(&self.settled);
        if let Some(reader) = &mut self.reader {
            reader.rewind(self.settled.values().copied());
        }
    }

    /// Saves the cursors now and then.
    fn keep(&mut self, now: Duration, orders: &Orders) {
        if now >= self.save_at {
            self.save(orders);
            self.save_at = now + SAVE_EVERY;
        }
    }

    fn save(&mut self, orders: &Orders) {
        let Some(shelf) = &mut self.shelf else { return };
        let saved = Saved::new(self.from_us, self.settled.values().copied());
        if self.saved.as_ref() == Some(&saved) || orders.over.load(Ordering::Acquire) {
            return;
        }
        match shelf.save(&saved) {
            Ok(()) => self.saved = Some(saved),
            Err(text) => {
                let Some(context) = &self.context else { return };
                let mut status = lock(&context.status);
                if status.last_error.as_ref().is_none_or(|last| last.text != text) {
                    tracing::warn!(source = self.name, "{text}");
                }
                status.last_error = Some(Failure { at_ms: context.clock.now_ms(), text });
            }
        }
    }
}
