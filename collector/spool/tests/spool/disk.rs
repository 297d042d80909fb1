//! What only a log on disk does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::{FileType, Mode};
use taffrail_core::Clock;
use taffrail_spool::{Cursor, DiskLog, DiskOptions, Log, Settled, Start, Ticket, WriteMode};

fn options() -> DiskOptions {
    DiskOptions { min_free: 0.0, sync_every: Duration::from_secs(3600), ..DiskOptions::default() }
}

fn files(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".seg")).count()
}

type Words = Arc<Mutex<Vec<(u32, Settled)>>>;

fn append(log: &DiskLog, words: &Words, number: u32, size: usize) {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(size, 0);
    let words = words.clone();
    let ticket = Ticket::new(move |how| words.lock().unwrap().push((number, how)));
    log.append(Bytes::from(bytes), ticket).unwrap();
}

async fn read(cursor: &mut Cursor) -> Vec<u32> {
    let peeked = tokio::time::timeout(Duration::from_secs(20), cursor.peek(1 << 20)).await.unwrap().unwrap();
    let fresh = peeked.records.iter().filter(|record| !record.replay);
    let numbers = fresh.map(|record| u32::from_le_bytes(record.bytes[..4].try_into().unwrap())).collect();
    cursor.commit(peeked.upto);
    numbers
}

#[tokio::test]
async fn a_reader_that_keeps_up_never_reads_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open(dir.path(), options(), Clock::system()).unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..100 {
        append(&log, &words, number, 1000);
        if number == 50 {
            for entry in fs::read_dir(dir.path()).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
        assert_eq!(read(&mut cursor).await, [number]);
        assert_eq!(log.stats().memory_bytes, 0, "what all have read is not kept in memory");
    }
    // One that must read the disk finds nothing there; that is counted, and it goes on with what follows.
    let mut late = log.cursor("late", Start::Oldest).unwrap();
    append(&log, &words, 100, 1000);
    assert_eq!(read(&mut late).await, [100]);
    assert!(log.stats().corrupt.records > 0 && log.stats().last_error.unwrap().1.contains("No such file"));
}

#[tokio::test]
async fn a_reader_that_lags_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open(dir.path(), DiskOptions { memory_bytes: 1 << 20, ..options() }, Clock::system())
        .unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..3000 {
        append(&log, &words, number, 10_000);
    }
    assert!(log.stats().memory_bytes <= 1 << 20);
    assert_eq!(words.lock().unwrap().len(), 3000);
    assert_eq!(files(dir.path()), 4);
    assert!(cursor.try_peek(1 << 20).is_none(), "what is in files is not read without waiting");
    let mut next = 0;
    while next < 3000 {
        let numbers = read(&mut cursor).await;
        assert!(numbers.len() <= 105);
        assert_eq!(numbers, (next..next + numbers.len() as u32).collect::<Vec<_>>());
        next += numbers.len() as u32;
    }
    log.sync();
    assert_eq!(files(dir.path()), 1, "what all have read is removed");
    assert!(cursor.try_peek(1 << 20).is_none());
    append(&log, &words, 3000, 10);
    assert_eq!(cursor.try_peek(1 << 20).unwrap().records.len(), 1);
    assert!(cursor.try_peek(1 << 20).is_none());
    cursor.rewind();
    assert_eq!(read(&mut cursor).await, [3000]);
    assert_eq!(log.stats().cursors[0].lag.records, 0);
}

/// Every file and what is in it.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[tokio::test]
async fn a_log_that_nobody_reads_writes_nothing_until_somebody_does() {
    let dir = tempfile::tempdir().unwrap();
    let options = DiskOptions { memory_bytes: 1 << 20, ..options() };
    let log = DiskLog::open(dir.path(), options, Clock::system()).unwrap();
    let before = contents(dir.path());
    let words = Words::default();
    for number in 0..1000 {
        append(&log, &words, number, 10_000);
        if number % 100 == 0 {
            log.sync();
        }
    }
    let stats = log.stats();
    assert_eq!((contents(dir.path()), stats.disk_bytes), (before, 0), "{stats:?}");
    assert!(stats.memory_bytes <= 1 << 20, "{stats:?}");
    assert_eq!(words.lock().unwrap().len(), 1000);
    // Who comes now gets the definitions of the segment first, from memory and after a restart from its file.
    let cursor = log.cursor("out", Start::Newest).unwrap();
    append(&log, &words, 1000, 10_000);
    assert_eq!(words.lock().unwrap().last(), Some(&(1000, Settled::Spooled)));
    drop((cursor, log));
    let log = DiskLog::open(dir.path(), options, Clock::system()).unwrap();
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    assert_eq!(read(&mut cursor).await, [1000]);
    cursor.rewind();
    log.remove_cursor("out");
    log.sync();
    assert_eq!(files(dir.path()), 0, "what was for it alone is gone with it");
}

