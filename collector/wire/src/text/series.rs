//! The labels of a series on a text page.

use std::borrow::Cow;

use super::lex::{Dialect, behind_blanks, label_name_len, name_len, string_len, unescape, utf8};
use crate::page::{FloatLabel, What};

/// A series' bytes, from its name to the brace that closes its labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Series<'a> {
    pub(crate) bytes: &'a [u8],
    pub(super) dialect: Dialect,
    pub(super) float_label: FloatLabel,
}

impl<'a> Series<'a> {
    /// The labels of a series that a [`Walk`] has found in order.
    pub(crate) fn labels(&self) -> Labels<'a> {
        Labels { walk: Walk::new(self.bytes, 0, self.dialect), float_label: self.float_label }
    }
}

/// Iterator over the labels of a series that is well formed.
#[derive(Clone, Debug)]
pub(crate) struct Labels<'a> {
    walk: Walk<'a>,
    float_label: FloatLabel,
}

impl<'a> Iterator for Labels<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.walk.next().ok()??.read().ok()?;
        let value = self.float_label.normal(&name, value);
        Some((name, value))
    }
}

/// A label as it stands on the page, without quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawLabel<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> RawLabel<'a> {
    pub(super) fn read(self) -> Result<(Cow<'a, str>, Cow<'a, str>), What> {
        Ok((unescape(utf8(self.name)?, true), unescape(utf8(self.value)?, true)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Start,
    /// Behind `{` or a comma.
    Label,
    /// Behind a label.
    Comma,
    End,
}

/// A walk over the labels that begin at an index of a text. The text may go on behind them.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    text: &'a [u8],
    /// Behind the last label, and at the end behind the series; after an error at what is wrong.
    pub(super) at: usize,
    dialect: Dialect,
    state: State,
    named: bool,
    exemplar: bool,
}

impl<'a> Walk<'a> {
    /// Over a series, from its name on.
    pub(super) fn new(text: &'a [u8], at: usize, dialect: Dialect) -> Self {
        Walk { text, at, dialect, state: State::Start, named: false, exemplar: false }
    }

    /// Over an exemplar's labels, from behind the opening brace on.
    pub(super) fn exemplar(text: &'a [u8], at: usize) -> Self {
        Walk { text, at, dialect: Dialect::Strict, state: State::Label, named: true, exemplar: true }
    }

    /// The next label. The metric's name is one, `__name__`.
    pub(super) fn next(&mut self) -> Result<Option<RawLabel<'a>>, What> {
        match self.state {
            State::Start => match self.start()? {
                Some(name) => return Ok(Some(name)),
                None => self.state = State::Label,
            },
            State::End => return Ok(None),
            State::Label | State::Comma => {}
        }
        self.label()
    }

    fn start(&mut self) -> Result<Option<RawLabel<'a>>, What> {
        let text = self.text;
        let name = &text[self.at..][..name_len(&text[self.at..])];
        self.at += name.len();
        // OpenMetrics has no blank before the brace, and what stands there is the one before the value.
        let brace = if self.dialect == Dialect::Lenient { behind_blanks(text, self.at) } else { self.at };
        let braces = text.get(brace) == Some(&b'{');
        if braces {
            self.at = brace + 1;
        }
        self.state = if braces { State::Label } else { State::End };
        self.named = !name.is_empty();
        match (self.named, braces) {
            (true, _) => Ok(Some(RawLabel { name: b"__name__", value: name })),
            (false, true) => Ok(None),
            (false, false) => Err(What::Name),
        }
    }

    fn skip_blanks(&mut self) {
        if self.dialect == Dialect::Lenient {
            self.at = behind_blanks(self.text, self.at);
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn label(&mut self) -> Result<Option<RawLabel<'a>>, What> {
        self.skip_blanks();
        if self.state == State::Comma {
            // A comma behind the last label is let pass, and in the text format one between labels may be missing.
            if self.take(b',') {
                self.skip_blanks();
            } else if self.dialect == Dialect::Strict && self.text.get(self.at) != Some(&b'}') {
                return Err(if self.at < self.text.len() { What::Comma } else { What::Brace });
            }
        }
        if self.take(b'}') {
            self.state = State::End;
            return if self.named { Ok(None) } else { Err(What::NoName) };
        }
        let begin = self.at;
        let quoted = self.text.get(begin) == Some(&b'"');
        let name = if quoted {
            self.string(!self.exemplar)?
        } else {
            let rest = self.text.get(begin..).unwrap_or_default();
            self.at += label_name_len(rest);
            &self.text[begin..self.at]
        };
        self.state = State::Comma;
        self.skip_blanks();
        if quoted && !self.exemplar && matches!(self.text.get(self.at), Some(b',' | b'}')) {
            return self.quoted_name(begin, name).map(Some);
        }
        self.value(begin, name).map(Some)
    }

    /// A string where a label would be, and no `=` behind it, is the metric's name.
    fn quoted_name(&mut self, begin: usize, name: &'a [u8]) -> Result<RawLabel<'a>, What> {
        if self.named || name.is_empty() {
            self.at = begin;
            return Err(What::TwoNames);
        }
        self.named = true;
        Ok(RawLabel { name: b"__name__", value: name })
    }

    fn value(&mut self, begin: usize, name: &'a [u8]) -> Result<RawLabel<'a>, What> {
        if name.is_empty() {
            self.at = begin;
            return Err(match self.text.get(begin) {
                None | Some(b'\n') => What::Brace,
                Some(_) => What::LabelName,
            });
        }
        if !self.take(b'=') {
            return Err(What::Equals);
        }
        self.skip_blanks();
        let begin = self.at;
        let value = self.string(self.dialect == Dialect::Lenient)?;
        if std::str::from_utf8(value).is_err() {
            self.at = begin;
            return Err(What::Utf8);
        }
        Ok(RawLabel { name, value })
    }

    /// What stands in the quotes that open here.
    fn string(&mut self, line_ends: bool) -> Result<&'a [u8], What> {
        let body = self.text.get(self.at..).and_then(|rest| rest.strip_prefix(b"\"")).ok_or(What::Quote)?;
        let len = string_len(body, line_ends).ok_or(What::Quote)?;
        self.at += len + 2;
        Ok(&body[..len])
    }

    /// Walks to the end of a series and says what is wrong with it, a label that is there twice among it; the index
    /// behind it.
    pub(super) fn check(mut self) -> Result<usize, (usize, What)> {
        let mut names = Names::default();
        loop {
            let begin = self.at;
            match self.next() {
                Ok(Some(label)) => {
                    if std::str::from_utf8(label.name).is_err() || std::str::from_utf8(label.value).is_err() {
                        return Err((begin, What::Utf8));
                    }
                    // An empty value is the same as no label.
                    if !label.value.is_empty() {
                        names.add(label.name);
                    }
                }
                Ok(None) => match names.twice() {
                    Some(name) => {
                        let shown = String::from_utf8_lossy(&name[..name.len().min(SHOWN)]).into_owned();
                        return Err((self.at - 1, What::LabelTwice(shown)));
                    }
                    None => return Ok(self.at),
                },
                Err(what) => return Err((self.at, what)),
            }
        }
    }
}

/// How much of a label's name a message repeats, in bytes.
const SHOWN: usize = 100;

/// As many names are compared with each other without being sorted.
const FEW: usize = 24;

/// The names of a series' labels.
#[derive(Default)]
struct Names<'a> {
    few: [&'a [u8]; FEW],
    count: usize,
    many: Vec<&'a [u8]>,
}

impl<'a> Names<'a> {
    fn add(&mut self, name: &'a [u8]) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = name,
            None => self.many.push(name),
        }
        self.count += 1;
    }

    /// One that is there twice.
    fn twice(mut self) -> Option<&'a [u8]> {
        if self.many.is_empty() {
            let names = &self.few[..self.count];
            let twice = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name));
            return twice.map(|(_, name)| *name);
        }
        self.many.extend(self.few);
        self.many.sort_unstable();
        self.many.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

/// What Prometheus lets pass in a series, and the text format's specification does not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Looseness {
    /// A comma is missing between labels.
    pub(crate) comma: bool,
    /// A label's value holds a bare line end.
    pub(crate) line_end: bool,
    /// A label's value holds a backslash with an unknown character behind it.
    pub(crate) escape: bool,
}

/// How loosely a series that is well formed is written.
pub(crate) fn looseness(series: &[u8]) -> Looseness {
    let mut walk = Walk::new(series, 0, Dialect::Lenient);
    let mut found = Looseness::default();
    loop {
        let behind = behind_blanks(series, walk.at);
        let between = walk.state == State::Comma && !matches!(series.get(behind), Some(b',' | b'}'));
        let Ok(Some(label)) = walk.next() else { return found };
        found.comma |= between;
        found.line_end |= label.value.contains(&b'\n');
        found.escape |= has_unknown_escape(label.value);
    }
}

fn has_unknown_escape(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'\\' | b'"' | b'n') => rest = &rest[at + 2..],
            _ => return true,
        }
    }
    false
}
