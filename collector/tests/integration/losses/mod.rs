//! Numbered lines through everything that happens to log files, receivers and the collector itself: each number arrives,
//! none is garbled, and what arrives twice is bounded.
//!
//! `TAFFRAIL_LOSS_LINES=10000000 cargo test -p taffrail-tests --test integration losses:: -- --test-threads 1` writes as
//! many lines through each; with `TAFFRAIL_LOSS_AWAY=300` a receiver is away for five minutes after the last one.
#![allow(clippy::panic, clippy::print_stderr, reason = "what came of a loop is worth reading")]

mod logrotate;
mod writer;

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Result, ensure};
use taffrail_tests::loki::{Limits, Rate};
use taffrail_tests::{Answer, Gate, LokiDouble, Taffrail, free_port, wait_for};

use self::writer::{LINE, Way, Writer};
use crate::faults::Small;
use crate::support::{own, status};

const JOB: &str = "app";
/// What may be sent again at each fault: two batches.
const AGAIN: u64 = 2 * (256 << 10);

/// An output whose receiver has no fault but what a busy machine gives it: it is waited for as by default.
const PATIENT: &str = "[{url: URL}]";

/// How many lines are written.
fn lines() -> u64 {
    std::env::var("TAFFRAIL_LOSS_LINES").map_or(60_000, |lines| lines.parse().unwrap())
}

/// One way of things going wrong.
#[derive(Clone, Copy)]
struct Case {
    way: Way,
    /// The config's outputs; `URL` is the double's.
    outputs: &'static str,
    /// What the collector keeps is on a small disk of its own.
    small_disk: bool,
    /// What goes wrong, while lines are written and read.
    fault: fn(&mut Run),
}

impl Default for Case {
    fn default() -> Self {
        Case { way: Way::Rename, outputs: "[{url: URL, timeout: 1s}]", small_disk: false, fault: |_| () }
    }
}

/// A collector over a log that is being written, and its receiver.
struct Run {
    taffrail: Taffrail,
    loki: LokiDouble,
    gate: Gate,
    writer: Arc<Writer>,
    config: String,
    /// A disk of its own for what the collector keeps.
    disk: Option<Small>,
    /// How often something went wrong.
    faults: u64,
}

impl Run {
    fn start(case: &Case) -> Run {
        let loki = LokiDouble::start_with(Limits::unmetered()).unwrap();
        loki.count_numbers();
        let gate = Gate::to(loki.port()).unwrap();
        let outputs = case.outputs.replace("URL", &format!("\"http://127.0.0.1:{}\"", gate.port()));
        let config = format!(
            "hostname: ship
self: false
logs: [{{name: app, files: {{include: [DIR/app.log, DIR/long.log], start: beginning}}, level: false, redact: false}}]
outputs: {{loki: {outputs}}}
"
        );
        let mut taffrail = Taffrail::prepare(&config).unwrap();
        let disk = case.small_disk.then(|| Small::mount(&taffrail.data_dir(), 64));
        taffrail.restart().unwrap();
        let writer = Arc::new(Writer::new(taffrail.dir(), case.way, lines()));
        Run { taffrail, loki, gate, writer, config, disk, faults: 0 }
    }

    fn arrived(&self) -> u64 {
        self.loki.numbers(JOB, |numbers| numbers.count)
    }

    /// Whether lines are written, or on their way; with the number of faults bounded, so that it comes to an end.
    fn goes_on(&self) -> bool {
        self.faults < 8 + lines() / 500_000 && (!self.writer.done() || self.arrived() < lines())
    }

    /// A fault of the receiver, with some seconds of peace behind it.
    fn receiver(&mut self, answer: &Answer, time: Duration) {
        while self.goes_on() {
            self.loki.always(answer.clone());
            sleep(time);
            self.loki.always(Answer::Usual);
            self.faults += 1;
            sleep(Duration::from_millis(400));
        }
    }

    /// `kill -9`, then some time without it.
    fn kill(&mut self, after: Duration, down: impl Fn(&Run)) {
        sleep(after);
        self.taffrail.kill();
        down(self);
        self.taffrail.restart().unwrap();
        self.faults += 1;
    }
}

