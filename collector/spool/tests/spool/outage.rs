//! A receiver that is away for two hours, at ten thousand samples a second, on a clock that a test moves.

use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{DiskLog, DiskOptions, Log, Pressure, Start, Ticket};

const AWAY: u64 = 2 * 3600;
/// A second's samples, ten bytes each: more than they take in a record.
const SECOND: usize = 10_000 * 10;

fn second(number: u64) -> Bytes {
    let mut bytes = vec![number as u8; SECOND];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

#[test]
fn two_hours_away_lose_nothing_and_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1_767_225_600_000_000_000);
    // As the collector has it, but for the machine's own free space.
    let options = DiskOptions { memory_bytes: 1 << 20, min_free: 0.0, ..DiskOptions::default() };
    let log = DiskLog::open(dir.path(), options, clock.clone()).unwrap();
    let (away, mut near) =
        (log.cursor("away", Start::Newest).unwrap(), log.cursor("near", Start::Newest).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut most = 0;
    for number in 0..AWAY {
        clock.advance(Duration::from_secs(1));
        log.append(second(number), Ticket::none()).unwrap();
        let peeked = runtime.block_on(near.peek(1 << 20)).unwrap();
        assert_eq!(peeked.records.len(), 1, "who keeps up gets each at once");
        near.commit(peeked.upto);
        most = most.max(log.stats().memory_bytes);
    }
    let stats = log.stats();
    let lost = [stats.dropped_full, stats.dropped_age, stats.dropped_disk, stats.dropped_too_large];
    assert!(lost.iter().all(|lost| lost.records == 0), "{lost:?}");
    assert!(most <= (1 << 20) + 2 * SECOND as u64, "{most} bytes of memory at most");
    assert_eq!(stats.oldest_age, Duration::from_secs(AWAY - 1));
    assert_eq!(*log.pressure().borrow(), Pressure::Low, "there is room for more");
    // A restart in the middle of it all changes nothing.
    drop((away, near));
    drop(log);
    let log = DiskLog::open(dir.path(), options, clock.clone()).unwrap();
    let mut away = log.cursor("away", Start::Newest).unwrap();
    let (mut next, mut most) = (0, 0);
    while next < AWAY {
        let peeked = runtime.block_on(away.peek(256 << 10)).unwrap();
        for record in &peeked.records {
            assert_eq!(record.bytes, second(next), "second {next}");
            next += 1;
        }
        away.commit(peeked.upto);
        most = most.max(log.stats().memory_bytes);
    }
    assert_eq!((log.stats().cursors[0].lag.records, most), (0, 0));
}
