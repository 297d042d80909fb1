//! What is said of a log on disk, and what is mended, beside what opening it makes of the same files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{
    DirLock, DiskLog, DiskOptions, Holder, Inspect, Log, Record, Repaired, Start, Ticket, inspect, repair,
};

fn open(dir: &Path) -> DiskLog {
    let options = DiskOptions {
        min_free: 0.0,
        memory_bytes: 0,
        sync_every: Duration::from_secs(3600),
        segment_bytes: 400,
        ..DiskOptions::default()
    };
    DiskLog::open(dir, options, Clock::manual(1_000_000_000)).unwrap()
}

fn payload(number: u8) -> Bytes {
    Bytes::from(vec![b'a' + number; 10 + usize::from(number)])
}

/// A log of `records`, as a killed process leaves it, of which the cursor `out` has committed the first `committed`.
fn killed(dir: &Path, records: u8, committed: usize) {
    let log = open(dir);
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..records {
        log.append(payload(number), Ticket::none()).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = runtime.block_on(cursor.peek(1 << 20)).unwrap().records;
    if let Some(last) = committed.checked_sub(1) {
        cursor.commit(first[last].position + 1);
    }
    log.sync();
    std::mem::forget(cursor);
    let still: Vec<_> = files(dir).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    drop(log);
    for (data, path) in still {
        fs::write(path, data).unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    files(dir).into_iter().filter(|path| path.extension().is_some_and(|end| end == "seg")).collect()
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for path in files(from) {
        fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
    }
    to
}

/// All that the cursor `out` still gets, by number.
fn left(dir: &Path) -> Vec<u8> {
    let log = open(dir);
    log.close();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut cursor = log.cursor("out", Start::Oldest).unwrap();
        let mut numbers = Vec::new();
        while let Some(peeked) = cursor.peek(1 << 20).await {
            numbers.extend(peeked.records.iter().filter(|r| !r.replay).map(|r| r.bytes[0] - b'a'));
        }
        numbers
    })
}

/// Notes the records of an inspection.
#[derive(Default)]
struct Seen {
    numbers: Vec<u8>,
    progress: (u64, u64),
}

impl Inspect for Seen {
    fn progress(&mut self, done: u64, total: u64) {
        assert!(done >= self.progress.0, "it goes forward");
        self.progress = (done, total);
    }

    fn record(&mut self, record: &Record, path: &Path, at: u64) -> bool {
        assert_eq!(&fs::read(path).unwrap()[at as usize..][..4], [0xf5, b'L', b'R', 1], "here it begins");
        self.numbers.push(record.bytes[0] - b'a');
        true
    }
}

#[test]
fn a_sound_log_is_told_as_it_is_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), 20, 3);
    let before: Vec<_> = files(dir.path()).iter().map(|path| fs::read(path).unwrap()).collect();
    let mut seen = Seen::default();
    let found = inspect(dir.path(), false, &mut seen).unwrap();
    assert!(found.is_sound());
    assert_eq!(seen.numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(seen.progress.0, seen.progress.1);
    assert_eq!(found.held().records, 20);
    assert!(found.segments.len() > 2);
    let complete: Vec<bool> = found.segments.iter().map(|segment| segment.complete).collect();
    assert!(complete[..complete.len() - 1].iter().all(|complete| *complete) && !complete[complete.len() - 1]);
    assert_eq!(found.times(), Some((1000, 1000)));
    let [cursor] = &found.cursors[..] else { panic!("{:?}", found.cursors) };
    let stats = open(dir.path()).stats().cursors.remove(0);
    assert_eq!((&*cursor.name, cursor.committed), ("out", stats.committed));
    let bytes: usize = (3..20).map(|number| 28 + payload(number).len()).sum();
    assert_eq!((cursor.lag.records, cursor.lag.bytes as usize), (stats.lag.records, bytes));
    assert_eq!((cursor.lag.records, cursor.pending_ms), (17, Some(1000)));
    // Opening completes a segment; looking writes nothing.
    killed(dir.path(), 0, 0);
    let dir = copy(dir.path());
    let same: Vec<_> = files(dir.path()).iter().map(|path| fs::read(path).unwrap()).collect();
    inspect(dir.path(), false, &mut ()).unwrap();
    assert_eq!(files(dir.path()).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), same);
    assert!(before.len() >= 4);
}

