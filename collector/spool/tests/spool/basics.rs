//! What a reader and a source see of one log, step by step.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{
    AppendError, Cursor, CursorError, Log, MemoryLog, MemoryOptions, Peeked, Pressure, Reason, Settled,
    Start, Ticket,
};

const HOUR: Duration = Duration::from_secs(3600);

fn small(max_bytes: u64, segment_bytes: u64) -> MemoryLog {
    MemoryLog::new(
        MemoryOptions { max_bytes, segment_bytes, max_age: 6 * HOUR },
        Clock::manual(1_000_000_000),
    )
}

type Words = Arc<Mutex<Vec<(usize, Settled)>>>;

fn ticket(words: &Words, number: usize) -> Ticket {
    let words = words.clone();
    Ticket::new(move |how| words.lock().unwrap().push((number, how)))
}

fn append(log: &dyn Log, text: &str) -> u64 {
    log.append(Bytes::copy_from_slice(text.as_bytes()), Ticket::none()).unwrap()
}

async fn peek(cursor: &mut Cursor) -> Peeked {
    tokio::time::timeout(Duration::from_secs(5), cursor.peek(1 << 20))
        .await
        .expect("a record")
        .expect("an open log")
}

async fn nothing(cursor: &mut Cursor) -> bool {
    tokio::time::timeout(Duration::from_millis(20), cursor.peek(1 << 20)).await.is_err()
}

/// Whether the log waits for cursors with more than `bytes`, and nothing older than `age`.
async fn waits(log: &MemoryLog, bytes: u64, age: Duration) -> bool {
    tokio::time::timeout(Duration::from_millis(20), log.wait_for_cursors(bytes, age)).await.is_err()
}

#[tokio::test]
async fn who_keeps_up_is_waited_for() {
    let clock = Clock::manual(1_000_000_000);
    let options = MemoryOptions { max_bytes: 1 << 20, segment_bytes: 1 << 20, max_age: 6 * HOUR };
    let log = MemoryLog::new(options, clock.clone());
    append(&log, "before anybody reads");
    assert!(!waits(&log, 0, HOUR).await);
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    append(&log, "one");
    append(&log, "two");
    assert!(!waits(&log, 1000, HOUR).await, "it has little before it");
    // No longer than that, even if no clock moves.
    log.wait_for_cursors(0, Duration::from_millis(1)).await;
    let upto = peek(&mut cursor).await.upto;
    for (committed, over) in [(upto - 1, false), (upto, true)] {
        let waiting = log.wait_for_cursors(0, HOUR);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut waiting).await.is_err());
        cursor.commit(committed);
        let patience = Duration::from_millis(if over { 5000 } else { 20 });
        assert_eq!(tokio::time::timeout(patience, waiting).await.is_ok(), over);
    }
    append(&log, "three");
    clock.advance(HOUR);
    assert!(!waits(&log, 0, HOUR).await, "it stands still");
    let upto = peek(&mut cursor).await.upto;
    cursor.commit(upto);
    append(&log, "four");
    assert!(waits(&log, 0, HOUR).await);
    drop(cursor);
    assert!(!waits(&log, 0, HOUR).await, "nobody reads");
}

fn texts(peeked: &Peeked) -> Vec<(String, bool)> {
    peeked.records.iter().map(|r| (String::from_utf8_lossy(&r.bytes).into_owned(), r.replay)).collect()
}

fn own(texts: &[(&str, bool)]) -> Vec<(String, bool)> {
    texts.iter().map(|(text, replay)| ((*text).to_owned(), *replay)).collect()
}

#[tokio::test]
async fn two_outputs_with_one_dead() {
    let log = small(1 << 20, 1 << 18);
    let words = Words::default();
    let mut live = log.cursor("live", Start::Newest).unwrap();
    let dead = log.cursor("dead", Start::Newest).unwrap();
    for number in 0..3 {
        log.append(Bytes::from(vec![b'x'; 10]), ticket(&words, number)).unwrap();
    }
    let upto = peek(&mut live).await.upto;
    live.commit(upto);
    assert!(nothing(&mut live).await);
    assert_eq!(*words.lock().unwrap(), [], "the dead one has not had them");
    assert_eq!(log.stats().cursors[1].lag.records, 3);
    drop(dead);
    log.remove_cursor("dead");
    let delivered = (0..3).map(|number| (number, Settled::Delivered)).collect::<Vec<_>>();
    assert_eq!(*words.lock().unwrap(), delivered);
}

