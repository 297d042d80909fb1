//! Delivers what a log holds: reads with a cursor, sends, and moves the cursor behind what is settled.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use taffrail_core::Clock;
use taffrail_spool::{Cursor, Log, Peeked, Position, Record};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::flight::Flight;
use super::live::Live;
use super::settle::{Common, Outcome};
use super::verdict::{Fate, Refused, Verdict};
use crate::status::{OutputStatus, Place};

/// A batch to send.
#[derive(Debug)]
pub struct Ready<B> {
    /// The batch.
    pub batch: B,
    /// What may be committed when it is settled; nothing while it holds only a part of its last record.
    pub upto: Option<Position>,
}

/// Whether a receiver takes samples that are older than what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It does, for as old ones as were asked about.
    Open,
    /// It does not.
    Closed,
    /// It did not say; it can be asked again.
    Unknown,
}

/// Sends batches of one kind to one receiver.
pub trait Delivery: Send + Sync + 'static {
    /// What is sent in one request.
    type Batch: Send + 'static;

    /// The most bytes of records that are read at once.
    const PEEK_BYTES: usize;

    /// How long to wait for more once there is something, so that what is made together travels together.
    const LINGER: Duration;

    /// How many samples or entries of one shard may be on their way before no more is read.
    const AHEAD: u64;

    /// Another one for the same receiver, which sends beside this one or reads another part of the log.
    fn another(&self) -> Self;

    /// The most requests under way at once.
    fn shards(&self) -> usize {
        1
    }

    /// Makes batches of records, in order. What does not read as a record is left out, with an error for each.
    fn read(&mut self, records: &[Record]) -> (Vec<Ready<Self::Batch>>, Vec<String>);

    /// Batches anew by shard, each in order; what belongs together in order has one shard. Asked for only where there may
    /// be several shards.
    fn spread(batches: Vec<Ready<Self::Batch>>, shards: usize) -> Vec<(usize, Self::Batch)> {
        debug_assert!(shards == 1);
        batches.into_iter().map(|ready| (0, ready.batch)).collect()
    }

    /// How many samples were left out since this was asked last, because the config wants them left out.
    fn left_out(&mut self) -> u64 {
        0
    }

    /// What the batches that were read do not hold because the receiver would refuse it, since this was asked last.
    fn refused(&mut self) -> Vec<Refused> {
        Vec::new()
    }

    /// What is to be sent after a [`Verdict::Rest`], in order.
    fn rest(&mut self) -> Vec<(Self::Batch, Fate)> {
        Vec::new()
    }

    /// Shows what the loop does not count itself.
    fn report(&mut self, _status: &mut OutputStatus) {}

    /// How many samples or entries a batch has.
    fn len(batch: &Self::Batch) -> u64;

    /// The batch in two, in order; a batch of one comes back whole.
    fn split(batch: Self::Batch) -> Result<(Self::Batch, Self::Batch), Self::Batch>;

    /// Sends a batch, knowing what is known of earlier attempts. Also says how many bytes travelled.
    fn send(&mut self, batch: &Self::Batch, fate: Fate) -> impl Future<Output = (Verdict, u64)> + Send;

    /// Whether the receiver takes samples of this age beside new ones.
    fn window(&mut self, _age: Duration) -> impl Future<Output = Window> + Send {
        async { Window::Closed }
    }
}

/// What an output reads.
pub struct Reads {
    /// Its cursor.
    pub cursor: Cursor,
    /// The log that the cursor is in.
    pub log: Arc<dyn Log>,
}

/// Delivers until the logs are closed and empty, or until `leave`. What a cursor has not committed stays in its log. Of
/// several logs each is delivered in its own order, beside the others.
pub async fn deliver<D: Delivery>(
    output: D,
    reads: Vec<Reads>,
    status: Place<OutputStatus>,
    clock: Clock,
    leave: CancellationToken,
) {
    let common = Common::new(status, clock);
    let beside: Vec<D> = reads.iter().skip(1).map(|_| output.another()).collect();
    let begun = |(output, Reads { cursor, log }): (D, Reads)| {
        let live = Live::new(log, cursor.name(), common.clone());
        all(Feed::new(output, cursor, common.clone(), false), live)
    };
    let all = join_all(std::iter::once(output).chain(beside).zip(reads).map(begun));
    tokio::select! {
        () = leave.cancelled() => {}
        _ = all => {}
    }
}

/// Delivers everything in its order, and beside a backlog what is new, where that is good.
async fn all<D: Delivery>(mut feed: Feed<D>, mut live: Live) {
    loop {
        match feed.step(true).await {
            Step::Ended => return,
            Step::Settled(outcome) => {
                live.heard(outcome);
                live.consider(&mut feed).await;
            }
            Step::Read(mut peeked) => {
                feed.linger(&mut peeked).await;
                live.pass(&mut peeked).await;
                live.note::<D>(&peeked);
                live.consider(&mut feed).await;
                feed.send(&peeked).await;
            }
        }
    }
}

/// Reads with a cursor, and sends.
pub(super) struct Feed<D: Delivery> {
    pub(super) output: D,
    cursor: Cursor,
    flight: Flight<D>,
    common: Common,
    /// It is the live lane's.
    live: bool,
    /// What of the output's entries on their way is shown as this one's.
    shown: u64,
    /// The process before this one may have sent what is older than this without having saved that it did.
    began_ms: i64,
    /// Batches in a row that were stored whole.
    whole: u32,
    ended: bool,
}

