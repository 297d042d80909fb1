//! Which parts of a text are secrets, so that no error shows them.

use std::ops::Range;

use super::tree::{Node, Value};

/// Keys whose values are secret, wherever they are.
const KEYS: [&str; 6] =
    ["password", "bearer_token", "authorization", "token", "client_secret", "credentials"];

/// A mapping whose values are secret, and whose keys are not.
const HEADERS: &str = "headers";

/// Byte ranges of secrets in a text that was read: values of secret keys, users and passwords in URLs.
pub fn in_tree(root: &Node, text: &str) -> Vec<Range<usize>> {
    let mut found = in_urls(text);
    let mut open = vec![(root, false)];
    while let Some((node, secret)) = open.pop() {
        match &node.value {
            Value::Scalar { .. } if secret => found.push(node.span.range()),
            Value::Scalar { .. } => {}
            Value::List(items) => open.extend(items.iter().map(|item| (item, secret))),
            Value::Map(entries) => {
                for (key, value) in entries {
                    if is_secret(&key.text) {
                        found.push(value.span.range());
                    }
                    open.push((value, secret || key.text.eq_ignore_ascii_case(HEADERS)));
                }
            }
        }
    }
    found
}

/// The same of a text that could not be read, generously: what follows a secret key on its line, and all lines below
/// that are indented deeper.
pub fn in_text(text: &str) -> Vec<Range<usize>> {
    let mut found = in_urls(text);
    let (mut start, mut below) = (0, None);
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let indent = line.len() - line.trim_start_matches([' ', '-', '\t']).len();
        if below.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
            found.push(start..end);
        } else {
            below = None;
            let lower = line.to_ascii_lowercase();
            let places = KEYS.iter().chain([&HEADERS]).filter_map(|key| {
                let at = lower.find(key)? + key.len();
                Some(at + lower[at..].find(':')? + 1)
            });
            if let Some(at) = places.min() {
                found.push(start + at..end);
                below = Some(indent);
            }
        }
        start = end;
    }
    found
}

fn is_secret(key: &str) -> bool {
    KEYS.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

/// `user:password` in `scheme://user:password@host`.
fn in_urls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let from = at + 3;
        let rest = &text[from..];
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | ']'))
            .unwrap_or(rest.len());
        // A password may hold the characters that end a URL; what stands before the last @ of the line is hidden.
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let at_sign = rest[..end].rfind('@').or_else(|| line.rfind('@'));
        if let Some(at_sign) = at_sign {
            found.push(from..from + at_sign);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree;

    const TEXT: &str = "url: http://u:hunter2@h/\nbasic_auth: {username: ada, password: hunter2}\n\
        headers:\n  X-Key: hunter2\nbearer_token: |\n  hunter2\nlast: 1\n";

    fn shown(text: &str, hidden: &[Range<usize>]) -> String {
        text.char_indices().filter(|(at, _)| !hidden.iter().any(|r| r.contains(at))).map(|(_, c)| c).collect()
    }

    #[test]
    fn secrets_are_found() {
        let tree = tree::parse(TEXT, 0, 0, &mut Vec::new()).unwrap();
        for hidden in [in_tree(&tree, TEXT), in_text(TEXT)] {
            let shown = shown(TEXT, &hidden);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("username: ada") && shown.contains("last: 1"), "{shown}");
        }
    }
}
