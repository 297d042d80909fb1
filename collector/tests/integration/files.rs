//! Log files as they come: folders, files that vanish, bytes that are no text, lines without an end, and every way of
//! rotation while the receiver refuses.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::{Answer, LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, own, status, wait_for_all};

const JOB: [(&str, &str); 1] = [("job", "app")];

fn config(loki: &LokiDouble, include: &str) -> String {
    format!(
        "hostname: ship
logs: [{{name: app, files: {{include: [{include}], start: beginning}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

fn append(path: &Path, text: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text).unwrap();
}

fn source(taffrail: &Taffrail) -> serde_json::Value {
    status(taffrail).unwrap()["sources"][0].clone()
}

#[test]
fn odd_files_harm_nobody_and_are_told_of() {
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&loki, "DIR/*.txt, DIR/named")).unwrap();
    let at = |name: &str| taffrail.dir().join(name);
    fs::create_dir(at("folder.txt")).unwrap();
    fs::create_dir(at("named")).unwrap();
    append(&at("binary.txt"), b"\x7fELF\0\x01\xff\xfe caf\xe9\n\0\0\0after NULs\nlast \xc3\n");
    append(&at("good.txt"), b"first\n");
    append(&at("vanishes.txt"), b"before it vanished\n");
    std::os::unix::fs::symlink(at("nowhere"), at("dangling.txt")).unwrap();
    let (good, vanishes, named) = (at("good.txt"), at("vanishes.txt"), at("named"));
    taffrail.restart().unwrap();
    loki.wait_for_lines(&JOB, 5, SOON).unwrap();

    fs::remove_file(&vanishes).unwrap();
    append(&good, b"second\n");
    let lines = loki.wait_for_lines(&JOB, 6, SOON).unwrap();
    for line in ["first", "second", "before it vanished", "after NULs"] {
        assert!(lines.iter().any(|l| l == line), "{line} is missing: {lines:?}");
    }
    assert!(lines.iter().any(|l| l.starts_with("\u{7f}ELF") && l.ends_with("caf\u{fffd}")), "{lines:?}");
    assert!(lines.iter().any(|l| l == "last \u{fffd}"), "{lines:?}");
    // A glob passes folders by; one that is named is a mistake that somebody has to hear of.
    let source = source(&taffrail);
    let told = source["last_error"]["text"].as_str().unwrap();
    assert!(told.contains(&named.display().to_string()) && told.contains("folder"), "{source}");
    assert_eq!(source["unreadable"], 1, "{source}");
    let log = taffrail.log().unwrap();
    assert!(!log.contains("panicked"), "{log}");
    // It is looked at again by itself once it is a file.
    fs::remove_dir(&named).unwrap();
    append(&named, b"a file at last\n");
    loki.wait_for_lines(&JOB, 7, SOON).unwrap();
}

#[test]
fn a_line_of_ten_megabytes_is_cut_and_its_neighbours_arrive() {
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&loki, "DIR/*.txt")).unwrap();
    let path = taffrail.dir().join("long.txt");
    append(&path, b"before\n");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..10 {
        // As a program writes it: in pieces, the line feed at the very end.
        append(&path, &piece);
    }
    append(&path, b"\nafter\n");
    let lines = loki.wait_for_lines(&JOB, 3, SOON).unwrap();
    assert_eq!((lines.len(), lines[0].as_str(), lines[2].as_str()), (3, "before", "after"));
    assert!(lines[1].starts_with("xxxx") && lines[1].len() <= 256 << 10, "{}", lines[1].len());
    let kept = lines[1].find(' ').unwrap();
    let mark = format!(" [taffrail: line cut, {} bytes left out]", (10 << 20) - kept);
    assert_eq!(lines[1][kept..], mark);
    assert_eq!(source(&taffrail)["cut_lines"], 1);
    let resident = own(&taffrail, "process_resident_memory_bytes");
    assert!(resident < 60e6, "a line is not held whole: {resident} bytes");
}

/// How a file is rotated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Rename,
    CopyTruncate,
    Delete,
}

/// A program that logs, and its rotation.
struct Writer {
    path: PathBuf,
    way: Way,
    file: File,
    written: Vec<String>,
    rotations: usize,
}

