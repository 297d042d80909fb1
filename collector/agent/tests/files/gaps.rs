//! What is missing in a stream is told in the stream: in its place, once, also after a kill.

use std::fs;

use super::rig::{Line, Rig};

fn is_gap(line: &Line) -> bool {
    line.text.starts_with("level=error event=log_gap msg=\"at least ")
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| if is_gap(line) { "gap" } else { &line.text }).collect()
}

/// Line 2 was there, seen and not read, when the file was truncated; line 3 came after.
fn truncated() -> Rig {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.pause.send_replace(true);
    rig.append("app.log", "2\n");
    rig.step();
    rig.truncate("app.log");
    rig.append("app.log", "3 3\n");
    rig.step();
    rig.append("app.log", "4\n");
    rig.pause.send_replace(false);
    rig
}

#[test]
fn a_gap_is_told_where_it_is() {
    let mut rig = truncated();
    let lines = rig.read();
    assert_eq!(texts(&lines), ["gap", "3 3", "4"]);
    assert!(lines.iter().all(|line| line.file == "app.log"), "{lines:?}");
    assert!(lines.windows(2).all(|pair| pair[0].ns < pair[1].ns), "{lines:?}");
    for fact in [
        " bytes=2 ",
        " reason=truncated ",
        " from=20",
        " to=20",
        "of this log are missing here: the file was",
    ] {
        assert!(lines[0].text.contains(fact), "{fact} is not in {}", lines[0].text);
    }
    rig.restart();
    assert_eq!(rig.texts().len(), 0, "it was settled");
}

#[test]
fn a_gap_is_told_once_whenever_the_process_is_killed() {
    // Before its line left.
    let mut rig = truncated();
    rig.restart();
    let chunks = rig.take();
    let first: Vec<Line> = chunks.iter().flat_map(|chunk| rig.lines(chunk)).collect();
    assert_eq!(texts(&first), ["gap", "3 3", "4"]);
    // Before it was settled: the same again, so that a receiver has it once.
    drop(chunks);
    rig.restart();
    let again = rig.read();
    assert_eq!(again, first);
    rig.restart();
    assert_eq!(rig.texts().len(), 0);
}

#[test]
fn a_line_that_comes_back_is_sent_again() {
    let mut rig = truncated();
    drop(rig.take());
    rig.steps(0..2);
    assert_eq!(texts(&rig.read()), ["gap", "3 3", "4"]);
}

#[test]
fn what_was_deleted_meanwhile_is_told_before_what_came_after() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("app.log", "2\n");
    rig.pause.send_replace(true);
    rig.step();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "3\n");
    rig.step();
    rig.source.as_mut().unwrap().settle_and_save();
    rig.pause.send_replace(false);
    rig.source = None;
    fs::remove_file(rig.path("app.log.1")).unwrap();
    rig.restart();
    let lines = rig.read();
    assert_eq!(texts(&lines), ["gap", "3"]);
    assert!(lines[0].text.contains(" reason=deleted "), "{lines:?}");
}
