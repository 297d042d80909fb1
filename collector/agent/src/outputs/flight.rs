//! Batches on their way, in shards beside each other, and how far all of them are settled.
//!
//! A series has one shard, which sends one batch after the other: its samples stay in order. The position to commit is
//! the end of the longest prefix of what was read of which every shard has settled its part.

use std::collections::VecDeque;
use std::time::Duration;

use taffrail_spool::Position;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::deliver::Delivery;
use super::settle::{Common, Outcome, settle};
use super::verdict::Fate;

/// A receiver that answers within this time is sent one request after the other: that is fast enough, and cheapest.
const NEAR: Duration = Duration::from_millis(10);

/// What is on its way.
pub(super) struct Flight<D: Delivery> {
    common: Common,
    shards: Vec<mpsc::UnboundedSender<Sent<D::Batch>>>,
    tasks: JoinSet<()>,
    settled: (mpsc::UnboundedSender<Settled>, mpsc::UnboundedReceiver<Settled>),
    /// In the order of reading; the first has the number `first`.
    entries: VecDeque<Entry>,
    first: u64,
    /// Samples or entries in all of them.
    pub(super) held: u64,
}

/// A batch for a shard, with its entry's number.
struct Sent<B> {
    entry: u64,
    batch: B,
    fate: Fate,
}

struct Settled {
    entry: u64,
    len: u64,
    outcome: Outcome,
}

#[derive(Debug)]
struct Entry {
    upto: Option<Position>,
    /// Parts that are not settled yet.
    left: usize,
}

impl<D: Delivery> Flight<D> {
    /// Nothing on its way, and one shard.
    pub(super) fn new(output: &D, common: Common) -> Self {
        let mut flight = Flight {
            common,
            shards: Vec::new(),
            tasks: JoinSet::new(),
            settled: mpsc::unbounded_channel(),
            entries: VecDeque::new(),
            first: 0,
            held: 0,
        };
        flight.resize(output, 1);
        flight
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether more may be read: every shard should have a batch to send after the present one, and no more than that
    /// should wait in memory.
    pub(super) fn has_room(&self) -> bool {
        self.is_empty() || self.held < D::AHEAD * self.shards.len() as u64
    }

    /// How many shards are worth having for who is `behind`. Who is not has no use for more than one; nor has who sends
    /// to a receiver that is near.
    pub(super) fn wanted(&self, output: &D, behind: bool) -> usize {
        let times = self.common.answer_time().as_micros().div_ceil(NEAR.as_micros()) as usize;
        if behind { times.clamp(1, output.shards()) } else { 1 }
    }

    /// Changes the number of shards. Nothing may be on its way: a series may change its shard.
    pub(super) fn resize(&mut self, output: &D, shards: usize) {
        debug_assert!(self.is_empty());
        self.shards.truncate(shards);
        while self.shards.len() < shards {
            let (sender, queue) = mpsc::unbounded_channel();
            let task = shard(output.another(), queue, self.settled.0.clone(), self.common.clone());
            self.tasks.spawn(task);
            self.shards.push(sender);
        }
    }

    /// Sends parts, each by its shard. `upto` may be committed when they and all before them are settled.
    pub(super) fn put(
        &mut self,
        upto: Option<Position>,
        parts: impl Iterator<Item = (usize, D::Batch)>,
        fate: Fate,
    ) {
        let entry = self.first + self.entries.len() as u64;
        let mut left = 0;
        for (shard, batch) in parts {
            left += 1;
            self.held += D::len(&batch);
            // A shard that panicked takes none; `next` says so.
            let _ = self.shards[shard].send(Sent { entry, batch, fate });
        }
        self.entries.push_back(Entry { upto, left });
    }

    /// Waits until a part is settled. Gives what became of it. May be cancelled.
    ///
    /// # Panics
    /// When a shard did: the output is made anew by who runs it.
    pub(super) async fn next(&mut self) -> Outcome {
        loop {
            tokio::select! {
                biased;
                Some(settled) = self.settled.1.recv() => return self.take_in(&settled),
                Some(Err(error)) = self.tasks.join_next() => {
                    if let Ok(panic) = error.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
    }

    fn take_in(&mut self, settled: &Settled) -> Outcome {
        self.held = self.held.saturating_sub(settled.len);
        if let Some(entry) = self.entries.get_mut((settled.entry - self.first) as usize) {
            entry.left -= 1;
        }
        settled.outcome
    }

    /// What can be committed now, if that is more than was said before.
    pub(super) fn commit(&mut self) -> Option<Position> {
        let mut upto = None;
        while self.entries.front().is_some_and(|entry| entry.left == 0) {
            upto = self.entries.pop_front().and_then(|entry| entry.upto).or(upto);
            self.first += 1;
        }
        upto
    }
}

/// Sends one batch after the other, until nothing will come any more.
async fn shard<D: Delivery>(
    mut output: D,
    mut queue: mpsc::UnboundedReceiver<Sent<D::Batch>>,
    settled: mpsc::UnboundedSender<Settled>,
    common: Common,
) {
    while let Some(Sent { entry, batch, fate }) = queue.recv().await {
        let len = D::len(&batch);
        let outcome = settle(&mut output, batch, fate, &common).await;
        let _ = settled.send(Settled { entry, len, outcome });
    }
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
