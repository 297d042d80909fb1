//! The label text of a stream, `{a="b", c="d"}`, read as strictly as Loki reads it.

use std::collections::BTreeMap;

/// Parses a label text. Labels with an empty value are left out, as Loki does.
///
/// # Errors
/// What is wrong and at which byte, in the words of Loki's parser as far as they are known to clients.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut parser = Parser { text, rest: text.trim() };
    let mut labels = BTreeMap::new();
    parser.expect('{')?;
    while !parser.accept('}') {
        let name = parser.name()?;
        parser.expect('=')?;
        let value = parser.string()?;
        if labels.insert(name.clone(), value).is_some() {
            return Err(format!("stream '{text}' has duplicate label name: '{name}'"));
        }
        if !parser.accept(',') {
            parser.expect('}')?;
            break;
        }
    }
    if !parser.rest.is_empty() {
        return Err(parser.unexpected("end of input"));
    }
    labels.retain(|_, value| !value.is_empty());
    Ok(labels)
}

/// The text as Loki repeats it in its messages: sorted by name, one form of quoting.
pub(super) fn render(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn quote(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn accept(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.accept(wanted) {
            return Ok(());
        }
        Err(self.unexpected(&format!("\"{wanted}\"")))
    }

    fn unexpected(&self, wanted: &str) -> String {
        let at = self.text.len() - self.rest.len() + 1;
        let found = match self.rest.chars().next() {
            Some(c) => format!("{c:?}"),
            None => "end of input".to_owned(),
        };
        format!("1:{at}: parse error: unexpected {found}, expected {wanted}")
    }

    fn name(&mut self) -> Result<String, String> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.unexpected("a label name"));
        }
        self.rest = self.rest[end..].trim_start();
        Ok(name.to_owned())
    }

    /// A string in double quotes with Go's escapes.
    fn string(&mut self) -> Result<String, String> {
        let Some(body) = self.rest.strip_prefix('"') else {
            return Err(self.unexpected("a string in double quotes"));
        };
        let mut out = Vec::new();
        let mut chars = body.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = body[at + 1..].trim_start();
                    return String::from_utf8(out)
                        .map_err(|_| "1:1: parse error: invalid UTF-8 rune".to_owned());
                }
                '\\' => {
                    let used = unescape(&body[at + 1..], &mut out)
                        .ok_or_else(|| self.unexpected("a valid escape in the string"))?;
                    for _ in 0..used {
                        chars.next();
                    }
                }
                '\n' => return Err(self.unexpected("no line end in the string")),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(self.unexpected("a string that ends"))
    }
}

/// One escape after its backslash; gives the characters it took, all of them ASCII.
fn unescape(text: &str, out: &mut Vec<u8>) -> Option<usize> {
    let digits = |from: usize, to: usize, radix| {
        let digits = text.get(from..to)?;
        if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        u32::from_str_radix(digits, radix).ok()
    };
    let simple = match text.chars().next()? {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' => b'"',
        'x' => {
            out.push(u8::try_from(digits(1, 3, 16)?).ok()?);
            return Some(3);
        }
        'u' => {
            let c = char::from_u32(digits(1, 5, 16)?)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(5);
        }
        'U' => {
            let c = char::from_u32(digits(1, 9, 16)?)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(9);
        }
        '0'..='3' => {
            out.push(u8::try_from(digits(0, 3, 8)?).ok()?);
            return Some(3);
        }
        _ => return None,
    };
    out.push(simple);
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_loki_accepts() {
        for (text, rendered) in [
            (r#"{a="b"}"#, r#"{a="b"}"#),
            (r#"{ b = "2" , a="1",}"#, r#"{a="1", b="2"}"#),
            (r#"{a="", b="c"}"#, r#"{b="c"}"#),
            (r#"{a="q\" \\ \n \u00e9 \x41 \101 é"}"#, r#"{a="q\" \\ \n é A A é"}"#),
            ("{}", "{}"),
        ] {
            let labels = parse(text).unwrap_or_else(|err| panic!("{text}: {err}"));
            assert_eq!(render(&labels), rendered, "{text}");
        }
    }

    #[test]
    fn refuses_what_loki_refuses() {
        for text in [
            "",
            "a",
            r#"a="b""#,
            r#"{a="b""#,
            r#"{a="b"} x"#,
            r#"{a='b'}"#,
            r#"{a=b}"#,
            r#"{a!="b"}"#,
            r#"{1a="b"}"#,
            r#"{a-b="c"}"#,
            r#"{a.b="c"}"#,
            r#"{a="b" c="d"}"#,
            r#"{a="b",,c="d"}"#,
            r#"{,a="b"}"#,
            r#"{a="\q"}"#,
            r#"{a="\x4"}"#,
            r#"{a="\xff"}"#,
            r#"{a="b", a="c"}"#,
            "{a=\"b\nc\"}",
            r#"{a="b}"#,
            r#"{"a"="b"}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
