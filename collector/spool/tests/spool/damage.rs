//! Segment files that were cut short or changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{DiskLog, DiskOptions, Log, Start, Ticket};

fn options() -> DiskOptions {
    DiskOptions {
        min_free: 0.0,
        memory_bytes: 0,
        sync_every: Duration::from_secs(3600),
        segment_bytes: 400,
        ..DiskOptions::default()
    }
}

fn open(dir: &Path) -> DiskLog {
    DiskLog::open(dir, options(), Clock::manual(1_000_000_000)).unwrap()
}

fn segments(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

fn payload(number: u8) -> Bytes {
    Bytes::from(vec![b'a' + number; 10 + usize::from(number)])
}

/// Fills a log as a killed process leaves it: without the footer of its last segment.
fn killed(dir: &Path, records: u8) {
    let log = open(dir);
    let cursor = log.cursor("out", Start::Oldest).unwrap();
    for number in 0..records {
        log.append(payload(number), Ticket::none()).unwrap();
    }
    log.sync();
    // Neither is dropped: a kill runs no destructor.
    std::mem::forget(cursor);
    let still =
        segments(dir, "seg").iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect::<Vec<_>>();
    drop(log);
    for (path, data) in still {
        fs::write(path, data).unwrap();
    }
}

/// All that a cursor still gets, by number; the log is closed meanwhile.
fn left(log: &DiskLog) -> Vec<u8> {
    log.close();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut cursor = log.cursor("out", Start::Oldest).unwrap();
        let mut numbers = Vec::new();
        while let Some(peeked) = cursor.peek(1 << 20).await {
            for record in &peeked.records {
                let number = record.bytes[0] - b'a';
                assert_eq!(record.bytes, payload(number), "what is given is whole");
                numbers.push(number);
            }
        }
        numbers
    })
}

#[test]
fn a_segment_cut_at_any_byte_keeps_all_whole_records() {
    let whole = tempfile::tempdir().unwrap();
    killed(whole.path(), 6);
    let file = segments(whole.path(), "seg").pop().unwrap();
    let data = fs::read(&file).unwrap();
    let mut ends = vec![48];
    for number in 0..6 {
        ends.push(ends[usize::from(number)] + 28 + payload(number).len());
    }
    assert_eq!(*ends.last().unwrap(), data.len());
    for cut in 0..data.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(file.file_name().unwrap()), &data[..cut]).unwrap();
        let log = open(dir.path());
        let kept = ends[1..].iter().filter(|end| **end <= cut).count() as u8;
        let stats = log.stats();
        assert_eq!(stats.torn.records, u64::from(!ends.contains(&cut) && cut > 48), "cut at {cut}");
        assert_eq!(stats.corrupt.records, 0, "cut at {cut}");
        assert_eq!(left(&log), (0..kept).collect::<Vec<_>>(), "cut at {cut}");
        // What follows lands behind, and a second start finds the same without reading all.
        drop(log);
        let log = open(dir.path());
        assert_eq!(
            (log.stats().torn.records, log.stats().held.records),
            (0, u64::from(kept)),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_changed_byte_costs_its_own_record_only() {
    let whole = tempfile::tempdir().unwrap();
    killed(whole.path(), 6);
    let file = segments(whole.path(), "seg").pop().unwrap();
    let data = fs::read(&file).unwrap();
    let mut end = 48;
    let ends: Vec<usize> = (0..6)
        .map(|number| {
            end += 28 + payload(number).len();
            end
        })
        .collect();
    for at in 0..data.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut changed = data.clone();
        changed[at] ^= 0x40;
        fs::write(dir.path().join(file.file_name().unwrap()), &changed).unwrap();
        let hit = ends.iter().position(|end| at < *end).filter(|_| at >= 48).map(|hit| hit as u8);
        let log = open(dir.path());
        let stats = log.stats();
        match hit {
            // The last one cannot be told from one that was cut short.
            Some(5) => assert_eq!((stats.torn.records, stats.corrupt.records), (1, 0), "changed at {at}"),
            Some(_) => assert_eq!((stats.torn.records, stats.corrupt.records), (0, 1), "changed at {at}"),
            None => assert_eq!((stats.torn.records, stats.corrupt.bytes), (0, 48), "changed at {at}"),
        }
        assert_eq!(left(&log), (0..6).filter(|n| Some(*n) != hit).collect::<Vec<_>>(), "changed at {at}");
        let damaged = stats.corrupt;
        assert_eq!(log.stats().corrupt, damaged, "readers do not count it again");
    }
}

