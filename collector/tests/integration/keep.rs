//! A log on disk that is full: of what one output has not taken, the lines of marked sources go last.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::loki::{Limits, Numbers, append_line};
use taffrail_tests::{LokiDouble, Taffrail, free_port, wait_for};

use crate::support::{own, wait_for_peace, wait_for_problem};

/// Some times eight megabytes through a debug build, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(120);
/// The length of a line.
const LINE: usize = 1000;
/// How many lines are written at a time, of which job: what is marked alone would fit.
const TURN: [(&str, u64); 2] = [("kept", 40), ("others", 400)];
const TURNS: u64 = 60;

fn config(dead: u16, alive: u16) -> String {
    let source = |name, more| {
        format!(
            "  - {{name: {name}, files: {{include: [DIR/{name}.txt], start: beginning}}, redact: false, \
             level: false{more}}}\n"
        )
    };
    format!(
        "hostname: ship\nself: false\nspool_size: 8MiB\nlogs:\n{}{}outputs:\n  loki:\n    \
         - {{name: dead, url: \"http://127.0.0.1:{dead}\", timeout: 1s}}\n    \
         - {{name: alive, url: \"http://127.0.0.1:{alive}\"}}\n",
        source("kept", ", when_full: keep"),
        source("others", "")
    )
}

fn counting(address: &str) -> LokiDouble {
    let loki = LokiDouble::listen(address, Limits::unmetered()).unwrap();
    loki.count_numbers();
    loki
}

/// Waits until all lines written so far came.
fn wait_for_numbers(loki: &LokiDouble, turns: u64) {
    for (job, lines) in TURN {
        wait_for(&format!("all lines of {job}"), LONG, || {
            let missing = loki.numbers(job, |numbers| numbers.missing(turns * lines).count());
            ensure!(missing == 0, "{missing} are missing");
            Ok(())
        })
        .unwrap();
    }
}

fn dropped(taffrail: &Taffrail, log: &str) -> f64 {
    own(taffrail, &format!("taffrail_spool_dropped_records_total{{log=\"{log}\",reason=\"full\"}}"))
}

#[test]
fn marked_lines_are_the_last_to_go() {
    let port = free_port().unwrap();
    let alive = counting("127.0.0.1:0");
    let mut taffrail = Taffrail::prepare(&config(port, alive.port())).unwrap();
    let mut files = TURN.map(|(job, _)| File::create(taffrail.dir().join(format!("{job}.txt"))).unwrap());
    taffrail.restart().unwrap();
    let mut bytes = Vec::new();
    for turn in 0..TURNS {
        for ((_, lines), file) in TURN.iter().zip(&mut files) {
            bytes.clear();
            (turn * lines..(turn + 1) * lines).for_each(|number| append_line(&mut bytes, number, LINE));
            file.write_all(&bytes).unwrap();
        }
        // One takes everything at once, so that sources have no reason to wait for the other.
        wait_for_numbers(&alive, turn + 1);
    }
    wait_for_problem(&taffrail, &["log logs:", "given up", "full"]).unwrap();
    let held = |log| own(&taffrail, &format!("taffrail_spool_bytes{{log=\"{log}\"}}"));
    assert!(held("logs") + held("logs-kept") <= f64::from(8 << 20));
    assert!(dropped(&taffrail, "logs") > 0.0);
    assert_eq!(dropped(&taffrail, "logs-kept"), 0.0);

    // A stop in between changes nothing of it, and tells what was not told yet.
    taffrail.terminate(LONG).unwrap();
    taffrail.restart().unwrap();
    let revived = counting(&format!("127.0.0.1:{port}"));
    wait_for("all marked lines, and the newest of the others", LONG, || {
        let [(kept, of_kept), (others, of_others)] = TURN;
        let missing = revived.numbers(kept, |numbers| numbers.missing(TURNS * of_kept).count());
        ensure!(missing == 0, "{missing} of {kept} are missing");
        let newest = revived.numbers(others, |numbers| numbers.missing(TURNS * of_others).last());
        ensure!(newest.is_some_and(|newest| newest + 1 < TURNS * of_others), "{newest:?} is missing");
        Ok(())
    })
    .unwrap();
    for (job, _) in TURN {
        assert_eq!(revived.numbers(job, Numbers::unordered), None, "{job}");
    }
    let of_others = TURNS * TURN[1].1;
    let lost = revived.numbers("others", |numbers| numbers.missing(of_others).count());
    assert!(lost > 0 && lost < of_others as usize, "{lost}: the oldest of the others are gone, and no more");
    wait_for_peace(&taffrail).unwrap();

    // The stream says how many are missing, to all outputs.
    for loki in [&revived, &alive] {
        wait_for("the stream to say how many are missing", LONG, || {
            let told = told(loki, "others");
            ensure!(told.iter().map(|(lines, _)| lines).sum::<usize>() == lost, "{lost}: {told:?}");
            let why = "reason=full outputs=loki/dead from=";
            ensure!(told.iter().all(|(_, line)| line.contains(why)), "{told:?}");
            Ok(())
        })
        .unwrap();
        assert!(told(loki, "kept").is_empty());
    }
}

/// What a stream says of what is missing in it: how many lines, and the line itself.
fn told(loki: &LokiDouble, job: &str) -> Vec<(usize, String)> {
    let gaps = loki.lines(&[("job", job)]).into_iter().filter(|line| line.contains("event=log_gap"));
    let lines = |line: &String| line.split_once(" lines=")?.1.split(' ').next()?.parse().ok();
    gaps.map(|line| (lines(&line).unwrap_or_default(), line)).collect()
}