/// What a [`Feed`] came upon.
pub(super) enum Step {
    /// Records.
    Read(Peeked),
    /// A batch was settled, and the cursor moved if it could.
    Settled(Outcome),
    /// The log is closed, and all of it is settled.
    Ended,
}

/// After so many batches in a row that were stored whole, nothing is taken for sent before.
const SURE: u32 = 8;

impl<D: Delivery> Feed<D> {
    pub(super) fn new(output: D, cursor: Cursor, common: Common, live: bool) -> Self {
        let flight = Flight::new(&output, common.clone());
        let began_ms = common.clock().now_ms();
        Feed { output, cursor, flight, common, live, shown: 0, began_ms, whole: 0, ended: false }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_empty()
    }

    pub(super) fn committed(&self) -> Position {
        self.cursor.committed()
    }

    /// The next thing that happens; with `more`, that may be that there are records. May be cancelled.
    pub(super) async fn step(&mut self, more: bool) -> Step {
        loop {
            let reads = more && !self.ended && self.flight.has_room();
            if self.ended && self.flight.is_empty() {
                return Step::Ended;
            }
            tokio::select! {
                biased;
                outcome = self.flight.next(), if !self.flight.is_empty() => {
                    self.settled(outcome);
                    return Step::Settled(outcome);
                }
                peeked = self.cursor.peek(D::PEEK_BYTES), if reads => match peeked {
                    Some(peeked) => return Step::Read(peeked),
                    None => self.ended = true,
                },
                else => std::future::pending().await,
            }
        }
    }

    fn settled(&mut self, outcome: Outcome) {
        self.whole = if outcome == Outcome::Whole { self.whole.saturating_add(1) } else { 0 };
        if self.whole >= SURE {
            self.began_ms = i64::MIN;
        }
        self.advance();
    }

    fn advance(&mut self) {
        if let Some(upto) = self.flight.commit() {
            self.cursor.commit(upto);
        }
        let mut status = self.common.status();
        self.output.report(&mut status);
        let shown = if self.live { &mut status.live_in_flight } else { &mut status.in_flight };
        *shown =
            shown.saturating_sub(std::mem::replace(&mut self.shown, self.flight.held)) + self.flight.held;
    }

    /// Adds to records what comes within a moment.
    pub(super) async fn linger(&mut self, peeked: &mut Peeked) {
        // Who is behind has enough to send, and no time to wait.
        if D::LINGER.is_zero() || is_full::<D>(peeked) {
            return;
        }
        tokio::time::sleep(D::LINGER).await;
        if let Some(more) = self.cursor.try_peek(D::PEEK_BYTES) {
            peeked.records.extend(more.records);
            peeked.upto = more.upto;
        }
    }

    /// Sends what records hold; they can be committed when that is settled.
    pub(super) async fn send(&mut self, peeked: &Peeked) {
        let (batches, errors) = self.output.read(&peeked.records);
        self.common.status().left_out += self.output.left_out();
        for Refused { count, reason, message } in self.output.refused() {
            self.common.lost(count, reason, &message);
        }
        for error in errors {
            let mut status = self.common.status();
            warn!(output = %status.name, %error, "a record cannot be read and is left out");
            *status.lost.entry("unreadable".into()).or_default() += 1;
        }
        let first = peeked.records.iter().find(|record| !record.replay);
        let old = first.is_some_and(|first| first.appended_ms <= self.began_ms);
        let fate = if old { Fate::Unknown } else { Fate::NotStored };
        self.resize(is_full::<D>(peeked)).await;
        let shards = self.flight.shards();
        if shards == 1 {
            for Ready { batch, upto } in batches {
                self.flight.put(upto, std::iter::once((0, batch)), fate);
            }
            self.flight.put(Some(peeked.upto), std::iter::empty(), fate);
        } else {
            self.flight.put(Some(peeked.upto), D::spread(batches, shards).into_iter(), fate);
        }
        self.advance();
    }

    /// Takes more shards while it is behind and the receiver is far, and gives them up when it has caught up.
    async fn resize(&mut self, behind: bool) {
        let (wanted, present) = (self.flight.wanted(&self.output, behind), self.flight.shards());
        // A few more are not worth waiting for all that is on its way.
        if wanted * 2 > present * 3 {
            while !self.flight.is_empty() {
                let outcome = self.flight.next().await;
                self.settled(outcome);
            }
        }
        let changes = wanted > present || wanted == 1;
        if wanted != present && changes && self.flight.is_empty() {
            self.flight.resize(&self.output, wanted);
            if !self.live {
                self.common.status().shards = wanted;
            }
        }
    }
}

impl<D: Delivery> Drop for Feed<D> {
    fn drop(&mut self) {
        let mut status = self.common.status();
        let shown = if self.live { &mut status.live_in_flight } else { &mut status.in_flight };
        *shown = shown.saturating_sub(self.shown);
    }
}

/// Whether there is probably more where these come from.
pub(super) fn is_full<D: Delivery>(peeked: &Peeked) -> bool {
    peeked.records.iter().map(|record| record.bytes.len()).sum::<usize>() * 2 > D::PEEK_BYTES
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
