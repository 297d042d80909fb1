//! Both logs against one model, through any steps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::model::{FRAME, Kept, MAX_AGE, MAX_BYTES, Model, Reader, SEGMENT_BYTES};
use bytes::Bytes;
use proptest::prelude::*;
use taffrail_core::Clock;
use taffrail_spool::{
    Cursor, DiskLog, DiskOptions, Log, MemoryLog, MemoryOptions, Reason, Settled, Start, Ticket, WriteMode,
};

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Open(usize, Start),
    Close(usize),
    Remove(usize),
    Peek(usize, usize),
    /// Commits that many of the records read and not committed.
    Commit(usize, usize),
    Skip(usize, usize),
    Rewind(usize),
    Wait(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let start = prop_oneof![Just(Start::Oldest), Just(Start::Newest)];
    let step = prop_oneof![
        12 => (0..300_usize).prop_map(Step::Append),
        3 => (name.clone(), start).prop_map(|(n, s)| Step::Open(n, s)),
        1 => name.clone().prop_map(Step::Close),
        1 => name.clone().prop_map(Step::Remove),
        8 => (name.clone(), 0..900_usize).prop_map(|(n, b)| Step::Peek(n, b)),
        5 => (name.clone(), 0..12_usize).prop_map(|(n, k)| Step::Commit(n, k)),
        1 => (name.clone(), 0..4_usize).prop_map(|(n, k)| Step::Skip(n, k)),
        1 => name.prop_map(Step::Rewind),
        1 => (0..900_u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..120)
}

/// A log that can be restarted, if it survives that.
trait Subject {
    fn log(&self) -> &dyn Log;
    fn restart(&mut self) -> bool;
    fn spools(&self) -> bool;
}

struct Memory(MemoryLog);

impl Subject for Memory {
    fn log(&self) -> &dyn Log {
        &self.0
    }
    fn restart(&mut self) -> bool {
        false
    }
    fn spools(&self) -> bool {
        false
    }
}

struct Disk {
    log: Option<DiskLog>,
    dir: tempfile::TempDir,
    clock: Clock,
    memory_bytes: u64,
}

impl Disk {
    fn open(&mut self) {
        let options = DiskOptions {
            max_bytes: MAX_BYTES,
            max_age: MAX_AGE,
            min_free: 0.0,
            min_free_most: u64::MAX,
            segment_bytes: SEGMENT_BYTES,
            memory_bytes: self.memory_bytes,
            // Never by itself, so that each run is the same.
            sync_every: Duration::from_secs(3600),
            write: WriteMode::Through,
        };
        self.log = Some(DiskLog::open(self.dir.path(), options, self.clock.clone()).unwrap());
    }
}

impl Subject for Disk {
    fn log(&self) -> &dyn Log {
        self.log.as_ref().unwrap()
    }
    fn restart(&mut self) -> bool {
        self.log = None;
        self.open();
        true
    }
    fn spools(&self) -> bool {
        true
    }
}

struct Run<S> {
    subject: S,
    clock: Clock,
    model: Model,
    cursors: BTreeMap<usize, Cursor>,
    settled: Arc<Mutex<Vec<(usize, Settled)>>>,
    appended: usize,
    runtime: tokio::runtime::Runtime,
}

impl<S: Subject> Run<S> {
    fn new(subject: S, clock: Clock) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (model, cursors, settled) = (Model::default(), BTreeMap::new(), Arc::default());
        Run { subject, clock, model, cursors, settled, appended: 0, runtime }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(size) => self.append(*size),
            Step::Open(name, start) => self.open(*name, *start),
            Step::Close(name) => {
                self.cursors.remove(name);
                if let Some(reader) = self.model.readers.get_mut(name) {
                    (reader.open, reader.ahead) = (false, Vec::new());
                }
            }
            Step::Remove(name) => {
                self.cursors.remove(name);
                self.subject.log().remove_cursor(NAMES[*name]);
                self.model.readers.remove(name);
                if self.model.readers.is_empty() {
                    for kept in &self.model.kept {
                        let how = Settled::Dropped(
                            *self.model.spoiled.get(&kept.number).unwrap_or(&Reason::NoOutput),
                        );
                        self.model.settled.entry(kept.number).or_insert(how);
                    }
                }
                self.model.settle();
                self.model.reclaim(self.subject.log().segment());
            }
            Step::Peek(name, bytes) => self.peek(*name, *bytes),
            Step::Commit(name, count) => self.commit(*name, *count, None),
            Step::Skip(name, count) => self.commit(*name, *count, Some("refused")),
            Step::Rewind(name) => {
                if let (Some(cursor), Some(reader)) =
                    (self.cursors.get_mut(name), self.model.readers.get_mut(name))
                {
                    cursor.rewind();
                    reader.ahead.clear();
                }
            }
            Step::Wait(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Step::Restart => self.restart(),
        }
        self.compare();
    }

    fn append(&mut self, size: usize) {
        let now_ms = self.clock.now_ms();
        let segment = self.subject.log().segment();
        let number = self.appended;
        let payload = Bytes::from(format!("{number:0>size$}"));
        self.appended += 1;
        self.model.expire(now_ms, segment);
        let size = payload.len() as u64 + FRAME;
        while self.model.size() + size > MAX_BYTES {
            let oldest = self.model.kept[0].segment;
            assert_ne!(oldest, segment, "the current segment must never have to go");
            self.model.drop_segment(oldest, Reason::Full, false);
        }
        let settled = self.settled.clone();
        let ticket = Ticket::new(move |how| settled.lock().unwrap().push((number, how)));
        let position = self.subject.log().append(payload.clone(), ticket).unwrap();
        assert!(position >= self.model.next, "positions only grow");
        if self.model.readers.is_empty() {
            self.model.settled.insert(number, Settled::Dropped(Reason::NoOutput));
        } else if self.subject.spools() {
            self.model.settled.insert(number, Settled::Spooled);
        }
        self.model.next = position + 1;
        self.model.kept.push(Kept { position, segment, ms: now_ms, payload, number });
        if self.model.readers.is_empty() {
            self.model.reclaim(segment);
        }
    }

    fn open(&mut self, name: usize, start: Start) {
        let opened = self.subject.log().cursor(NAMES[name], start);
        let next = self.model.next;
        let oldest = self.model.kept.first().map_or(next, |kept| kept.position);
        let reader = self.model.readers.entry(name).or_insert_with(|| Reader {
            committed: if start == Start::Oldest { oldest } else { next },
            ..Reader::default()
        });
        assert_eq!(opened.is_err(), reader.open);
        if let Ok(cursor) = opened {
            reader.open = true;
            self.cursors.insert(name, cursor);
        }
    }

    fn peek(&mut self, name: usize, max_bytes: usize) {
        let Some(cursor) = self.cursors.get_mut(&name) else { return };
        self.model.expire(self.clock.now_ms(), self.subject.log().segment());
        let reader = self.model.readers.get_mut(&name).unwrap();
        reader.ahead.retain(|position| *position >= reader.committed);
        let from = reader.ahead.last().map_or(0, |last| last + 1).max(reader.committed);
        let mut due = self.model.kept.iter().filter(|kept| kept.position >= from).peekable();
        // With nothing due there may yet be records to replay; else the wait is cut short.
        let within = if due.peek().is_some() { Duration::from_secs(20) } else { Duration::from_millis(5) };
        let peeked =
            self.runtime.block_on(async { tokio::time::timeout(within, cursor.peek(max_bytes)).await });
        let Ok(peeked) = peeked else {
            assert!(due.next().is_none(), "{name} waits, but there is more from {from} on");
            return;
        };
        let peeked = peeked.unwrap();
        let bytes: usize = peeked.records.iter().map(|record| record.bytes.len()).sum();
        assert!(peeked.records.len() == 1 || bytes <= max_bytes);
        assert_eq!(peeked.upto, peeked.records.last().unwrap().position + 1);
        for record in &peeked.records {
            let kept = if record.replay {
                assert!(record.position < reader.committed);
                self.model.kept.iter().find(|kept| kept.position == record.position)
            } else {
                reader.ahead.push(record.position);
                due.next()
            };
            let kept = kept.expect("a record that the log holds");
            assert_eq!((record.position, record.segment), (kept.position, kept.segment));
            assert_eq!((record.appended_ms, &record.bytes), (kept.ms, &kept.payload));
        }
    }

    fn commit(&mut self, name: usize, count: usize, skip: Option<&'static str>) {
        let Some(cursor) = self.cursors.get_mut(&name) else { return };
        let reader = self.model.readers.get_mut(&name).unwrap();
        let count = count.min(reader.ahead.len());
        let Some(upto) = reader.ahead[..count].last().map(|last| last + 1) else { return };
        match skip {
            Some(why) => cursor.skip(upto, why),
            None => cursor.commit(upto),
        }
        if skip.is_some() {
            for kept in self.model.kept.iter().filter(|k| k.position >= reader.committed && k.position < upto)
            {
                self.model.skipped += 1;
                self.model.spoiled.entry(kept.number).or_insert(Reason::Skipped("refused"));
            }
        }
        reader.committed = reader.committed.max(upto);
        reader.ahead.drain(..count);
        self.model.settle();
        self.model.reclaim(self.subject.log().segment());
    }

    fn restart(&mut self) {
        self.cursors.clear();
        for reader in self.model.readers.values_mut() {
            (reader.open, reader.ahead) = (false, Vec::new());
        }
        if self.subject.restart() {
            // Nothing follows in the segment that was the current one.
            self.model.reclaim(self.subject.log().segment());
            self.model.expire(self.clock.now_ms(), self.subject.log().segment());
            for reader in self.model.readers.values_mut() {
                reader.lost = 0;
            }
            (self.model.full, self.model.age, self.model.skipped) = (0, 0, 0);
            // Nothing has been appended at the new positions, but a cursor may begin there.
            self.model.next = self.model.next.next_multiple_of(1 << 32);
        }
    }

    fn compare(&mut self) {
        let (log, model) = (self.subject.log(), &mut self.model);
        let stats = log.stats();
        assert_eq!(stats.held.records, model.kept.len() as u64);
        assert_eq!(stats.held.bytes, model.size());
        assert!(stats.held.bytes <= MAX_BYTES);
        assert_eq!(stats.dropped_full.records, model.full);
        assert_eq!(stats.dropped_age.records, model.age);
        assert_eq!(stats.skipped.get("refused").map_or(0, |tally| tally.records), model.skipped);
        assert_eq!((stats.torn.records, stats.corrupt.records, stats.dropped_disk.records), (0, 0, 0));
        assert_eq!(stats.cursors.len(), model.readers.len());
        let now_ms = self.clock.now_ms();
        for (name, reader) in &mut model.readers {
            let seen = stats.cursors.iter().find(|cursor| cursor.name == NAMES[*name]).unwrap();
            let behind: Vec<&Kept> =
                model.kept.iter().filter(|kept| kept.position >= reader.committed).collect();
            assert_eq!((seen.open, seen.lost.records), (reader.open, reader.lost));
            assert_eq!(seen.lag.records, behind.len() as u64, "{}", seen.name);
            let bytes: u64 = behind.iter().map(|kept| kept.payload.len() as u64 + FRAME).sum();
            assert!(seen.lag.bytes >= bytes);
            let age = Duration::from_millis(behind.first().map_or(0, |kept| now_ms - kept.ms) as u64);
            assert!(seen.lag_age >= age && (!behind.is_empty() || seen.lag_age.is_zero()));
            // What was dropped under a reader is not to be committed by it any more.
            reader.ahead.retain(|position| *position >= reader.committed);
        }
        let told: BTreeMap<usize, Settled> = self.settled.lock().unwrap().iter().copied().collect();
        assert_eq!(told.len(), self.settled.lock().unwrap().len(), "no ticket is called twice");
        assert_eq!(told, model.settled);
    }
}

fn run<S: Subject>(subject: S, clock: Clock, steps: &[Step]) {
    let mut run = Run::new(subject, clock);
    for step in steps {
        run.step(step);
    }
}

fn disk(clock: &Clock, memory_bytes: u64) -> Disk {
    let mut disk = Disk { log: None, dir: tempfile::tempdir().unwrap(), clock: clock.clone(), memory_bytes };
    disk.open();
    disk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_log_does_as_the_model(steps in steps()) {
        let clock = Clock::manual(1_000_000_000_000_000);
        let options = MemoryOptions { max_bytes: MAX_BYTES, segment_bytes: SEGMENT_BYTES, max_age: MAX_AGE };
        run(Memory(MemoryLog::new(options, clock.clone())), clock, &steps);
    }
}

proptest! {
    // Fewer, as each opens files and waits for the disk.
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_log_does_as_the_model(steps in steps(), memory_bytes in prop_oneof![Just(0_u64), Just(500), Just(1 << 20)]) {
        let clock = Clock::manual(1_000_000_000_000_000);
        run(disk(&clock, memory_bytes), clock, &steps);
    }
}
