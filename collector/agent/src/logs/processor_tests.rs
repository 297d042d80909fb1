//! What becomes of chunks, and of the tickets that their sources wait for.

use std::sync::Mutex;

use taffrail_core::Clock;
use taffrail_core::Pattern;
use taffrail_spool::{Cursor, Log, MemoryLog, MemoryOptions, Start, Ticket};
use taffrail_wire::loki;

use bytes::Bytes;

use super::*;
use crate::logs::Body;
use crate::logs::chunk::MAX_BYTES;
use crate::logs::lanes::PATIENCE;
use taffrail_stages::Stages;
use taffrail_stages::stage::{Condition, Stage};

use crate::logs::{Notes, Shape};
use crate::status::lock;

/// This log for what goes first, and one that nobody reads for the rest.
fn logs(others: Arc<dyn Log>) -> Logs {
    Logs { others, kept: Arc::new(MemoryLog::new(MemoryOptions::default(), Clock::manual(1))) }
}

/// A processor between a queue and a log with one cursor.
struct Bed {
    chunks: mpsc::Sender<Chunk>,
    cursor: Cursor,
    pause: watch::Receiver<bool>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    /// How each chunk was settled, by its number.
    settled: Arc<Mutex<Vec<(i64, Settled)>>>,
    _notes: Notes,
}

impl Bed {
    fn start(max_bytes: u64) -> Self {
        let clock = Clock::manual(1);
        let options = MemoryOptions { max_bytes, ..MemoryOptions::default() };
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(options, clock.clone()));
        let cursor = log.cursor("test", Start::Oldest).unwrap();
        let (chunks, mut queue) = mpsc::channel(8);
        let (pauses, pause) = watch::channel(false);
        let (notes, mut source) = Notes::new(clock);
        let stop = CancellationToken::new();
        let processor = Processor::new(logs(log), Arc::default(), Arc::default(), pauses);
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { processor.run(&mut queue, &mut source, stop).await }
        });
        Bed { chunks, cursor, pause, stop, task, settled: Arc::default(), _notes: notes }
    }

    async fn send(&self, number: i64, bytes: &'static [u8], stages: &Arc<Stages>) {
        let settled = self.settled.clone();
        let chunk = Chunk {
            labels: [("job".to_owned(), "test".to_owned())].into(),
            metadata: Arc::from([]),
            body: Body::Lines {
                bytes: Bytes::from_static(bytes),
                base_ns: number * 1000,
                shape: Shape::default(),
            },
            stages: stages.clone(),
            keep: false,
            ticket: Ticket::new(move |how| lock(&settled).push((number, how))),
        };
        self.chunks.send(chunk).await.unwrap();
    }
}

