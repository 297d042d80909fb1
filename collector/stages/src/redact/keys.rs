//! Values of keys whose name says that they are secret: `password=…`, `"token": "…"`, `api_key: …`, `--password …`.
//!
//! The name's last word counts, so that `max_tokens=4096`, `token_count` and `password_file` stay. Values that are none
//! (`true`, `null`, `****`, `${NAME}`) stay too; and one word of prose behind `token: ` in a sentence ("invalid token:
//! expired"), never behind a password.

use super::mark::OPEN;
use super::{Found, Kind};

/// No name of a key is longer.
const MAX_NAME: usize = 64;

/// A name that says that its value is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// Whatever stands behind it.
    Password,
    /// The shell's `PWD`, which holds a folder where it is not a password.
    Pwd,
    /// A scheme and what belongs to it.
    Authorization,
    /// Words that sentences use as well.
    Other,
}

/// The secret value behind the name that holds the bytes `start..end`.
pub(super) fn value(text: &[u8], start: usize, end: usize) -> Option<Found> {
    let (from, to) = name_around(text, start, end)?;
    let name = secret_name(&text[from..to])?;
    let (value, bare) = value_start(text, from, to)?;
    let (mut from, to) = extent(text, value, name)?;
    let content = &text[from..to];
    if is_none(content) || (name == Name::Pwd && content.starts_with(b"/")) {
        return None;
    }
    if bare && name != Name::Password && is_prose_word(content) && behind_prose(text, start) {
        return None;
    }
    // A scheme before it stays: it is no secret and says what the rest was.
    if let Some(space) = content.iter().position(|byte| *byte == b' ') {
        let scheme = [&b"bearer"[..], b"basic", b"token", b"digest", b"negotiate", b"apikey"];
        if scheme.iter().any(|scheme| content[..space].eq_ignore_ascii_case(scheme)) {
            from += space + 1;
        }
    }
    (from < to && !text[from..].starts_with(OPEN.as_bytes())).then(|| Found::of(Kind::Password, from, to))
}

/// Whether a field of this name holds a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    let Some(kind) = (name.len() <= MAX_NAME).then(|| secret_name(name)).flatten() else { return false };
    let folder = kind == Name::Pwd && value.starts_with(b"/");
    !(value.is_empty() || is_none(value) || folder || value.starts_with(OPEN.as_bytes()))
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The bounds of the name around a part of it; none if it is too long for one.
fn name_around(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    // Some parts end with what is no more of the name ("PASS=").
    let end = if text[end - 1] == b'=' { end - 1 } else { end };
    let before = text[..start].iter().rev().take(MAX_NAME).take_while(|byte| in_name(**byte)).count();
    let behind = text[end..].iter().take(MAX_NAME).take_while(|byte| in_name(**byte)).count();
    let (mut from, to) = (start - before, end + behind);
    from += text[from..start].iter().take_while(|byte| matches!(byte, b'-' | b'.')).count();
    (to - from <= MAX_NAME).then_some((from, to))
}

/// What kind of secret the last words of a name promise.
fn secret_name(name: &[u8]) -> Option<Name> {
    let (rest, last) = split_last_word(name);
    let mut lower = [0; MAX_NAME];
    let last = lower_into(last, &mut lower);
    for end in [&b"password"[..], b"passwd", b"passphrase", b"passcode"] {
        if last.ends_with(end) {
            return Some(Name::Password);
        }
    }
    if last.ends_with(b"pwd") {
        return Some(Name::Pwd);
    }
    if last == b"authorization" {
        return Some(Name::Authorization);
    }
    if last.ends_with(b"secret")
        || last.ends_with(b"apikey")
        || last == b"credential"
        || last == b"credentials"
    {
        return Some(Name::Other);
    }
    let mut lower = [0; MAX_NAME];
    let (_, before) = split_last_word(rest);
    let before = lower_into(before, &mut lower);
    match last {
        b"pass" if !before.is_empty() => Some(Name::Password),
        // Marks of pages and of waiting code open nothing.
        b"token" if matches!(before, b"next" | b"page" | b"continue" | b"continuation" | b"cancellation") => {
            None
        }
        _ if last.ends_with(b"token") => Some(Name::Other),
        b"key" if is_secret_key(before) => Some(Name::Other),
        b"accesskey" | b"secretkey" | b"privatekey" | b"accountkey" | b"signingkey" => Some(Name::Other),
        _ => None,
    }
}

/// Whether a `…_key` is one that opens something, as a primary key is not.
fn is_secret_key(before: &[u8]) -> bool {
    matches!(
        before,
        b"api"
            | b"access"
            | b"secret"
            | b"private"
            | b"account"
            | b"signing"
            | b"encryption"
            | b"master"
            | b"shared"
            | b"auth"
            | b"service"
            | b"admin"
    )
}

fn lower_into<'b>(word: &[u8], buffer: &'b mut [u8; MAX_NAME]) -> &'b [u8] {
    let length = word.len().min(MAX_NAME);
    for (to, from) in buffer.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    &buffer[..length]
}

/// A name without its last word, and that word: `db_password`, `X-Api-Key`, `clientSecret` have two.
fn split_last_word(name: &[u8]) -> (&[u8], &[u8]) {
    let mut at = name.len();
    while at > 0 {
        let byte = name[at - 1];
        if matches!(byte, b'_' | b'-' | b'.') {
            return (&name[..at - 1], &name[at..]);
        }
        let camel =
            byte.is_ascii_uppercase() && at > 1 && !name[at - 2].is_ascii_uppercase() && at < name.len();
        if camel && name[at].is_ascii_lowercase() && name[at - 2].is_ascii_alphanumeric() {
            return (&name[..at - 1], &name[at - 1..]);
        }
        at -= 1;
    }
    (&[], name)
}

