//! Trouble with files that passes: no descriptor left, a name that leads nowhere for a while.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use taffrail_core::Clock;
use taffrail_spool::{Cursor, DiskLog, DiskOptions, Log, Start, Ticket};

const CHILD: &str = "TAFFRAIL_SPOOL_TEST_DESCRIPTORS";

fn options() -> DiskOptions {
    DiskOptions {
        min_free: 0.0,
        memory_bytes: 0,
        sync_every: Duration::from_secs(3600),
        segment_bytes: 1000,
        ..DiskOptions::default()
    }
}

fn open(dir: &Path) -> DiskLog {
    DiskLog::open(dir, options(), Clock::system()).unwrap()
}

fn append(log: &DiskLog, numbers: std::ops::Range<u8>) {
    for number in numbers {
        log.append(Bytes::from(vec![number; 100]), Ticket::none()).unwrap();
    }
}

/// What comes until nothing comes any more.
async fn given(cursor: &mut Cursor) -> Vec<u8> {
    let mut numbers = Vec::new();
    let patience = Duration::from_millis(700);
    while let Ok(Some(peeked)) = tokio::time::timeout(patience, cursor.peek(300)).await {
        numbers.extend(peeked.records.iter().filter(|record| !record.replay).map(|record| record.bytes[0]));
        cursor.commit(peeked.upto);
    }
    numbers
}

fn oldest_file(dir: &Path) -> PathBuf {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|end| end == "seg")).min().unwrap()
}

/// Puts a link that leads to itself in the file's place; gives where the file is meanwhile.
fn make_unreachable(path: &Path) -> PathBuf {
    let away = path.with_extension("away");
    fs::rename(path, &away).unwrap();
    symlink(path, path).unwrap();
    away
}

#[test]
fn child_without_descriptors() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let log = open(dir.path());
        let mut cursor = log.cursor("out", Start::Oldest).unwrap();
        append(&log, 0..50);
        log.sync();
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
        assert!(File::open("/dev/null").is_err(), "no descriptor is left");
        assert_eq!(given(&mut cursor).await, [0_u8; 0]);
        let stats = log.stats();
        let (_, what) = stats.last_error.clone().unwrap();
        assert!(what.contains("Too many open files") && what.ends_with("; it is tried again"), "{what}");
        setrlimit(Resource::Nofile, limit).unwrap();
        assert_eq!(given(&mut cursor).await, (0..50).collect::<Vec<_>>(), "{stats:?}");
        let stats = log.stats();
        assert_eq!((stats.corrupt.records, stats.cursors[0].lost.records), (0, 0));
    });
}

/// The limit is the whole process's, so the test has one of its own.
#[test]
#[expect(clippy::disallowed_methods, reason = "the limit on descriptors must not hit the other tests")]
fn without_a_descriptor_nothing_is_given_up() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trouble::child_without_descriptors", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the child looked");
}

#[tokio::test]
async fn a_reader_in_trouble_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut stuck = log.cursor("stuck", Start::Oldest).unwrap();
    append(&log, 0..5);
    let mut other = log.cursor("other", Start::Newest).unwrap();
    append(&log, 5..50);
    // The other is past the file that cannot be opened now.
    assert_eq!(given(&mut other).await.len(), 45);
    let file = oldest_file(dir.path());
    let away = make_unreachable(&file);
    let waiting = tokio::spawn(async move { (stuck.peek(300).await.unwrap().records[0].bytes[0], stuck) });
    append(&log, 50..60);
    assert_eq!(given(&mut other).await, (50..60).collect::<Vec<_>>());
    assert!(!waiting.is_finished());
    assert_eq!(log.stats().corrupt.records, 0);
    fs::rename(away, file).unwrap();
    let (first, mut stuck) = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    stuck.rewind();
    assert_eq!((first, given(&mut stuck).await), (0, (0..60).collect()));
}

#[tokio::test]
async fn a_segment_that_cannot_be_opened_at_the_start_is_left_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    {
        let log = open(dir.path());
        let _cursor = log.cursor("out", Start::Oldest).unwrap();
        append(&log, 0..20);
    }
    let file = oldest_file(dir.path());
    let away = make_unreachable(&file);
    let log = open(dir.path());
    let stats = log.stats();
    assert_eq!(stats.corrupt.records, 1, "{stats:?}");
    let (_, what) = stats.last_error.unwrap();
    assert!(what.ends_with("; left as it is, for the next start"), "{what}");
    drop(log);
    assert!(file.is_symlink(), "it was not set aside");
    fs::rename(away, file).unwrap();
    let log = open(dir.path());
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    assert_eq!(given(&mut cursor).await, (0..20).collect::<Vec<_>>());
}
