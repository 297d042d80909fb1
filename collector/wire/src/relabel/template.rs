//! Templates of replacements: `$1`, `${1}`, `$name`, `${name}`, `$$`.
//!
//! The rules are those of Go's `regexp.Expand`: a name is as long as it can be (`$1x` is the group `1x`), a group that
//! is not there is empty, and a `$` that begins nothing stands for itself.

use regex::bytes::Captures;
use taffrail_core::Pattern;

/// A template, taken apart for one expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    text: Box<str>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(Box<str>),
    Group(usize),
}

impl Template {
    pub(super) fn new(text: &str, regex: &Pattern) -> Self {
        Template { text: text.into(), parts: parse(text, regex) }
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The template with a match's groups in it.
    pub(super) fn expand(&self, groups: &Captures<'_>) -> String {
        let mut expanded = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => expanded.extend_from_slice(text.as_bytes()),
                Part::Group(group) => {
                    expanded.extend_from_slice(groups.get(*group).map_or(&[], |found| found.as_bytes()));
                }
            }
        }
        // Values are UTF-8 and expressions match whole characters of them.
        String::from_utf8_lossy(&expanded).into_owned()
    }
}

fn parse(text: &str, regex: &Pattern) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            plain.push('$');
            rest = tail;
        } else if let Some((name, tail)) = name(rest) {
            rest = tail;
            if let Some(group) = group(name, regex) {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain).into()));
                }
                parts.push(Part::Group(group));
            }
        } else {
            plain.push('$');
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain.into()));
    }
    parts
}

/// The name behind a `$`, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let len = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(len);
    match (name, braced) {
        ("", _) => None,
        (name, false) => Some((name, rest)),
        (name, true) => Some((name, rest.strip_prefix('}')?)),
    }
}

/// The group's number; none for a group that the expression does not have, which is empty.
fn group(name: &str, regex: &Pattern) -> Option<usize> {
    let number =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    if number { name.parse().ok() } else { regex.group(name) }
}
