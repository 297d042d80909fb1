//! Where reading starts in files without a position.

use std::fs;
use std::path::Path;

use taffrail_collector::config::valid::Start;
use taffrail_core::Clock;

use super::rig::Rig;

fn age(path: &Path, seconds: i64) {
    let at = Clock::system().now_ns() / 1_000_000_000 - seconds;
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at as u64);
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn old_and_new(logs: &Path) {
    fs::write(logs.join("new.log"), "new\nunfini").unwrap();
    fs::write(logs.join("old.log"), "old\n").unwrap();
    age(&logs.join("old.log"), 3700);
}

#[test]
fn from_the_beginning() {
    let mut rig = Rig::with(Start::Beginning, &["*.log"], old_and_new);
    assert_eq!(rig.texts(), ["new", "old"]);
}

#[test]
fn from_the_end() {
    let mut rig = Rig::with(Start::End, &["*.log"], old_and_new);
    assert!(rig.texts().is_empty());
    rig.append("new.log", "shed\n");
    rig.append("old.log", "more\n");
    rig.append("later.log", "later\n");
    assert_eq!(rig.texts(), ["later", "unfinished", "more"]);
}

#[test]
fn backfill_reads_what_changed_within_the_hour() {
    let mut rig = Rig::with(Start::Backfill, &["*.log"], old_and_new);
    assert_eq!(rig.texts(), ["new"]);
    rig.append("old.log", "more\n");
    assert_eq!(rig.texts(), ["more"]);
}

#[test]
fn backfill_reads_ten_megabytes_from_the_beginning_of_a_line() {
    let mut rig = Rig::with(Start::Backfill, &["*.log"], |logs| {
        let lines: String = (0..200_000).map(|n| format!("line {n:06} {}\n", "x".repeat(87))).collect();
        assert_eq!(lines.len(), 200_000 * 100);
        fs::write(logs.join("a.log"), lines).unwrap();
    });
    let texts = rig.texts();
    assert_eq!(texts.len(), (10 << 20) / 100);
    assert!(texts.iter().all(|text| text.len() == 99));
    assert!(texts.last().unwrap().starts_with("line 199999"));
}

#[test]
fn files_that_came_while_nobody_looked_are_read_from_their_beginning() {
    let mut rig = Rig::with(Start::End, &["*.log"], old_and_new);
    rig.texts();
    rig.source = None;
    rig.append("born.log", "1\n2\n");
    rig.restart();
    assert_eq!(rig.texts(), ["1", "2"]);
}

#[test]
fn old_files_that_match_only_now_are_started_as_configured() {
    let mut rig = Rig::with(Start::End, &["*.log"], |logs| {
        fs::write(logs.join("other.txt"), "old\n").unwrap();
    });
    rig.step();
    rig.clock.advance(std::time::Duration::from_secs(60));
    rig.append("a.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.config.files.include.push(rig.path("*.txt").display().to_string());
    rig.restart();
    rig.step();
    rig.append("other.txt", "new\n");
    assert_eq!(rig.texts(), ["new"]);
}
