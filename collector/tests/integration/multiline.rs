//! Entries of several lines: joined across reads, kills, rotations and the streams of a container.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taffrail_stages::timeformat;
use taffrail_tests::{LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, own, wait_for_all};

fn config(loki: &LokiDouble, format: &str) -> String {
    format!(
        "hostname: ship
logs:
  - name: app
    files: {{include: [DIR/*.log], start: beginning, format: {format}}}
    multiline: java
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

/// A program that writes traces line by line, to both its streams where there are two.
struct Program {
    folder: PathBuf,
    file: File,
    records: bool,
    written: [Vec<String>; 2],
}

impl Program {
    fn new(folder: &Path, records: bool) -> Self {
        Program { folder: folder.to_owned(), file: Self::open(folder), records, written: [vec![], vec![]] }
    }

    fn open(folder: &Path) -> File {
        OpenOptions::new().create(true).append(true).open(folder.join("app.log")).unwrap()
    }

    fn line(&mut self, stream: usize, line: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let text = match (self.records, ["stdout", "stderr"][stream]) {
            (false, _) => format!("{line}\n"),
            (true, stream) => format!(
                "{}\n",
                serde_json::json!({"log": format!("{line}\n"), "stream": stream, "time": timeformat::show(now)})
            ),
        };
        self.file.write_all(text.as_bytes()).unwrap();
    }

    /// Writes entries of three lines, a pause between the lines, until it is told to stop.
    fn run(mut self, stop: &AtomicBool) -> Self {
        for n in 0.. {
            if stop.load(Ordering::Acquire) {
                break;
            }
            let streams = if self.records { 2 } else { 1 };
            let lines = |stream: usize| {
                [
                    format!("ERROR {n} of {stream}"),
                    "\tat a.B.c(B.java:1)".into(),
                    format!("\tat a.B.d(B.java:{n})"),
                ]
            };
            for line in 0..3 {
                for stream in 0..streams {
                    self.line(stream, &lines(stream)[line]);
                    sleep(Duration::from_millis(1));
                }
            }
            for (stream, written) in self.written.iter_mut().take(streams).enumerate() {
                written.push(lines(stream).join("\n"));
            }
            if n % 100 == 99 {
                let to = self.folder.join(format!("app.log.{n}"));
                fs::rename(self.folder.join("app.log"), to).unwrap();
                self.file = Self::open(&self.folder);
            }
        }
        self
    }
}

/// Lets the program write through kills and rotations; all its entries come, whole, in order and once.
fn survive(format: &str, records: bool, labels: &[&[(&str, &str)]]) {
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::start(&config(&loki, format)).unwrap();
    let program = Program::new(taffrail.dir(), records);
    let stop = AtomicBool::new(false);
    let program = thread::scope(|scope| {
        let writing = scope.spawn(|| program.run(&stop));
        for round in 0..4 {
            if round > 0 {
                taffrail.restart().unwrap();
            }
            sleep(Duration::from_millis(300 + 130 * round));
            taffrail.kill();
        }
        stop.store(true, Ordering::Release);
        writing.join().unwrap()
    });
    taffrail.restart().unwrap();
    for (labels, written) in labels.iter().zip(&program.written) {
        wait_for_all(&loki, labels, written).unwrap();
        assert_eq!(&loki.lines(labels), written);
    }
    assert_eq!(own(&taffrail, "taffrail_source_lost_bytes_total{source=\"app\"}"), 0.0);
}

#[test]
fn traces_stay_whole_through_kills_and_rotations() {
    survive("plain", false, &[&[("job", "app")]]);
}

#[test]
fn traces_of_two_streams_stay_whole_and_apart() {
    survive(
        "docker",
        true,
        &[&[("job", "app"), ("stream", "stdout")], &[("job", "app"), ("stream", "stderr")]],
    );
}

#[test]
fn what_is_too_long_becomes_several_and_is_counted() {
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&loki, "plain")).unwrap();
    let lines: String = (0..1200).map(|n| format!("\tat a.B.c(B.java:{n})\n")).collect();
    fs::write(taffrail.dir().join("x.log"), format!("ERROR a\n{lines}INFO b\n")).unwrap();
    loki.wait_for_lines(&[("job", "app")], 4, SOON).unwrap();
    let all = loki.lines(&[("job", "app")]);
    let counts: Vec<usize> = all.iter().map(|line| line.lines().count()).collect();
    assert_eq!(counts, [500, 500, 201, 1]);
    wait_for("both cuts to be counted", SOON, || {
        let page = taffrail.client().get_ok("/metrics")?.text();
        let counted =
            page.lines().any(|line| line.starts_with("taffrail_log_split_total{") && line.ends_with(" 2"));
        anyhow::ensure!(counted, "not yet");
        Ok(())
    })
    .unwrap();
}