fn check(case: Case) {
    let mut run = Run::start(&case);
    let writer = run.writer.clone();
    let writing = thread::spawn(move || writer.run());
    (case.fault)(&mut run);
    writing.join().unwrap();
    let (wanted, destroyed) = (lines(), run.writer.destroyed());
    let excused = |number: u64| destroyed.iter().any(|range| range.contains(&number));
    let missing = |run: &Run| -> Vec<u64> {
        run.loki.numbers(JOB, |numbers| numbers.missing(wanted).filter(|n| !excused(*n)).collect())
    };
    let deadline = Duration::from_secs(60 + wanted / 5000);
    let waited = wait_for("every number", deadline, || -> Result<()> {
        let missing = missing(&run);
        let first = &missing[..missing.len().min(10)];
        ensure!(missing.is_empty(), "{} of {wanted} are missing: {first:?}", missing.len());
        Ok(())
    });
    let source = status(&run.taffrail).unwrap()["sources"][0].clone();
    waited.unwrap_or_else(|err| panic!("{err:#}\n{} rotations; {source}", run.writer.rotations()));
    let (again, twice, unordered) =
        run.loki.numbers(JOB, |numbers| (numbers.again_bytes, numbers.twice, numbers.unordered()));
    eprintln!(
        "{wanted} lines, {} rotations, {} faults: {again} bytes came again, {} destroyed by truncation, {} bytes reported lost",
        run.writer.rotations(),
        run.faults,
        destroyed.iter().map(|range| range.end - range.start).sum::<u64>(),
        source["lost_bytes"],
    );
    assert_eq!((twice, unordered), (0, None), "kept twice; first out of order");
    assert!(again <= AGAIN * run.faults, "{again} bytes came again");
    let others = run.loki.lines(&[("job", JOB)]);
    let (gaps, others): (Vec<_>, Vec<_>) = others.iter().partition(|line| line.contains("event=log_gap"));
    // Who copies a log that is written to may cut its last line in two; the other log has lines of its own.
    let known = |line: &String| line.starts_with('x') || case.way == Way::Other && line.starts_with('#');
    assert!(others.iter().all(|line| known(line)), "{:?}", others.first());
    let most = destroyed.iter().map(|range| range.end - range.start).sum::<u64>() * (LINE + 1);
    assert!(source["lost_bytes"].as_u64().unwrap() <= most, "{source}");
    assert_eq!(gaps.is_empty(), source["lost_bytes"] == 0, "what is lost is told in the stream: {gaps:?}");
}

#[test]
fn rotation_by_name_at_full_speed() {
    check(Case { outputs: PATIENT, ..Case::default() });
}

#[test]
fn rotation_by_copy_loses_only_what_the_truncation_destroyed() {
    check(Case { way: Way::CopyTruncate, outputs: PATIENT, ..Case::default() });
}

#[test]
fn kills_every_few_seconds() {
    fn fault(run: &mut Run) {
        while run.goes_on() {
            run.kill(Duration::from_millis(300 + 400 * (run.faults % 4)), |_| ());
        }
    }
    check(Case { outputs: PATIENT, fault, ..Case::default() });
}

#[test]
fn kills_while_copies_are_made() {
    fn fault(run: &mut Run) {
        while run.goes_on() {
            run.kill(Duration::from_millis(300 + 400 * (run.faults % 4)), |_| ());
        }
    }
    check(Case { way: Way::CopyTruncate, outputs: PATIENT, fault, ..Case::default() });
}

#[test]
fn two_rotations_and_more_while_it_is_down() {
    fn fault(run: &mut Run) {
        while run.goes_on() && !run.writer.done() {
            run.kill(Duration::from_millis(500), |run| {
                let before = run.writer.rotations();
                while run.writer.rotations() < before + 3 && !run.writer.done() {
                    sleep(Duration::from_millis(5));
                }
            });
        }
    }
    check(Case { outputs: PATIENT, fault, ..Case::default() });
}

#[test]
fn a_receiver_with_a_fault() {
    check(Case {
        fault: |run| run.receiver(&Answer::status(500), Duration::from_millis(600)),
        ..Case::default()
    });
}

#[test]
fn a_receiver_that_asks_to_slow_down() {
    check(Case {
        fault: |run| run.receiver(&Answer::too_many(1), Duration::from_millis(600)),
        ..Case::default()
    });
}

#[test]
fn a_receiver_that_refuses_a_part_for_its_rate() {
    fn fault(run: &mut Run) {
        while run.goes_on() {
            let rate = Rate { per_second: 50_000, burst: 300_000 };
            // What it refuses it tells: of what Loki refuses in one stream, and tells of another only, nobody can know.
            let told = Limits { whole_stream: false, last_stream_tells: false, ..Limits::unmetered() };
            run.loki.set_limits(Limits { stream_rate: rate, ..told });
            sleep(Duration::from_millis(600));
            run.loki.set_limits(Limits::unmetered());
            run.faults += 1;
            sleep(Duration::from_millis(400));
        }
    }
    check(Case { fault, ..Case::default() });
}

