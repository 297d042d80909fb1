//! From bytes to whole lines: where a chunk ends, and what becomes of a line that is too long.
//!
//! Bytes that are not UTF-8 go on as they are (a stage replaces them). NULs at the start of a line, which a writer
//! that does not append leaves behind after its file was truncated, are left out.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use crate::logs::shape::cut;

/// What the bytes from the present place on begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Whole lines, so many bytes.
    Lines(usize),
    /// NULs where a line should begin, so many.
    Nuls(usize),
    /// No whole line yet.
    Unfinished,
    /// No end of a line in as many bytes as a chunk may hold.
    Long,
}

/// Finds whole lines, or what else there is, at the beginning of `window`; `full` when more than it may be there.
pub(crate) fn frame(window: &[u8], full: bool) -> Frame {
    static NUL_LINE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\n\0"));
    if window.first() == Some(&0) {
        let nuls = window.iter().take_while(|byte| **byte == 0).count();
        // NULs at the very end may be a page that is about to be filled.
        return if nuls < window.len() || full { Frame::Nuls(nuls) } else { Frame::Unfinished };
    }
    // Most files hold none at all, which costs less to see.
    let nul_line = memchr(0, window).and_then(|_| NUL_LINE.find(window));
    let lines = nul_line.map_or(window, |at| &window[..=at]);
    match memrchr(b'\n', lines) {
        Some(at) => Frame::Lines(at + 1),
        None if full => Frame::Long,
        None => Frame::Unfinished,
    }
}

/// How many lines `bytes` holds; the last one may lack its line feed.
pub(crate) fn count(bytes: &[u8]) -> u32 {
    let unfinished = bytes.last().is_some_and(|byte| *byte != b'\n');
    memchr_iter(b'\n', bytes).count() as u32 + u32::from(unfinished)
}

/// Whether a line in `bytes` is longer than `max`, without its line feed. Looks at one byte in `max`, mostly.
pub(crate) fn any_longer(bytes: &[u8], max: usize) -> bool {
    let mut rest = bytes;
    while rest.len() > max {
        match memrchr(b'\n', &rest[..=max]) {
            Some(at) => rest = &rest[at + 1..],
            None => return true,
        }
    }
    false
}

/// `bytes` with every line longer than `max` cut, and how many were.
pub(crate) fn cut_all(bytes: &[u8], max: usize) -> (Vec<u8>, u64) {
    let mut out = Vec::with_capacity(bytes.len());
    let mut cuts = 0;
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        if line.len() > max {
            cuts += 1;
            cut(&mut out, line, line.len() as u64, max);
        } else {
            out.extend_from_slice(line);
        }
        if end.is_some() {
            out.push(b'\n');
        }
        rest = &rest[(line.len() + usize::from(end.is_some())).min(rest.len())..];
    }
    (out, cuts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_taken_and_the_rest_is_left() {
        assert_eq!(frame(b"one\ntwo\nthr", false), Frame::Lines(8));
        assert_eq!(frame(b"thr", false), Frame::Unfinished);
        assert_eq!(frame(b"thr", true), Frame::Long);
        assert_eq!(frame(b"\n", false), Frame::Lines(1));
        assert_eq!(frame(b"", false), Frame::Unfinished);
    }

    #[test]
    fn nuls_where_a_line_begins_are_told_from_nuls_within() {
        assert_eq!(frame(b"\0\0\0one\n", false), Frame::Nuls(3));
        assert_eq!(frame(b"\0\0\0", false), Frame::Unfinished);
        assert_eq!(frame(b"\0\0\0", true), Frame::Nuls(3));
        assert_eq!(frame(b"one\n\0\0two\n", false), Frame::Lines(4));
        assert_eq!(frame(b"o\0ne\n", false), Frame::Lines(5));
    }

    #[test]
    fn lines_are_counted_with_the_unfinished_one() {
        assert_eq!((count(b""), count(b"\n\n"), count(b"a\nb"), count(b"b")), (0, 2, 2, 1));
    }

    #[test]
    fn longer_lines_are_found_wherever_they_are() {
        assert!(!any_longer(b"1234\n1234\n12", 4));
        assert!(!any_longer(b"1234", 4));
        assert!(any_longer(b"12345", 4));
        assert!(any_longer(b"1\n12345\n1", 4));
        assert!(any_longer(b"1234\n1\n1\n12345", 4));
        assert!(!any_longer(b"\n\n\n\n\n\n\n\n\n", 4));
    }

    #[test]
    fn a_long_line_is_cut_to_the_byte_and_says_so() {
        let long = "x".repeat(1000);
        let (out, cuts) = cut_all(format!("short\n{long}\nlast").as_bytes(), 200);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!((lines[0], lines[2], cuts), ("short", "last", 1));
        assert!(lines[1].len() <= 200 && lines[1].len() > 196);
        let kept = lines[1].find(" [").unwrap();
        assert_eq!(lines[1][kept..], format!(" [taffrail: line cut, {} bytes left out]", 1000 - kept));
    }

    #[test]
    fn a_character_is_not_cut_in_half() {
        for shift in 0..4 {
            let line = format!("{}{}", "x".repeat(shift), "🚢".repeat(100));
            let (out, _) = cut_all(line.as_bytes(), 200);
            assert!(out.len() <= 200 && out.len() > 196);
            assert!(String::from_utf8(out).is_ok());
        }
    }
}
