//! `copytruncate`: what was not read when the file was truncated is read from the copy.

use std::fs;
use std::time::Duration;

use taffrail_collector::config::valid::Start;

use super::rig::{Line, Rig};

/// Line 1 was read, line 2 was not. A first one is as long as what a file is known by.
fn rig(globs: &[&str]) -> Rig {
    let mut rig = Rig::with(Start::Beginning, globs, |_| ());
    rig.append("app.log", format!("{}\n1\n", "x".repeat(1100)));
    assert_eq!(rig.texts()[1..], ["1"]);
    // Times of birth come from a clock that ticks every few milliseconds.
    std::thread::sleep(Duration::from_millis(20));
    rig.pause.send_replace(true);
    rig.append("app.log", "2\n");
    rig.step();
    rig
}

fn copy(rig: &Rig, to: &str) {
    fs::copy(rig.path("app.log"), rig.path(to)).unwrap();
}

fn texts(lines: &[Line]) -> Vec<&str> {
    assert!(lines.iter().all(|line| line.file == "app.log"), "{lines:?}");
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn what_was_not_read_is_read_from_the_copy() {
    for (globs, looked) in [(["*.log"], false), (["app.log*"], false), (["app.log*"], true)] {
        let mut rig = rig(&globs);
        copy(&rig, "app.log.1");
        if looked {
            // What is a copy still, though its name matches, is not read as a file of its own.
            rig.steps(0..3);
        }
        rig.truncate("app.log");
        rig.append("app.log", "3\n");
        rig.pause.send_replace(false);
        assert_eq!(texts(&rig.read()), ["2", "3"], "{globs:?}");
        assert_eq!(rig.status().lost_bytes, 0);
        rig.append("app.log", "4\n");
        assert_eq!(rig.texts(), ["4"]);
        rig.restart();
        assert_eq!(rig.texts().len(), 0);
    }
}

#[test]
fn a_copy_that_was_read_already_is_not_read_again() {
    let mut rig = rig(&["app.log*"]);
    rig.pause.send_replace(false);
    assert_eq!(rig.texts(), ["2"]);
    copy(&rig, "app.log.1");
    rig.step();
    // Written between the copy and the truncation: read here, and in no copy.
    rig.append("app.log", "3\n");
    assert_eq!(rig.texts(), ["3"]);
    rig.truncate("app.log");
    rig.append("app.log", "4\n");
    assert_eq!(rig.texts(), ["4"]);
    rig.restart();
    assert_eq!(rig.texts().len(), 0);
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn what_truncation_itself_destroyed_is_lost_as_far_as_it_was_seen() {
    let mut rig = rig(&["*.log"]);
    copy(&rig, "app.log-20250101");
    rig.append("app.log", "3 3\n");
    rig.step();
    rig.truncate("app.log");
    rig.append("app.log", "4\n");
    rig.step();
    rig.pause.send_replace(false);
    let lines = rig.read();
    let texts = texts(&lines);
    assert_eq!((texts[0], texts[2], texts.len()), ("2", "4", 3));
    assert!(texts[1].contains("event=log_gap") && texts[1].contains(" bytes=4 "), "{texts:?}");
    assert_eq!((rig.status().lost_bytes, rig.status().lost["truncated"]), (4, 4));
}

#[test]
fn a_copy_made_while_nobody_looked_is_found() {
    let mut rig = rig(&["*.log"]);
    rig.source.as_mut().unwrap().settle_and_save();
    rig.source = None;
    rig.append("app.log", "3\n");
    copy(&rig, "app.log.1");
    rig.truncate("app.log");
    rig.append("app.log", "4\n");
    rig.pause.send_replace(false);
    rig.restart();
    let chunks = rig.take();
    let first: Vec<Line> = chunks.iter().flat_map(|chunk| rig.lines(chunk)).collect();
    assert_eq!(texts(&first), ["2", "3", "4"]);
    // Killed before any of it was settled, and the copy was rotated on meanwhile.
    drop(chunks);
    rig.rename("app.log.1", "app.log.2");
    rig.restart();
    assert_eq!(rig.read(), first);
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn what_is_on_its_way_when_the_file_is_truncated_comes_again_from_the_copy() {
    let mut rig = rig(&["*.log"]);
    rig.append("app.log", format!("{}\n", "x".repeat(999)).repeat(1000));
    rig.pause.send_replace(false);
    let chunks = rig.take();
    let before: Vec<Line> = chunks.iter().flat_map(|chunk| rig.lines(chunk)).collect();
    assert!(chunks.len() > 3);
    copy(&rig, "app.log.1");
    rig.truncate("app.log");
    rig.step();
    drop(chunks);
    rig.steps(0..2);
    assert_eq!(rig.read(), before);
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn a_file_that_only_begins_alike_is_read() {
    let mut rig = rig(&["app.log*"]);
    rig.pause.send_replace(false);
    copy(&rig, "app.log.err");
    rig.step();
    rig.append("app.log", "3\n");
    rig.append("app.log.err", "x\n");
    let lines = rig.read();
    let err: Vec<_> =
        lines.iter().filter(|line| line.file == "app.log.err").map(|line| &*line.text).collect();
    assert_eq!(err[1..], ["1", "2", "x"]);
}

#[test]
fn copies_that_were_made_between_two_looks_are_read_in_order() {
    let mut rig = rig(&["*.log"]);
    // Seen before, and twice over while nobody looks.
    for down in [false, true] {
        if down {
            rig.source.as_mut().unwrap().settle_and_save();
            rig.source = None;
        }
        for generation in 3..6 {
            let number = generation + 10 * i32::from(down);
            copy(&rig, &format!("app.log.{number}"));
            rig.truncate("app.log");
            rig.append("app.log", format!("{number} {}\n", "y".repeat(1100)));
            std::thread::sleep(Duration::from_millis(20));
        }
        rig.append("app.log.err", "written by somebody else\n");
        rig.pause.send_replace(false);
        if down {
            rig.restart();
        }
        let lines = rig.read();
        let first: Vec<_> = texts(&lines).into_iter().map(|text| text.split(' ').next().unwrap()).collect();
        let wanted: &[&str] = if down { &["13", "14", "15"] } else { &["2", "3", "4", "5"] };
        assert_eq!(first, wanted);
        assert_eq!(rig.status().lost_bytes, 0);
    }
}

#[test]
fn copies_of_what_was_empty_when_it_was_seen_are_read() {
    let mut rig = rig(&["*.log"]);
    rig.pause.send_replace(false);
    assert_eq!(rig.texts(), ["2"]);
    copy(&rig, "app.log.1");
    rig.truncate("app.log");
    assert_eq!(rig.texts().len(), 0);
    for number in 3..5 {
        std::thread::sleep(Duration::from_millis(20));
        rig.append("app.log", format!("{number}\n"));
        copy(&rig, &format!("app.log.{number}"));
        rig.truncate("app.log");
    }
    rig.append("app.log", "5\n");
    assert_eq!(texts(&rig.read()), ["3", "4", "5"]);
    rig.restart();
    assert_eq!((rig.texts().len(), rig.status().lost_bytes), (0, 0));
}

#[test]
fn what_came_and_went_while_a_file_was_seen_to_be_empty_is_read() {
    let mut rig = rig(&["*.log"]);
    rig.pause.send_replace(false);
    assert_eq!(rig.texts(), ["2"]);
    copy(&rig, "app.log.1");
    rig.truncate("app.log");
    assert_eq!(rig.texts().len(), 0);
    for number in 3..5 {
        std::thread::sleep(Duration::from_millis(20));
        rig.append("app.log", format!("{number}\n"));
        copy(&rig, &format!("app.log.{number}"));
        rig.truncate("app.log");
        assert_eq!(rig.texts(), [number.to_string()], "it is as empty as before");
    }
    rig.restart();
    assert_eq!((rig.texts().len(), rig.status().lost_bytes), (0, 0));
}

#[test]
fn copies_that_were_made_before_the_file_was_seen_are_read() {
    let mut rig = Rig::new();
    rig.step();
    for number in 1..4 {
        rig.append("app.log", format!("{number} {}\n", "y".repeat(1100)));
        copy(&rig, &format!("app.log.{number}"));
        rig.truncate("app.log");
        std::thread::sleep(Duration::from_millis(20));
    }
    rig.append("app.log", "4 4\n");
    rig.append("app.log.err", "written by somebody else\n");
    let lines = rig.read();
    let first: Vec<_> = texts(&lines).into_iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!(first, ["1", "2", "3", "4"]);
}