#[tokio::test]
async fn a_log_that_rests_goes_on_when_a_reader_comes() {
    let dir = tempfile::tempdir().unwrap();
    let options = DiskOptions { sync_every: Duration::from_millis(20), ..options() };
    let log = DiskLog::open(dir.path(), options, Clock::system()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    append(&log, &Words::default(), 7, 10);
    let before = contents(dir.path());
    assert_eq!(read(&mut cursor).await, [7]);
    // Nothing else saves what was committed.
    let clock = Clock::system();
    let deadline = clock.monotonic() + Duration::from_secs(20);
    while contents(dir.path()) == before {
        assert!(clock.monotonic() < deadline, "the cursor's position is not saved");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_disk_that_does_not_answer_cannot_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let log = DiskLog::open(dir.path(), on_lag(), clock.clone()).unwrap();
    let words = Words::default();
    let cursor = log.cursor("out", Start::Oldest).unwrap();
    append(&log, &words, 0, 10);
    // Opening a pipe that nobody reads waits for ever, as a dead mount does.
    let pipe = dir.path().join(format!("{:020}.seg", log.segment().0));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let before = clock.monotonic();
    log.close();
    assert!(clock.monotonic() - before < Duration::from_secs(1), "closing waits for nothing");
    drop(cursor);
    drop(log);
    let waited = clock.monotonic() - before;
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(*words.lock().unwrap(), [], "what was not written was not promised");
    // Lets the thread that was left behind end.
    fs::OpenOptions::new().read(true).write(true).open(pipe).unwrap();
}

fn on_lag() -> DiskOptions {
    DiskOptions { write: WriteMode::OnLag { bytes: 100_000, age: Duration::from_secs(5) }, ..options() }
}

#[tokio::test]
async fn on_lag_nothing_is_written_while_all_keep_up() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open(dir.path(), on_lag(), Clock::manual(0)).unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..200 {
        append(&log, &words, number, 10_000);
        assert_eq!(read(&mut cursor).await, [number]);
    }
    assert_eq!(files(dir.path()), 0);
    assert!(words.lock().unwrap().iter().all(|word| word.1 == Settled::Delivered));
    assert!(log.stats().memory_bytes <= 120_000);
}

#[tokio::test]
async fn on_lag_what_a_dead_output_needs_is_written_and_the_other_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let words = Words::default();
    {
        let log = DiskLog::open(dir.path(), on_lag(), Clock::manual(0)).unwrap();
        let mut live = log.cursor("live", Start::Oldest).unwrap();
        let _dead = log.cursor("dead", Start::Oldest).unwrap();
        for number in 0..50 {
            append(&log, &words, number, 10_000);
            assert_eq!(read(&mut live).await, [number]);
        }
        assert!(log.stats().memory_bytes <= 5 << 20);
        assert!(
            words.lock().unwrap().len() >= 40
                && words.lock().unwrap().iter().all(|w| w.1 == Settled::Spooled)
        );
        // The rest follows when the log is closed.
    }
    assert_eq!(words.lock().unwrap().len(), 50);
    let log = DiskLog::open(dir.path(), on_lag(), Clock::manual(0)).unwrap();
    let mut dead = log.cursor("dead", Start::Newest).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 50 {
        seen.extend(read(&mut dead).await);
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    let mut live = log.cursor("live", Start::Newest).unwrap();
    append(&log, &words, 50, 10);
    assert_eq!(read(&mut live).await, [50]);
}

#[tokio::test]
async fn on_lag_a_record_that_waits_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(0);
    let log = DiskLog::open(dir.path(), on_lag(), clock.clone()).unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    append(&log, &words, 0, 10);
    // Delivered and kept for its definitions; the next one leans on them.
    assert_eq!(read(&mut cursor).await, [0]);
    append(&log, &words, 1, 10);
    log.sync();
    assert_eq!(files(dir.path()), 0);
    clock.advance(Duration::from_secs(6));
    log.sync();
    assert_eq!(files(dir.path()), 1);
    assert_eq!(*words.lock().unwrap(), [(0, Settled::Delivered), (1, Settled::Spooled)]);
    drop((cursor, log));
    let log = DiskLog::open(dir.path(), on_lag(), clock).unwrap();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    let peeked = cursor.peek(1 << 20).await.unwrap();
    assert_eq!(peeked.records.iter().map(|record| record.replay).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn positions_that_only_memory_knew_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open(dir.path(), on_lag(), Clock::manual(0)).unwrap();
    let _cursor = log.cursor("out", Start::Oldest).unwrap();
    log.sync();
    let last = (0..10).map(|_| log.append(Bytes::from_static(b"x"), Ticket::none()).unwrap()).max().unwrap();
    // What a kill would leave now.
    let left = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
    }
    let log = DiskLog::open(left.path(), on_lag(), Clock::manual(0)).unwrap();
    assert!(log.append(Bytes::from_static(b"x"), Ticket::none()).unwrap() > last);
}
