//! What stands around an `@`: e-mail addresses, and passwords in URLs.

use super::mark::OPEN;
use super::{Action, Found, Kind};

/// RFC 5321's longest local part.
const MAX_LOCAL: usize = 64;
/// The longest user and password in a URL that is looked at.
const MAX_USERINFO: usize = 512;

pub(super) fn find(text: &[u8], actions: &[Option<Action>], found: &mut Vec<Found>) {
    let mut from = 0;
    // The beginning of the run of characters that could be a URL's authority, and up to where it was looked for.
    let (mut authority, mut looked, mut tried) = (0, 0, usize::MAX);
    for at in memchr::memchr_iter(b'@', text) {
        if let Some(end) = text[looked..at].iter().rposition(|byte| ends_authority(*byte)) {
            authority = looked + end + 1;
        }
        looked = at;
        if at < from {
            continue;
        }
        let mut hit = None;
        if actions[Kind::Password as usize].is_some() && tried != authority {
            tried = authority;
            hit = url_password(text, authority, at);
        }
        if hit.is_none() && actions[Kind::Email as usize].is_some() {
            hit = email(text, at);
        }
        if let Some(hit) = hit {
            from = hit.end.max(at + 1);
            found.push(hit);
        }
    }
}

fn ends_authority(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\')
}

/// The password of `scheme://user:password@host`, of which the authority begins at `start` and has its first `@` at
/// `at`; a password with an `@` in it goes to the last one.
fn url_password(text: &[u8], start: usize, at: usize) -> Option<Found> {
    if at - start > MAX_USERINFO || !text[..start].ends_with(b"://") {
        return None;
    }
    let rest = text[at..].iter().take(MAX_USERINFO).take_while(|byte| !ends_authority(**byte)).count();
    let last = at + memchr::memrchr(b'@', &text[at..at + rest])?;
    let colon = start + memchr::memchr(b':', &text[start..last])?;
    let password = &text[colon + 1..last];
    (!password.is_empty()
        && !password.starts_with(OPEN.as_bytes())
        && !password.iter().all(|byte| *byte == b'*'))
    .then(|| Found::of(Kind::Password, colon + 1, last))
}

/// The address around an `@`.
fn email(text: &[u8], at: usize) -> Option<Found> {
    let local = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'=')
    };
    let length = text[..at].iter().rev().take(MAX_LOCAL + 1).take_while(|byte| local(byte)).count();
    let mut start = at - length;
    // Quotes and signs before it are none of it, and `user=` is a key.
    if let Some(key) = text[start..at].iter().rposition(|byte| *byte == b'=') {
        start += key + 1;
    }
    start +=
        text[start..at].iter().take_while(|byte| !byte.is_ascii_alphanumeric() && **byte != b'_').count();
    if start == at || at - start > MAX_LOCAL {
        return None;
    }
    let mut end = at + 1;
    end += text[end..]
        .iter()
        .take(255)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    while matches!(text[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let domain = text.get(at + 1..end)?;
    let dot = memchr::memrchr(b'.', domain)?;
    let top = &domain[dot + 1..];
    let good = dot > 0
        && domain[0].is_ascii_alphanumeric()
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && memchr::memmem::find(domain, b"..").is_none();
    // systemd's instances (getty@tty1.service) and git's addresses (git@host:path) name no person.
    let unit = [&b"service"[..], b"socket", b"timer", b"target", b"mount", b"slice", b"scope", b"device"]
        .contains(&top);
    let git = &text[start..at] == b"git" && text.get(end) == Some(&b':');
    (good && !unit && !git).then(|| Found::of(Kind::Email, start, end))
}
