//! What a log on disk gives up, and what is told of it.

use taffrail_spool::{DiskLog, DiskOptions, Log, Start, WriteMode};
use taffrail_wire::loki::Batch;

use super::*;
use crate::logs::NotesSource;

const SECOND: i64 = 1_000_000_000;
const BEGIN: i64 = 1_795_000_000 * SECOND;

struct Bed {
    dir: tempfile::TempDir,
    clock: Clock,
    missing: Arc<Missing>,
    log: DiskLog,
    next: i64,
}

fn open(dir: &std::path::Path, clock: &Clock, missing: &Arc<Missing>) -> DiskLog {
    let options = DiskOptions {
        max_bytes: 256 << 10,
        min_free: 0.0,
        segment_bytes: 16 << 10,
        sync_every: Duration::from_secs(3600),
        write: WriteMode::OnLag { bytes: 0, age: Duration::ZERO },
        ..DiskOptions::default()
    };
    let told = missing.clone();
    DiskLog::open_telling(dir, options, clock.clone(), move |loss| told.take(false, loss)).unwrap()
}

impl Bed {
    fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(BEGIN));
        let missing = Arc::new(Missing::new(clock.clone()));
        let log = open(dir.path(), &clock, &missing);
        Bed { dir, clock, missing, log, next: 0 }
    }

    /// Appends records of a line each, one a second, of the streams in turn.
    fn append(&mut self, count: i64, streams: &[&str]) {
        for _ in 0..count {
            let mut batch = Batch::new();
            batch.stream(streams[self.next as usize % streams.len()]);
            batch.entry(BEGIN + self.next * SECOND, &"x".repeat(10_000), []);
            self.next += 1;
            self.log.append(batch.finish().to_vec().into(), Ticket::none()).unwrap();
        }
    }

    /// What is due, by stream, as lines.
    fn told(&self) -> Vec<(String, String)> {
        let held = self.missing.due(false).map(|held| held.streams).unwrap_or_default();
        let line = |((_, labels), gap): ((bool, String), Gap)| (labels, notes::line(&gap.line()));
        let mut told: Vec<_> = held.into_iter().map(line).collect();
        told.sort();
        told
    }
}

#[test]
fn each_stream_is_told_what_it_lost() {
    let mut bed = Bed::new();
    drop(bed.log.cursor("loki/away", Start::Oldest).unwrap());
    let mut here = bed.log.cursor("loki/here", Start::Oldest).unwrap();
    bed.append(20, &["{a=\"1\"}", "{b=\"2\"}"]);
    while let Some(peeked) = here.try_peek(1 << 20) {
        here.commit(peeked.upto);
    }
    assert!(bed.told().is_empty(), "nothing went");
    bed.append(10, &["{a=\"1\"}", "{b=\"2\"}"]);
    let lost = bed.log.stats().dropped_full.records;
    assert!(lost >= 4 && lost.is_multiple_of(2), "{lost}");
    assert!(bed.told().is_empty(), "there may be more in a moment");
    bed.clock.advance(QUIET);
    let told = bed.told();
    let text = format!(
        "level=error event=log_gap msg=\"{} lines of this log are missing: the log on disk was full, and loki/away had not \
         taken them\" lines={} reason=full outputs=loki/away from={} to={}\n",
        lost / 2,
        lost / 2,
        timeformat::show(BEGIN),
        timeformat::show(BEGIN + (lost as i64 - 2) * SECOND),
    );
    assert_eq!(told[0], ("{a=\"1\"}".to_owned(), text));
    assert_eq!((told.len(), told[1].0.as_str()), (2, "{b=\"2\"}"));
    assert!(bed.told().is_empty(), "once");
}

#[test]
fn a_line_that_went_too_is_in_the_next() {
    let (mut gap, mut next) = (Gap::default(), Gap::default());
    for second in 0..5 {
        gap.add(BEGIN + second * SECOND, "a line");
    }
    let line = notes::line(&gap.line());
    next.add(BEGIN + 100 * SECOND, line.trim_end());
    assert_eq!((next.lines, next.times), (6, Some((BEGIN, BEGIN + 100 * SECOND))));
}

#[test]
fn what_grew_too_old_while_nothing_ran_is_told() {
    let mut bed = Bed::new();
    drop(bed.log.cursor("loki", Start::Oldest).unwrap());
    bed.append(3, &["{a=\"1\"}"]);
    let Bed { dir, clock, missing, log, .. } = bed;
    drop(log);
    clock.advance(Duration::from_secs(7 * 3600));
    let log = open(dir.path(), &clock, &missing);
    assert_eq!(log.stats().dropped_age.records, 3);
    clock.advance(QUIET);
    let bed = Bed { dir, clock, missing, log, next: 0 };
    let told = bed.told();
    assert!(told[0].1.contains("lines=3 reason=age outputs=loki "), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_the_bound_are_told_in_a_note() {
    let mut bed = Bed::new();
    drop(bed.log.cursor("loki", Start::Oldest).unwrap());
    let streams: Vec<String> = (0..MOST + 100).map(|number| format!("{{n=\"{number}\"}}")).collect();
    let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
    bed.append(streams.len() as i64 + 40, &streams);
    let (chunks, mut queue) = mpsc::channel(8);
    let (to, mut source): (Notes, NotesSource) = Notes::new(bed.clock.clone());
    let stop = CancellationToken::new();
    stop.cancel();
    let missing = bed.missing.clone();
    let task = tokio::spawn(async move { missing.tell(chunks, to, stop).await });
    let mut told = 0;
    while let Some(chunk) = queue.recv().await {
        assert_eq!((chunk.labels.len(), chunk.labels[0].0.as_str()), (1, "n"));
        told += 1;
    }
    task.await.unwrap();
    assert_eq!(told, MOST);
    let Body::Lines { bytes, .. } = source.next().await.unwrap().body else { panic!("no line") };
    let note = String::from_utf8_lossy(&bytes).into_owned();
    assert!(note.contains("event=log_lost") && note.contains("in further streams"), "{note}");
}
