//! The schedule with real threads: subjects that hang, panic and come back.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use taffrail_core::subject::Collecting;
use taffrail_core::{CollectError, Out, Subject, Target, Value, metrics};
use taffrail_spool::{Cursor, Log, MemoryLog, MemoryOptions, Start};

use super::*;
use crate::metrics::record::{Decoder, Point, points};

metrics! {
    /// A.
    GOOD: Gauge = "test_good" [];
    /// B.
    STUCK: Gauge = "test_stuck" [];
    /// C.
    TOOK: Gauge = "test_duration_seconds" ["collector"];
    /// D.
    WORKED: Gauge = "test_success" ["collector"];
}

const INTERVAL: Duration = Duration::from_millis(100);

/// An exporter under test, and the log that its samples are read back from.
struct Bed {
    board: Arc<Board>,
    pages: Arc<Pages>,
    clock: Clock,
    cursor: Cursor,
    decoder: Decoder<taffrail_spool::SegmentId>,
    /// Read and not looked at yet.
    points: VecDeque<Point>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Bed {
    fn start(subjects: Vec<Subject>, end: bool) -> Self {
        let clock = Clock::system();
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
        let exporter = Exporter {
            name: "test",
            job: "test".into(),
            subjects,
            duration: Some(&TOOK),
            success: Some(&WORKED),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(ExporterTask::new(exporter, settings).run(stop.clone(), move || end));
        Bed { board, pages, clock, cursor, decoder: Decoder::default(), points: VecDeque::new(), stop, task }
    }

    /// Reads samples until one is as `wanted` says, and returns its time and all samples before it.
    async fn until(&mut self, wanted: impl Fn(&str, f64) -> bool) -> (i64, Vec<(String, f64)>) {
        let mut before = Vec::new();
        let read = async {
            loop {
                while let Some(point) = self.points.pop_front() {
                    let name = describe(&point);
                    if wanted(&name, point.value) {
                        return point.ts_ms;
                    }
                    before.push((name, point.value));
                }
                let peeked = self.cursor.peek(1 << 20).await.unwrap();
                for record in &peeked.records {
                    let read = points(&mut self.decoder, record.segment, &record.bytes).unwrap();
                    self.points.extend(read);
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), read).await;
        (found.expect("the awaited sample does not come"), before)
    }

    fn page(&self) -> String {
        let page = self.pages.render("test", taffrail_core::text::Format::Prometheus, self.clock.now_ms());
        String::from_utf8(page.unwrap()).unwrap()
    }
}

/// A subject that looks at `target`.
fn of(target: &str, name: &'static str) -> Subject {
    let labels = [("team".to_owned(), format!("of {target}"))].into();
    let subject = Subject::blocking(name, METRICS, |out| {
        out.put(&GOOD, [], 1.0);
        out.put(&TOOK, ["own"], 2.0);
        Ok(())
    });
    subject.of(Target { instance: target.to_owned(), labels })
}

fn describe(point: &Point) -> String {
    taffrail_wire::remote_write::display_labels(&point.labels)
}

fn is_stale(value: f64) -> bool {
    Value::from_f64(value) == Value::Stale
}

fn good() -> Subject {
    Subject::blocking("good", METRICS, |out| {
        out.put(&GOOD, [], 1.0);
        Ok(())
    })
}

/// A subject that waits for a word before every run but the first.
fn stuck() -> (Sender<f64>, Subject) {
    let (release, gate): (_, Receiver<f64>) = channel();
    let mut first = true;
    let gate = Mutex::new(gate);
    let mut subject = Subject::blocking("stuck", METRICS, move |out| {
        let value = if first { 1.0 } else { lock(&gate).recv().unwrap_or(0.0) };
        first = false;
        out.put(&STUCK, [], value);
        Ok(())
    });
    subject.budget = Duration::from_millis(30);
    (release, subject)
}

#[tokio::test]
async fn a_subject_that_hangs_costs_its_own_series_only() {
    let (release, subject) = stuck();
    let mut bed = Bed::start(vec![subject, good()], false);
    let (last, _) = bed.until(|name, value| name.contains("test_stuck") && value == 1.0).await;
    // It is marked as ended once, after two intervals; the others go on meanwhile.
    let (ended, before) = bed.until(|name, value| name.contains("test_stuck") && is_stale(value)).await;
    assert!(ended - last >= 2 * INTERVAL.as_millis() as i64, "{}", ended - last);
    assert!(before.iter().any(|(name, _)| name.contains("test_good")), "{before:?}");
    assert!(
        before.iter().any(|(name, value)| name.contains("test_success{collector=\"stuck\"") && *value == 0.0)
    );
    let (_, later) =
        bed.until(|name, value| name.contains("test_success{collector=\"good\"") && value == 1.0).await;
    assert!(!later.iter().any(|(name, _)| name.contains("test_stuck")));
    assert!(!bed.page().contains("test_stuck ") && bed.page().contains("test_good 1"));
    // The answer of the hung run is too old to be shown; the next run's is not.
    release.send(2.0).unwrap();
    release.send(3.0).unwrap();
    let (_, before) = bed.until(|name, value| name.contains("test_stuck") && value == 3.0).await;
    assert!(!before.iter().any(|(name, value)| name.contains("test_stuck") && *value == 2.0), "{before:?}");
}

#[tokio::test]
async fn a_panic_is_contained_and_the_subject_runs_again() {
    let mut runs = 0;
    let broken = Subject::blocking("broken", METRICS, move |out| {
        runs += 1;
        assert!(runs % 2 == 0, "as it should");
        out.put(&STUCK, [], f64::from(runs));
        Ok(())
    });
    let mut bed = Bed::start(vec![broken, good()], false);
    bed.until(|name, value| name.contains("test_success{collector=\"broken\"") && value == 0.0).await;
    bed.until(|name, value| name.contains("test_stuck") && value == 4.0).await;
    bed.until(|name, value| name.contains("test_good") && value == 1.0).await;
}

/// An asynchronous subject that never answers.
struct Never;

impl taffrail_core::Collect for Never {
    fn collect<'a>(&'a mut self, _out: &'a mut Out) -> Collecting<'a> {
        Box::pin(std::future::pending::<Result<(), CollectError>>())
    }
}

#[tokio::test]
async fn an_asynchronous_subject_has_a_deadline_too() {
    let budget = Duration::from_millis(30);
    let mut never = Subject::asynchronous("never", METRICS, Never);
    never.budget = budget;
    let mut bed = Bed::start(vec![never, good()], false);
    bed.until(|name, value| name.contains("test_success{collector=\"never\"") && value == 0.0).await;
    bed.until(|name, value| name.contains("test_success{collector=\"good\"") && value == 1.0).await;
}

#[tokio::test]
async fn series_end_when_their_job_is_removed_and_not_when_the_process_stops() {
    let mut removed = Bed::start(vec![good()], true);
    removed.until(|name, _| name.contains("test_success")).await;
    removed.stop.cancel();
    removed.until(|name, value| name.contains("test_good") && is_stale(value)).await;
    removed.until(|name, value| name.starts_with("up{") && is_stale(value)).await;
    (&mut removed.task).await.unwrap();
    let mut stopped = Bed::start(vec![good()], false);
    stopped.until(|name, _| name.contains("test_success")).await;
    stopped.stop.cancel();
    (&mut stopped.task).await.unwrap();
    let rest = tokio::time::timeout(Duration::ZERO, stopped.until(|_, value| is_stale(value))).await;
    assert!(rest.is_err());
}

#[test]
fn runs_keep_to_their_phase_and_apart() {
    let interval = Duration::from_secs(15);
    for now_ms in (0..60_000).step_by(7) {
        let wait = until_next(now_ms, interval, 4_000).as_millis() as i64;
        assert_eq!((now_ms + wait) % 15_000, 4_000);
        assert!((7_500..22_500).contains(&wait), "{wait}");
    }
}

#[tokio::test]
async fn a_run_under_way_writes_nothing_after_the_end() {
    let (release, gate): (Sender<()>, Receiver<()>) = channel();
    let mut runs = 0;
    let subject = Subject::blocking("stuck", METRICS, move |out| {
        runs += 1;
        if runs == 2 {
            let _ = gate.recv();
        }
        out.put(&STUCK, [], f64::from(runs));
        Ok(())
    });
    let mut bed = Bed::start(vec![subject], true);
    bed.until(|name, value| name.contains("test_stuck") && value == 1.0).await;
    // The second run begins, and is under way when the job is removed.
    tokio::time::sleep(INTERVAL + INTERVAL / 2).await;
    bed.stop.cancel();
    let (at, _) = bed.until(|name, value| name.contains("test_stuck") && is_stale(value)).await;
    release.send(()).unwrap();
    let late = tokio::time::timeout(
        Duration::from_millis(500),
        bed.until(|name, v| name.contains("test_stuck") && v == 2.0),
    )
    .await;
    assert!(late.is_err(), "marked as ended at {at}, then a value at {}", late.unwrap().0);
}

#[tokio::test]
async fn targets_have_an_identity_of_their_own() {
    let mut bed = Bed::start(vec![of("a:1", "first"), of("b:2", "second"), good()], false);
    let labels =
        |target: &str| format!("test_good{{instance=\"{target}\", job=\"test\", team=\"of {target}\"}}");
    let mut waited = Vec::new();
    for target in ["a:1", "b:2"] {
        let wanted = labels(target);
        if !waited.iter().any(|(name, _)| *name == wanted) {
            waited = bed.until(|name, _| name == wanted).await.1;
        }
    }
    bed.until(|name, _| name.starts_with("test_good{instance=\"here\"")).await;
    bed.until(|name, _| name == "up{instance=\"here\", job=\"test\"}").await;
    let page = bed.page();
    for line in [
        "test_good{instance=\"a:1\",team=\"of a:1\"} 1",
        "test_good{instance=\"b:2\",team=\"of b:2\"} 1",
        "test_good 1",
        "test_duration_seconds{collector=\"own\",instance=\"b:2\",team=\"of b:2\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not on\n{page}");
    }
}

/// What many subjects have in common: how many run, the most that did, and when each began.
#[derive(Default)]
struct Crowd {
    present: usize,
    most: usize,
    begun: Vec<Duration>,
}

impl Crowd {
    fn enter(&mut self) {
        self.present += 1;
        self.most = self.most.max(self.present);
        self.begun.push(Clock::system().monotonic());
    }
}

struct OneOfMany(Arc<Mutex<Crowd>>, Duration);

impl taffrail_core::Collect for OneOfMany {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            lock(&self.0).enter();
            tokio::time::sleep(self.1).await;
            lock(&self.0).present -= 1;
            out.put(&GOOD, [], 1.0);
            Ok(())
        })
    }
}