#[test]
fn whatever_byte_is_cut_or_changed_repair_keeps_what_opening_keeps() {
    let whole = tempfile::tempdir().unwrap();
    killed(whole.path(), 14, 2);
    let names: Vec<_> = segments(whole.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 2, "one complete, one not");
    let (mut rewritten, mut cut_off, mut set_aside) = (0, 0, 0);
    for name in &names {
        let data = fs::read(whole.path().join(name)).unwrap();
        let cuts = (0..data.len()).step_by(3).map(|at| data[..at].to_vec());
        let bent = (0..data.len()).step_by(3).map(|at| {
            let mut data = data.clone();
            data[at] ^= 0x41;
            data
        });
        for damaged in cuts.chain(bent).chain([vec![b'x'; 300]]) {
            let (plain, mended) = (copy(whole.path()), copy(whole.path()));
            for dir in [&plain, &mended] {
                fs::write(dir.path().join(name), &damaged).unwrap();
            }
            let found = inspect(mended.path(), false, &mut ()).unwrap();
            let lock = DirLock::acquire(mended.path()).unwrap();
            let done = repair(&lock, mended.path(), &found).unwrap();
            assert_eq!(done.is_empty(), found.is_sound());
            for done in &done {
                match done {
                    Repaired::Cut { .. } => cut_off += 1,
                    Repaired::Rewritten { aside, .. } => {
                        rewritten += 1;
                        assert_eq!(fs::read(aside).unwrap(), damaged, "as it was");
                    }
                    Repaired::SetAside { aside, .. } => {
                        set_aside += 1;
                        assert_eq!(fs::read(aside).unwrap(), damaged, "as it was");
                    }
                    Repaired::Left { error, .. } => panic!("{error}"),
                }
            }
            let again = inspect(mended.path(), false, &mut ()).unwrap();
            assert!(again.is_sound(), "{done:?} {again:?}");
            assert_eq!(again.held(), found.held(), "{done:?}");
            assert_eq!(left(mended.path()), left(plain.path()), "{done:?}");
        }
    }
    assert!(rewritten > 50 && cut_off > 50 && set_aside > 0, "{rewritten} {cut_off} {set_aside}");
}

#[test]
fn a_cursor_inside_a_segment_that_is_written_anew_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), 8, 4);
    let path = segments(dir.path()).remove(0);
    let mut data = fs::read(&path).unwrap();
    // The second record, which the cursor has behind it; its offset is too high for the new file.
    data[48 + 28 + 10 + 28 + 3] ^= 1;
    fs::write(&path, data).unwrap();
    let found = inspect(dir.path(), false, &mut ()).unwrap();
    assert_eq!(found.segments[0].damage.len(), 1, "{found:?}");
    let lock = DirLock::acquire(dir.path()).unwrap();
    let done = repair(&lock, dir.path(), &found).unwrap();
    assert!(matches!(&done[..], [Repaired::Rewritten { kept: 7, lost: 1, .. }]), "{done:?}");
    assert_eq!(left(dir.path()), [4, 5, 6, 7]);
}

#[test]
fn cursors_that_are_lost_are_told() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), 3, 1);
    for end in [".0", ".1"] {
        fs::write(dir.path().join(format!("cursors{end}")), "not a state").unwrap();
    }
    let found = inspect(dir.path(), false, &mut ()).unwrap();
    assert!(!found.is_sound());
    assert!(found.cursors_problem.unwrap().contains("cursors.0 is damaged"));
}

#[test]
fn a_log_that_is_written_to_is_never_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                for number in 0..20 {
                    log.append(payload(number), Ticket::none()).unwrap();
                }
                let upto = log.stats().appended.records;
                // Some are read and removed meanwhile.
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                if upto > 400
                    && let Some(peeked) = runtime.block_on(cursor.peek(1000))
                {
                    cursor.commit(peeked.upto);
                }
            }
        });
        for _ in 0..200 {
            let found = inspect(dir.path(), true, &mut ()).unwrap();
            let wrong: Vec<_> = found.segments.iter().filter(|segment| !segment.is_sound()).collect();
            if !wrong.is_empty() {
                stop.store(true, Ordering::SeqCst);
                panic!("{wrong:?}");
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn asking_who_has_the_directory_keeps_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(DirLock::holder(dir.path()), Holder::None);
    let lock = DirLock::acquire(dir.path()).unwrap();
    assert_eq!(DirLock::holder(dir.path()), Holder::Process(Some(std::process::id())));
    drop(lock);
    assert_eq!(DirLock::holder(dir.path()), Holder::None);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| (0..20_000).for_each(|_| _ = DirLock::holder(dir.path())));
        while !asking.is_finished() {
            drop(DirLock::acquire(dir.path()).unwrap());
        }
    });
}
