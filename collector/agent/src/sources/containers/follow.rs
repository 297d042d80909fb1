//! One container whose log the engine is asked for: followed from its cursor, for as long as the container is there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use taffrail_container::Inventory;
use taffrail_container::inventory::{Container, EngineError};
use taffrail_core::Clock;
use taffrail_spool::Ticket;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Piece};
use super::cursor::{Behind, Cursor};
use super::frames::Frames;
use super::seats::{Seats, TURN};
use crate::logs::{Body, Chunk, Shape};
use crate::sources::files::Feed;
use crate::status::lock;

/// The most chunks of a container that wait to be settled; reading goes on when some are. 8 to 32 MiB.
const MAX_FLIGHTS: usize = 128;
/// How often is looked whether there is room again.
const LOOK: Duration = Duration::from_millis(100);
/// First and longest pause before the engine is asked again after it failed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What all that are followed share.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) inventory: Inventory,
    pub(super) seats: Seats,
    pub(super) chunks: mpsc::Sender<Chunk>,
    pub(super) pause: watch::Receiver<bool>,
    pub(super) clock: Clock,
    pub(super) shape: Shape,
    pub(super) stop: CancellationToken,
}

/// A container that is there, and what its entries carry.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) container: Arc<Container>,
    pub(super) feed: Feed,
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Behind all that is settled.
    pub(super) cursor: Cursor,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) unsettled_bytes: u64,
    /// Why it is not read now.
    pub(super) error: Option<String>,
}

/// One that is followed.
#[derive(Debug)]
pub(super) struct Follower {
    target: watch::Sender<Option<Target>>,
    progress: Arc<Mutex<Progress>>,
}

impl Follower {
    /// Follows `target` from `cursor` on, and what must be waited for when it stops.
    pub(super) fn start(ask: Arc<Ask>, target: Target, cursor: Cursor) -> (Self, impl Future<Output = ()>) {
        let feed = target.feed.clone();
        let (sender, target) = watch::channel(Some(target));
        let progress = Arc::new(Mutex::new(Progress { cursor, ..Progress::default() }));
        let reader = Reader {
            ask,
            target,
            feed,
            progress: progress.clone(),
            read: cursor,
            flights: VecDeque::new(),
            first: 0,
            epoch: 0,
            receipts: mpsc::unbounded_channel(),
        };
        (Follower { target: sender, progress }, reader.run())
    }

    /// The container is as this says now; with `None` it is gone, and what is known of it is read to its end.
    pub(super) fn tell(&self, target: Option<Target>) {
        self.target.send_replace(target);
    }

    /// How far it is.
    pub(super) fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// Whether its container is gone and all of it is settled.
    pub(super) fn is_done(&self) -> bool {
        self.target.is_closed()
    }
}

/// Why a stretch of following ended.
enum End {
    /// The container's log ended.
    Whole,
    /// Others wait for the seat.
    Turn,
    /// What was released came back: it is read again.
    Again,
    /// The engine does not know the container any longer.
    Gone,
    /// The engine does not answer, or not as it should.
    Failed(String),
    /// Nothing is read any longer.
    Stopped,
}

/// A chunk that is not settled yet.
#[derive(Debug)]
struct Flight {
    after: Cursor,
    bytes: u64,
    settled: bool,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug)]
struct Receipt {
    epoch: u64,
    number: u64,
    /// False when the ticket was thrown away without a word.
    settled: bool,
}

struct Reader {
    ask: Arc<Ask>,
    target: watch::Receiver<Option<Target>>,
    /// What was last known of it.
    feed: Feed,
    progress: Arc<Mutex<Progress>>,
    /// Behind all that was released.
    read: Cursor,
    flights: VecDeque<Flight>,
    /// The number of the first of them, in this epoch.
    first: u64,
    /// Grows when what was released is read again: receipts of before count no longer.
    epoch: u64,
    /// Holds one for each flight at most.
    receipts: (mpsc::UnboundedSender<Receipt>, mpsc::UnboundedReceiver<Receipt>),
}

