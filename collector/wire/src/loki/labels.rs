//! Label sets in Loki's syntax: `{job="varlog", filename="/var/log/syslog"}`.
//!
//! Loki reads them with Prometheus' PromQL lexer, so values are quoted as Go quotes strings. The lexer refuses the
//! character U+FFFD, which stands for broken UTF-8, unless it is written as an escape.

use std::borrow::Cow;
use std::fmt::Write;

/// Appends a label set. The pairs must be sorted by name and have names that [`label_name`] leaves alone; empty values
/// are left out, as Loki would do, so that equal streams are written equally.
pub fn write_label_set<'a>(out: &mut String, sorted: impl IntoIterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    let mut separator = "";
    for (name, value) in sorted {
        if value.is_empty() {
            continue;
        }
        out.push_str(separator);
        out.push_str(name);
        out.push('=');
        quote(out, value);
        separator = ", ";
    }
    out.push('}');
}

/// Appends `text` in double quotes, as Go's `strconv.Quote` writes what is printable.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{b}' => "\\v",
            '\u{c}' => "\\f",
            '\u{fffd}' => "\\ufffd",
            '\0'..='\u{1f}' | '\u{7f}' => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + c.len_utf8();
        if escape.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{:02x}", c as u32);
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// A name that Loki takes for a label: letters, digits and `_`, no digit first. Everything else becomes `_`.
pub fn label_name(name: &str) -> Cow<'_, str> {
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && !digit_first && name.chars().all(good) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 1);
    if digit_first || name.is_empty() {
        out.push('_');
    }
    out.extend(name.chars().map(|c| if good(c) { c } else { '_' }));
    Cow::Owned(out)
}

/// Takes a label set apart, in its own order; `None` if it is not one.
pub fn parse_label_set(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let (pairs, rest) = label_set(text)?;
    rest.trim().is_empty().then_some(pairs)
}

/// Reads the label set that `text` begins with, and returns what follows it.
#[expect(clippy::type_complexity, reason = "pairs of name and value, and the rest")]
pub(super) fn label_set(text: &str) -> Option<(Vec<(Cow<'_, str>, Cow<'_, str>)>, &str)> {
    let mut rest = text.trim_start().strip_prefix('{')?.trim_start();
    let mut pairs = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((pairs, after));
        }
        let (name, after) = if rest.starts_with('"') {
            unquote(rest)?
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
            (Cow::Borrowed(&rest[..end]), &rest[end..])
        };
        if name.is_empty() {
            return None;
        }
        let (value, after) = unquote(after.trim_start().strip_prefix('=')?.trim_start())?;
        pairs.push((name, value));
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// Reads the Go string that `text` begins with, and returns what follows it.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let body = text.strip_prefix('"')?;
    let end = body.find(['"', '\\', '\n'])?;
    if body.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&body[..end]), &body[end + 1..]));
    }
    let mut out = Vec::new();
    let mut rest = body;
    loop {
        let at = rest.find(['"', '\\', '\n'])?;
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let found = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match found {
            // \x escapes are bytes, so only the whole is UTF-8, or not.
            b'"' => return Some((Cow::Owned(String::from_utf8_lossy(&out).into_owned()), rest)),
            b'\\' => rest = escape(rest, &mut out)?,
            _ => return None,
        }
    }
}

/// Reads one escape after its backslash.
fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let kind = *text.as_bytes().first()?;
    let (digits, radix, skip) = match kind {
        b'x' => (2, 16, 1),
        b'u' => (4, 16, 1),
        b'U' => (8, 16, 1),
        b'0'..=b'7' => (3, 8, 0),
        _ => {
            let found = b"abfnrtv\\\"'".iter().position(|c| *c == kind)?;
            out.push(b"\x07\x08\x0c\n\r\t\x0b\\\"'"[found]);
            return Some(&text[1..]);
        }
    };
    let digits = text.get(skip..skip + digits)?;
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(digits, radix).ok()?;
    if matches!(kind, b'u' | b'U') {
        let mut buffer = [0; 4];
        out.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut buffer).as_bytes());
    } else {
        out.push(u8::try_from(value).ok()?);
    }
    Some(&text[skip + digits.len()..])
}

