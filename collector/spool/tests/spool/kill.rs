//! A process that is killed at a random moment while it appends and delivers.
//!
//! The child is this test binary, started again with an environment variable. It says on its standard output what it
//! has been promised (a ticket settled as spooled) and what it has committed; the parent kills it and opens the log.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{
    Cursor, DirLock, DiskLog, DiskOptions, Durability, Loaded, LockError, Log, Record, SegmentId, Settled,
    Start, StateFile, Ticket, WriteMode,
};

const DIR: &str = "TAFFRAIL_SPOOL_TEST_DIR";

fn options() -> DiskOptions {
    DiskOptions {
        min_free: 0.0,
        segment_bytes: 64 << 10,
        memory_bytes: 16 << 10,
        sync_every: Duration::from_millis(20),
        ..DiskOptions::default()
    }
}

/// The payload of record `number`: its number and bytes that depend on it.
fn payload(number: u64) -> Bytes {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + (number * 7919 % 3000) as usize, number as u8);
    bytes.into()
}

fn number(record: &Record) -> u64 {
    let number = u64::from_le_bytes(record.bytes[..8].try_into().unwrap());
    assert_eq!(record.bytes, payload(number), "no record is changed");
    number
}

#[expect(clippy::disallowed_methods, reason = "a process has to be killed from outside")]
fn start(child: &str, dir: &Path) -> Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child said before it was killed, `after` that time.
fn killed(child: &str, dir: &Path, after: Duration) -> Vec<String> {
    let mut process = start(child, dir);
    let output = BufReader::new(process.stdout.take().unwrap());
    let reader = std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
    reader.join().unwrap()
}

