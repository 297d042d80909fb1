//! One writer and several readers at once, on real threads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{DiskLog, DiskOptions, Log, MemoryLog, MemoryOptions, SegmentId, Start, Ticket};

const RECORDS: u64 = 20_000;

fn payload(number: u64, segment: SegmentId, first: bool) -> Bytes {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend_from_slice(&segment.0.to_le_bytes());
    bytes.push(u8::from(first));
    bytes.resize(17 + (number % 90) as usize, 0);
    bytes.into()
}

/// Reads all, reopening the cursor now and then as a reload does; every record must come with the one that defines its
/// segment before it.
async fn reader(log: Arc<dyn Log>, name: &'static str, reopen_every: usize) -> u64 {
    let mut next = 0;
    loop {
        let mut cursor = log.cursor(name, Start::Oldest).unwrap();
        let mut defined = None;
        for _ in 0..reopen_every {
            let Some(peeked) = cursor.peek(3000).await else { return next };
            for record in &peeked.records {
                let number = u64::from_le_bytes(record.bytes[..8].try_into().unwrap());
                assert_eq!(
                    record.bytes[8..16],
                    record.segment.0.to_le_bytes(),
                    "it stands where it was promised"
                );
                if record.bytes[16] == 1 {
                    defined = Some(record.segment);
                }
                assert_eq!(defined, Some(record.segment), "{name}: record {number} without its definitions");
                assert_eq!(record.replay, number < next, "{name}: {number} where {next} is next");
                if !record.replay {
                    assert_eq!(number, next, "{name}");
                    next += 1;
                }
            }
            cursor.commit(peeked.upto);
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
}

async fn run(log: Arc<dyn Log>) {
    let names = [("a", usize::MAX), ("b", 40), ("c", 3)];
    // Known before the first record, so that none is held back by nobody.
    for (name, _) in names {
        drop(log.cursor(name, Start::Oldest).unwrap());
    }
    let dead = log.cursor("dead", Start::Oldest).unwrap();
    let readers = names.map(|(name, every)| tokio::spawn(reader(log.clone(), name, every)));
    let writer = {
        let log = log.clone();
        std::thread::spawn(move || {
            let mut last = None;
            for number in 0..RECORDS {
                let segment = log.segment();
                log.append(payload(number, segment, last != Some(segment)), Ticket::none()).unwrap();
                last = Some(segment);
                if number == RECORDS / 2 {
                    log.remove_cursor("dead");
                }
            }
            log.close();
        })
    };
    for reader in readers {
        let seen =
            tokio::time::timeout(Duration::from_secs(120), reader).await.expect("no reader is left waiting");
        assert_eq!(seen.unwrap(), RECORDS);
    }
    writer.join().unwrap();
    drop(dead);
    let stats = log.stats();
    assert_eq!((stats.appended.records, stats.dropped_full.records, stats.corrupt.records), (RECORDS, 0, 0));
    assert!(stats.segments <= 2, "what all have read is gone: {stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_log_under_load() {
    let options = MemoryOptions { max_bytes: 64 << 20, segment_bytes: 5000, ..MemoryOptions::default() };
    run(Arc::new(MemoryLog::new(options, Clock::system()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_log_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let options = DiskOptions {
        min_free: 0.0,
        segment_bytes: 5000,
        memory_bytes: 2000,
        sync_every: Duration::from_millis(10),
        ..DiskOptions::default()
    };
    run(Arc::new(DiskLog::open(dir.path(), options, Clock::system()).unwrap())).await;
}
