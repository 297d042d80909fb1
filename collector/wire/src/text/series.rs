//! The labels in a series' bytes.

use std::borrow::Cow;

use memchr::memchr2;

use super::parser::What;

/// The bytes by which a page names a series: `up` or `up{job="node"}`, as they stand. Two ways to write the same series
/// are two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Series<'a>(pub(super) &'a [u8]);

impl<'a> Series<'a> {
    /// The bytes, to look a known series up.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The labels in the page's order, the metric's name among them as `__name__`. Not checked: whether a name comes
    /// twice. The error says what is wrong; after it the iterator ends.
    pub fn labels(self) -> Labels<'a> {
        Labels { rest: self.0, state: State::Start, named: false }
    }

    /// The metric's name.
    pub fn name(self) -> Result<Cow<'a, str>, What> {
        for label in self.labels() {
            let (name, value) = label?;
            if name == "__name__" {
                return Ok(value);
            }
        }
        Err(What::NoName)
    }
}

/// Iterator over the labels of a series, pairs of name and value, escapes undone.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
    state: State,
    named: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Start,
    /// Behind `{` or a comma.
    Pair,
    /// Behind a pair.
    Comma,
    End,
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

impl<'a> Labels<'a> {
    fn skip_blanks(&mut self) {
        self.rest = skip_blanks(self.rest);
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn step(&mut self) -> Result<Option<Pair<'a>>, What> {
        if self.state == State::Start {
            let end = name_end(self.rest, true);
            let (name, rest) = self.rest.split_at(end);
            self.rest = rest;
            self.skip_blanks();
            self.state = State::Pair;
            let braces = self.take(b'{');
            if !braces {
                self.state = State::End;
                if !self.rest.is_empty() {
                    return Err(What::Name);
                }
            }
            if !name.is_empty() {
                self.named = true;
                return Ok(Some((Cow::Borrowed("__name__"), text(name)?)));
            }
            if !braces {
                return Err(What::NoName);
            }
        }
        self.skip_blanks();
        if self.state == State::End {
            return Ok(None);
        }
        // A comma between pairs may be missing, and one behind the last is let pass: so Prometheus has it.
        if self.state == State::Comma && self.take(b',') {
            self.skip_blanks();
        }
        self.pair()
    }

    fn pair(&mut self) -> Result<Option<Pair<'a>>, What> {
        if self.take(b'}') {
            self.state = State::End;
            // A brace with something behind it: the series ended before the line's last brace.
            if !self.rest.is_empty() {
                return Err(What::Value);
            }
            return if self.named { Ok(None) } else { Err(What::NoName) };
        }
        if self.rest.is_empty() {
            return Err(What::Brace);
        }
        self.state = State::Comma;
        let quoted = self.rest.first() == Some(&b'"');
        let name = if quoted {
            self.quoted()?
        } else {
            let (name, rest) = self.rest.split_at(name_end(self.rest, false));
            self.rest = rest;
            text(name)?
        };
        self.skip_blanks();
        if self.take(b'=') {
            if name.is_empty() {
                return Err(What::LabelName);
            }
            self.skip_blanks();
            return Ok(Some((name, self.quoted()?)));
        }
        let is_name = quoted && matches!(self.rest.first(), Some(b',' | b'}'));
        match (is_name, self.named) {
            (true, false) if !name.is_empty() => {
                self.named = true;
                Ok(Some((Cow::Borrowed("__name__"), name)))
            }
            (true, _) => Err(What::TwoNames),
            (false, _) if name.is_empty() => Err(What::LabelName),
            (false, _) => Err(What::Equals),
        }
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, What> {
        let body = self.rest.strip_prefix(b"\"").ok_or(What::Quote)?;
        let end = string_end(body).ok_or(What::Quote)?;
        self.rest = &body[end + 1..];
        unescape(&body[..end], true)
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = Result<Pair<'a>, What>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::End && self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            (self.state, self.rest) = (State::End, &[]);
        }
        step.transpose()
    }
}

pub(super) fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
    &text[blanks..]
}

/// Where a name without quotes ends: letters, digits, `_`, no digit first, and `:` in metrics' names.
pub(super) fn name_end(text: &[u8], colon: bool) -> usize {
    if text.first().is_some_and(u8::is_ascii_digit) {
        return 0;
    }
    let good = |c: &u8| c.is_ascii_alphanumeric() || *c == b'_' || (colon && *c == b':');
    text.iter().position(|c| !good(c)).unwrap_or(text.len())
}

/// Where the closing quote is, `text` beginning behind the opening one.
pub(super) fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn text(bytes: &[u8]) -> Result<Cow<'_, str>, What> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| What::Utf8)
}

/// Undoes `\\`, `\n` and, where `quote` says so, `\"`. Other escapes stand as they are: so Prometheus has it.
pub(super) fn unescape(bytes: &[u8], quote: bool) -> Result<Cow<'_, str>, What> {
    let whole = std::str::from_utf8(bytes).map_err(|_| What::Utf8)?;
    let Some(first) = memchr::memchr(b'\\', bytes) else { return Ok(Cow::Borrowed(whole)) };
    let mut out = String::with_capacity(whole.len());
    out.push_str(&whole[..first]);
    let mut rest = &whole[first..];
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
    Ok(Cow::Owned(out))
}