fn say(what: &str, number: u64) {
    // One write a line: a kill between two would make half a line.
    let line = format!("\n{what} {number}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

fn said(lines: &[String], what: &str) -> Vec<u64> {
    let said = lines.iter().filter_map(|line| line.strip_prefix(what)?.strip_prefix(' ')?.parse().ok());
    said.collect()
}

#[test]
fn child_that_appends() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = Arc::new(DiskLog::open(dir, options(), Clock::system()).unwrap());
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    // The first number is one past the last that is there.
    let next = Arc::new(Mutex::new(0));
    let first = std::fs::read_to_string(dir.join("first")).map_or(0, |text| text.parse().unwrap());
    runtime.spawn({
        let next = next.clone();
        async move {
            while let Some(peeked) = cursor.peek(20_000).await {
                for record in peeked.records.iter().filter(|record| !record.replay) {
                    let mut next = next.lock().unwrap();
                    assert!(number(record) >= *next, "order is kept");
                    *next = number(record) + 1;
                }
                // Now and then it lags, so that it reads from files too.
                if next.lock().unwrap().is_multiple_of(5) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                say("committing", *next.lock().unwrap());
                cursor.commit(peeked.upto);
            }
        }
    });
    for number in first.. {
        say("appending", number);
        log.append(payload(number), Ticket::new(move |_| say("promised", number))).unwrap();
        if number % 400 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn a_kill_loses_nothing_that_was_promised() {
    let dir = tempfile::tempdir().unwrap();
    let mut last_position = 0;
    let mut random = 0x9e37_79b9_u64;
    let mut rounds_with_backlog = 0;
    for round in 0..12_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let lines =
            killed("kill::child_that_appends", dir.path(), Duration::from_millis(60 + (random >> 33) % 200));
        let promised = said(&lines, "promised");
        let appending = said(&lines, "appending");
        let committing = said(&lines, "committing");
        assert!(!promised.is_empty() || round == 0, "the child did something: {lines:?}");
        let log = DiskLog::open(dir.path(), options(), Clock::system()).unwrap();
        let stats = log.stats();
        assert_eq!(stats.corrupt.records, 0, "{stats:?}");
        // A reader of its own sees all that is held, the cursor what it had not committed.
        log.close();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let seen = runtime.block_on(async {
            let mut cursor = log.cursor("out", Start::Oldest).unwrap();
            let mut seen = Vec::new();
            while let Some(peeked) = cursor.peek(50_000).await {
                for record in peeked.records.iter().filter(|record| !record.replay) {
                    assert!(record.position >= last_position, "positions only grow");
                    last_position = record.position + 1;
                    seen.push(number(record));
                }
            }
            seen
        });
        assert!(
            seen.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "nothing twice, nothing missing: {seen:?}"
        );
        let delivered = committing.last().copied().unwrap_or(0);
        if let Some(last) = promised.last() {
            // Either it comes again or it was delivered.
            assert!(seen.last().copied().max(delivered.checked_sub(1)) >= Some(*last));
            assert!(
                seen.first().is_none_or(|first| *first <= delivered.max(*last + 1)),
                "a gap after {delivered}"
            );
        }
        assert!(seen.last() <= appending.last().max(seen.last()));
        rounds_with_backlog += u64::from(!seen.is_empty());
        let next = seen.last().map(|last| last + 1).max(appending.last().map(|last| last + 1)).unwrap_or(0);
        std::fs::write(dir.path().join("first"), next.to_string()).unwrap();
        // The next round begins with an empty log, so that gaps between rounds are no gaps in it.
        log.remove_cursor("out");
    }
    assert!(rounds_with_backlog > 0, "the kills came while there was work");
}

#[test]
fn child_that_saves() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut state = StateFile::new(Path::new(&dir).join("s"));
    let first = match state.load() {
        Loaded::Found { bytes, .. } => u64::from_le_bytes(bytes[..8].try_into().unwrap()) + 1,
        other => {
            assert_eq!(other, Loaded::Empty);
            0
        }
    };
    for number in first.. {
        state.save(&payload(number), Durability::Kill).unwrap();
        say("saved", number);
    }
}

#[test]
fn a_kill_leaves_the_last_state_or_the_next() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..8_u64 {
        let lines = killed("kill::child_that_saves", dir.path(), Duration::from_millis(30 + round * 23));
        let saved = said(&lines, "saved").last().copied();
        match StateFile::new(dir.path().join("s")).load() {
            Loaded::Found { bytes, .. } => {
                let found = u64::from_le_bytes(bytes[..8].try_into().unwrap());
                assert_eq!(bytes, payload(found));
                assert!(
                    saved.is_none_or(|saved| found == saved || found == saved + 1),
                    "{found} after {saved:?}"
                );
            }
            other => assert!(saved.is_none() && other == Loaded::Empty, "{other:?} after {saved:?}"),
        }
    }
}

#[test]
fn child_that_locks() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let _lock = DirLock::acquire(Path::new(&dir)).unwrap();
    say("locked", u64::from(std::process::id()));
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_process_holds_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = start("kill::child_that_locks", dir.path());
    let output = BufReader::new(process.stdout.take().unwrap());
    let pid =
        output.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("locked ")?.parse().ok());
    assert_eq!(pid, Some(process.id()));
    match DirLock::acquire(dir.path()) {
        Err(LockError::Held { pid: held, .. }) => assert_eq!(held, pid),
        other => panic!("{other:?}"),
    }
    process.kill().unwrap();
    process.wait().unwrap();
    DirLock::acquire(dir.path()).unwrap();
}

