//! The delivery loop against outputs whose answers are scripted; the wire itself is tested with real receivers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use taffrail_spool::{Log, MemoryLog, MemoryOptions, Settled, Start, Ticket};

use super::*;

/// What an output was sent, and the answers it still has to give; with none left it stores.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Verdict>>>,
    /// A request with one of these is refused whole, as a transactional receiver does.
    bad: Arc<Vec<&'static str>>,
    stored: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<Vec<Fate>>>,
}

impl Script {
    fn answering(answers: impl IntoIterator<Item = Verdict>) -> Self {
        Script { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Script::default() }
    }

    fn stored(&self) -> Vec<String> {
        lock(&self.stored).clone()
    }
}

impl Delivery for Script {
    type Batch = Vec<String>;
    const PEEK_BYTES: usize = 1 << 20;
    const LINGER: Duration = Duration::ZERO;

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

    async fn send(&mut self, batch: &Vec<String>, fate: Fate) -> (Verdict, u64) {
        lock(&self.requests).push(fate);
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

fn retry(fate: Fate) -> Verdict {
    Verdict::Retry { after: None, cause: "down".into(), fate }
}

struct Bed {
    log: Arc<MemoryLog>,
    clock: Clock,
}

impl Bed {
    fn new() -> Self {
        let clock = Clock::manual(1_000_000_000);
        Bed { log: Arc::new(MemoryLog::new(MemoryOptions::default(), clock.clone())), clock }
    }

    /// Starts delivering to `script` with the cursor `name`.
    fn start(
        &self,
        name: &str,
        script: &Script,
    ) -> (Place<OutputStatus>, CancellationToken, tokio::task::JoinHandle<()>) {
        let cursor = self.log.cursor(name, Start::Oldest).unwrap();
        let (status, leave) = (Place::<OutputStatus>::default(), CancellationToken::new());
        let task = deliver(script.clone(), cursor, status.clone(), self.clock.clone(), leave.clone());
        (status, leave, tokio::spawn(task))
    }

    fn append(&self, text: &'static str) {
        self.log.append(Bytes::from_static(text.as_bytes()), Ticket::none()).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_outputs_the_dead_one_harms_nobody() {
    let bed = Bed::new();
    let dead = Script::answering((0..1_000_000).map(|_| retry(Fate::NotStored)));
    let alive = Script::default();
    let (dead_status, leave, dead_task) = bed.start("dead", &dead);
    let (status, _, task) = bed.start("alive", &alive);
    let settled = Arc::new(Mutex::new(None));
    let heard = settled.clone();
    let ticket = Ticket::new(move |how| *lock(&heard) = Some(how));
    bed.log.append(Bytes::from_static(b"a b"), ticket).unwrap();
    bed.append("c");
    bed.log.close();
    task.await.unwrap();
    assert_eq!(alive.stored(), ["a", "b", "c"]);
    assert_eq!(lock(&status).delivered, 3);
    // Settled is what both have settled: the dead one has not.
    assert_eq!(*lock(&settled), None);
    leave.cancel();
    dead_task.await.unwrap();
    assert!(lock(&dead_status).retrying.is_some());
    // The same cursor with a receiver that is back gets everything, and the source hears of it.
    let (_, _, task) = bed.start("dead", &alive);
    task.await.unwrap();
    assert_eq!(alive.stored(), ["a", "b", "c", "a", "b", "c"]);
    assert_eq!(*lock(&settled), Some(Settled::Delivered));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_sent_again() {
    let bed = Bed::new();
    // The first attempt was received, but the answer was lost; then the process is killed.
    let script = Script::answering([retry(Fate::Unknown)]);
    let (_, leave, task) = bed.start("one", &script);
    bed.append("a b");
    while lock(&script.requests).is_empty() {
        tokio::task::yield_now().await;
    }
    leave.cancel();
    task.await.unwrap();
    assert!(script.stored().is_empty());
    let (_, _, task) = bed.start("one", &script);
    bed.log.close();
    task.await.unwrap();
    assert_eq!(script.stored(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_bad_stand_alone_and_the_good_arrive_in_order() {
    let bed = Bed::new();
    let script = Script { bad: Arc::new(vec!["c", "f"]), ..Script::default() };
    let (status, _, task) = bed.start("one", &script);
    bed.append("first");
    bed.append("a b c d e f g");
    bed.log.close();
    task.await.unwrap();
    assert_eq!(script.stored(), ["first", "a", "b", "d", "e", "g"]);
    let status = lock(&status);
    assert_eq!((status.delivered - 1, status.lost[OUT_OF_ORDER], status.resent), (5, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn refused_for_order_after_an_unknown_fate_is_resent_not_lost() {
    let bed = Bed::new();
    // The answer is lost, then the receiver is away; what is known of the first attempt stays unknown.
    let mut script = Script::answering([Verdict::Done, retry(Fate::Unknown), retry(Fate::NotStored)]);
    script.bad = Arc::new(vec!["a", "b"]);
    let (status, _, task) = bed.start("one", &script);
    bed.append("first");
    bed.append("a b");
    bed.log.close();
    task.await.unwrap();
    let status = lock(&status);
    assert_eq!((status.resent, status.lost.len()), (2, 0));
    let fates = lock(&script.requests);
    assert_eq!(fates[1], Fate::NotStored);
    assert!(fates[2..].iter().all(|fate| *fate == Fate::Unknown));
}

#[tokio::test(start_paused = true)]
async fn too_large_is_halved_and_too_large_alone_is_lost() {
    let bed = Bed::new();
    let script = Script::answering([Verdict::Split, Verdict::Split]);
    let (status, _, task) = bed.start("one", &script);
    bed.append("a b");
    bed.log.close();
    task.await.unwrap();
    assert_eq!(script.stored(), ["b"]);
    assert_eq!(lock(&status).lost["too_large"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_says_when_to_come_back() {
    let bed = Bed::new();
    let wait = Duration::from_secs(30);
    let after = Verdict::Retry { after: Some(wait), cause: "HTTP 429".into(), fate: Fate::NotStored };
    let script = Script::answering([after]);
    let (_, _, task) = bed.start("one", &script);
    bed.append("a");
    bed.log.close();
    // Time is paused: it moves only when everything waits, and then to the next timer.
    assert!(
        tokio::time::timeout(wait - Duration::from_millis(10), async { task.await.unwrap() }).await.is_err()
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(script.stored(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn to_come_back_at_once_is_no_busy_loop() {
    let bed = Bed::new();
    let busy = Verdict::Retry { after: Some(Duration::ZERO), cause: "503".into(), fate: Fate::NotStored };
    let script = Script::answering((0..100_000).map(|_| busy.clone()));
    let (_status, leave, task) = bed.start("x", &script);
    bed.append("a");
    tokio::time::sleep(Duration::from_millis(100)).await;
    leave.cancel();
    task.await.unwrap();
    let n = lock(&script.requests).len();
    assert!(n < 10, "{n} requests within 100 ms");
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_output_had_sent_is_not_lost() {
    let bed = Bed::new();
    let script = Script::answering([Verdict::Done, retry(Fate::Unknown), retry(Fate::Unknown)]);
    bed.append("a");
    bed.append("b");
    let (_, leave, task) = bed.start("one", &script);
    while lock(&script.requests).len() < 2 {
        tokio::task::yield_now().await;
    }
    // A reload: `a` was stored.
    leave.cancel();
    task.await.unwrap();
    let script = Script { bad: Arc::new(vec!["a"]), ..Script::default() };
    let (status, _, task) = bed.start("one", &script);
    bed.log.close();
    task.await.unwrap();
    assert!(lock(&status).lost.is_empty(), "{:?}", lock(&status).lost);
}