impl Writer {
    fn new(dir: &Path, way: Way) -> Self {
        let path = dir.join(format!("{way:?}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        Self { path, way, file, written: Vec::new(), rotations: 0 }
    }

    fn write(&mut self, count: usize) {
        for _ in 0..count {
            let line = format!("{:?} line {}", self.way, self.written.len());
            writeln!(self.file, "{line}").unwrap();
            self.written.push(line);
        }
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        let old = self.path.with_extension(format!("log.{}", self.rotations));
        match self.way {
            Way::Rename => fs::rename(&self.path, old).unwrap(),
            Way::Delete => fs::remove_file(&self.path).unwrap(),
            Way::CopyTruncate => {
                fs::copy(&self.path, old).unwrap();
                // What is written between the two is lost to everybody; a reader is given its time.
                return self.file.set_len(0).unwrap();
            }
        }
        // As most programs do, it writes on into the old file for a moment.
        self.write(3);
        self.file = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
    }

    /// Writes and rotates until it is told to stop.
    fn run(mut self, stop: &AtomicBool, pause: Duration) -> Self {
        while !stop.load(Ordering::SeqCst) {
            self.write(100);
            sleep(pause);
            self.rotate();
        }
        self.write(10);
        self
    }
}

/// Ends the writers of a scope, also when an assertion ends the test: the scope waits for them.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn every_way_of_rotation_loses_nothing_while_loki_refuses() {
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&loki, "DIR/*.log")).unwrap();
    let stop = AtomicBool::new(false);
    let writers: Vec<Writer> = thread::scope(|scope| {
        let stopping = Stop(&stop);
        let start = |way| {
            let writer = Writer::new(taffrail.dir(), way);
            // Longer than the second after which quiet sources look again: nobody can read what is gone before that.
            scope.spawn(|| writer.run(&stop, Duration::from_millis(1300)))
        };
        let running = [Way::Rename, Way::CopyTruncate, Way::Delete].map(start);
        sleep(Duration::from_secs(2));
        loki.always(Answer::too_many(1));
        sleep(Duration::from_secs(7));
        let waiting = own(&taffrail, "taffrail_output_waiting_records{kind=\"loki\",output=\"loki\"}");
        assert!(waiting > 0.0, "what was read waits");
        loki.always(Answer::Usual);
        sleep(Duration::from_secs(2));
        drop(stopping);
        running.map(|thread| thread.join().unwrap()).into()
    });
    for writer in &writers {
        assert!(writer.rotations > 5, "{:?}", writer.way);
        let name = writer.path.display().to_string();
        let lines = wait_for_all(&loki, &[("filename", &name)], &writer.written);
        let lines = lines.unwrap_or_else(|err| panic!("{:?}: {err:#}\n{}", writer.way, source(&taffrail)));
        assert_eq!(lines, writer.written, "{:?}: each once, in order", writer.way);
    }
    assert_eq!(source(&taffrail)["lost_bytes"], 0);
    wait_for("all to be settled", SOON, || {
        let unsettled = own(&taffrail, "taffrail_source_unsettled_bytes{source=\"app\"}");
        ensure!(unsettled == 0.0, "{unsettled} bytes");
        Ok(())
    })
    .unwrap();
    assert_eq!(loki.equal(), 0);
}

#[test]
fn a_kill_during_rotation_loses_no_line() {
    let loki = LokiDouble::start().unwrap();
    // What was rotated away before it ever ran belongs to nobody.
    let mut taffrail = Taffrail::start(&config(&loki, "DIR/*.log")).unwrap();
    let writer = Writer::new(taffrail.dir(), Way::Rename);
    let stop = AtomicBool::new(false);
    let writer = thread::scope(|scope| {
        let stopping = Stop(&stop);
        let writing = scope.spawn(|| writer.run(&stop, Duration::from_millis(170)));
        for round in 0..6 {
            if round > 0 {
                taffrail.restart().unwrap();
            }
            // Once refused, so that there is something that was read and not delivered.
            loki.then((0..round % 3).map(|_| Answer::status(503)));
            sleep(Duration::from_millis(150 + 130 * round));
            taffrail.kill();
            sleep(Duration::from_millis(90 * round));
        }
        drop(stopping);
        writing.join().unwrap()
    });
    taffrail.restart().unwrap();
    let lines = wait_for_all(&loki, &JOB, &writer.written)
        .unwrap_or_else(|err| panic!("{err:#}\n{} rotations; {}", writer.rotations, source(&taffrail)));
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    lines.iter().for_each(|line| *times.entry(line).or_default() += 1);
    assert_eq!(times.len(), writer.written.len(), "no line that nobody wrote");
    assert_eq!(source(&taffrail)["lost_bytes"], 0);
}