#[tokio::test]
async fn a_power_cut_between_receipt_and_acknowledgement_sends_again() {
    let dir = tempfile::tempdir().unwrap();
    let still = DiskOptions { sync_every: Duration::from_secs(3600), write: WriteMode::Through, ..options() };
    let copy = tempfile::tempdir().unwrap();
    {
        let log = DiskLog::open(dir.path(), still, Clock::system()).unwrap();
        let mut cursor = log.cursor("out", Start::Oldest).unwrap();
        for number in 0..3 {
            log.append(payload(number), Ticket::none()).unwrap();
        }
        log.sync();
        let peeked = cursor.peek(1 << 20).await.unwrap();
        // The receiver has them, but the process ends here: what the directory holds now is all there is.
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        cursor.commit(peeked.upto);
    }
    let log = DiskLog::open(copy.path(), still, Clock::system()).unwrap();
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    let again = cursor.peek(1 << 20).await.unwrap();
    assert_eq!(again.records.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(again.records.iter().all(|record| !record.replay));
}

/// Nothing happens by itself, so that what is saved is what a kill finds.
fn still(write: WriteMode) -> DiskOptions {
    DiskOptions { sync_every: Duration::from_secs(3600), write, ..options() }
}

fn append(log: &DiskLog, numbers: std::ops::Range<u64>) {
    for number in numbers {
        log.append(payload(number), Ticket::none()).unwrap();
    }
}

/// Leaves a log as a kill does: no destructor runs.
fn kill(log: DiskLog, cursor: Cursor) {
    std::mem::forget((log, cursor));
}

/// What the cursor is given, and may send, until nothing comes any more.
async fn given(cursor: &mut Cursor) -> Vec<u64> {
    let mut numbers = Vec::new();
    let patience = Duration::from_millis(200);
    while let Ok(Some(peeked)) = tokio::time::timeout(patience, cursor.peek(1 << 20)).await {
        numbers.extend(peeked.records.iter().filter(|record| !record.replay).map(number));
        cursor.commit(peeked.upto);
    }
    numbers
}

/// A log whose segment was in memory only, and delivered in part, when the process was killed.
async fn killed_with_a_segment_in_memory(dir: &Path, options: DiskOptions) -> SegmentId {
    let log = DiskLog::open(dir, options, Clock::system()).unwrap();
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    append(&log, 0..10);
    assert_eq!(given(&mut cursor).await.len(), 10);
    log.sync();
    let segment = log.segment();
    kill(log, cursor);
    segment
}

#[tokio::test]
async fn a_segment_that_only_memory_held_is_not_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let on_lag = still(WriteMode::OnLag { bytes: 100_000, age: Duration::from_secs(3600) });
    let gone = killed_with_a_segment_in_memory(dir.path(), on_lag).await;
    let through = DiskOptions { memory_bytes: 0, ..still(WriteMode::Through) };
    let log = DiskLog::open(dir.path(), through, Clock::system()).unwrap();
    assert!(log.segment() > gone, "{:?} after {gone:?}", log.segment());
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    append(&log, 0..20);
    assert_eq!(given(&mut cursor).await, (0..20).collect::<Vec<_>>(), "{:?}", log.stats());
}

#[tokio::test]
async fn after_a_kill_and_two_starts_nothing_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let on_lag = still(WriteMode::OnLag { bytes: 1 << 20, age: Duration::from_secs(3600) });
    killed_with_a_segment_in_memory(dir.path(), on_lag).await;
    {
        // The receiver is down; the stop is a clean one.
        let log = DiskLog::open(dir.path(), on_lag, Clock::system()).unwrap();
        let _cursor = log.cursor("out", Start::Newest).unwrap();
        append(&log, 0..20);
    }
    let log = DiskLog::open(dir.path(), on_lag, Clock::system()).unwrap();
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    assert_eq!(given(&mut cursor).await, (0..20).collect::<Vec<_>>(), "{:?}", log.stats());
}

#[tokio::test]
async fn a_cursor_is_known_from_the_moment_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let settled = Arc::new(Mutex::new(Vec::new()));
    let log = DiskLog::open(dir.path(), still(WriteMode::Through), Clock::system()).unwrap();
    let cursor = log.cursor("out", Start::Newest).unwrap();
    for number in 0..10 {
        let settled = settled.clone();
        log.append(payload(number), Ticket::new(move |how| settled.lock().unwrap().push(how))).unwrap();
    }
    kill(log, cursor);
    assert_eq!(*settled.lock().unwrap(), [Settled::Spooled; 10]);
    let log = DiskLog::open(dir.path(), still(WriteMode::Through), Clock::system()).unwrap();
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    assert_eq!(given(&mut cursor).await, (0..10).collect::<Vec<_>>(), "each was promised before the kill");
}
