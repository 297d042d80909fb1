//! The journal as a source, beside journalctl: a real journald writes, rotates, is killed and loses what was not read.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use anyhow::ensure;
use serde_json::Value;
use taffrail_tests::loki::StoredEntry;
use taffrail_tests::{Journald, LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, own};

fn config(journald: &Journald, loki: &LokiDouble, more: &str) -> String {
    format!(
        "hostname: ship
logs: [{{name: sys, journald: {{path: {}{more}}}, redact: false}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        journald.folder().display(),
        loki.url()
    )
}

/// Entries at Loki, by time, each with the labels of its stream.
fn seen(loki: &LokiDouble) -> Vec<(StoredEntry, String, String)> {
    let mut all = Vec::new();
    for stream in loki.streams().into_iter().filter(|stream| stream.labels["job"] == "sys") {
        let label = |name| stream.labels.get(name).cloned().unwrap_or_default();
        all.extend(stream.entries.into_iter().map(|entry| (entry, label("service_name"), label("unit"))));
    }
    all.sort_by_key(|(entry, ..)| entry.ns);
    all
}

/// The message of an entry as journalctl has it: a text, or the bytes of what is none.
fn message(entry: &Value) -> String {
    match &entry["MESSAGE"] {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let bytes: Vec<u8> = bytes.iter().map(|byte| byte.as_u64().unwrap() as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    }
}

/// Waits until Loki has what journalctl reads, and compares entry by entry.
fn compare(journald: &Journald, loki: &LokiDouble) {
    let theirs = wait_for("all entries at Loki", SOON, || {
        let theirs = journald.journalctl(&[])?;
        let ours = seen(loki).len();
        ensure!(ours >= theirs.len(), "{ours} of {}", theirs.len());
        Ok(theirs)
    });
    let (theirs, ours) = (theirs.unwrap(), seen(loki));
    assert_eq!(ours.len(), theirs.len());
    for (theirs, (entry, service, _)) in theirs.iter().zip(&ours) {
        let text = |field: &str| theirs[field].as_str();
        assert_eq!(Some((entry.ns / 1000).to_string().as_str()), text("__REALTIME_TIMESTAMP"), "{theirs}");
        assert_eq!(entry.line, message(theirs), "{theirs}");
        for (field, name) in [
            ("_PID", "pid"),
            ("_UID", "uid"),
            ("_TRANSPORT", "transport"),
            ("_BOOT_ID", "boot_id"),
            ("_HOSTNAME", "hostname"),
            ("SYSLOG_IDENTIFIER", "syslog_identifier"),
            ("N", "n"),
        ] {
            assert_eq!(entry.metadata.get(name).map(String::as_str), text(field), "{theirs}");
        }
        let words = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
        let priority = text("PRIORITY").map(|number| words[number.parse::<usize>().unwrap()]);
        assert_eq!(entry.metadata.get("priority").map(String::as_str), priority, "{theirs}");
        if let Some(identifier) = text("SYSLOG_IDENTIFIER") {
            assert!(text("_SYSTEMD_UNIT").is_some() || service == identifier, "{service} {theirs}");
        }
    }
}

/// Entries of every shape, by several users.
fn write(journald: &Journald, from: usize, count: usize) {
    for n in from..from + count {
        let number = n.to_string();
        let text = match n % 10 {
            0 => format!("number {n} {}", "it says it again, ".repeat(300)).into_bytes(),
            1 => format!("number {n}\n  and more\n").into_bytes(),
            2 => [format!("number {n} ").as_bytes(), &[0xff, 0, 1, b'x']].concat(),
            _ => format!("number {n}").into_bytes(),
        };
        let (priority, app) = ((n % 8).to_string(), format!("app{}", n % 3));
        let fields = [
            ("MESSAGE", text.as_slice()),
            ("PRIORITY", priority.as_bytes()),
            ("SYSLOG_IDENTIFIER", app.as_bytes()),
            ("N", number.as_bytes()),
        ];
        match n % 7 {
            0 => journald.send_as(1000, &fields).unwrap(),
            1 => journald.send(&fields[1..]).unwrap(),
            _ => journald.send(&fields).unwrap(),
        }
    }
    // It takes them in its own time.
    let last = format!("N={}", from + count - 1);
    wait_for("journald to write", SOON, || {
        ensure!(!journald.journalctl(&[&last])?.is_empty(), "{last} is not there");
        Ok(())
    })
    .unwrap();
}

fn every_entry_arrives_as_journalctl_reads_it(conf: &str, compact: &str) {
    let variables = [("SYSTEMD_JOURNAL_COMPACT", compact), ("SYSTEMD_JOURNAL_KEYED_HASH", compact)];
    let mut journald = Journald::start(conf, &variables).unwrap();
    let loki = LokiDouble::start().unwrap();
    write(&journald, 0, 300);
    journald.rotate().unwrap();
    write(&journald, 300, 100);
    let taffrail = Taffrail::start(&config(&journald, &loki, ", start: beginning, fields: [N]")).unwrap();
    compare(&journald, &loki);
    // While it reads: rotated, killed, and begun again on files that were not closed.
    write(&journald, 400, 300);
    journald.rotate().unwrap();
    write(&journald, 700, 300);
    wait_for("a file of the user", SOON, || {
        let files = journald.files()?;
        ensure!(files.iter().any(|file| file.to_string_lossy().contains("user-1000@")), "{files:?}");
        Ok(())
    })
    .unwrap();
    compare(&journald, &loki);
    journald.kill().unwrap();
    journald.again().unwrap();
    write(&journald, 1000, 200);
    compare(&journald, &loki);
    let count = seen(&loki).len() as f64;
    assert_eq!(own(&taffrail, "taffrail_source_lines_total{source=\"sys\"}"), count, "none was read twice");
    assert_eq!(loki.equal(), 0);
    let binary = seen(&loki).into_iter().find(|(entry, ..)| entry.line.starts_with("number 12 "));
    assert_eq!(binary.unwrap().0.metadata["encoding"], "binary");
}

#[test]
fn compact_files_packed_with_zstandard_are_read_as_journalctl_reads_them() {
    every_entry_arrives_as_journalctl_reads_it("", "1");
}

#[test]
fn files_as_old_releases_write_them_are_read_as_journalctl_reads_them() {
    every_entry_arrives_as_journalctl_reads_it("Compress=no", "0");
}

/// The numbers of the entries that are at Loki.
fn numbers(loki: &LokiDouble) -> Vec<usize> {
    let number = |entry: &StoredEntry| entry.metadata.get("n").and_then(|n| n.parse().ok());
    let mut numbers: Vec<usize> = seen(loki).iter().filter_map(|(entry, ..)| number(entry)).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn kills_and_rotations_lose_nothing() {
    let mut journald = Journald::start("", &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::start(&config(&journald, &loki, ", start: beginning, fields: [N]")).unwrap();
    for round in 0..6 {
        write(&journald, round * 500, 500);
        if round % 2 == 0 {
            journald.rotate().unwrap();
        }
        let least = round * 500;
        wait_for("some of them", SOON, || {
            ensure!(numbers(&loki).len() > least, "{}", numbers(&loki).len());
            Ok(())
        })
        .unwrap();
        taffrail.kill();
        taffrail.spawn().unwrap();
        taffrail.wait_ready(SOON).unwrap();
    }
    let all: Vec<usize> = (0..3000).collect();
    wait_for("all numbers", SOON, || {
        let there = numbers(&loki);
        ensure!(there == all, "{} are there", there.len());
        Ok(())
    })
    .unwrap();
    assert!(loki.equal() <= 3000, "at most twice: {} again", loki.equal());
    assert_eq!(own(&taffrail, "taffrail_source_lost_messages_total{source=\"sys\",reason=\"removed\"}"), 0.0);
}

#[test]
fn what_was_removed_before_it_was_read_is_counted_and_told_in_its_place() {
    let mut journald = Journald::start("", &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::start(&config(&journald, &loki, ", start: beginning, fields: [N]")).unwrap();
    write(&journald, 0, 50);
    compare(&journald, &loki);
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    // Nothing is missing although the numbers of users are elsewhere.
    write(&journald, 50, 30);
    taffrail.spawn().unwrap();
    taffrail.wait_ready(SOON).unwrap();
    compare(&journald, &loki);
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    write(&journald, 80, 70);
    journald.rotate().unwrap();
    write(&journald, 150, 10);
    let there = journald.journalctl(&[]).unwrap().len();
    let archived = journald.files().unwrap().into_iter().filter(|file| file.to_string_lossy().contains('@'));
    archived.for_each(|file| fs::remove_file(file).unwrap());
    let left = journald.journalctl(&[]).unwrap().len();
    let missing = there - left - seen(&loki).len();
    assert!(missing >= 70, "{missing}");
    taffrail.spawn().unwrap();
    taffrail.wait_ready(SOON).unwrap();
    wait_for("the rest, and a word on what is missing", SOON, || {
        let seen = seen(&loki);
        let gap = seen.iter().position(|(entry, ..)| entry.line.contains("event=log_gap"));
        ensure!(seen.len() == there - missing + 1, "{} of {}", seen.len(), there - missing + 1);
        let gap = gap.expect("a gap");
        assert!(
            seen[gap].0.line.contains(&format!("at least {missing} entries of the journal are missing here"))
        );
        assert_eq!(seen[gap - 1].0.metadata["n"], "79");
        Ok(())
    })
    .unwrap();
    let lost = "taffrail_source_lost_messages_total{source=\"sys\",reason=\"removed\"}";
    assert_eq!(own(&taffrail, lost), missing as f64);
    // It is told once.
    taffrail.restart().unwrap();
    write(&journald, 160, 1);
    loki.wait_for_lines(&[("job", "sys")], there - missing + 2, SOON).unwrap();
    assert_eq!(own(&taffrail, lost), 0.0);
}

#[test]
fn what_is_damaged_is_counted_and_the_rest_is_read() {
    let mut journald = Journald::start("SplitMode=none", &[]).unwrap();
    write(&journald, 0, 500);
    journald.rotate().unwrap();
    write(&journald, 500, 20);
    let archived = journald.files().unwrap().into_iter().find(|file| file.to_string_lossy().contains('@'));
    let file = OpenOptions::new().read(true).write(true).open(archived.unwrap()).unwrap();
    // Some of what lies between the tables at the beginning and the end.
    let mut tail = [0; 8];
    file.read_exact_at(&mut tail, 136).unwrap();
    let tail = u64::from_le_bytes(tail);
    file.write_all_at(&[0xa5; 4096], tail - tail / 64 / 8 * 8).unwrap();
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&journald, &loki, ", start: beginning, fields: [N]")).unwrap();
    wait_for("what can be read", SOON, || {
        let there = numbers(&loki);
        ensure!(there.ends_with(&(500..520).collect::<Vec<_>>()), "{} are there", there.len());
        Ok(())
    })
    .unwrap();
    let (there, lost) =
        (numbers(&loki).len(), "taffrail_source_lost_messages_total{source=\"sys\",reason=\"damaged\"}");
    assert!((200..520).contains(&there), "{there}");
    assert!(own(&taffrail, lost) > 0.0);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let journald = Journald::start("", &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    write(&journald, 0, 30);
    let which = ", start: beginning, priority: warning, fields: [N], include: {matches: [\"SYSLOG_IDENTIFIER=app1\", \"SYSLOG_IDENTIFIER=app2 PRIORITY=0\"]}, exclude: {matches: [N=4]}";
    let taffrail = Taffrail::start(&config(&journald, &loki, which)).unwrap();
    let wanted: Vec<usize> = (0..30)
        .filter(|n| n % 3 == 1 || (n % 3 == 2 && n % 8 == 0))
        .filter(|n| n % 8 <= 4 && *n != 4)
        .collect();
    wait_for("what is asked for", SOON, || {
        let there = numbers(&loki);
        ensure!(there == wanted, "{there:?} instead of {wanted:?}");
        Ok(())
    })
    .unwrap();
    drop(taffrail);
    // From now on.
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&journald, &loki, ", start: end, fields: [N]")).unwrap();
    wait_for("the source to look", SOON, || {
        ensure!(own(&taffrail, "taffrail_source_inputs{source=\"sys\"}") > 0.0, "no file is open");
        Ok(())
    })
    .unwrap();
    write(&journald, 1000, 20);
    wait_for("what is new", SOON, || {
        let there = numbers(&loki);
        ensure!(there == (1000..1020).collect::<Vec<_>>(), "{there:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_told_of_and_waited_for() {
    let loki = LokiDouble::start().unwrap();
    let journald = Journald::start("", &[]).unwrap();
    let config = format!(
        "hostname: ship\nlogs: [{{name: sys, journald: {{path: DIR/none, start: beginning, fields: [N]}}}}]\noutputs: {{loki: [{{url: \"{}\"}}]}}\n",
        loki.url()
    );
    let taffrail = Taffrail::start(&config).unwrap();
    crate::support::wait_for_problem(&taffrail, &["there is no journal in", "/none", "`path`"]).unwrap();
    std::os::unix::fs::symlink(journald.folder(), taffrail.dir().join("none")).unwrap();
    write(&journald, 0, 10);
    wait_for("its entries", SOON, || {
        ensure!(numbers(&loki).len() == 10, "{:?}", numbers(&loki));
        Ok(())
    })
    .unwrap();
    crate::support::wait_for_peace(&taffrail).unwrap();
}
