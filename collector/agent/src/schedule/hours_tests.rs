//! The schedule over minutes and hours, by a clock that the test moves.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use taffrail_core::text::Format;
use taffrail_core::{Subject, Value, metrics};
use taffrail_spool::{Cursor, Log, MemoryLog, MemoryOptions, Start};

use super::*;
use crate::metrics::record::{Decoder, Point, points};
use crate::status::SubjectStatus;

metrics! {
    /// A.
    OTHER: Gauge = "test_other" [];
    /// B.
    WATCHED: Gauge = "test_watched" [];
    /// C.
    WORKED: Gauge = "test_success" ["collector"];
}

const INTERVAL: Duration = Duration::from_secs(15);
const START_MS: i64 = 1_700_000_000_000;

/// An exporter whose time passes when the test says so.
struct Bed {
    clock: Clock,
    pages: Arc<Pages>,
    board: Arc<Board>,
    cursor: Cursor,
    decoder: Decoder<taffrail_spool::SegmentId>,
    /// How often the subject `other` has run.
    runs: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Bed {
    /// With `watched`, and a subject `other` that always answers.
    fn start(watched: Subject) -> Self {
        let clock = Clock::manual(START_MS * 1_000_000);
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(MemoryOptions::default(), clock.clone()));
        let cursor = log.cursor("test", Start::Oldest).unwrap();
        let settings = Settings {
            identity: Identity::new("test", "here", &Default::default()),
            interval: INTERVAL,
            clock: clock.clone(),
            writer: Arc::new(Writer::new(log)),
            live: Arc::default(),
            pages: Arc::default(),
            board: Arc::default(),
            notes: Notes::new(clock.clone()).0,
        };
        let (pages, board) = (settings.pages.clone(), settings.board.clone());
        let runs = Arc::new(AtomicU64::new(0));
        let count = runs.clone();
        let other = Subject::blocking("other", METRICS, move |out| {
            out.put(&OTHER, [], 1.0);
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let exporter = Exporter {
            name: "test",
            job: "test".into(),
            subjects: vec![watched, other],
            duration: None,
            success: Some(&WORKED),
        };
        let stop = CancellationToken::new();
        tokio::spawn(ExporterTask::new(exporter, settings).run(stop.clone(), || false));
        Bed { clock, pages, board, cursor, decoder: Decoder::default(), runs, stop }
    }

    /// A second passes, and all that is to happen in it happens.
    async fn second(&mut self) -> Vec<(String, Point)> {
        self.clock.advance(Duration::from_secs(1));
        // The schedule sleeps by the runtime's clock and looks at ours.
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..5 {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            // For the thread that collects.
            std::thread::sleep(Duration::from_micros(500));
        }
        // Threads begin with the first runs, which takes a busy machine longer.
        for _ in 0..20_000 {
            if self.now_s() > 1
                || ["test_watched 1", "test_other 1", "up 1"].iter().all(|name| self.shows(name))
            {
                break;
            }
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(1));
        }
        self.points().await
    }

    async fn points(&mut self) -> Vec<(String, Point)> {
        let mut all = Vec::new();
        while let Ok(peeked) = tokio::time::timeout(Duration::ZERO, self.cursor.peek(1 << 20)).await {
            let peeked = peeked.unwrap();
            for record in &peeked.records {
                let read = points(&mut self.decoder, record.segment, &record.bytes).unwrap();
                let name = |point: &Point| taffrail_wire::remote_write::display_labels(&point.labels);
                all.extend(read.into_iter().map(|point| (name(&point), point)));
            }
            if peeked.records.is_empty() {
                break;
            }
        }
        all
    }

    fn shows(&self, name: &str) -> bool {
        let page = self.pages.render("test", Format::Prometheus, self.clock.now_ms()).unwrap();
        String::from_utf8(page).unwrap().lines().any(|line| line.starts_with(name))
    }

    fn now_s(&self) -> i64 {
        (self.clock.now_ms() - START_MS) / 1000
    }

    fn watched(&self) -> SubjectStatus {
        self.board.snapshot(0).exporters[0].subjects[0].clone()
    }
}

/// A subject that answers once and then not before it is told to, run by run.
fn hangs() -> (Sender<f64>, Subject) {
    let (release, gate) = channel();
    let (gate, mut first) = (Mutex::new(gate), true);
    let subject = Subject::blocking("watched", METRICS, move |out| {
        let value = if first { 1.0 } else { lock(&gate).recv().unwrap_or(0.0) };
        first = false;
        out.put(&WATCHED, [], value);
        Ok(())
    });
    (release, subject)
}

#[tokio::test(start_paused = true)]
async fn what_hangs_for_five_minutes_has_no_samples_after_its_second_interval() {
    let (release, subject) = hangs();
    let mut bed = Bed::start(subject);
    let (mut last_s, mut ended_s, mut failures) = (0, None, 0);
    while bed.now_s() < 330 {
        for (name, point) in bed.second().await {
            let at_s = (point.ts_ms - START_MS) / 1000;
            if name.starts_with("test_success{collector=\"watched\"") && point.value == 0.0 {
                failures += 1;
            }
            if !name.starts_with("test_watched") {
                continue;
            }
            match Value::from_f64(point.value) {
                Value::Stale => assert_eq!(ended_s.replace(at_s), None, "ended twice"),
                Value::F64(_) => {
                    assert!(ended_s.is_none(), "a value at {at_s} s, after the end");
                    last_s = at_s;
                }
            }
        }
        // Its thread is a real one: it may not have come to answer yet.
        if last_s > 0 {
            let fresh = bed.now_s() < last_s + 30;
            assert_eq!(
                bed.shows("test_watched "),
                fresh,
                "at {} s, last answered at {last_s} s",
                bed.now_s()
            );
        }
        assert!(bed.shows("test_other 1") && bed.shows("up 1"), "the others go on");
    }
    let ended_s = ended_s.expect("its series end");
    assert!((last_s + 30..=last_s + 31).contains(&ended_s), "answered at {last_s} s, ended at {ended_s} s");
    assert!(bed.watched().late);
    assert!(failures >= 18, "each interval says that it fails: {failures}");
    assert!((20..=24).contains(&bed.runs.load(Ordering::SeqCst)), "{:?}", bed.runs);
    // What it answers now is five minutes old; it is asked again, half as often.
    release.send(2.0).unwrap();
    release.send(3.0).unwrap();
    let answered_s = bed.now_s();
    let mut values = Vec::new();
    while values.is_empty() {
        assert!(bed.now_s() < answered_s + 50, "is not asked again");
        let points = bed.second().await;
        values = points.into_iter().filter(|(name, _)| name.starts_with("test_watched")).collect();
    }
    assert_eq!(values[0].1.value, 3.0);
    assert_eq!((bed.watched().interval_s, bed.watched().asked_s), (30.0, 15.0));
    bed.stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_slow_subject_runs_more_seldom_and_its_values_live_as_long() {
    let clock = Arc::new(Mutex::new(None::<Clock>));
    let slow = Arc::new(AtomicU64::new(900));
    let (time, takes) = (clock.clone(), slow.clone());
    // It takes its time by the test's clock.
    let mut subject = Subject::blocking("watched", METRICS, move |out| {
        if let Some(clock) = &*lock(&time) {
            clock.advance(Duration::from_millis(takes.load(Ordering::SeqCst)));
        }
        out.put(&WATCHED, [], 1.0);
        Ok(())
    });
    subject.budget = Duration::from_millis(500);
    let mut bed = Bed::start(subject);
    *lock(&clock) = Some(bed.clock.clone());
    let mut at_s = Vec::new();
    while bed.now_s() < 900 {
        for (name, point) in bed.second().await {
            if name.starts_with("test_watched") {
                assert_eq!(Value::from_f64(point.value), Value::F64(1.0), "it never ends");
                at_s.push((point.ts_ms - START_MS) / 1000);
            }
        }
        assert!(bed.shows("test_watched 1"), "at {} s", bed.now_s());
    }
    assert_eq!(bed.watched().interval_s, 120.0);
    let gaps: Vec<i64> = at_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().rev().take(4).all(|gap| (118..=122).contains(gap)), "{gaps:?}");
    slow.store(0, Ordering::SeqCst);
    while bed.now_s() < 900 + 120 * 3 + 60 * 4 + 30 * 5 {
        bed.second().await;
        assert!(bed.shows("test_watched 1"), "at {} s", bed.now_s());
    }
    assert_eq!(bed.watched().interval_s, 15.0);
    bed.stop.cancel();
}
