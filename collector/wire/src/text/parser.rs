//! The pass over a page's lines.

use std::borrow::Cow;

use memchr::{memchr, memrchr};
use thiserror::Error;

use super::number;
use super::series::{Series, name_end, skip_blanks, string_end, unescape};
use super::{Format, kind};
use crate::remote_write::MetricKind;

/// One line of a page that says something.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// `# TYPE`: a family's name and type. It stands for the samples below it.
    Type(Cow<'a, str>, MetricKind),
    /// `# HELP`: a family's name and help, escapes undone.
    Help(Cow<'a, str>, Cow<'a, str>),
    /// `# UNIT` (OpenMetrics): a family's name and unit.
    Unit(Cow<'a, str>, Cow<'a, str>),
    /// A sample.
    Sample(Sample<'a>),
}

/// A sample as it stands on the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The series' bytes. That they are well formed is seen when its labels are asked for.
    pub series: Series<'a>,
    /// The value; any NaN is [`NAN`](super::NAN).
    pub value: f64,
    /// The time in milliseconds since 1970, if the page gives one.
    pub ts_ms: Option<i64>,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum What {
    /// The line begins with no metric's name.
    #[error(
        "a metric's name was expected: letters, digits, _ and :, no digit first; others in quotes inside the braces"
    )]
    Name,
    /// Labels, but no metric's name before or among them.
    #[error("the series has no metric's name")]
    NoName,
    /// A metric's name before and among the labels.
    #[error("the series has a second metric's name, or an empty one")]
    TwoNames,
    /// Where a label's name should be, there is none.
    #[error("a label's name was expected: letters, digits and _, no digit first; others in quotes")]
    LabelName,
    /// No `=` behind a label's name.
    #[error("= was expected behind a label's name")]
    Equals,
    /// No string in double quotes where a label's value should be, or it does not end.
    #[error("a label's value was expected, in double quotes that are closed")]
    Quote,
    /// A label set that does not end.
    #[error("the labels are not closed with }}")]
    Brace,
    /// What should be a value is none.
    #[error("a value was expected: a number, NaN, +Inf or -Inf")]
    Value,
    /// What follows the value is no time.
    #[error("a time was expected behind the value: whole milliseconds, in OpenMetrics seconds")]
    Time,
    /// Something behind the time, or behind a type or unit.
    #[error("nothing more was expected on this line")]
    More,
    /// An unknown word behind `# TYPE`.
    #[error(
        "an unknown type: it is one of counter, gauge, histogram, summary, untyped, unknown, gaugehistogram, info, stateset"
    )]
    Kind,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// OpenMetrics without `# EOF`: the page was cut short.
    #[error("the page does not end in # EOF: it was cut short")]
    NoEof,
    /// OpenMetrics with something behind `# EOF`.
    #[error("nothing was expected behind # EOF")]
    BehindEof,
}

/// A line that is not as the format has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct TextError {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub what: What,
}

/// Parses a page. It ends at the first error, as Prometheus does: what follows a broken line cannot be trusted.
pub fn parse(page: &[u8], format: Format) -> Parser<'_> {
    Parser { page, at: 0, start: 0, format, ended: false }
}

/// Iterator over what a page says.
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    page: &'a [u8],
    at: usize,
    /// Where the line of the last item begins.
    start: usize,
    format: Format,
    /// `# EOF` was seen, or an error was returned.
    ended: bool,
}