#[test]
fn damage_in_a_complete_segment_is_found_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    {
        let log = open(dir.path());
        let _cursor = log.cursor("out", Start::Oldest).unwrap();
        let _other = log.cursor("other", Start::Oldest).unwrap();
        for number in 0..25 {
            log.append(payload(number), Ticket::none()).unwrap();
        }
    }
    let files = segments(dir.path(), "seg");
    assert!(files.len() >= 3);
    let mut data = fs::read(&files[0]).unwrap();
    data[48 + 28 + 3] ^= 1;
    fs::write(&files[0], data).unwrap();
    let log = open(dir.path());
    assert_eq!(log.stats().corrupt.records, 0, "a complete segment is not read at the start");
    assert_eq!(left(&log), (1..25).collect::<Vec<_>>());
    let stats = log.stats();
    assert_eq!((stats.corrupt.records, stats.corrupt.bytes), (1, 38));
    assert!(stats.last_error.unwrap().1.contains("38 bytes are damaged"));
    assert_eq!(stats.cursors.iter().find(|cursor| cursor.name == "out").unwrap().lost.records, 1);
    assert_eq!(left(&log), (1..25).collect::<Vec<_>>());
    assert_eq!(log.stats().corrupt.records, 1, "a second reading does not count it again");
}

#[test]
fn a_file_with_nothing_readable_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), 25);
    let files = segments(dir.path(), "seg");
    fs::write(&files[1], vec![b'#'; 500]).unwrap();
    // A file that vanishes, and things that are none of ours.
    fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    fs::write(dir.path().join("x.seg"), b"not a number").unwrap();
    let log = open(dir.path());
    let stats = log.stats();
    assert_eq!((stats.corrupt.records, stats.corrupt.bytes), (1, 500));
    assert!(stats.last_error.unwrap().1.ends_with("nothing in it is a record; set aside as .corrupt"));
    assert_eq!(segments(dir.path(), "corrupt").len(), 1);
    fs::remove_file(&files[0]).unwrap();
    let last = left(&log);
    assert!(last.len() > 5 && last.ends_with(&[24]) && !last.contains(&0), "{last:?}");
    assert!(dir.path().join("notes.txt").exists() && dir.path().join("x.seg").exists());
    drop(log);
    // The id of the one set aside is not used again.
    let log = open(dir.path());
    let _other = log.cursor("other", Start::Newest).unwrap();
    log.append(payload(0), Ticket::none()).unwrap();
    assert_eq!(segments(dir.path(), "corrupt").len(), 1);
}

#[test]
fn lost_cursor_positions_send_again_rather_than_never() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), 6);
    fs::write(dir.path().join("cursors.0"), b"garbage").unwrap();
    fs::write(dir.path().join("cursors.1"), b"garbage").unwrap();
    let log = open(dir.path());
    assert!(
        log.stats().last_error.unwrap().1.starts_with("the cursors' positions are lost, all that is held")
    );
    let cursor = log.cursor("out", Start::Newest).unwrap();
    assert_eq!(log.stats().cursors[0].lag.records, 6);
    drop(cursor);
    assert_eq!(left(&log), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn positions_grow_even_where_all_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..5 {
        let log = DiskLog::open(dir.path(), options(), Clock::system()).unwrap();
        let position = log.append(payload(0), Ticket::none()).unwrap();
        assert!(position > last || round == 0, "{position} after {last}");
        last = position;
        drop(log);
        if round == 2 {
            for slot in ["cursors.0", "cursors.1"] {
                fs::write(dir.path().join(slot), b"garbage").unwrap();
            }
        }
        assert!(segments(dir.path(), "seg").is_empty());
    }
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_segment_replays_its_definitions() {
    let dir = tempfile::tempdir().unwrap();
    let in_first_segment = {
        let log = open(dir.path());
        let mut cursor = log.cursor("out", Start::Oldest).unwrap();
        for number in 0..12 {
            log.append(payload(number), Ticket::none()).unwrap();
        }
        let first = cursor.peek(1 << 20).await.unwrap().records;
        cursor.peek(1 << 20).await.unwrap();
        cursor.commit(first[0].position + 11);
        first.len() as u8
    };
    let log = open(dir.path());
    let before = log.segment();
    let mut cursor = log.cursor("out", Start::Oldest).unwrap();
    let peeked = cursor.peek(1 << 20).await.unwrap();
    let seen: Vec<(u8, bool)> = peeked.records.iter().map(|r| (r.bytes[0] - b'a', r.replay)).collect();
    assert!(in_first_segment < 11, "what is committed reaches into the second segment");
    assert_eq!(seen, (in_first_segment..12).map(|number| (number, number < 11)).collect::<Vec<_>>());
    // What comes now stands in a segment of its own, as its writer knows of no definitions.
    assert!(before > peeked.records[0].segment);
    log.append(payload(12), Ticket::none()).unwrap();
    let next = cursor.peek(1 << 20).await.unwrap();
    assert_eq!((next.records[0].segment, next.records[0].replay), (before, false));
}

#[test]
fn lost_cursor_positions_stay_lost_until_a_cursor_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), 6);
    for slot in ["cursors.0", "cursors.1"] {
        fs::write(dir.path().join(slot), b"garbage").unwrap();
    }
    // Killed before a cursor was opened.
    std::mem::forget(open(dir.path()));
    let log = open(dir.path());
    let _cursor = log.cursor("out", Start::Newest).unwrap();
    assert_eq!(log.stats().cursors[0].lag.records, 6);
}
