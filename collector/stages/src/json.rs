//! JSON taken apart where it stands: no tree is built, what is not asked for is skipped, and texts borrow.
//!
//! RFC 8259, but for control characters in texts, which are let pass. Linear, and without recursion: nesting is bounded.

use std::borrow::Cow;

/// Nesting deeper than this is refused.
pub const MAX_DEPTH: usize = 128;

/// The text is not JSON, or is nested too deep, at this byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {0}")]
pub struct Malformed(pub usize);

/// A value, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// What is between the quotes, with its escapes.
    Text(&'a str),
    /// A number, `true` or `false`.
    Plain(&'a str),
    /// `null`
    Null,
    /// An object or an array, brackets included.
    Nested(&'a str),
}

impl<'a> Value<'a> {
    /// The value as text: without quotes and escapes; `null` is nothing.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Text(raw) => Some(unescape(raw)),
            Value::Plain(raw) | Value::Nested(raw) => Some(Cow::Borrowed(raw)),
            Value::Null => None,
        }
    }
}

/// Calls `member` with the names (as written, escapes included) and values of the object that `text` is, in their order.
/// Those before a mistake are told all the same.
pub fn members<'a>(text: &'a str, mut member: impl FnMut(&'a str, Value<'a>)) -> Result<(), Malformed> {
    let bytes = text.as_bytes();
    let mut at = expect(bytes, space(bytes, 0), b'{')?;
    if bytes.get(space(bytes, at)) == Some(&b'}') {
        return end(bytes, space(bytes, at) + 1);
    }
    loop {
        at = space(bytes, at);
        let name_end = string(bytes, at)?;
        let name = &text[at + 1..name_end - 1];
        at = space(bytes, expect(bytes, space(bytes, name_end), b':')?);
        let (found, after) = value(text, at)?;
        member(name, found);
        at = space(bytes, after);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'}') => return end(bytes, at + 1),
            _ => return Err(Malformed(at)),
        }
    }
}

/// Calls `item` with the values of the array that `text` is, until it says that it has seen enough.
pub fn items<'a>(text: &'a str, mut item: impl FnMut(Value<'a>) -> bool) -> Result<(), Malformed> {
    let bytes = text.as_bytes();
    let mut at = expect(bytes, space(bytes, 0), b'[')?;
    if bytes.get(space(bytes, at)) == Some(&b']') {
        return end(bytes, space(bytes, at) + 1);
    }
    loop {
        let (found, after) = value(text, space(bytes, at))?;
        if !item(found) {
            return Ok(());
        }
        at = space(bytes, after);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b']') => return end(bytes, at + 1),
            _ => return Err(Malformed(at)),
        }
    }
}

/// The text without its escapes; what is no escape, and half of a pair of surrogates, becomes U+FFFD.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else { return Cow::Borrowed(raw) };
    let mut out = String::with_capacity(raw.len());
    let (mut rest, mut at) = (raw, first);
    loop {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let kind = rest.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
        rest = &rest[kind.len_utf8().min(rest.len())..];
        match kind {
            '"' | '\\' | '/' => out.push(kind),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => rest = unicode(rest, &mut out),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
        match memchr::memchr(b'\\', rest.as_bytes()) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads what follows `\u`, the second half of a pair included, and returns the rest.
fn unicode<'a>(text: &'a str, out: &mut String) -> &'a str {
    let digits = |text: &'a str| {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
    };
    let Some((first, rest)) = digits(text) else {
        out.push(char::REPLACEMENT_CHARACTER);
        return text;
    };
    if (0xd800..0xdc00).contains(&first) {
        let second = rest.strip_prefix("\\u").and_then(digits);
        if let Some((second, rest)) = second.filter(|(second, _)| (0xdc00..0xe000).contains(second)) {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            return rest;
        }
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Result<usize, Malformed> {
    if bytes.get(at) == Some(&byte) { Ok(at + 1) } else { Err(Malformed(at)) }
}

/// Nothing but space may follow.
fn end(bytes: &[u8], at: usize) -> Result<(), Malformed> {
    let at = space(bytes, at);
    if at == bytes.len() { Ok(()) } else { Err(Malformed(at)) }
}

/// The end of the string that begins here.
fn string(bytes: &[u8], start: usize) -> Result<usize, Malformed> {
    let mut at = expect(bytes, start, b'"')?;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed(start))?;
        if bytes[at] == b'"' {
            return Ok(at + 1);
        }
        at += 2;
    }
}

/// The value that begins here, and its end.
fn value(text: &str, at: usize) -> Result<(Value<'_>, usize), Malformed> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(b'"') => string(bytes, at).map(|end| (Value::Text(&text[at + 1..end - 1]), end)),
        Some(b'{' | b'[') => nested(bytes, at).map(|end| (Value::Nested(&text[at..end]), end)),
        _ => {
            let end = plain(bytes, at)?;
            let raw = &text[at..end];
            Ok((if raw == "null" { Value::Null } else { Value::Plain(raw) }, end))
        }
    }
}

/// The end of the number or word that begins here.
fn plain(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let rest = bytes.get(at..).unwrap_or_default();
    for word in [&b"true"[..], b"false", b"null"] {
        if rest.starts_with(word) {
            return Ok(at + word.len());
        }
    }
    number(rest).map(|length| at + length).ok_or(Malformed(at))
}

/// The length of the number that the bytes begin with.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    // No number begins with a zero that means nothing.
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// The end of the object or array that begins here.
fn nested(bytes: &[u8], mut at: usize) -> Result<usize, Malformed> {
    // A bit for each bracket that is open: whether it is an object's.
    let (mut objects, mut depth) = (0u128, 0);
    let name = |at: usize| expect(bytes, space(bytes, string(bytes, space(bytes, at))?), b':');
    loop {
        at = space(bytes, at);
        let open = *bytes.get(at).ok_or(Malformed(at))?;
        if let b'{' | b'[' = open {
            if depth == MAX_DEPTH {
                return Err(Malformed(at));
            }
            depth += 1;
            objects = objects << 1 | u128::from(open == b'{');
            let inside = space(bytes, at + 1);
            // `{` and `}`, `[` and `]` are two apart.
            if bytes.get(inside) != Some(&(open + 2)) {
                at = if open == b'{' { name(inside)? } else { inside };
                continue;
            }
            at = inside;
        } else {
            at = if open == b'"' { string(bytes, at)? } else { plain(bytes, at)? };
            at = space(bytes, at);
        }
        // Behind a value: close what ends, until a comma brings the next one.
        loop {
            let object = objects & 1 == 1;
            match bytes.get(at) {
                Some(b'}') if object => {}
                Some(b']') if !object => {}
                Some(b',') => {
                    at = if object { name(at + 1)? } else { at + 1 };
                    break;
                }
                _ => return Err(Malformed(at)),
            }
            at += 1;
            depth -= 1;
            objects >>= 1;
            if depth == 0 {
                return Ok(at);
            }
            at = space(bytes, at);
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