impl Reader {
    async fn run(mut self) {
        let mut pause = PAUSES.0;
        // When the run of the container began whose log was read to its end.
        let mut read_to_end = None;
        let mut ended = false;
        loop {
            let Some(target) = self.target.borrow_and_update().clone() else { break };
            if self.ask.stop.is_cancelled() {
                break;
            }
            let Container { started, running, .. } = *target.container;
            if started.is_none() || (!running && read_to_end == started) {
                self.wait(None).await;
                continue;
            }
            match self.session(&target).await {
                End::Stopped => break,
                End::Turn | End::Again => {}
                End::Whole => {
                    (pause, ended) = (PAUSES.0, true);
                    let now = self.target.borrow().clone();
                    if now.is_some_and(|now| !now.container.running && now.container.started == started) {
                        read_to_end = started;
                    } else {
                        // Its end was not told of yet, or it began again, or the engine ended.
                        self.wait(Some(PAUSES.0)).await;
                    }
                }
                End::Gone => {
                    if !ended {
                        self.fail(&target, "it was removed before its log was read");
                    }
                    self.wait(Some(PAUSES.1)).await;
                }
                End::Failed(why) => {
                    self.fail(&target, &why);
                    self.wait(Some(pause)).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
        while !self.flights.is_empty() {
            let Some(receipt) = self.receipts.1.recv().await else { break };
            self.take(receipt);
        }
    }

    /// Waits until something is known anew of the container, or for `time`.
    async fn wait(&mut self, time: Option<Duration>) {
        let mut over = std::pin::pin!(sleep(time.unwrap_or(Duration::from_secs(3600))));
        loop {
            tokio::select! {
                () = self.ask.stop.cancelled() => return,
                Some(receipt) = self.receipts.1.recv() => self.take(receipt),
                changed = self.target.changed() => {
                    // Nobody will tell any longer: as if it were gone.
                    if changed.is_err() {
                        self.ask.stop.cancelled().await;
                    }
                    return;
                }
                () = &mut over => return,
            }
        }
    }

    fn fail(&self, target: &Target, why: &str) {
        let name = &target.container.name;
        let mut progress = lock(&self.progress);
        if progress.error.is_none() {
            tracing::warn!(container = name, "its log cannot be read: {why}");
        }
        progress.error = Some(format!("container {name}: {why}"));
    }

    /// Asks the engine, and releases what it answers, until something ends that.
    async fn session(&mut self, target: &Target) -> End {
        let (ask, stop) = (self.ask.clone(), self.ask.stop.clone());
        let Some(_seat) = stop.run_until_cancelled(ask.seats.take()).await.flatten() else {
            return End::Stopped;
        };
        let Some(client) = ask.inventory.client() else {
            return End::Failed("there is no engine".to_owned());
        };
        let now_ns = ask.clock.now_ns();
        let path = path(&target.container.id, self.read.since_ns(now_ns));
        let Some(answer) = stop.run_until_cancelled(client.follow(&path)).await else { return End::Stopped };
        let mut body = match answer {
            Ok(body) => body,
            Err(EngineError::Status { status: StatusCode::NOT_FOUND, .. }) => return End::Gone,
            Err(error) => return End::Failed(error.to_string()),
        };
        lock(&self.progress).error = None;
        let mut frames = Frames::new(target.container.tty);
        let mut behind = Behind::new(self.read, now_ns);
        let mut batch = Batch::new();
        let mut turn = std::pin::pin!(sleep(TURN));
        let epoch = self.epoch;
        loop {
            if self.epoch != epoch {
                return End::Again;
            }
            let room = self.flights.len() < MAX_FLIGHTS && !*ask.pause.borrow();
            tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                Some(receipt) = self.receipts.1.recv() => self.take(receipt),
                () = &mut turn => {
                    if ask.seats.are_wanted() {
                        return if self.release(&mut batch, true).await { End::Turn } else { End::Stopped };
                    }
                    turn.set(sleep(TURN));
                }
                () = sleep(LOOK), if !room => {}
                () = sleep(batch.due().saturating_sub(ask.clock.monotonic())), if room && !batch.is_empty() => {
                    if !self.release(&mut batch, false).await {
                        return End::Stopped;
                    }
                }
                frame = body.frame(), if room => match frame {
                    None => {
                        let now = ask.clock.monotonic();
                        frames.end(|message| batch.add(message, &mut behind, now));
                        return if self.release(&mut batch, true).await { End::Whole } else { End::Stopped };
                    }
                    // What was not released is read again.
                    Some(Err(error)) => return End::Failed(error.to_string()),
                    Some(Ok(frame)) => {
                        let Ok(data) = frame.into_data() else { continue };
                        let now = ask.clock.monotonic();
                        if let Err(error) = frames.take(&data, |message| batch.add(message, &mut behind, now)) {
                            self.release(&mut batch, true).await;
                            return End::Failed(error.to_string());
                        }
                        if batch.is_enough() && !self.release(&mut batch, false).await {
                            return End::Stopped;
                        }
                    }
                }
            }
        }
    }

    /// Releases what is whole; false when nothing is taken any longer.
    async fn release(&mut self, batch: &mut Batch, all: bool) -> bool {
        loop {
            let join = self.feed.stages.join();
            let Some(Piece { bytes, records, after }) =
                batch.take(self.read, join, all, self.ask.clock.monotonic())
            else {
                return true;
            };
            let ask = self.ask.clone();
            let Some(Ok(permit)) = ask.stop.run_until_cancelled(ask.chunks.reserve()).await else {
                return false;
            };
            // When it is gone, its end is still being read.
            if let Some(target) = &*self.target.borrow() {
                self.feed = target.feed.clone();
            }
            let number = self.first + self.flights.len() as u64;
            let len = bytes.len() as u64;
            self.read = after;
            self.flights.push_back(Flight { after, bytes: len, settled: false });
            let mut progress = lock(&self.progress);
            progress.lines += records;
            progress.bytes += len;
            progress.unsettled_bytes += len;
            drop(progress);
            let Feed { labels, metadata, stages, keep } = self.feed.clone();
            let body = Body::Lines { bytes: bytes.into(), base_ns: ask.clock.now_ns(), shape: ask.shape };
            permit.send(Chunk { labels, metadata, body, stages, keep, ticket: self.ticket(number) });
            if !all && !batch.is_enough() {
                return true;
            }
        }
    }

    fn ticket(&self, number: u64) -> Ticket {
        let receipt = Receipt { epoch: self.epoch, number, settled: false };
        let mut stub = Stub { receipts: self.receipts.0.clone(), receipt };
        // Delivered, safe on disk, or dropped for a reason that was counted there: the bytes are done with.
        Ticket::new(move |_| stub.settle())
    }

    fn take(&mut self, receipt: Receipt) {
        if receipt.epoch != self.epoch {
            return;
        }
        let mut progress = lock(&self.progress);
        if !receipt.settled {
            // From the last that is settled.
            self.read = progress.cursor;
            progress.unsettled_bytes = 0;
            self.flights.clear();
            (self.first, self.epoch) = (0, self.epoch + 1);
            return;
        }
        let at = receipt.number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(flight) = at.and_then(|at| self.flights.get_mut(at)) {
            flight.settled = true;
        }
        while let Some(flight) = self.flights.pop_front_if(|flight| flight.settled) {
            self.first += 1;
            progress.cursor = flight.after;
            progress.unsettled_bytes -= flight.bytes;
        }
    }
}

/// Reports when a ticket is used, or thrown away.
struct Stub {
    receipts: mpsc::UnboundedSender<Receipt>,
    receipt: Receipt,
}

impl Stub {
    fn settle(&mut self) {
        self.receipt.settled = true;
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // Nobody waits for it any longer: it is read again.
        let _ = self.receipts.send(self.receipt);
    }
}

fn path(id: &str, since_ns: Option<i64>) -> String {
    let since = since_ns.map_or_else(String::new, |ns| {
        format!("&since={}.{:09}", ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000))
    });
    format!("/containers/{id}/logs?follow=1&stdout=1&stderr=1&timestamps=1{since}")
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
