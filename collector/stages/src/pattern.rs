//! Loki's pattern expressions: `<ip> - - [<_>] "<method> <uri> <_>" <status> <size>`.
//!
//! <https://grafana.com/docs/loki/latest/query/log_queries/#pattern>: what is not `<name>` or `<_>` is meant as it
//! stands, and each name takes the text up to what follows it. No expression is slower than the text is long.

use std::borrow::Cow;

use memchr::memmem::Finder;

/// A pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// What the text has to begin with.
    start: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    /// None for `<_>`.
    name: Option<String>,
    /// What follows; the last one takes all that is left.
    until: Option<Finder<'static>>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// Reads a pattern. An error says what is wrong, then, behind a line feed, what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}\nwrite it as `<ip> - <user> [<_>] \"<method> <path> <_>\"`");
        let mut pattern = Pattern { text: text.to_owned(), start: String::new(), parts: Vec::new() };
        let (mut literal, mut rest) = (String::new(), text);
        while !rest.is_empty() {
            if let Some((name, after)) = capture(rest) {
                match pattern.parts.last_mut() {
                    None => pattern.start = std::mem::take(&mut literal),
                    Some(_) if literal.is_empty() => {
                        return Err(wrong("two names without text between them: nothing tells them apart"));
                    }
                    Some(part) => part.until = Some(Finder::new(&std::mem::take(&mut literal)).into_owned()),
                }
                if name != "_" && pattern.names().any(|known| known == name) {
                    return Err(wrong(&format!("the name `{name}` is there twice")));
                }
                pattern.parts.push(Part { name: (name != "_").then(|| name.to_owned()), until: None });
                rest = after;
            } else {
                let first = rest.chars().next().map_or(0, char::len_utf8);
                let end = rest[first..].find('<').map_or(rest.len(), |at| first + at);
                literal.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        }
        if let (Some(part), false) = (pattern.parts.last_mut(), literal.is_empty()) {
            part.until = Some(Finder::new(&literal).into_owned());
        }
        if pattern.names().next().is_none() {
            return Err(wrong("the pattern names nothing"));
        }
        Ok(pattern)
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| part.name.as_deref())
    }

    /// Calls `found` with each name and its text. Where the text ends early, the name that it ends in takes the rest,
    /// and those behind it get nothing. False when the text does not begin as the pattern does.
    pub fn find<'a>(&'a self, text: &'a str, mut found: impl FnMut(&'a str, Cow<'a, str>)) -> bool {
        let Some(mut rest) = text.strip_prefix(&self.start) else { return false };
        for part in &self.parts {
            let place = part.until.as_ref().and_then(|until| {
                // A whole literal of whole characters was found, so both are borders of characters.
                until.find(rest.as_bytes()).map(|at| (at, at + until.needle().len()))
            });
            if let Some(name) = &part.name {
                found(name, Cow::Borrowed(place.map_or(rest, |(end, _)| &rest[..end])));
            }
            let Some((_, next)) = place else { break };
            rest = &rest[next..];
        }
        true
    }
}

/// The name in the `<name>` that the text begins with, and what is behind it.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (fits && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit()).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
        let (pattern, mut all) = (Pattern::parse(pattern).unwrap(), Vec::new());
        pattern.find(text, |name, value| all.push((name.to_owned(), value.into_owned()))).then_some(all)
    }

    fn pairs(list: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn names_take_the_text_between() {
        let line = r#"10.0.0.1 - ada [21/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 512"#;
        assert_eq!(
            found(r#"<ip> - <user> [<_>] "<method> <path> <_>" <status> <_>"#, line),
            pairs(&[
                ("ip", "10.0.0.1"),
                ("user", "ada"),
                ("method", "GET"),
                ("path", "/a"),
                ("status", "200")
            ])
        );
        assert_eq!(found("level=<level> ", "level=info x"), pairs(&[("level", "info")]));
        assert_eq!(found("[<a>]", "x [b]"), None);
        assert_eq!(found("<a>, <b>, <c>", "1, 2"), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(found("<<a>> é<b>", "<x> éü"), pairs(&[("a", "x"), ("b", "ü")]));
        assert_eq!(found("<1> < <a>", "<1> < y"), pairs(&[("a", "y")]));
        assert_eq!(found("é<a>", "éx"), pairs(&[("a", "x")]));
    }

    #[test]
    fn what_can_find_nothing_is_refused() {
        for (pattern, part) in [
            ("", "names nothing"),
            ("plain", "names nothing"),
            ("<_>", "names nothing"),
            ("<a><b>", "without text between"),
            ("<a> <a>", "there twice"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.contains(part), "{pattern}: {error}");
        }
        assert_eq!(Pattern::parse("<a> <_> <_>").unwrap(), Pattern::parse("<a> <_> <_>").unwrap());
    }

    proptest! {
        #[test]
        fn any_pattern_and_text_are_taken(pattern in "(<|>|a|_|é| |<a>|<b>|<_>){0,12}", text in "(?s)[a<> é]{0,32}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                pattern.find(&text, |_, _| ());
            }
        }
    }
}