#[test]
fn a_receiver_that_refuses_a_part_as_it_is_too_long() {
    fn fault(run: &mut Run) {
        let long = run.taffrail.dir().join("long.log");
        while run.goes_on() {
            // Less each time than the collector has learned: the long line goes with numbered ones in a request, and
            // these are stored although the answer is 400.
            let line = 1900 - 100 * (run.faults as usize % 16);
            run.loki.set_limits(Limits { line, ..Limits::unmetered() });
            let mut file = OpenOptions::new().create(true).append(true).open(&long).unwrap();
            file.write_all(format!("{}\n", "x".repeat(2000)).as_bytes()).unwrap();
            run.faults += 1;
            sleep(Duration::from_millis(600));
        }
        let log = run.taffrail.log().unwrap();
        assert!(log.contains("lesson=Line("), "no part was refused");
    }
    check(Case { fault, ..Case::default() });
}

#[test]
fn acknowledgements_that_get_lost() {
    fn fault(run: &mut Run) {
        while run.goes_on() {
            run.loki.then([Answer::Unheard]);
            run.faults += 1;
            sleep(Duration::from_millis(700));
        }
    }
    check(Case { fault, ..Case::default() });
}

#[test]
fn a_receiver_that_hangs() {
    let fault =
        |run: &mut Run| run.receiver(&Answer::Hang(Duration::from_secs(60)), Duration::from_millis(2500));
    check(Case { fault, ..Case::default() });
}

#[test]
fn a_receiver_that_is_away_while_logs_are_rotated_and_deleted() {
    fn fault(run: &mut Run) {
        sleep(Duration::from_millis(300));
        run.gate.shut();
        run.faults += 1;
        // To the last line: what was rotated away and deleted is held, or safe in the log on disk.
        while !run.writer.done() {
            sleep(Duration::from_millis(50));
        }
        let seconds = std::env::var("TAFFRAIL_LOSS_AWAY").map_or(1, |seconds| seconds.parse().unwrap());
        sleep(Duration::from_secs(seconds));
        run.gate.open();
    }
    check(Case { way: Way::Delete, fault, ..Case::default() });
}

#[test]
fn two_outputs_of_which_one_is_dead() {
    fn fault(run: &mut Run) {
        let port = free_port().unwrap();
        let outputs =
            format!("timeout: 1s}}, {{name: dead, timeout: 1s, url: \"http://127.0.0.1:{port}\"}}]");
        run.taffrail.configure(&run.config.replace("timeout: 1s}]", &outputs)).unwrap();
        run.taffrail.hang_up().unwrap();
        run.faults += 1;
        while !run.writer.done() {
            sleep(Duration::from_millis(50));
        }
    }
    check(Case { way: Way::Delete, fault, ..Case::default() });
}

#[test]
fn reloads_that_change_the_source() {
    fn fault(run: &mut Run) {
        while run.goes_on() {
            let size = ["64KiB", "128KiB"][run.faults as usize % 2];
            let config =
                run.config.replace("start: beginning", &format!("start: beginning, max_line_bytes: {size}"));
            run.taffrail.configure(&config).unwrap();
            run.taffrail.hang_up().unwrap();
            run.faults += 1;
            sleep(Duration::from_millis(600));
        }
    }
    check(Case { fault, ..Case::default() });
}

#[test]
fn a_disk_that_is_full() {
    fn fault(run: &mut Run) {
        let disk = run.disk.as_ref().unwrap();
        while run.goes_on() {
            run.loki.always(Answer::status(500));
            disk.fill(0);
            sleep(Duration::from_millis(1500));
            disk.empty();
            run.loki.always(Answer::Usual);
            run.faults += 1;
            sleep(Duration::from_millis(500));
        }
    }
    check(Case { small_disk: true, fault, ..Case::default() });
}

#[test]
fn a_thousand_equal_lines_arrive_a_thousand_times() {
    let loki = LokiDouble::start().unwrap();
    let config = format!(
        "hostname: ship
logs: [{{name: app, files: {{include: [DIR/app.log], start: beginning}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    );
    let mut taffrail = Taffrail::prepare(&config).unwrap();
    std::fs::write(taffrail.dir().join("app.log"), "the same\n".repeat(1000)).unwrap();
    loki.then([Answer::status(503), Answer::Unheard]);
    taffrail.restart().unwrap();
    let lines = loki.wait_for_lines(&[("job", JOB)], 1000, Duration::from_secs(60)).unwrap();
    assert!(lines.len() == 1000 && lines.iter().all(|line| line == "the same"), "{}", lines.len());
    assert_eq!(own(&taffrail, "taffrail_source_unreadable_inputs{source=\"app\"}"), 0.0);
}
