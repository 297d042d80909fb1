//! Credentials that show by their own form: JSON web tokens, authorization headers, keys of known services.

use super::{Found, Kind};

/// The form of a service's key: what it begins with, and what follows.
pub(super) struct Form {
    pub prefix: &'static str,
    /// The characters that follow.
    charset: fn(u8) -> bool,
    /// How many of them, at least.
    min: usize,
    /// And at most.
    max: usize,
}

const fn form_of(prefix: &'static str, charset: fn(u8) -> bool, min: usize, max: usize) -> Form {
    Form { prefix, charset, min, max }
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// base64url, and the dot that joins its parts.
fn url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'.' | b'~')
}

/// base64 in a query, where `+`, `/` and `=` are written with `%`.
fn in_query(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}

fn path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/'
}

const ANY: usize = usize::MAX;

/// As the services' own pages describe them. The key of an Azure account stands behind `AccountKey=`: see `keys`.
pub(super) const FORMS: [Form; 31] = [
    form_of("AKIA", upper, 16, 16),
    form_of("ASIA", upper, 16, 16),
    form_of("Amz-Signature=", alnum, 64, 64),
    form_of("sig=", in_query, 40, 100),
    form_of("AIza", url_safe, 35, 35),
    form_of("ya29.", url_safe, 20, ANY),
    form_of("GOCSPX-", url_safe, 20, ANY),
    form_of("ghp_", alnum, 36, ANY),
    form_of("gho_", alnum, 36, ANY),
    form_of("ghu_", alnum, 36, ANY),
    form_of("ghs_", alnum, 36, ANY),
    form_of("ghr_", alnum, 36, ANY),
    form_of("github_pat_", url_safe, 40, ANY),
    form_of("glpat-", url_safe, 20, ANY),
    form_of("xoxa-", url_safe, 10, ANY),
    form_of("xoxb-", url_safe, 10, ANY),
    form_of("xoxp-", url_safe, 10, ANY),
    form_of("xoxs-", url_safe, 10, ANY),
    form_of("xapp-", url_safe, 10, ANY),
    form_of("hooks.slack.com/services/", path, 20, ANY),
    form_of("sk_live_", alnum, 16, ANY),
    form_of("rk_live_", alnum, 16, ANY),
    form_of("sk_test_", alnum, 16, ANY),
    form_of("whsec_", base64, 20, ANY),
    form_of("sk-ant-", url_safe, 20, ANY),
    form_of("sk-proj-", url_safe, 20, ANY),
    form_of("npm_", alnum, 36, 36),
    form_of("pypi-AgE", url_safe, 40, ANY),
    form_of("SG.", url_safe, 60, 70),
    form_of("hvs.", url_safe, 20, ANY),
    form_of("dop_v1_", alnum, 64, 64),
];

fn run(text: &[u8], from: usize, charset: fn(u8) -> bool) -> usize {
    text[from..].iter().take_while(|byte| charset(**byte)).count()
}

fn word_before(text: &[u8], start: usize) -> bool {
    start > 0 && (text[start - 1].is_ascii_alphanumeric() || text[start - 1] == b'_')
}

/// The key that begins with this form's prefix. The secret that stands directly behind an AWS key's id is pushed too.
pub(super) fn form(text: &[u8], start: usize, form: &Form, found: &mut Vec<Found>) -> Option<Found> {
    // `X-Amz-Signature=` and hosts have something before them.
    let inner = form.prefix.ends_with('=') || form.prefix.ends_with('/');
    if !inner && word_before(text, start) {
        return None;
    }
    let from = start + form.prefix.len();
    let mut length = run(text, from, form.charset);
    // A sentence's full stop is none of it.
    while length > 0 && text[from + length - 1] == b'.' {
        length -= 1;
    }
    if !(form.min..=form.max).contains(&length) {
        return None;
    }
    let end = from + length;
    if matches!(form.prefix, "AKIA" | "ASIA") {
        found.extend(aws_secret(text, end));
    }
    Some(Found::of(Kind::CloudKey, if inner { from } else { start }, end))
}

/// `AKIA…:wJalr…`: the 40 characters of the secret, behind a few separators.
fn aws_secret(text: &[u8], from: usize) -> Option<Found> {
    let gap = text[from..]
        .iter()
        .take(4)
        .take_while(|byte| matches!(byte, b':' | b',' | b' ' | b'"' | b'\'' | b';'))
        .count();
    let start = from + gap;
    let length = run(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    (gap > 0 && length == 40).then(|| Found::of(Kind::CloudKey, start, start + 40))
}

/// Three parts of base64url with dots between (five where it is encrypted), the first of them an object (`eyJ`).
pub(super) fn jwt(text: &[u8], start: usize) -> Option<Found> {
    if word_before(text, start) || (start > 0 && matches!(text[start - 1], b'.' | b'-')) {
        return None;
    }
    let length = run(text, start, url_safe);
    let token = text[start..start + length].trim_ascii_end();
    let token = token
        .strip_suffix(b".")
        .filter(|rest| rest.iter().filter(|byte| **byte == b'.').count() > 1)
        .unwrap_or(token);
    let mut parts = token.split(|byte| *byte == b'.');
    let (head, body) = (parts.next()?, parts.next()?);
    let rest = parts.count();
    (head.len() >= 10 && body.len() >= 4 && (1..=3).contains(&rest))
        .then(|| Found::of(Kind::Jwt, start, start + token.len()))
}

/// What follows `Bearer` or `Basic`, of which the word found is the end.
pub(super) fn authorization(text: &[u8], start: usize, end: usize) -> Option<Found> {
    let first = start.checked_sub(1)?;
    let bearer = text[start] | 0x20 == b'e';
    if text[first] | 0x20 != b'b' || word_before(text, first) {
        return None;
    }
    let from = end + run(text, end, |byte| byte == b' ').min(4);
    let length = run(text, from, base64);
    let token = &text[from..from + length];
    let token = token.strip_suffix(b".").unwrap_or(token);
    let good = if bearer {
        // "bearer authentication" is prose, and so is all in small letters.
        token.len() >= 8 && token.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    } else {
        is_user_and_password(token)
    };
    good.then(|| Found::of(Kind::Authorization, from, from + token.len()))
}

/// Whether this is base64 of something with a colon in it. Decoded here: no more than a look at each byte is needed.
fn is_user_and_password(token: &[u8]) -> bool {
    let token = token.trim_ascii_end();
    let end = token.iter().position(|byte| *byte == b'=').unwrap_or(token.len());
    if token.len() < 4 || token.len() - end > 2 {
        return false;
    }
    let (mut bits, mut count, mut colon) = (0_u32, 0, false);
    for byte in &token[..end] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            match (bits >> count) as u8 {
                b':' => colon = true,
                0..=0x1f | 0x7f => return false,
                _ => {}
            }
        }
    }
    colon
}
