//! What is OpenMetrics' own: its comments, and what stands behind a series.

use memchr::{memchr, memchr2};

use super::lex::{Dialect, unescape, utf8};
use super::number;
use super::parser::{Other, Tail, Wrong};
use super::prometheus::family;
use super::series::Walk;
use crate::page::{Entry, Exemplar, What};
use crate::remote_write::MetricKind;

/// The types, for the message about one that is none.
const KINDS: &str = "counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown";

/// A line that begins with `#` at an index, and the index of its end.
pub(super) fn comment(page: &[u8], begin: usize) -> Result<(Other<'_>, usize), Wrong> {
    let rest = &page[begin..];
    if rest.starts_with(b"# EOF") {
        let end = begin + 5;
        return match &page[end..] {
            b"" | b"\n" => Ok((Other::End(Entry::Eof), end)),
            [b'\n', ..] => Err((end + 1, What::BehindEof)),
            [b'\r', ..] => Err((end, What::CarriageReturn)),
            _ => Err((end, What::BehindEof)),
        };
    }
    let word = [b"# HELP ", b"# TYPE ", b"# UNIT "].into_iter().find(|word| rest.starts_with(*word));
    let word = word.ok_or((begin, What::Comment))?;
    let at = begin + word.len();
    let (family, behind) = family(page, at)?;
    let end = behind + memchr(b'\n', &page[behind..]).ok_or((page.len(), What::NoEof))?;
    let text_at = match page[behind] {
        b' ' => behind + 1,
        // A blank is wanted even where no text follows.
        _ => return Err((behind, What::Family)),
    };
    let text = utf8(&page[text_at..end]);
    let entry = match word {
        b"# TYPE " => {
            let kind = kind(&page[text_at..end]).map_err(|what| match what {
                What::CarriageReturn => (end - 1, what),
                what => (text_at, what),
            })?;
            Entry::Type { family, kind }
        }
        b"# UNIT " => {
            let unit = text.map_err(|what| (text_at, what))?;
            let fits = || family.strip_suffix(unit).is_some_and(|base| base.ends_with('_'));
            if !unit.is_empty() && !fits() {
                return Err((text_at, What::Unit));
            }
            Entry::Unit { family, unit: unit.into() }
        }
        _ => Entry::Help { family, text: unescape(text.map_err(|what| (text_at, what))?, true) },
    };
    Ok((Other::Entry(entry), end))
}

fn kind(word: &[u8]) -> Result<MetricKind, What> {
    Ok(match word {
        b"counter" => MetricKind::Counter,
        b"gauge" => MetricKind::Gauge,
        b"histogram" => MetricKind::Histogram,
        b"gaugehistogram" => MetricKind::GaugeHistogram,
        b"summary" => MetricKind::Summary,
        b"info" => MetricKind::Info,
        b"stateset" => MetricKind::StateSet,
        b"unknown" => MetricKind::Unknown,
        [.., b'\r'] => return Err(What::CarriageReturn),
        _ => return Err(What::Kind(KINDS)),
    })
}

/// The value, time and exemplar that follow a series which ends at an index.
pub(super) fn tail(page: &[u8], at: usize) -> Result<Tail<'_>, Wrong> {
    let (value, at) = value(page, at)?;
    let mut tail = Tail { value, end: at, ..Tail::default() };
    if !is_exemplar(page, at) && page.get(at) == Some(&b' ') {
        let (time, at) = time(page, at)?;
        (tail.ts_ms, tail.end) = (Some(time), at);
    }
    if is_exemplar(page, tail.end) {
        let (exemplar, at) = exemplar(page, tail.end + EXEMPLAR.len())?;
        (tail.exemplar, tail.end) = (Some(exemplar), at);
    }
    match page.get(tail.end) {
        Some(b'\n') => Ok(tail),
        None => Err((tail.end, What::NoEof)),
        Some(_) => Err((tail.end, What::More)),
    }
}

/// How an exemplar begins.
const EXEMPLAR: &[u8] = b" # {";

fn is_exemplar(page: &[u8], at: usize) -> bool {
    page[at..].starts_with(EXEMPLAR)
}

/// The exemplar whose labels begin at an index, and the index behind it.
fn exemplar(page: &[u8], at: usize) -> Result<(Exemplar<'_>, usize), Wrong> {
    let mut walk = Walk::exemplar(page, at);
    let mut labels = Vec::new();
    while let Some(label) = walk.next().map_err(|what| (walk.at, what))? {
        labels.push(label.read().map_err(|what| (walk.at, what))?);
    }
    let (value, at) = value(page, walk.at)?;
    let (ts_ms, at) = match page.get(at) {
        Some(b' ') => {
            let (time, at) = time(page, at)?;
            (Some(time), at)
        }
        _ => (None, at),
    };
    Ok((Exemplar { labels, value, ts_ms }, at))
}

fn value(page: &[u8], at: usize) -> Result<(f64, usize), Wrong> {
    let (word, end) = word(page, at)?;
    number::value(word).map(|value| (value, end)).ok_or_else(|| wrong(word, end, What::Value))
}

fn time(page: &[u8], at: usize) -> Result<(i64, usize), Wrong> {
    let (word, end) = word(page, at)?;
    number::seconds(word).map(|time| (time, end)).ok_or_else(|| wrong(word, end, What::Time))
}

fn wrong(word: &[u8], end: usize, what: What) -> Wrong {
    match word {
        [.., b'\r'] => (end - 1, What::CarriageReturn),
        _ => (end - word.len(), what),
    }
}

/// The word behind the one blank at an index, and the index behind it.
fn word(page: &[u8], at: usize) -> Result<(&[u8], usize), Wrong> {
    let rest = page[at..].strip_prefix(b" ").ok_or((at, What::Value))?;
    let len = memchr2(b' ', b'\n', rest).unwrap_or(rest.len());
    Ok((&rest[..len], at + 1 + len))
}

impl super::Parser<'_> {
    /// The dialect of OpenMetrics.
    pub(crate) const STRICT: Dialect = Dialect::Strict;
}
