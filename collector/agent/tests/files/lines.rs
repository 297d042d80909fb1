//! What is in the files: lines that are long, unfinished, binary, or none.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use super::rig::{Rig, body};

#[test]
fn a_line_of_ten_megabytes_is_cut_and_counted() {
    let mut rig = Rig::new();
    rig.append("a.log", "before\n");
    rig.append("a.log", vec![b'x'; 10 << 20]);
    assert_eq!(rig.texts(), ["before"]);
    rig.append("a.log", "x\nafter\n");
    let texts = rig.texts();
    assert_eq!(texts.len(), 2);
    assert!(
        texts[0].len() <= 64 << 10 && texts[0].contains("[taffrail: line cut, 104"),
        "{}",
        texts[0].len()
    );
    assert_eq!(texts[1], "after");
    let status = rig.status();
    assert_eq!((status.cut_lines, status.lines, status.behind_bytes), (1, 3, 0));
    assert_eq!(status.bytes, 7 + (10 << 20) + 2 + 6);
}

#[test]
fn an_unfinished_line_waits_for_its_end() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\ntw");
    assert_eq!(rig.texts(), ["one"]);
    rig.clock.advance(Duration::from_secs(200));
    assert!(rig.texts().is_empty());
    rig.append("a.log", "o\n");
    assert_eq!(rig.texts(), ["two"]);
}

#[test]
fn an_unfinished_line_is_passed_on_after_five_minutes() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\npanic: no");
    assert_eq!(rig.texts(), ["one"]);
    rig.clock.advance(Duration::from_secs(300));
    assert_eq!(rig.texts(), ["panic: no"]);
    rig.append("a.log", "\nthree\n");
    assert_eq!(rig.texts(), ["three"], "its end is no empty line");
    rig.append("a.log", "four");
    rig.step();
    rig.clock.advance(Duration::from_secs(300));
    assert_eq!(rig.texts(), ["four"]);
    rig.restart();
    rig.append("a.log", "\n\nsix\n");
    assert_eq!(rig.texts(), ["", "six"], "also after a restart");
}

#[test]
fn the_unfinished_line_of_a_rotated_or_deleted_file_is_passed_on_soon() {
    let mut rig = Rig::new();
    rig.append("a.log", "one");
    rig.append("b.log", "two");
    assert!(rig.texts().is_empty());
    rig.rename("a.log", "a.log.1");
    fs::remove_file(rig.path("b.log")).unwrap();
    rig.step();
    rig.step();
    assert_eq!(rig.texts(), ["one", "two"]);
}

#[test]
fn bytes_that_are_no_text_are_passed_on() {
    let mut rig = Rig::new();
    rig.append("a.log", b"caf\xe9\nmid\0dle\n\xff\xfe\n");
    let chunks = rig.take();
    assert_eq!(body(&chunks[0]).0, b"caf\xe9\nmid\0dle\n\xff\xfe\n");
}

#[test]
fn nuls_left_by_a_writer_that_does_not_append_are_left_out() {
    let mut rig = Rig::new();
    let mut writer = fs::File::create(rig.path("a.log")).unwrap();
    writer.write_all("before\n".repeat(10_000).as_bytes()).unwrap();
    assert_eq!(rig.texts().len(), 10_000);
    rig.truncate("a.log");
    rig.step();
    writer.write_all(b"after\n").unwrap();
    assert_eq!(writer.stream_position().unwrap(), 70_006);
    assert_eq!(rig.texts(), ["after"]);
    writer.seek(SeekFrom::Start(20 << 30)).unwrap();
    writer.write_all(b"far\n").unwrap();
    assert_eq!(rig.texts(), ["far"]);
    rig.restart();
    assert!(rig.texts().is_empty());
}

#[test]
fn empty_files_and_empty_lines_are_no_trouble() {
    let mut rig = Rig::new();
    rig.append("a.log", "");
    assert!(rig.texts().is_empty());
    assert_eq!(rig.status().inputs, 1);
    rig.append("a.log", "\n\n");
    assert_eq!(rig.texts(), ["", ""]);
}