#[tokio::test]
async fn a_waiting_reader_is_woken() {
    let log = Arc::new(small(1 << 20, 1 << 18));
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    let reader = tokio::spawn(async move { peek(&mut cursor).await.records[0].bytes.clone() });
    tokio::time::sleep(Duration::from_millis(10)).await;
    append(&*log, "here");
    assert_eq!(reader.await.unwrap(), "here");
}

#[tokio::test]
async fn with_no_output_records_settle_at_once_and_are_no_loss() {
    let log = small(1 << 20, 1 << 18);
    let words = Words::default();
    log.append(Bytes::from_static(b"a"), ticket(&words, 0)).unwrap();
    assert_eq!(*words.lock().unwrap(), [(0, Settled::Dropped(Reason::NoOutput))]);
    assert_eq!(log.stats().dropped_full.records, 0);
}

#[tokio::test]
async fn a_full_log_drops_its_oldest_segment_and_says_so() {
    let log = small(4000, 1000);
    let words = Words::default();
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    let pressure = log.pressure();
    for number in 0..40 {
        log.append(Bytes::from(vec![number as u8; 172]), ticket(&words, number)).unwrap();
    }
    let stats = log.stats();
    assert!(stats.held.bytes <= 4000, "{}", stats.held.bytes);
    assert_eq!(stats.held.records + stats.dropped_full.records, 40);
    assert_eq!(stats.cursors[0].lost, stats.dropped_full);
    assert_eq!(*pressure.borrow(), Pressure::AllLag);
    let dropped = stats.dropped_full.records as usize;
    assert!(
        words
            .lock()
            .unwrap()
            .iter()
            .eq(&(0..dropped).map(|number| (number, Settled::Dropped(Reason::Full))).collect::<Vec<_>>())
    );
    let first = peek(&mut cursor).await;
    assert_eq!(first.records[0].bytes[0] as usize, dropped);
    assert!(first.records.iter().all(|record| !record.replay));
    cursor.commit(first.upto);
    assert_eq!(*pressure.borrow(), Pressure::Low);
    assert_eq!(words.lock().unwrap().len(), 40);
}