/// Labels that Loki itself adds to streams: it says them in its refusals, and we did not send them.
const LOKIS_OWN: [&str; 3] = ["__stream_shard__", "__time_shard__", "service_name"];

/// Whether the label set in one of Loki's messages means the stream we sent. Loki sorts labels, quotes them its own way,
/// drops empty ones, and adds its shards' and the service's name.
pub fn same_stream(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    let (Some(mut ours), Some(mut theirs)) = (parse_label_set(ours), parse_label_set(theirs)) else {
        return false;
    };
    ours.retain(|(_, value)| !value.is_empty());
    theirs.retain(|(name, _)| !LOKIS_OWN.contains(&&**name) || ours.iter().any(|(n, _)| n == name));
    ours.sort_unstable();
    theirs.sort_unstable();
    ours == theirs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(pairs: &[(&str, &str)]) -> String {
        let mut out = String::new();
        write_label_set(&mut out, pairs.iter().copied());
        out
    }

    #[test]
    fn values_are_quoted_as_go_does() {
        assert_eq!(written(&[]), "{}");
        assert_eq!(written(&[("a", "b"), ("c", ""), ("d", "é✓")]), r#"{a="b", d="é✓"}"#);
        assert_eq!(
            written(&[("a", "q\" b\\ n\n t\t r\r \u{1} \u{7f} \u{fffd} \u{7}")]),
            r#"{a="q\" b\\ n\n t\t r\r \x01 \x7f \ufffd \a"}"#
        );
    }

    #[test]
    fn names_become_fit() {
        for (name, fit) in [
            ("job", "job"),
            ("_x9", "_x9"),
            ("9x", "_9x"),
            ("", "_"),
            ("a.b-c/d", "a_b_c_d"),
            ("é", "_"),
            ("com.docker:x", "com_docker_x"),
        ] {
            assert_eq!(label_name(name), fit);
        }
    }

    #[test]
    fn broken_label_sets_are_none() {
        for text in [
            "",
            "{",
            "a=\"b\"",
            "{a}",
            "{a=b}",
            "{a=\"b}",
            "{a=\"b\" c=\"d\"}",
            "{=\"b\"}",
            "{a=\"\\q\"}",
            "{a=\"\\x1\"}",
            "{a=\"\\u+123\"}",
            "{a=\"\\ud800\"}",
            "{a=\"\\400\"}",
            "{a=\"b\"} x",
            "{a=\"\n\"}",
            "{a=\"\\",
        ] {
            assert_eq!(parse_label_set(text), None, "{text}");
        }
        assert_eq!(parse_label_set("{}"), Some(vec![]));
    }

    #[test]
    fn a_stream_is_known_in_lokis_words() {
        for (ours, theirs, same) in [
            (r#"{a="b"}"#, r#"{a="b"}"#, true),
            (r#"{b="1", a="2"}"#, r#"{a="2",b="1"}"#, true),
            (r#"{a="b"}"#, r#"{__stream_shard__="3", a="b", service_name="unknown_service"}"#, true),
            (r#"{a="b", service_name="x"}"#, r#"{a="b", service_name="y"}"#, false),
            (r#"{a="b", c=""}"#, r#"{a="b"}"#, true),
            ("{a=\"\u{200b}\"}", r#"{a="\u200b"}"#, true),
            (r#"{a="b"}"#, r#"{a="c"}"#, false),
            (r#"{a="b"}"#, r#"{a="b", d="e"}"#, false),
            (r#"{a="b"}"#, "garbage", false),
        ] {
            assert_eq!(same_stream(ours, theirs), same, "{ours} {theirs}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::btree_map("[a-z_][a-z0-9_]{0,8}", "(?s).{1,40}", 0..8)) {
            let mut out = String::new();
            write_label_set(&mut out, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            // What the PromQL lexer refuses inside quotes.
            prop_assert_eq!(out.find(['\u{fffd}', '\n']), None);
            let back = parse_label_set(&out).unwrap();
            let back: Vec<_> = back.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
            prop_assert_eq!(back, pairs.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_a_label_set_or_none(text in r#"\{?[a-z="\\,{} xu0-9\n]{0,40}"#) {
            let _ = parse_label_set(&text);
        }
    }
}
