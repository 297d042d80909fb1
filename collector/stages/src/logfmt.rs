//! logfmt: `level=info msg="it is up" took=3ms retry`, as <https://github.com/go-logfmt/logfmt> reads it.

use std::borrow::Cow;

use crate::json::unescape;

/// Calls `pair` with every key and its value, until it says that it has seen enough; a key alone has an empty value.
/// What is neither is passed over, so that text around the pairs does no harm.
pub fn pairs<'a>(text: &'a str, mut pair: impl FnMut(&'a str, Cow<'a, str>) -> bool) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = bytes[at..].iter().position(|byte| *byte > b' ').map(|skip| at + skip) {
        let length = bytes[start..].iter().position(|byte| matches!(byte, b'=' | b'"' | 0..=b' '));
        let end = length.map_or(bytes.len(), |length| start + length);
        let key = &text[start..end];
        // All places are beside ASCII bytes, so they are borders of characters.
        let value = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b'='), Some(b'"')) => match quote_end(bytes, end + 2) {
                Some(close) => {
                    at = close + 1;
                    unescape(&text[end + 2..close])
                }
                // The end is missing, as the line was cut: what is there is the value.
                None => {
                    at = bytes.len();
                    unescape(&text[end + 2..])
                }
            },
            (Some(b'='), _) => {
                let length = bytes[end + 1..].iter().position(|byte| *byte <= b' ');
                at = length.map_or(bytes.len(), |length| end + 1 + length);
                Cow::Borrowed(&text[end + 1..at])
            }
            (Some(b'"'), _) => {
                at = quote_end(bytes, end + 1).map_or(bytes.len(), |close| close + 1);
                continue;
            }
            _ => {
                at = end;
                Cow::Borrowed("")
            }
        };
        if !key.is_empty() && !pair(key, value) {
            return;
        }
    }
}

/// The closing quote of a text that begins here.
fn quote_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        pairs(text, |key, value| {
            found.push((key.to_owned(), value.into_owned()));
            true
        });
        found
    }

    #[test]
    fn pairs_are_found() {
        for (text, expected) in [
            ("", &[][..]),
            ("a=1 b=two", &[("a", "1"), ("b", "two")]),
            (r#" a="x \"y\" \n" b= c"#, &[("a", "x \"y\" \n"), ("b", ""), ("c", "")]),
            ("ä=ö  k=a=b\tend", &[("ä", "ö"), ("k", "a=b"), ("end", "")]),
            ("=x a=1", &[("a", "1")]),
            (r#""quoted" a=1 b"c d"e=2"#, &[("a", "1"), ("e", "2")]),
            (r#"a="cut"#, &[("a", "cut")]),
            (r#"a="cut\"#, &[("a", "cut\u{fffd}")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(all(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in r#"[a= "\\é\u{0}\n]{0,32}"#) {
            all(&text);
        }
    }
}
