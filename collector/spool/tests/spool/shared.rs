//! Two logs with one bound, of which one gives up its records before the other does.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{Cursor, DiskLog, DiskOptions, Log, Pressure, Start, Ticket, WriteMode};

const MAX: u64 = 1 << 20;
const RECORD: usize = 10_000;

struct Two {
    first: DiskLog,
    last: DiskLog,
}

impl Two {
    fn open(dir: &Path) -> Self {
        let options = DiskOptions {
            max_bytes: MAX,
            min_free: 0.0,
            segment_bytes: 64 << 10,
            sync_every: Duration::from_secs(3600),
            write: WriteMode::OnLag { bytes: 0, age: Duration::ZERO },
            ..DiskOptions::default()
        };
        let open = |name| DiskLog::open(&dir.join(name), options, Clock::system()).unwrap();
        let two = Two { first: open("first"), last: open("last") };
        two.last.outranks(&two.first);
        two
    }

    fn held(&self) -> u64 {
        self.first.stats().held.bytes + self.last.stats().held.bytes
    }

    /// Appends records, and looks at the bound after each.
    fn append(&self, log: &DiskLog, count: u32) {
        for _ in 0..count {
            log.append(Bytes::from(vec![0; RECORD]), Ticket::none()).unwrap();
            assert!(self.held() <= MAX, "{}", self.held());
        }
    }

    /// What each gave up for want of room.
    fn gone(&self) -> [u64; 2] {
        [&self.first, &self.last].map(|log| log.stats().dropped_full.records)
    }
}

async fn read_all(cursor: &mut Cursor, log: &DiskLog) -> u64 {
    let mut records = 0;
    while log.stats().cursors[0].lag.records > 0 {
        let peeked = cursor.peek(1 << 20).await.unwrap();
        records += peeked.records.iter().filter(|record| !record.replay).count() as u64;
        cursor.commit(peeked.upto);
    }
    records
}

#[tokio::test]
async fn one_goes_before_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let two = Two::open(dir.path());
    let mut cursors = [&two.first, &two.last].map(|log| log.cursor("out", Start::Oldest).unwrap());
    two.append(&two.last, 60);
    two.append(&two.first, 60);
    let [first, last] = two.gone();
    assert!(first > 0 && last == 0, "{first} {last}: the log that is full for the other's sake");
    two.append(&two.last, 30);
    let [more, last] = two.gone();
    assert!(more > first && last == 0, "{more} {last}: room is made by the first, whoever needs it");
    assert!(two.first.stats().capacity_bytes < MAX - 90 * RECORD as u64);
    // The rest of the first is what it is writing to; now the other's own oldest go.
    two.append(&two.last, 60);
    let [first, last] = two.gone();
    assert!(last > 0 && two.last.stats().held.bytes > MAX / 4 * 3, "{first} {last}");
    assert!(two.last.pressure().borrow().is_high() && *two.first.pressure().borrow() != Pressure::AllLag);

    // Room comes back to both.
    let read = read_all(&mut cursors[1], &two.last).await;
    assert_eq!(read, 150 - two.gone()[1]);
    two.append(&two.first, 60);
    assert_eq!(two.gone()[0], first);
    assert_eq!(read_all(&mut cursors[0], &two.first).await, 120 - first);
}

#[tokio::test]
async fn a_restart_knows_what_the_other_holds() {
    let dir = tempfile::tempdir().unwrap();
    let two = Two::open(dir.path());
    for log in [&two.first, &two.last] {
        drop(log.cursor("out", Start::Oldest).unwrap());
    }
    two.append(&two.last, 50);
    two.append(&two.first, 40);
    drop(two);
    let two = Two::open(dir.path());
    assert!(two.held() > 80 * RECORD as u64);
    two.append(&two.first, 30);
    let [first, last] = two.gone();
    assert!(first > 0 && last == 0, "{first} {last}");
}