/// Where the value of the name `from..to` begins; and whether the name stood bare, with a colon and a space, as words in
/// sentences do.
fn value_start(text: &[u8], from: usize, to: usize) -> Option<(usize, bool)> {
    let mut at = to;
    // A quoted name, also within text that is quoted itself.
    while matches!(text.get(at), Some(b'\\')) && matches!(text.get(at + 1), Some(b'"' | b'\'' | b'\\')) {
        at += 1;
    }
    let quoted = matches!(text.get(at), Some(b'"' | b'\''));
    at += usize::from(quoted) + usize::from(text.get(at + usize::from(quoted)) == Some(&b']'));
    let spaces =
        |at: usize| text[at..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let gap = spaces(at);
    let sign = at + gap;
    match (text.get(sign), text.get(sign + 1)) {
        (Some(b':'), Some(b':')) | (Some(b'='), Some(b'=')) => None,
        (Some(b':'), Some(b'=')) | (Some(b'='), Some(b'>')) => Some((sign + 2 + spaces(sign + 2), false)),
        (Some(b'='), _) => Some((sign + 1 + spaces(sign + 1), false)),
        (Some(b':'), _) => {
            let behind = spaces(sign + 1);
            Some((sign + 1 + behind, !quoted && behind > 0))
        }
        // `--password hunter2`, and SQL's `PASSWORD 'hunter2'`.
        (Some(b'\''), _) if gap > 0 => Some((sign, false)),
        (Some(byte), _) if gap > 0 && text[..from].ends_with(b"--") && *byte != b'-' => Some((sign, false)),
        _ => None,
    }
}

/// The bytes of the value that begins at `at`, without its quotes.
fn extent(text: &[u8], at: usize, name: Name) -> Option<(usize, usize)> {
    // How Rust writes an option.
    let at = if text[at.min(text.len())..].starts_with(b"Some(") { at + 5 } else { at };
    let escapes = text.get(at..)?.iter().take(8).take_while(|byte| **byte == b'\\').count();
    match text.get(at + escapes)? {
        quote @ (b'"' | b'\'' | b'`') => {
            let from = at + escapes + 1;
            Some((from, from + quoted_length(&text[from..], *quote, escapes)))
        }
        b'{' | b'[' | b'(' if escapes == 0 => None,
        _ => {
            let to = at + bare_length(&text[at..]);
            // A scheme with one word behind it: `Authorization: Bearer abc`.
            let scheme = name == Name::Authorization
                || [&b"bearer"[..], b"basic"].iter().any(|word| text[at..to].eq_ignore_ascii_case(word));
            let next = text.get(to + 1).is_some_and(|byte| !byte.is_ascii_whitespace());
            if scheme
                && next
                && text[to] == b' '
                && text[at..to].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            {
                return Some((at, to + 1 + bare_length(&text[to + 1..])));
            }
            Some((at, to))
        }
    }
}

/// The length up to the closing quote, which has as many escapes before it as the opening one had; without one, to the
/// line's end.
fn quoted_length(text: &[u8], quote: u8, escapes: usize) -> usize {
    let mut at = 0;
    while at < text.len() && text[at] != b'\n' {
        let slashes = text[at..].iter().take_while(|byte| **byte == b'\\').count();
        match text.get(at + slashes) {
            Some(byte) if *byte == quote && slashes <= escapes => return at,
            _ => at += slashes + 1,
        }
    }
    at.min(text.len())
}

fn bare_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let ends = match byte {
            b',' | b';' | b'&' | b'"' | b'\'' | b'<' | b'`' => true,
            b'\\' => matches!(text.get(at + 1), Some(b'"' | b'\'' | b'n' | b'r' | b't')),
            // Closes what was opened before the name, unless the value goes on.
            b')' | b']' | b'}' | b'>' | b'|' => {
                text.get(at + 1).is_none_or(|next| !next.is_ascii_alphanumeric())
            }
            byte => byte.is_ascii_whitespace(),
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// Whether a value says that there is none.
fn is_none(value: &[u8]) -> bool {
    const NONE: [&[u8]; 13] = [
        b"",
        b"true",
        b"false",
        b"null",
        b"nil",
        b"none",
        b"undefined",
        b"yes",
        b"no",
        b"%s",
        b"%v",
        b"{}",
        b"-",
    ];
    value.len() <= 9 && NONE.iter().any(|none| value.eq_ignore_ascii_case(none))
        || value.starts_with(OPEN.as_bytes())
        || value.iter().all(|byte| *byte == b'*')
        || value.starts_with(b"${")
        || (value.starts_with(b"<") && value.ends_with(b">"))
}

/// One short word in small letters.
fn is_prose_word(value: &[u8]) -> bool {
    value.len() < 16
        && value.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-' | b'\''))
}

/// Whether a word of prose stands before the name around `start`: "invalid token".
fn behind_prose(text: &[u8], start: usize) -> bool {
    let before = &text[..start];
    let name = before.iter().rev().take_while(|byte| in_name(**byte)).count();
    let [.., last, b' '] = &before[..before.len() - name] else { return false };
    last.is_ascii_alphabetic()
}