fn crowd(size: usize, each: Duration) -> (Arc<Mutex<Crowd>>, Vec<Subject>) {
    let crowd: Arc<Mutex<Crowd>> = Arc::default();
    let subject = |i| {
        let one = OneOfMany(crowd.clone(), each);
        let mut subject = Subject::asynchronous(format!("of {i}"), METRICS, one)
            .of(Target { instance: format!("host-{i}"), ..Default::default() });
        subject.interval = Some(Duration::from_secs(20));
        subject.budget = Duration::from_secs(5);
        subject
    };
    let subjects = (0..size).map(subject).collect();
    (crowd, subjects)
}

#[tokio::test]
async fn many_targets_start_apart() {
    let (crowd, subjects) = crowd(40, Duration::ZERO);
    let bed = Bed::start(subjects, false);
    tokio::time::timeout(Duration::from_secs(20), async {
        while lock(&crowd).begun.len() < 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    bed.stop.cancel();
    // Within 400 ms, by their hashes: not together, and not one after another either.
    let begun = lock(&crowd).begun.clone();
    let span = *begun.iter().max().unwrap() - *begun.iter().min().unwrap();
    assert!(span > Duration::from_millis(200), "{span:?}");
    let phases: Vec<_> =
        (0..40).map(|i| phase("test", Some(&format!("of {i}")), &of_target(i)) % 15_000).collect();
    for quarter in 0..4 {
        let there = phases.iter().filter(|p| **p / 3750 == quarter).count();
        assert!((3..25).contains(&there), "{phases:?}");
    }
    let job = Identity::new("test", "here", &Default::default());
    assert_eq!(phase("test", None, &job), phase("test", None, &job));
}

fn of_target(i: usize) -> Identity {
    let target = Target { instance: format!("host-{i}"), ..Default::default() };
    Identity::new("test", "here", &Default::default()).of(&target)
}

#[tokio::test]
async fn so_many_run_at_once_and_no_more() {
    let size = ASYNC_AT_ONCE * 2;
    let (crowd, mut subjects) = crowd(size, Duration::from_millis(200));
    // Those that never answer give up their places when they are late.
    for i in 0..ASYNC_AT_ONCE {
        let mut never = Subject::asynchronous(format!("never {i}"), METRICS, Never);
        never.budget = Duration::from_millis(100);
        subjects.insert(i, never);
    }
    // All due at once.
    subjects.iter_mut().for_each(|subject| subject.target = None);
    let bed = Bed::start(subjects, false);
    let begun = |n: usize| {
        let crowd = crowd.clone();
        async move {
            while lock(&crowd).begun.len() < n {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(lock(&crowd).begun.len(), 0);
    let waiting = bed.board.snapshot(0).exporters[0].waiting;
    assert_eq!(waiting, size, "the others wait for those that never answer to be late");
    tokio::time::timeout(Duration::from_secs(20), begun(size)).await.unwrap();
    bed.stop.cancel();
    assert_eq!(lock(&crowd).most, ASYNC_AT_ONCE);
}
