//! Regular expressions with RE2's meaning, and filters made of them.
//!
//! Filters are copied from node_exporter's flags, which RE2 reads (<https://github.com/google/re2/wiki/Syntax>): there
//! `\d \w \s \b` are ASCII, and `[`, `&`, `~` have no meaning of their own inside a class. In Rust's `regex` they do, so
//! a pattern is translated before it is compiled.

mod re2;

use std::fmt;

use regex::bytes::{Captures, Regex};

/// A regular expression, searched anywhere in a name. Two are equal when their texts are.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    /// The names of its groups, from the first one on.
    names: Vec<Option<String>>,
}

/// A text that is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a regular expression in RE2's syntax: {why}")]
pub struct PatternError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Pattern {
    /// Compiles `text`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let wrong = |why: String| PatternError { text: text.to_owned(), why };
        let translated = re2::translate(text).map_err(wrong)?;
        let regex = Regex::new(&translated.rust).map_err(|error| {
            // The library draws the pattern over several lines; what is wrong stands in the last.
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            wrong(last.strip_prefix("error: ").unwrap_or(last).to_owned())
        })?;
        Ok(Pattern { text: text.to_owned(), regex, names: translated.names })
    }

    /// Compiles `text` as relabel rules have it: it must match the whole value, and `.` matches a line feed as well.
    pub fn whole(text: &str) -> Result<Self, PatternError> {
        // Put together as text, as Prometheus does: what `a)|(b` means follows from that.
        let pattern = Pattern::new(&format!("^(?s:{text})$"))
            .map_err(|error| PatternError { text: text.to_owned(), ..error })?;
        Ok(Pattern { text: text.to_owned(), ..pattern })
    }

    /// The first match and its groups.
    pub fn captures<'v>(&self, value: &'v [u8]) -> Option<Captures<'v>> {
        self.regex.captures(value)
    }

    /// The number of the group called `name`.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known.as_deref() == Some(name)).map(|at| at + 1)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What its groups found in `text`, put into each of `templates` for `$1`, `${1}` and `${name}`; `None` when it is
    /// not found.
    pub fn expand(&self, text: &[u8], templates: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        let found = self.regex.captures(text)?;
        let fill = |template: &&[u8]| {
            let mut filled = Vec::new();
            found.expand(template, &mut filled);
            filled
        };
        Some(templates.iter().map(fill).collect())
    }

    /// Whether it is found anywhere in `name`.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Which names are collected: those that `include` matches, or all without one, but for those that `exclude` matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only these.
    pub include: Option<Pattern>,
    /// Not these.
    pub exclude: Option<Pattern>,
}

impl Filter {
    /// Leaves out what `text` matches. For texts that are known to compile; another leaves out nothing.
    pub fn excluding(text: &str) -> Self {
        Filter { include: None, exclude: Pattern::new(text).ok() }
    }

    /// Keeps what `text` matches. For texts that are known to compile; another keeps everything.
    pub fn including(text: &str) -> Self {
        Filter { include: Pattern::new(text).ok(), exclude: None }
    }

    /// Whether `name` is collected.
    pub fn keeps(&self, name: &[u8]) -> bool {
        self.include.as_ref().is_none_or(|p| p.matches(name))
            && !self.exclude.as_ref().is_some_and(|p| p.matches(name))
    }
}

/// A filter's decisions on a list whose names are much the same from run to run: no expression is searched twice for a
/// name that keeps its place.
#[derive(Debug)]
pub struct Decisions {
    filter: Filter,
    known: Vec<(Box<[u8]>, bool)>,
}

impl Decisions {
    /// No decision made yet.
    pub fn new(filter: &Filter) -> Self {
        Decisions { filter: filter.clone(), known: Vec::new() }
    }

    /// Whether the name at place `at` (counted from 0, without gaps) is collected.
    pub fn keeps(&mut self, at: usize, name: &[u8]) -> bool {
        match self.known.get_mut(at) {
            Some((known, kept)) if **known == *name => *kept,
            Some(other) => {
                *other = (name.into(), self.filter.keeps(name));
                other.1
            }
            None => {
                let kept = self.filter.keeps(name);
                self.known.push((name.into(), kept));
                kept
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name.as_bytes())
    }

    #[test]
    fn classes_are_ascii_as_in_re2() {
        assert!(found(r"^\d+$", "12") && !found(r"^\d+$", "١٢"));
        assert!(found(r"^\w+$", "ab_1") && !found(r"^\w+$", "é"));
        assert!(found(r"^[\D]$", "é") && found(r"^[^\d]$", "é") && !found(r"^[\d\-x]$", "y"));
        assert!(found(r"a\s", "a\n") && !found(r"a\s", "a\u{a0}") && !found(r"a\s", "a\u{b}"));
        // In RE2 é is no word character, so there is a boundary.
        assert!(found(r"a\b", "aé") && !found(r"a\B", "aé"));
        assert!(!found("^.$", "\n") && found("^.$", "é"));
    }

    #[test]
    fn classes_have_no_set_operators() {
        assert!(found("^[[a]$", "[") && found("^[a&&b]$", "&") && found("^[~~]$", "~"));
        assert!(found("^[]a]$", "]") && found("^[^]a]$", "b") && !found("^[^]a]$", "]"));
        assert!(found("^[[:digit:]x]+$", "1x") && !found("^[[:digit:]]$", "x"));
    }

    #[test]
    fn groups_and_flags() {
        assert!(found("^(?i)ETH", "eth0") && found("^(?i:E)TH", "eTH0") && !found("^(?i:E)TH", "eth0"));
        assert!(found("(?i-s)A", "a") && found("(?s)a.b", "a\nb") && !found("(?-i)A", "a"));
        assert!(found("(?P<name>eth)0", "eth0") && found("(?:a|b)$", "xb") && found("^(eth|lo)", "lo"));
    }

    #[test]
    fn any_bytes_can_be_searched() {
        assert!(Pattern::new("b").unwrap().matches(b"\xffb"));
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong() {
        let error = Pattern::new("a(b").unwrap_err().to_string();
        assert_eq!(
            error,
            "`a(b` is not a regular expression in RE2's syntax: a group is not closed: `)` is missing"
        );
        assert!(Pattern::new("\\").is_err());
        assert!(Pattern::new("[a").is_err());
    }

    #[test]
    fn groups_fill_templates() {
        let pattern = Pattern::new("^SSH-2.0-([^ -]+)(?P<more>.*)").unwrap();
        let filled = pattern.expand(b"SSH-2.0-dropbear 7", &[b"${1}", b"$more.$$", b"\xff$none"]).unwrap();
        assert_eq!(filled, [&b"dropbear"[..], b" 7.$", b"\xff"]);
        assert_eq!(pattern.expand(b"HTTP", &[b"x"]), None);
    }

    #[test]
    fn patterns_are_equal_by_text() {
        assert_eq!(Pattern::new("a").unwrap(), Pattern::new("a").unwrap());
        assert_ne!(Pattern::new("a").unwrap(), Pattern::new("b").unwrap());
    }

    #[test]
    fn decisions_follow_names_that_move() {
        let mut decisions = Decisions::new(&Filter::excluding("^veth"));
        assert!(!decisions.keeps(0, b"veth0") && decisions.keeps(1, b"eth0"));
        assert!(decisions.keeps(0, b"eth0") && decisions.keeps(1, b"lo"));
        let both = Filter { include: Pattern::new("eth").ok(), exclude: Pattern::new("^veth").ok() };
        assert!(both.keeps(b"eth0") && !both.keeps(b"veth0") && !both.keeps(b"lo"));
    }
}
