//! Where the pieces of a line end.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

use crate::page::What;

/// A kind of text page, and what it lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Blanks and tabs anywhere between the pieces, commas between labels as you like, line ends in labels' values.
    Lenient,
    /// One blank where the specification has one, and none elsewhere: OpenMetrics.
    Strict,
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The index of the first byte at or behind `at` that is no blank.
pub(super) fn behind_blanks(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| is_blank(**byte)).count()
}

/// For each byte whether a metric's name may hold it: 1 anywhere, 2 not first, 4 not in a label's name.
const NAME: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => 1,
            b'0'..=b'9' => 2,
            b':' => 4,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// How long the metric's name is with which `text` begins; 0 if it begins with none.
#[inline]
pub(super) fn name_len(text: &[u8]) -> usize {
    match text.first() {
        Some(first) if NAME[usize::from(*first)] & 5 != 0 => {}
        _ => return 0,
    }
    text.iter().position(|byte| NAME[usize::from(*byte)] == 0).unwrap_or(text.len())
}

/// The same of a label's name.
#[inline]
pub(super) fn label_name_len(text: &[u8]) -> usize {
    match text.first() {
        Some(first) if NAME[usize::from(*first)] == 1 => {}
        _ => return 0,
    }
    text.iter().position(|byte| NAME[usize::from(*byte)] & 3 == 0).unwrap_or(text.len())
}

/// Where the closing quote is, `text` beginning behind the opening one. A backslash takes the next byte along, but no
/// line end; a bare line end is let pass where `line_ends` says so.
#[inline]
pub(super) fn string_len(text: &[u8], line_ends: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        at += if line_ends { memchr2(b'"', b'\\', rest)? } else { memchr3(b'"', b'\\', b'\n', rest)? };
        match text[at] {
            b'"' => return Some(at),
            b'\\' if *text.get(at + 1)? != b'\n' => at += 2,
            _ => return None,
        }
    }
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, What> {
    std::str::from_utf8(bytes).map_err(|_| What::Utf8)
}

/// Undoes `\\`, `\n` and, where `quote` says so, `\"`. Other escapes stand as they are: so Prometheus has it.
pub(super) fn unescape(text: &str, quote: bool) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let plain = match rest.as_bytes().get(at + 1) {
            Some(b'n') => '\n',
            Some(b'\\') => '\\',
            Some(b'"') if quote => '"',
            _ => {
                out.push('\\');
                rest = &rest[at + 1..];
                continue;
            }
        };
        out.push(plain);
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
