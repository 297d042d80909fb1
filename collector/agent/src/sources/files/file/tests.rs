//! Reading pieces of one file.

use std::io::Write;

use taffrail_stages::format::Format;

use super::*;

const MAX: usize = 1024;
const SHAPE: Shape = Shape { format: Format::Plain, max_line: MAX };

fn follow(contents: &[u8]) -> (tempfile::NamedTempFile, LogFile) {
    let mut temp = tempfile::NamedTempFile::new().unwrap();
    temp.write_all(contents).unwrap();
    let (handle, meta) = open(temp.path()).unwrap();
    let path: Arc<Path> = temp.path().into();
    let file = LogFile::new(1, (handle, &meta), path.clone(), path, 0, Duration::ZERO);
    (temp, file)
}

/// Reads on until there is nothing more, and gives every piece.
fn read(file: &mut LogFile, flush: bool) -> Vec<(Range<u64>, String)> {
    read_as(SHAPE, file, flush)
}

fn read_as(shape: Shape, file: &mut LogFile, flush: bool) -> Vec<(Range<u64>, String)> {
    let mut pieces = Vec::new();
    file.unread = true;
    while file.unread || (flush && file.tracker.end() < file.size) {
        let start = file.tracker.end();
        let (end, lines) = match file.next(&mut Vec::new(), (shape, None), flush).unwrap() {
            Next::Lines(end, lines) => (end, Some(lines)),
            Next::Void(end) => (end, None),
            Next::Nothing => continue,
        };
        assert!(file.push(Mark { start, end, base_ns: 0, lines: 1 }).is_some());
        if let Some(lines) = lines {
            let again = file.render(start..end, &mut Vec::new(), shape.max_raw()).unwrap().unwrap();
            assert_eq!((&again.bytes, again.count), (&lines.bytes, lines.count));
            pieces.push((start..end, String::from_utf8_lossy(&lines.bytes).into_owned()));
        }
    }
    pieces
}

#[test]
fn an_unfinished_line_waits_until_it_is_whole() {
    let (mut temp, mut file) = follow(b"one\ntw");
    assert_eq!(read(&mut file, false), [(0..4, "one\n".to_owned())]);
    temp.write_all(b"o\nthree").unwrap();
    assert_eq!(read(&mut file, false), [(4..8, "two\n".to_owned())]);
    file.size = 13;
    assert_eq!(read(&mut file, true), [(8..13, "three".to_owned())]);
    temp.write_all(b"\nfour\n").unwrap();
    assert_eq!(read(&mut file, false), [(14..19, "four\n".to_owned())], "its end is no line of its own");
}

#[test]
fn a_line_of_ten_megabytes_is_cut_and_never_held() {
    let long = vec![b'x'; 10 << 20];
    let (mut temp, mut file) = follow(&long);
    assert_eq!(read(&mut file, false), []);
    temp.write_all(b"yz\nnext\n").unwrap();
    let pieces = read(&mut file, false);
    assert_eq!(pieces.len(), 2);
    assert_eq!(pieces[0].0, 0..(10 << 20) + 3);
    assert_eq!(pieces[0].1.len(), MAX + 1);
    assert!(pieces[0].1.starts_with("xxx") && pieces[0].1.ends_with(" bytes left out]\n"));
    assert_eq!(pieces[1].1, "next\n");
}

#[test]
fn a_line_that_just_fills_a_chunk_is_found() {
    for len in [MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, 2 * MAX_BYTES, 2 * MAX_BYTES + 1] {
        let mut contents = vec![b'x'; len];
        contents.extend_from_slice(b"\nnext\n");
        let (_temp, mut file) = follow(&contents);
        let pieces = read(&mut file, false);
        let next = pieces.iter().map(|(_, text)| text.as_str()).collect::<String>();
        assert!(next.ends_with("left out]\nnext\n"), "{len}: {next}");
        assert_eq!(next.lines().count(), 2, "{len}");
    }
}

#[test]
fn nuls_before_a_line_are_left_out_and_holes_are_not_read() {
    let (mut temp, mut file) = follow(b"one\n");
    temp.as_file().set_len(50 << 30).unwrap();
    io::Seek::seek(&mut temp, io::SeekFrom::Start(50 << 30)).unwrap();
    temp.write_all(b"\0\0two\n").unwrap();
    file.size = (50 << 30) + 6;
    let texts: Vec<_> = read(&mut file, false).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one\n", "two\n"]);
}

#[test]
fn reading_from_the_end_begins_with_a_line() {
    let (temp, _) = follow(b"one\ntwo\nthree\nfo");
    let start = |tail| line_start(temp.as_file(), 16, tail).unwrap();
    assert_eq!([start(100), start(16), start(13), start(12), start(11)], [0, 0, 4, 4, 8]);
    assert_eq!([start(2), start(1), start(0)], [14, 14, 14], "an unfinished line is read whole");
}

const DOCKER: Shape = Shape { format: Format::Docker, max_line: MAX };

fn record(log: &str) -> String {
    format!("{{\"log\":\"{log}\",\"stream\":\"stdout\",\"time\":\"2026-11-21T15:00:00Z\"}}\n")
}

#[test]
fn the_parts_of_a_line_are_not_separated() {
    let (end, part) = (record("a\\n"), record("b"));
    let (mut temp, mut file) = follow(format!("{end}{part}").as_bytes());
    file.changed_at = Duration::from_secs(7);
    assert_eq!(read_as(DOCKER, &mut file, false), [(0..end.len() as u64, end.clone())]);
    // Five seconds after it changed.
    assert_eq!(file.open, Some((end.len() as u64, Duration::from_secs(12))));
    // It grows, and is no younger for that.
    temp.write_all(part.as_bytes()).unwrap();
    file.changed_at = Duration::from_secs(9);
    assert_eq!(read_as(DOCKER, &mut file, false), []);
    assert_eq!(file.open, Some((end.len() as u64, Duration::from_secs(12))));
    temp.write_all(end.as_bytes()).unwrap();
    let pieces = read_as(DOCKER, &mut file, false);
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].1, format!("{part}{part}{end}"));
    assert_eq!(file.open, None);
}

#[test]
fn parts_whose_rest_does_not_come_go_without_it() {
    let part = record("b");
    let (temp, mut file) = follow(part.as_bytes());
    file.size = part.len() as u64;
    assert_eq!(read_as(DOCKER, &mut file, false), []);
    assert_eq!(read_as(DOCKER, &mut file, true), [(0..part.len() as u64, part.clone())]);
    drop(temp);
    // A line of more parts than a chunk holds goes in several pieces, each of whole records.
    let part = record(&"x".repeat(16 << 10));
    let contents = part.repeat(20);
    let (_temp, mut file) = follow(contents.as_bytes());
    let pieces = read_as(DOCKER, &mut file, false);
    assert_eq!(pieces.len(), 1, "the rest may have its end yet");
    assert_eq!(pieces[0].1.len() % part.len(), 0);
    assert!(pieces[0].1.len() + part.len() > MAX_BYTES);
}