impl<'a> Parser<'a> {
    /// The number of the line of the item returned last, from 1: for an error found in its labels. Counted anew at each
    /// call.
    pub fn line(&self) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.page[..self.start]).count()
    }

    /// Where on the page the line of the item returned last begins: cheaper than [`line`](Self::line) for those who want
    /// the line of every item, and count on from item to item.
    pub fn offset(&self) -> usize {
        self.start
    }

    /// Ends the current line at `at`, an index into the page, and moves behind it.
    fn line_ends(&mut self, at: usize) {
        self.at = (at + 1).min(self.page.len());
    }

    fn step(&mut self) -> Option<Result<Item<'a>, What>> {
        loop {
            let rest = &self.page[self.at..];
            if rest.is_empty() {
                let cut_short = self.format == Format::OpenMetrics && !self.ended;
                return cut_short.then(|| {
                    self.start = self.at;
                    Err(What::NoEof)
                });
            }
            self.start = self.at;
            let end = memchr(b'\n', rest).map_or(self.page.len(), |len| self.start + len);
            let line = trim(&self.page[self.start..end]);
            if self.format == Format::OpenMetrics && self.ended && !line.is_empty() {
                return Some(Err(What::BehindEof));
            }
            match line.first() {
                None => self.line_ends(end),
                Some(b'#') => {
                    self.line_ends(end);
                    match self.comment(line) {
                        Ok(None) => {}
                        Ok(Some(item)) => return Some(Ok(item)),
                        Err(what) => return Some(Err(what)),
                    }
                }
                Some(_) => return Some(self.sample(line, end).map(Item::Sample)),
            }
        }
    }

    fn comment(&mut self, line: &'a [u8]) -> Result<Option<Item<'a>>, What> {
        let body = skip_blanks(&line[1..]);
        let (word, rest) = word(body);
        // `#TYPE` without a blank is a plain comment.
        if body.len() == line.len() - 1 {
            return Ok(None);
        }
        match word {
            b"EOF" if self.format == Format::OpenMetrics => {
                self.ended = true;
                Ok(None)
            }
            b"TYPE" => {
                let (name, text) = family(rest)?;
                let (word, more) = super::parser::word(skip_blanks(text));
                nothing_more(more)?;
                kind(word).map(|kind| Some(Item::Type(name, kind))).ok_or(What::Kind)
            }
            b"HELP" => {
                let (name, text) = family(rest)?;
                let text = text.get(1..).unwrap_or_default();
                Ok(Some(Item::Help(name, unescape(text, self.format == Format::OpenMetrics)?)))
            }
            b"UNIT" if self.format == Format::OpenMetrics => {
                let (name, text) = family(rest)?;
                let (unit, more) = super::parser::word(skip_blanks(text));
                nothing_more(more)?;
                Ok(Some(Item::Unit(name, unescape(unit, false)?)))
            }
            _ => Ok(None),
        }
    }

    /// The series reaches to the line's last brace, or to the first blank if it has none. A brace or line end inside a
    /// label's value, or an exemplar, makes this wrong: then what follows is no value, and the labels are walked quote
    /// by quote. Where it is wrong and a value follows all the same, the labels do not parse.
    fn sample(&mut self, line: &'a [u8], end: usize) -> Result<Sample<'a>, What> {
        let exemplar = self.format == Format::OpenMetrics && memchr(b'#', line).is_some();
        if !exemplar {
            let series = match memrchr(b'}', line) {
                Some(brace) => brace + 1,
                None => line.iter().position(|c| matches!(c, b' ' | b'\t')).unwrap_or(line.len()),
            };
            if let Ok((value, ts_ms)) = self.value_and_time(&line[series..]) {
                self.line_ends(end);
                return Ok(Sample { series: Series(&line[..series]), value, ts_ms });
            }
        }
        self.walked(line)
    }

    /// The slow and sure way; `line` tells where the sample begins, not where it ends: a label's value may hold a line
    /// end, which Prometheus lets pass.
    fn walked(&mut self, line: &'a [u8]) -> Result<Sample<'a>, What> {
        let blanks = self.page[self.start..].len() - skip_blanks(&self.page[self.start..]).len();
        let text = if self.format == Format::OpenMetrics { line } else { &self.page[self.start + blanks..] };
        let series = series_end(text)?;
        let rest = &text[series..];
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let (value, ts_ms) = self.value_and_time(trim_end(&rest[..end]))?;
        // `text` is a part of the page that begins behind the line's blanks.
        let begin = self.start + blanks;
        let ends = begin + series + end;
        let ends = ends + memchr(b'\n', &self.page[ends..]).unwrap_or(self.page.len() - ends);
        self.line_ends(ends);
        Ok(Sample { series: Series(&text[..series]), value, ts_ms })
    }

    #[inline]
    fn value_and_time(&self, text: &[u8]) -> Result<(f64, Option<i64>), What> {
        let (value, rest) = word(skip_blanks(text));
        let value = number::value(value).ok_or(What::Value)?;
        let rest = skip_blanks(rest);
        if rest.is_empty() {
            return Ok((value, None));
        }
        let openmetrics = self.format == Format::OpenMetrics;
        if openmetrics && rest[0] == b'#' {
            return Ok((value, None));
        }
        let (time, more) = word(rest);
        let time = if openmetrics { number::seconds(time) } else { number::milliseconds(time) };
        let time = time.ok_or(What::Time)?;
        match skip_blanks(more) {
            [] => {}
            [b'#', ..] if openmetrics => {}
            _ => return Err(What::More),
        }
        Ok((value, Some(time)))
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Item<'a>, TextError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step()?;
        Some(step.map_err(|what| {
            (self.at, self.ended) = (self.page.len(), true);
            TextError { line: self.line(), what }
        }))
    }
}

/// Where a series ends: behind its name, or behind the brace that closes its labels.
fn series_end(text: &[u8]) -> Result<usize, What> {
    let name = name_end(text, true);
    let mut at = text.len() - skip_blanks(&text[name..]).len();
    if text.get(at) != Some(&b'{') {
        return match text.get(name) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r') if name > 0 => Ok(name),
            _ => Err(What::Name),
        };
    }
    loop {
        at += 1 + memchr::memchr3(b'"', b'}', b'\n', &text[at + 1..]).ok_or(What::Brace)?;
        match text[at] {
            b'}' => return Ok(at + 1),
            b'"' => at += 1 + string_end(&text[at + 1..]).ok_or(What::Quote)?,
            _ => return Err(What::Brace),
        }
    }
}

/// The name behind `# TYPE` and the like, in quotes or not, and what follows it, its blank first.
fn family(text: &[u8]) -> Result<(Cow<'_, str>, &[u8]), What> {
    let text = skip_blanks(text);
    if let Some(body) = text.strip_prefix(b"\"") {
        let end = string_end(body).ok_or(What::Name)?;
        return Ok((unescape(&body[..end], true)?, &body[end + 1..]));
    }
    let (name, rest) = text.split_at(name_end(text, true));
    if name.is_empty() || !matches!(rest.first(), None | Some(b' ' | b'\t')) {
        return Err(What::Name);
    }
    Ok((unescape(name, false)?, rest))
}

/// The text up to the next blank, and the rest.
#[inline]
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|c| matches!(c, b' ' | b'\t')).unwrap_or(text.len()))
}

fn nothing_more(text: &[u8]) -> Result<(), What> {
    if skip_blanks(text).is_empty() { Ok(()) } else { Err(What::More) }
}

/// Without blanks in front, and without the CR of a CR LF.
fn trim(line: &[u8]) -> &[u8] {
    skip_blanks(trim_end(line))
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
