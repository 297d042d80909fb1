//! What is the text format's own: its comments, and what stands behind a series.

use memchr::memchr;

use super::lex::{Dialect, behind_blanks, is_blank, name_len, string_len, unescape, utf8};
use super::number;
use super::parser::{Other, Tail, Wrong};
use crate::page::{Entry, What};
use crate::remote_write::MetricKind;

/// The types, for the message about one that is none.
const KINDS: &str = "counter, gauge, histogram, summary, untyped";

/// A line that begins with `#` at an index, and the index of its end.
pub(super) fn comment(page: &[u8], begin: usize) -> Result<(Other<'_>, usize), Wrong> {
    let end = memchr(b'\n', &page[begin..]).map_or(page.len(), |len| begin + len);
    let word = behind_blanks(page, begin + 1);
    let rest = &page[word.min(end)..];
    let is_kind = rest.starts_with(b"TYPE");
    let blank_behind = rest.get(4).is_some_and(|byte| is_blank(*byte));
    // `#TYPE` without a blank, or `# TYPED`, is a plain comment.
    if word == begin + 1 || !(is_kind || rest.starts_with(b"HELP")) || !blank_behind {
        return Ok((Other::Entry(Entry::Comment(&page[begin + 1..end])), end));
    }
    let at = behind_blanks(page, word + 4);
    let (family, behind) = family(page, at)?;
    let end = memchr(b'\n', &page[behind..]).map_or(page.len(), |len| behind + len);
    // One byte is taken for the blank between, whatever it is and whether or not more follow.
    let text_at = (behind + 1).min(end);
    let text = &page[text_at..end];
    let entry = if is_kind {
        let kind = match text {
            b"counter" => MetricKind::Counter,
            b"gauge" => MetricKind::Gauge,
            b"histogram" => MetricKind::Histogram,
            b"summary" => MetricKind::Summary,
            b"untyped" => MetricKind::Unknown,
            [.., b'\r'] => return Err((end - 1, What::CarriageReturn)),
            _ => return Err((text_at, What::Kind(KINDS))),
        };
        Entry::Type { family, kind }
    } else {
        Entry::Help { family, text: unescape(utf8(text).map_err(|what| (text_at, what))?, false) }
    };
    Ok((Other::Entry(entry), end))
}

/// The name of a family that begins at an index, in quotes or not, and the index behind it.
pub(super) fn family(page: &[u8], at: usize) -> Result<(std::borrow::Cow<'_, str>, usize), Wrong> {
    let wrong = |what| (at, what);
    if page.get(at) == Some(&b'"') {
        let body = &page[at + 1..];
        let len = string_len(body, true).ok_or((at, What::Family))?;
        let name = utf8(&body[..len]).map_err(wrong)?;
        return Ok((unescape(name, true), at + len + 2));
    }
    let rest = page.get(at..).unwrap_or_default();
    let name = &rest[..name_len(rest)];
    if name.is_empty() {
        return Err((at, What::Family));
    }
    Ok((utf8(name).map_err(wrong)?.into(), at + name.len()))
}

/// The value and time that follow a series which ends at an index.
pub(super) fn tail(page: &[u8], at: usize) -> Result<Tail<'static>, Wrong> {
    let at = behind_blanks(page, at);
    let (word, behind) = word(page, at);
    let value = number::value(word).ok_or_else(|| carriage_return(word, at, What::Value))?;
    let at = behind_blanks(page, behind);
    let mut tail = Tail { value, end: at, ..Tail::default() };
    if page.get(at).is_some_and(|byte| *byte != b'\n') {
        let (word, behind) = self::word(page, at);
        tail.ts_ms = Some(number::milliseconds(word).ok_or_else(|| carriage_return(word, at, What::Time))?);
        tail.end = behind_blanks(page, behind);
    }
    match page.get(tail.end) {
        None | Some(b'\n') => Ok(tail),
        Some(b'\r') => Err((tail.end, What::CarriageReturn)),
        Some(_) => Err((tail.end, What::More)),
    }
}

/// The word that begins at an index, and the index behind it.
fn word(page: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &page[at..];
    let len = rest.iter().position(|byte| is_blank(*byte) || *byte == b'\n').unwrap_or(rest.len());
    (&rest[..len], at + len)
}

fn carriage_return(word: &[u8], at: usize, what: What) -> Wrong {
    match word {
        [.., b'\r'] => (at + word.len() - 1, What::CarriageReturn),
        _ => (at, what),
    }
}

impl super::Parser<'_> {
    /// The dialect of the text format.
    pub(crate) const LENIENT: Dialect = Dialect::Lenient;
}
