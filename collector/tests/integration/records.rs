//! What containers write, through the records of their engines: streams, times, and lines in parts.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use taffrail_stages::timeformat;
use taffrail_tests::{Answer, LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, status, wait_for_all};

fn config(loki: &LokiDouble, format: &str) -> String {
    format!(
        "hostname: ship
logs: [{{name: app, files: {{include: [DIR/*.log], start: beginning, format: {format}}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

fn now() -> String {
    timeformat::show(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64)
}

/// An engine that writes a container's log.
struct Engine {
    folder: PathBuf,
    file: File,
    rotations: u32,
    /// What the container wrote: to stdout, to stderr.
    written: [Vec<String>; 2],
}

impl Engine {
    fn new(folder: &Path) -> Self {
        let file = Self::open(folder);
        Engine { folder: folder.to_owned(), file, rotations: 0, written: [vec![], vec![]] }
    }

    fn open(folder: &Path) -> File {
        OpenOptions::new().create(true).append(true).open(folder.join("c-json.log")).unwrap()
    }

    fn record(&mut self, stream: usize, log: &str) {
        let stream = ["stdout", "stderr"][stream];
        let record = serde_json::json!({"log": log, "stream": stream, "time": now()});
        self.file.write_all(format!("{record}\n").as_bytes()).unwrap();
    }

    /// Writes a line of three parts to stdout, and one to stderr in the middle of it, each time.
    fn run(mut self, stop: &AtomicBool) -> Self {
        for n in 0.. {
            if stop.load(Ordering::Acquire) {
                break;
            }
            for part in ["a", "b"] {
                self.record(0, &format!("{n} {part} \"é\" "));
                sleep(Duration::from_millis(1));
            }
            self.record(1, &format!("error {n}\n"));
            self.record(0, "c\n");
            self.written[0].push(format!("{n} a \"é\" {n} b \"é\" c"));
            self.written[1].push(format!("error {n}"));
            if n % 150 == 149 {
                self.rotations += 1;
                let to = self.folder.join(format!("c-json.log.{}", self.rotations));
                fs::rename(self.folder.join("c-json.log"), to).unwrap();
                self.file = Self::open(&self.folder);
            }
        }
        self
    }
}

#[test]
fn kills_in_the_middle_of_lines_in_parts_lose_and_split_none() {
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::start(&config(&loki, "docker")).unwrap();
    let engine = Engine::new(taffrail.dir());
    let stop = AtomicBool::new(false);
    let engine = thread::scope(|scope| {
        let writing = scope.spawn(|| engine.run(&stop));
        for round in 0..6 {
            if round > 0 {
                taffrail.restart().unwrap();
            }
            // Once refused, so that there is something that was read and not delivered.
            loki.then((0..round % 3).map(|_| Answer::status(503)));
            sleep(Duration::from_millis(150 + 130 * round));
            taffrail.kill();
        }
        stop.store(true, Ordering::Release);
        writing.join().unwrap()
    });
    taffrail.restart().unwrap();
    for (stream, written) in ["stdout", "stderr"].into_iter().zip(&engine.written) {
        let labels = [("job", "app"), ("stream", stream)];
        wait_for_all(&loki, &labels, written).unwrap();
        // In their order and once each: what was sent again had the times that it had before.
        assert_eq!(&loki.lines(&labels), written);
    }
    assert_eq!(status(&taffrail).unwrap()["sources"][0]["lost_bytes"], 0);
}

#[test]
fn cri_records_keep_their_times_and_what_is_none_is_kept_and_counted() {
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&loki, "cri")).unwrap();
    let time = now();
    let text = format!("{time} stderr P one \nnot a record\n{time} stdout F two\n{time} stderr F three\n");
    fs::write(taffrail.dir().join("0.log"), text).unwrap();
    loki.wait_for_lines(&[("job", "app")], 3, SOON).unwrap();
    let mut streams = loki.streams();
    streams.retain(|stream| stream.labels.get("job").is_some_and(|job| job == "app"));
    let mut all: Vec<_> = streams
        .iter()
        .flat_map(|stream| {
            let name = stream.labels.get("stream").map_or("", String::as_str);
            stream.entries.iter().map(move |entry| (name, entry.line.clone(), timeformat::show(entry.ns)))
        })
        .collect();
    all.sort();
    let [plain, stderr, stdout] = &all[..] else { panic!("{all:?}") };
    assert_eq!((plain.0, &*plain.1), ("", "not a record"));
    assert_eq!(*stderr, ("stderr", "one three".to_owned(), time.clone()));
    assert_eq!(*stdout, ("stdout", "two".to_owned(), time));
    wait_for("the record that is none to be counted", SOON, || {
        let page = taffrail.client().get_ok("/metrics")?.text();
        let mut counts = page.lines().filter(|line| line.starts_with("taffrail_log_garbled_total{"));
        let count = counts.next().context("nothing is counted")?;
        ensure!(count.contains("\"app\"") && count.ends_with(" 1"), "{count}");
        Ok(())
    })
    .unwrap();
}
