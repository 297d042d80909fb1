//! A disk that fills up, on a file system of its own. Needs the right to mount one (root): without it these tests fail
//! and say so, rather than passing without having looked.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use taffrail_core::Clock;
use taffrail_spool::{
    Cursor, DirLock, DiskLog, DiskOptions, Durability, Loaded, Log, Pressure, Reason, SegmentId, Settled,
    Start, StateFile, Ticket,
};

/// A file system of 2 MiB, gone when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = c"size=2m";
        if let Err(error) = mount("tmpfs", dir.path(), "tmpfs", MountFlags::empty(), size) {
            panic!("this test fills a tmpfs of its own and may not mount one ({error}): run it as root");
        }
        SmallDisk(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills what is free with a file that is none of ours.
    fn fill(&self) {
        let mut size = 2 << 20;
        while size >= 4096 {
            let mut data = fs::read(self.path().join("ballast")).unwrap_or_default();
            let len = data.len();
            data.resize(len + size, 1);
            if fs::write(self.path().join("ballast"), &data).is_err() {
                fs::write(self.path().join("ballast"), &data[..len]).unwrap();
                size /= 2;
            }
        }
    }

    fn relieve(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached it is gone once nothing in it is open; should that fail, the directory is left, and seen.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

fn options() -> DiskOptions {
    DiskOptions {
        max_bytes: 64 << 20,
        min_free: 0.0,
        segment_bytes: 128 << 10,
        memory_bytes: 256 << 10,
        sync_every: Duration::from_secs(3600),
        ..DiskOptions::default()
    }
}

type Words = Arc<Mutex<Vec<(u32, Settled)>>>;

fn append(log: &DiskLog, words: &Words, number: u32) -> SegmentId {
    let segment = log.segment();
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(10_000, number as u8);
    let words = words.clone();
    let ticket = Ticket::new(move |how| words.lock().unwrap().push((number, how)));
    log.append(Bytes::from(bytes), ticket).unwrap();
    segment
}

async fn numbers(cursor: &mut Cursor) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Ok(Some(peeked)) = tokio::time::timeout(Duration::from_millis(300), cursor.peek(200_000)).await
    {
        for record in peeked.records.iter().filter(|record| !record.replay) {
            numbers.push(u32::from_le_bytes(record.bytes[..4].try_into().unwrap()));
        }
        cursor.commit(peeked.upto);
    }
    numbers
}

fn count(words: &Words, how: Settled) -> usize {
    words.lock().unwrap().iter().filter(|word| word.1 == how).count()
}

#[tokio::test]
async fn on_a_full_disk_the_oldest_goes_and_the_newest_is_kept() {
    let disk = SmallDisk::new();
    let log = DiskLog::open(&disk.path().join("log"), options(), Clock::system()).unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..500 {
        append(&log, &words, number);
    }
    let stats = log.stats();
    assert!(stats.disk_bytes > 1 << 20 && stats.dropped_disk.records > 200, "{stats:?}");
    assert!(!stats.disk_blocked);
    let dropped = stats.dropped_disk.records as u32;
    assert_eq!(count(&words, Settled::Spooled), 500, "each was safe at first");
    assert_eq!(numbers(&mut cursor).await, (dropped..500).collect::<Vec<_>>());
    assert_eq!(log.stats().cursors[0].lost.records, u64::from(dropped));
}

#[tokio::test]
async fn where_others_fill_the_disk_memory_stands_in_and_it_recovers_by_itself() {
    let disk = SmallDisk::new();
    let clock = Clock::manual(1_000_000_000_000);
    let log = DiskLog::open(&disk.path().join("log"), options(), clock.clone()).unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    append(&log, &words, 0);
    disk.fill();
    for number in 1..6 {
        append(&log, &words, number);
    }
    let stats = log.stats();
    assert!(stats.disk_blocked, "{stats:?}");
    let (_, what) = stats.last_error.unwrap();
    assert!(
        what.contains("No space left on device") && what.contains("free space on that file system"),
        "{what}"
    );
    // Who keeps up notices nothing, and what is delivered settles.
    assert_eq!(numbers(&mut cursor).await, [0, 1, 2, 3, 4, 5]);
    assert!(count(&words, Settled::Delivered) >= 4, "{words:?}");
    // Who does not loses what memory cannot hold, counted; what follows a loss stands in another segment.
    let mut segments = Vec::new();
    for number in 6..100 {
        segments.push((number, append(&log, &words, number)));
    }
    let stats = log.stats();
    assert!(stats.dropped_disk.records > 50 && stats.memory_bytes < 400 << 10, "{stats:?}");
    assert!(log.pressure().borrow().is_high());
    disk.relieve();
    clock.advance(Duration::from_secs(2));
    append(&log, &words, 100);
    let stats = log.stats();
    assert!(!stats.disk_blocked, "{stats:?}");
    assert_eq!(count(&words, Settled::Dropped(Reason::Disk)) as u64, stats.dropped_disk.records);
    assert_eq!(words.lock().unwrap().len(), 101, "each ticket has its word");
    let seen = numbers(&mut cursor).await;
    assert_eq!(seen.last(), Some(&100));
    for pair in seen.windows(2).filter(|pair| pair[0] + 1 != pair[1]) {
        let segment = |number: u32| segments.iter().find(|known| known.0 == number).unwrap().1;
        assert_ne!(segment(pair[1] - 1), segment(pair[1]), "a gap before {}", pair[1]);
    }
    assert_eq!(seen.len() as u64 + stats.dropped_disk.records, 95);
}

#[tokio::test]
async fn a_floor_of_free_space_is_kept() {
    let disk = SmallDisk::new();
    let options = DiskOptions { min_free: 0.5, ..options() };
    let log = DiskLog::open(&disk.path().join("log"), options, Clock::system()).unwrap();
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..300 {
        append(&log, &words, number);
        if number % 5 == 0 {
            log.sync();
            assert!(disk.free() >= 1 << 20, "{} bytes are free", disk.free());
        }
    }
    assert!(log.pressure().borrow().is_high());
    let dropped = log.stats().dropped_disk.records as u32;
    assert!(dropped > 150);
    assert_eq!(numbers(&mut cursor).await, (dropped..300).collect::<Vec<_>>());
    // With nothing left to give up, nothing is written, and it is said.
    log.sync();
    fs::write(disk.path().join("ballast"), vec![1; 3 << 19]).unwrap();
    log.sync();
    append(&log, &words, 300);
    let stats = log.stats();
    assert!(stats.disk_blocked && stats.last_error.unwrap().1.contains("1 MiB must stay free"));
    assert_eq!(numbers(&mut cursor).await, [300]);
    disk.relieve();
    log.sync();
    assert!(!log.stats().disk_blocked);
}

/// A log on this disk whose floor is just below what is free now.
fn near_its_floor(dir: &Path) -> DiskLog {
    let stat = rustix::fs::statvfs(dir).unwrap();
    let min_free = stat.f_bavail as f64 / stat.f_blocks as f64 * 0.85;
    DiskLog::open(&dir.join("log"), DiskOptions { min_free, ..options() }, Clock::system()).unwrap()
}

#[tokio::test]
async fn near_its_floor_a_log_without_backlog_presses_nobody() {
    let disk = SmallDisk::new();
    let log = near_its_floor(disk.path());
    let words = Words::default();
    let mut cursor = log.cursor("out", Start::Newest).unwrap();
    let mut pressure = log.pressure();
    for number in 0..30 {
        append(&log, &words, number);
        let upto = cursor.peek(1 << 20).await.unwrap().upto;
        cursor.commit(upto);
    }
    assert!(!pressure.has_changed().unwrap(), "{:?} with {:?}", *pressure.borrow(), log.stats());
    // With a backlog it does, and goes on until that is worked off, not to and fro.
    let mut changes = Vec::new();
    let mut look = || {
        if pressure.has_changed().unwrap() {
            changes.push(*pressure.borrow_and_update());
        }
        changes.len()
    };
    for number in 30..50 {
        append(&log, &words, number);
        if look() > 0 {
            let upto = cursor.peek(1).await.unwrap().upto;
            cursor.commit(upto);
            look();
        }
    }
    while log.stats().cursors[0].lag.records > 0 {
        let upto = cursor.peek(1).await.unwrap().upto;
        cursor.commit(upto);
        look();
    }
    assert_eq!(changes, [Pressure::AllLag, Pressure::Low]);
}

#[tokio::test]
async fn a_full_disk_is_no_reason_not_to_start() {
    let disk = SmallDisk::new();
    let dir = disk.path().join("log");
    let words = Words::default();
    {
        let log = DiskLog::open(&dir, options(), Clock::system()).unwrap();
        let _cursor = log.cursor("out", Start::Oldest).unwrap();
        for number in 0..3 {
            append(&log, &words, number);
        }
    }
    disk.fill();
    let log = DiskLog::open(&dir, options(), Clock::system()).unwrap();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    let mut other = log.cursor("other", Start::Oldest).unwrap();
    assert_eq!(numbers(&mut cursor).await, [0, 1, 2]);
    // Room for the next one is made at the cost of the oldest.
    append(&log, &words, 3);
    assert_eq!(numbers(&mut cursor).await, [3]);
    assert_eq!(numbers(&mut other).await, [3]);
    assert_eq!((log.stats().dropped_disk.records, log.stats().disk_blocked), (3, false));
}

#[test]
fn a_state_on_a_full_disk_stays_what_it_was() {
    let disk = SmallDisk::new();
    let path = disk.path().join("s");
    let mut state = StateFile::new(&path);
    state.save(&[7; 100], Durability::PowerCut).unwrap();
    disk.fill();
    let error = state.save(&[8; 100_000], Durability::PowerCut).unwrap_err().to_string();
    assert!(error.ends_with("; free space on that file system, or point data_dir elsewhere"), "{error}");
    let found = |path: &Path| match StateFile::new(path).load() {
        Loaded::Found { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&path), [7; 100]);
    // One that needs no more room than there was can be saved.
    state.save(&[9; 100], Durability::PowerCut).unwrap();
    assert_eq!(found(&path), [9; 100]);
    let error = DirLock::acquire(&disk.path().join("data")).map(drop).map_err(|error| error.to_string());
    assert!(error.is_err_and(|error| error.contains("No space left on device")));
}

#[test]
fn the_floor_of_a_large_disk_is_bounded() {
    for (most, blocked) in [(u64::MAX, true), (0, false)] {
        let dir = tempfile::tempdir().unwrap();
        let options = DiskOptions { min_free: 1.0, min_free_most: most, ..options() };
        let log = DiskLog::open(dir.path(), options, Clock::system()).unwrap();
        let _cursor = log.cursor("out", Start::Oldest).unwrap();
        log.append(Bytes::from_static(b"record"), Ticket::none()).unwrap();
        log.sync();
        assert_eq!(log.stats().disk_blocked, blocked, "{most}");
    }
}