fn dropping(expression: &str) -> Arc<Stages> {
    let condition = Condition { expression: Pattern::new(expression).ok(), ..Condition::default() };
    Arc::new(Stages::new([Stage::Drop(condition)]))
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_drops_settles_what_nobody_else_will() {
    let mut bed = Bed::start(1 << 20);
    let stages = dropping("healthy");
    bed.send(1, b"healthy\nhealthy\n", &stages).await;
    bed.send(2, b"a\nhealthy\nb\n", &stages).await;
    let peeked = bed.cursor.peek(1 << 20).await.unwrap();
    let mut entries = Vec::new();
    for stream in loki::streams(&peeked.records[0].bytes) {
        for entry in stream.unwrap().entries() {
            let entry = entry.unwrap();
            entries.push((entry.ts_ns, entry.line.to_owned()));
        }
    }
    // Times are counted over all lines, so that the same lines get the same times whatever a stage leaves out.
    assert_eq!(entries, [(2000, "a".to_owned()), (2002, "b".to_owned())]);
    assert_eq!(*lock(&bed.settled), [(1, Settled::Dropped(Reason::Skipped("drop")))]);
    bed.cursor.commit(peeked.upto);
    assert_eq!(lock(&bed.settled)[1], (2, Settled::Delivered));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_queue_at_the_end_is_not_left_there() {
    let mut bed = Bed::start(1 << 20);
    bed.stop.cancel();
    bed.send(1, b"a\n", &Arc::default()).await;
    bed.task.await.unwrap();
    assert_eq!(bed.cursor.peek(1 << 20).await.unwrap().records.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn sources_pause_before_the_oldest_goes_and_go_on_after() {
    let mut bed = Bed::start(256 << 10);
    let big: &'static [u8] = Box::leak(vec![b'x'; 60_000].into_boxed_slice());
    for number in 0..4 {
        bed.send(number, big, &Arc::default()).await;
        tokio::time::sleep(LINGER * 2).await;
    }
    bed.pause.wait_for(|pause| *pause).await.unwrap();
    assert!(lock(&bed.settled).is_empty());
    while !lock(&bed.settled).iter().any(|(number, _)| *number == 3) {
        let peeked = bed.cursor.peek(1 << 20).await.unwrap();
        bed.cursor.commit(peeked.upto);
    }
    bed.pause.wait_for(|pause| !*pause).await.unwrap();
    assert!(lock(&bed.settled).iter().all(|(_, how)| *how == Settled::Delivered));
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the runtime's own clock stands still and is asked")]
async fn an_output_is_waited_for_but_not_one_that_stands_still() {
    let mut bed = Bed::start(64 << 20);
    let big: &'static [u8] = Box::leak(vec![b'x'; MAX_BYTES].into_boxed_slice());
    let start = tokio::time::Instant::now();
    // Two batches are more than it may be ahead; the third one waits.
    for number in 0..3 {
        bed.send(number, big, &Arc::default()).await;
    }
    tokio::time::sleep(PATIENCE / 2).await;
    let held = |bed: &mut Bed| std::iter::from_fn(|| bed.cursor.try_peek(1)).last().map(|peeked| peeked.upto);
    let two = held(&mut bed).unwrap();
    bed.cursor.commit(two - 1);
    tokio::task::yield_now().await;
    assert_eq!(held(&mut bed), Some(two + 1), "it has moved");
    bed.send(3, big, &Arc::default()).await;
    let third = bed.cursor.peek(1).await.unwrap();
    assert_eq!(third.upto, two + 2);
    assert!(start.elapsed() >= PATIENCE, "it has not moved, and is waited for no longer");
}

#[tokio::test]
async fn a_log_that_is_full_at_the_start_pauses() {
    let clock = Clock::manual(1);
    let options = MemoryOptions { max_bytes: 256 << 10, ..MemoryOptions::default() };
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(options, clock.clone()));
    let _cursor = log.cursor("test", Start::Oldest).unwrap();
    for _ in 0..4 {
        log.append(vec![0; 52_000].into(), Ticket::none()).unwrap();
    }
    assert_eq!(*log.pressure().borrow(), Pressure::AllLag);
    let (_chunks, mut queue) = mpsc::channel(8);
    let (pauses, mut pause) = watch::channel(false);
    let (_notes, mut source) = Notes::new(clock);
    let processor = Processor::new(logs(log), Arc::default(), Arc::default(), pauses);
    tokio::spawn(async move { processor.run(&mut queue, &mut source, CancellationToken::new()).await });
    tokio::time::timeout(Duration::from_secs(1), pause.wait_for(|p| *p))
        .await
        .expect("never paused")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_paused_before_anything_is_dropped() {
    let clock = Clock::system();
    let options = MemoryOptions { max_bytes: 64 << 20, ..MemoryOptions::default() };
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(options, clock.clone()));
    let _cursor = log.cursor("test", Start::Oldest).unwrap();
    let (chunks, mut queue) = mpsc::channel(8);
    let (pauses, pause) = watch::channel(false);
    let (_notes, mut source) = Notes::new(clock);
    let processor = Processor::new(logs(log.clone()), Arc::default(), Arc::default(), pauses);
    tokio::spawn(async move { processor.run(&mut queue, &mut source, CancellationToken::new()).await });
    let text = Bytes::from("a line of a log that is written in a flood\n".repeat(6000));
    let flood = |_| {
        let (chunks, pause, bytes) = (chunks.clone(), pause.clone(), text.clone());
        // As the files source does: looks at pause before it releases.
        tokio::task::spawn_blocking(move || {
            for _ in (0..1500).take_while(|_| !*pause.borrow()) {
                let labels = [("job".to_owned(), "test".to_owned())].into();
                let (stages, ticket) = (Arc::default(), Ticket::none());
                let body = Body::Lines { bytes: bytes.clone(), base_ns: 1, shape: Shape::default() };
                let chunk = Chunk { labels, metadata: Arc::from([]), body, stages, keep: false, ticket };
                chunks.blocking_send(chunk).unwrap();
            }
        })
    };
    for flood in (0..2).map(flood).collect::<Vec<_>>() {
        flood.await.unwrap();
    }
    assert!(*pause.borrow());
    let stats = log.stats();
    assert_eq!(stats.dropped_full.records, 0);
}

#[tokio::test(start_paused = true)]
async fn marked_chunks_have_a_log_of_their_own() {
    let clock = Clock::manual(1);
    let log = || -> Arc<dyn Log> { Arc::new(MemoryLog::new(MemoryOptions::default(), clock.clone())) };
    let both = Logs { others: log(), kept: log() };
    let mut cursors = both.both().map(|log| log.cursor("test", Start::Oldest).unwrap());
    let (chunks, mut queue) = mpsc::channel(8);
    let (pauses, _pause) = watch::channel(false);
    let (_notes, mut source) = Notes::new(clock);
    let settled = Arc::new(Mutex::new(Vec::new()));
    for (bytes, keep) in [("a\n", false), ("b\n", true), ("c\n", false)] {
        let heard = settled.clone();
        let (labels, metadata, stages) = (Arc::from([]), Arc::from([]), Arc::default());
        let body = Body::Lines { bytes: bytes.into(), base_ns: 1, shape: Shape::default() };
        let ticket = Ticket::new(move |_| lock(&heard).push(bytes));
        chunks.send(Chunk { labels, metadata, body, stages, keep, ticket }).await.unwrap();
    }
    let processor = Processor::new(both, Arc::default(), Arc::default(), pauses);
    tokio::spawn(async move { processor.run(&mut queue, &mut source, CancellationToken::new()).await });
    let mut lines = Vec::new();
    for cursor in &mut cursors {
        let peeked = cursor.peek(1 << 20).await.unwrap();
        assert_eq!(peeked.records.len(), 1);
        let streams: Vec<_> = loki::streams(&peeked.records[0].bytes).map(Result::unwrap).collect();
        let entries = streams.iter().flat_map(loki::Stream::entries);
        lines.push(entries.map(|entry| entry.unwrap().line.to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(lines, [vec!["a", "c"], vec!["b"]]);
    for (cursor, expected) in cursors.iter_mut().zip([&["a\n", "c\n"][..], &["a\n", "c\n", "b\n"]]) {
        cursor.commit(u64::MAX);
        assert_eq!(*lock(&settled), expected, "each batch settles its own");
    }
}
