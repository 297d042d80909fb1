//! Reading pieces of one file.

use std::io::Write;

use super::*;

const MAX: usize = 1024;

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
    let mut pieces = Vec::new();
    file.unread = true;
    while file.unread || (flush && file.tracker.end() < file.size) {
        let start = file.tracker.end();
        let (end, lines) = match file.next(&mut Vec::new(), MAX, flush).unwrap() {
            Next::Lines(end, lines) => (end, Some(lines)),
            Next::Void(end) => (end, None),
            Next::Nothing => continue,
        };
        assert!(file.push(Mark { start, end, base_ns: 0, lines: 1 }).is_some());
        if let Some(lines) = lines {
            let again = file.render(start..end, &mut Vec::new(), MAX).unwrap().unwrap();
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