#[tokio::test]
async fn a_cursor_that_nobody_holds_presses_nobody() {
    let clock = Clock::manual(1_000_000_000);
    let options = MemoryOptions { max_bytes: 4000, segment_bytes: 500, max_age: 6 * HOUR };
    let log = MemoryLog::new(options, clock.clone());
    let pressure = log.pressure();
    let mut live = log.cursor("live", Start::Newest).unwrap();
    let removed = log.cursor("removed", Start::Newest).unwrap();
    for _ in 0..20 {
        append(&log, &"x".repeat(172));
        let upto = peek(&mut live).await.upto;
        live.commit(upto);
    }
    assert_eq!(*pressure.borrow(), Pressure::SomeLag);
    drop(removed);
    // A reload opens it again at once.
    clock.advance(Duration::from_secs(59));
    append(&log, "x");
    assert_eq!(*pressure.borrow(), Pressure::SomeLag);
    clock.advance(Duration::from_secs(2));
    append(&log, "x");
    assert_eq!(*pressure.borrow(), Pressure::Low, "those who are there keep up");
    for _ in 0..20 {
        append(&log, &"x".repeat(172));
    }
    assert_eq!(*pressure.borrow(), Pressure::AllLag, "and now they do not");
    let upto = peek(&mut live).await.upto;
    live.commit(upto);
    let _back = log.cursor("removed", Start::Newest).unwrap();
    append(&log, "x");
    assert_eq!(*pressure.borrow(), Pressure::SomeLag);
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let clock = Clock::manual(1_000_000_000);
    let log = MemoryLog::new(
        MemoryOptions { max_bytes: 1 << 20, segment_bytes: 100, max_age: HOUR },
        clock.clone(),
    );
    let words = Words::default();
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    log.append(Bytes::from(vec![0; 100]), ticket(&words, 0)).unwrap();
    log.append(Bytes::from(vec![1; 10]), ticket(&words, 1)).unwrap();
    clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(log.stats().oldest_age, HOUR + Duration::from_secs(1));
    log.append(Bytes::from(vec![2; 10]), ticket(&words, 2)).unwrap();
    assert_eq!(log.stats().dropped_age.records, 2);
    let old = Settled::Dropped(Reason::Age);
    assert_eq!(*words.lock().unwrap(), [(0, old), (1, old)]);
    // Record 1 stands in the segment of record 2, so it is given, but only for its definitions.
    let seen = peek(&mut cursor).await.records.iter().map(|r| (r.bytes[0], r.replay)).collect::<Vec<_>>();
    assert_eq!(seen, [(1, true), (2, false)]);
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_the_definitions_of_its_segment() {
    let log = small(1 << 20, 1 << 18);
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    for text in ["a", "b", "c"] {
        append(&log, text);
    }
    let all = peek(&mut cursor).await;
    cursor.commit(all.records[2].position);
    drop(cursor);
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    assert_eq!(texts(&peek(&mut cursor).await), own(&[("a", true), ("b", true), ("c", false)]));
    // A new cursor at the end of the segment too: the next record may lean on what is defined there.
    let mut late = log.cursor("late", Start::Newest).unwrap();
    assert_eq!(texts(&peek(&mut late).await), own(&[("a", true), ("b", true), ("c", true)]));
    assert!(nothing(&mut late).await);
    append(&log, "d");
    assert_eq!(texts(&peek(&mut late).await), own(&[("d", false)]));
}

#[tokio::test]
async fn reading_ahead_rewinding_and_skipping() {
    let log = small(1 << 20, 1 << 18);
    let words = Words::default();
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    for number in 0..4 {
        log.append(Bytes::from(vec![b'0' + number as u8]), ticket(&words, number)).unwrap();
    }
    let first = cursor.peek(1).await.unwrap();
    let second = cursor.peek(1).await.unwrap();
    assert_eq!((first.records.len(), texts(&second)), (1, own(&[("1", false)])));
    cursor.commit(first.upto);
    cursor.rewind();
    assert_eq!(texts(&cursor.peek(2).await.unwrap()), own(&[("1", false), ("2", false)]));
    cursor.skip(second.upto, "refused");
    assert_eq!(log.stats().skipped["refused"].records, 1);
    assert_eq!(
        *words.lock().unwrap(),
        [(0, Settled::Delivered), (1, Settled::Dropped(Reason::Skipped("refused")))]
    );
    // Beyond what was read nothing can be committed.
    cursor.commit(u64::MAX);
    assert_eq!(log.stats().cursors[0].lag.records, 1);
}

#[tokio::test]
async fn a_segment_is_known_before_its_record_is_built() {
    let log = small(1 << 20, 100);
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    for _ in 0..20 {
        let promised = log.segment();
        append(&log, "0123456789012345678901234567890123456789");
        assert_eq!(peek(&mut cursor).await.records[0].segment, promised);
    }
    assert!(log.segment().0 > 5);
}

#[tokio::test]
async fn errors_are_told_apart() {
    let log = small(1000, 100);
    let words = Words::default();
    let mut cursor = log.cursor("a", Start::Newest).unwrap();
    assert_eq!(log.cursor("a", Start::Newest).unwrap_err(), CursorError::InUse { name: "a".into() });
    let error = log.append(Bytes::from(vec![0; 501]), ticket(&words, 0)).unwrap_err();
    assert_eq!(error, AppendError::TooLarge { bytes: 501, max: 500 });
    assert_eq!(*words.lock().unwrap(), [(0, Settled::Dropped(Reason::TooLarge))]);
    append(&log, "last");
    log.close();
    assert_eq!(log.append(Bytes::new(), ticket(&words, 1)).unwrap_err(), AppendError::Closed);
    assert_eq!(words.lock().unwrap().len(), 1, "a closed log settles nothing");
    assert_eq!(texts(&peek(&mut cursor).await), own(&[("last", false)]));
    assert!(cursor.peek(1).await.is_none());
}

#[tokio::test]
async fn a_removed_cursor_ends_and_frees() {
    let log = small(1 << 20, 100);
    let mut gone = log.cursor("gone", Start::Newest).unwrap();
    let mut other = log.cursor("other", Start::Newest).unwrap();
    for _ in 0..50 {
        append(&log, "0123456789012345678901234567890123456789");
    }
    let upto = peek(&mut other).await.upto;
    other.commit(upto);
    assert!(log.stats().held.records > 40);
    log.remove_cursor("gone");
    assert!(log.stats().held.records <= 2);
    assert!(gone.peek(1).await.is_none());
    // A new one of that name is not moved by who held the old one.
    let again = log.cursor("gone", Start::Newest).unwrap();
    gone.commit(0);
    drop(gone);
    assert!(log.cursor("gone", Start::Newest).is_err());
    drop(again);
}
