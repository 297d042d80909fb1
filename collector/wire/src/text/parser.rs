//! The pass over a page's lines.

use memchr::memchr2;

use super::created::Created;
use super::lex::{Dialect, behind_blanks};
use super::number;
use super::series::{Series, Walk};
use super::{openmetrics, prometheus};
use crate::page::{
    Entry, Exemplar, FloatLabel, Form, Known, PageError, Place, Sample, Series as PageSeries, Table, What,
};
use crate::remote_write::MetricKind;

/// What is wrong, and at which index of the page.
pub(super) type Wrong = (usize, What);

/// What stands behind a series.
#[derive(Debug, Default)]
pub(super) struct Tail<'a> {
    pub(super) value: f64,
    pub(super) ts_ms: Option<i64>,
    pub(super) exemplar: Option<Exemplar<'a>>,
    /// The index of the line's end.
    pub(super) end: usize,
}

/// A line that is no sample.
pub(super) enum Other<'a> {
    Entry(Entry<'a>),
    /// `# EOF`, or the place where Prometheus stops reading.
    End(Entry<'a>),
}

/// Iterator over a text page.
#[derive(Clone, Debug)]
pub(crate) struct Parser<'a> {
    page: &'a [u8],
    /// Where the next line begins.
    at: usize,
    /// Where what was yielded last begins.
    start: usize,
    dialect: Dialect,
    /// The end was seen, or an error was returned.
    ended: bool,
    float_label: FloatLabel,
    created: Created<'a>,
    too_long: u64,
}

impl<'a> Parser<'a> {
    /// Over a page; `created` says whether samples shall know when their series began.
    pub(crate) fn new(page: &'a [u8], dialect: Dialect, created: bool) -> Self {
        Parser {
            page,
            at: 0,
            start: 0,
            dialect,
            // An empty page does not even lack its end.
            ended: page.is_empty(),
            float_label: FloatLabel::None,
            created: Created::new(page, created && dialect == Dialect::Strict),
            too_long: 0,
        }
    }

    /// The index at which the entry begins that the iterator yielded last.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// How many exemplars were left out because their labels are too long.
    pub(crate) fn left_out(&self) -> u64 {
        self.too_long
    }

    /// The next line, if it is a plain sample of the series that the table expects.
    #[inline]
    pub(crate) fn known<V: Copy>(&mut self, table: &mut Table<V>) -> Option<Known<V>> {
        if self.ended || self.created.is_wanted() {
            return None;
        }
        let expected = table.expected()?;
        let line = &self.page[self.at..];
        let (series, behind) = line.split_at_checked(expected.len)?;
        // A blank ends a name. Bytes that are a known series up to a closing brace cannot be the beginning of another.
        let text = behind.strip_prefix(b" ")?;
        let (value, len) = match number::quick(text) {
            Some((value, len)) if matches!(text.get(len), Some(b'\n' | b' ')) => (value, len),
            _ => {
                let len = memchr2(b' ', b'\n', text)?;
                (number::value(&text[..len])?, len)
            }
        };
        let (ts_ms, len) = match text[len] {
            b'\n' => (None, len),
            _ => self.known_time(text, len + 1)?,
        };
        if !table.is(&expected, series) {
            return None;
        }
        self.start = self.at;
        self.at += expected.len + 1 + len + 1;
        let (of, again) = table.take(&expected);
        Some(Known { of, value, ts_ms, again })
    }

    /// The time that begins at an index and ends the line, and where.
    fn known_time(&self, text: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
        let rest = &text[at..];
        let len = memchr2(b' ', b'\n', rest)?;
        let time = match self.dialect {
            Dialect::Lenient => number::milliseconds(&rest[..len])?,
            Dialect::Strict => number::seconds(&rest[..len])?,
        };
        (rest[len] == b'\n').then_some((Some(time), at + len))
    }

    fn step(&mut self) -> Result<Option<Entry<'a>>, Wrong> {
        loop {
            let begin = match self.dialect {
                Dialect::Lenient => behind_blanks(self.page, self.at),
                Dialect::Strict => self.at,
            };
            self.start = begin;
            let other = match self.page.get(begin) {
                None if self.dialect == Dialect::Strict => return Err((begin, What::NoEof)),
                // Prometheus' lexer takes a zero byte for the end of the page.
                None | Some(0) if self.dialect == Dialect::Lenient => return Ok(None),
                Some(b'\n') if self.dialect == Dialect::Lenient => {
                    self.at = begin + 1;
                    continue;
                }
                Some(b'\n') => return Err((begin, What::Blank)),
                Some(b'#') if self.dialect == Dialect::Lenient => prometheus::comment(self.page, begin)?,
                Some(b'#') => openmetrics::comment(self.page, begin)?,
                _ => return self.sample(begin).map(Some),
            };
            let (entry, end) = other;
            self.at = (end + 1).min(self.page.len());
            if let Other::Entry(Entry::Type { kind, .. }) = &entry {
                self.float_label = match kind {
                    MetricKind::Histogram => FloatLabel::Bound,
                    MetricKind::Summary => FloatLabel::Quantile,
                    _ => FloatLabel::None,
                };
                self.created.family(*kind);
            }
            return match entry {
                Other::Entry(entry) => Ok(Some(entry)),
                Other::End(entry) => {
                    self.ended = true;
                    Ok(Some(entry))
                }
            };
        }
    }

    fn sample(&mut self, begin: usize) -> Result<Entry<'a>, Wrong> {
        let end = Walk::new(self.page, begin, self.dialect).check()?;
        let bytes = &self.page[begin..end];
        let series = Series { bytes, dialect: self.dialect, float_label: self.float_label };
        let tail = match self.dialect {
            Dialect::Lenient => prometheus::tail(self.page, end)?,
            Dialect::Strict => openmetrics::tail(self.page, end)?,
        };
        self.at = (tail.end + 1).min(self.page.len());
        let exemplar = tail.exemplar.filter(|exemplar| {
            let fits = !exemplar.is_too_long();
            self.too_long += u64::from(!fits);
            fits
        });
        Ok(Entry::Sample(Sample {
            created_ms: self.created.of(self.page, begin, self.at),
            series: PageSeries(Form::Text(series)),
            value: tail.value,
            ts_ms: tail.ts_ms,
            exemplar: exemplar.map(Box::new),
        }))
    }

    /// Where an index of the page is.
    pub(crate) fn place(&self, at: usize) -> Place {
        let before = &self.page[..at.min(self.page.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
        Place::Line { line, column }
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, PageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended |= !matches!(step, Ok(Some(_)));
        step.map_err(|(at, what)| PageError { place: self.place(at), what }).transpose()
    }
}
