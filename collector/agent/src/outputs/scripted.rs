//! An output whose answers are scripted, for tests of what stands above it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{Log, MemoryLog, MemoryOptions, Record, Start, Ticket};
use tokio_util::sync::CancellationToken;

use super::deliver::{Delivery, Reads, Ready, Window, deliver};
use super::verdict::{Fate, OUT_OF_ORDER, Verdict};
use crate::status::{OutputStatus, Place, lock};

/// What an output was sent, and the answers it still has to give; with none left it stores.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) answers: Arc<Mutex<VecDeque<Verdict>>>,
    /// A request with one of these is refused whole, as a transactional receiver does.
    pub(super) bad: Arc<Vec<&'static str>>,
    pub(super) stored: Arc<Mutex<Vec<String>>>,
    pub(super) requests: Arc<Mutex<Vec<Fate>>>,
    /// The receiver is away while this is set.
    pub(super) away: Arc<AtomicBool>,
    /// How long it takes for an answer.
    pub(super) takes: Duration,
    /// The most requests at once; words are told apart by what stands before `:`.
    pub(super) most: usize,
    /// What it says of samples out of order; it is asked for it.
    pub(super) open: Option<Window>,
    pub(super) asked: Arc<Mutex<Vec<Duration>>>,
    /// Requests under way, and the most there were at once.
    pub(super) under_way: Arc<Mutex<(usize, usize)>>,
}

impl Script {
    pub(super) fn answering(answers: impl IntoIterator<Item = Verdict>) -> Self {
        Script { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Script::default() }
    }

    pub(super) fn stored(&self) -> Vec<String> {
        lock(&self.stored).clone()
    }
}

impl Delivery for Script {
    type Batch = Vec<String>;
    const PEEK_BYTES: usize = 1 << 10;
    const LINGER: Duration = Duration::ZERO;
    const AHEAD: u64 = 16;

    fn another(&self) -> Self {
        self.clone()
    }

    fn read(&mut self, records: &[Record]) -> (Vec<Ready<Vec<String>>>, Vec<String>) {
        let ready = |record: &Record| {
            let batch = String::from_utf8_lossy(&record.bytes).split(' ').map(str::to_owned).collect();
            Ready { batch, upto: Some(record.position + 1) }
        };
        (records.iter().filter(|r| !r.replay).map(ready).collect(), vec![])
    }

    fn len(batch: &Vec<String>) -> u64 {
        batch.len() as u64
    }

    fn split(mut batch: Vec<String>) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
        if batch.len() < 2 {
            return Err(batch);
        }
        let second = batch.split_off(batch.len() / 2);
        Ok((batch, second))
    }

    fn shards(&self) -> usize {
        self.most.max(1)
    }

    fn spread(batches: Vec<Ready<Vec<String>>>, shards: usize) -> Vec<(usize, Vec<String>)> {
        let mut parts = vec![Vec::new(); shards];
        for word in batches.into_iter().flat_map(|ready| ready.batch) {
            let series: usize = word.split(':').next().unwrap().parse().unwrap();
            parts[series % shards].push(word);
        }
        let chunks = |(shard, part): (usize, Vec<String>)| -> Vec<(usize, Vec<String>)> {
            part.chunks(64).map(|chunk| (shard, chunk.to_vec())).collect()
        };
        parts.into_iter().enumerate().flat_map(chunks).collect()
    }

    async fn window(&mut self, age: Duration) -> Window {
        lock(&self.asked).push(age);
        self.open.unwrap_or(Window::Closed)
    }

    async fn send(&mut self, batch: &Vec<String>, fate: Fate) -> (Verdict, u64) {
        lock(&self.requests).push(fate);
        {
            let mut under_way = lock(&self.under_way);
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        lock(&self.under_way).0 -= 1;
        if self.away.load(Ordering::SeqCst) {
            return (retry(Fate::NotStored), 0);
        }
        if let Some(answer) = lock(&self.answers).pop_front() {
            return (answer, 1);
        }
        if batch.iter().any(|word| self.bad.contains(&word.as_str())) {
            return (Verdict::Reject { reason: OUT_OF_ORDER, message: "out of order sample".into() }, 1);
        }
        lock(&self.stored).extend(batch.iter().cloned());
        (Verdict::Done, 1)
    }
}

pub(super) fn retry(fate: Fate) -> Verdict {
    Verdict::Retry { after: None, cause: "down".into(), fate }
}

pub(super) struct Bed {
    pub(super) log: Arc<MemoryLog>,
    pub(super) clock: Clock,
}

impl Bed {
    pub(super) fn new() -> Self {
        let clock = Clock::manual(1_000_000_000);
        Bed { log: Arc::new(MemoryLog::new(MemoryOptions::default(), clock.clone())), clock }
    }

    /// Starts delivering to `script` with the cursor `name`.
    pub(super) fn start(
        &self,
        name: &str,
        script: &Script,
    ) -> (Place<OutputStatus>, CancellationToken, tokio::task::JoinHandle<()>) {
        let cursor = self.log.cursor(name, Start::Oldest).unwrap();
        let (status, leave) = (Place::<OutputStatus>::default(), CancellationToken::new());
        let reads = Reads { cursor, log: self.log.clone() };
        let task = deliver(script.clone(), vec![reads], status.clone(), self.clock.clone(), leave.clone());
        (status, leave, tokio::spawn(task))
    }

    pub(super) fn append(&self, text: &str) {
        self.log.append(Bytes::copy_from_slice(text.as_bytes()), Ticket::none()).unwrap();
    }

    /// Lets the clock go with tokio's, which is paused: it moves when everything waits.
    pub(super) fn tick(&self) {
        let (clock, step) = (self.clock.clone(), Duration::from_millis(5));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(step).await;
                clock.advance(step);
            }
        });
    }
}
