//! Paths with `*`, `?` and `[a-z]` in them, as the shell and Go's `filepath.Glob` read them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::folder::list;

/// The paths that `pattern` stands for, sorted; none if nothing is there. A path without special characters is itself,
/// whether it exists or not.
pub(crate) fn paths(pattern: &str) -> Vec<PathBuf> {
    if !is_special(pattern.as_bytes()) {
        return vec![pattern.into()];
    }
    let mut found = vec![PathBuf::from(if pattern.starts_with('/') { "/" } else { "" })];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|path| below(path, part.as_bytes())).collect();
    }
    found.retain(|path| path.exists());
    found
}

fn is_special(part: &[u8]) -> bool {
    part.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
}

fn below(path: &Path, part: &[u8]) -> Vec<PathBuf> {
    if !is_special(part) {
        return vec![path.join(OsStr::from_bytes(part))];
    }
    let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let names = list(folder).unwrap_or_default();
    let names = names.iter().filter(|name| matches(part, name));
    names.map(|name| path.join(OsStr::from_bytes(name))).collect()
}

/// Whether a name is what a pattern without `/` stands for. A pattern that does not read well stands for nothing.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when the present attempt fails: behind the last star, one byte further in the name.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            None => (from == name.len()).then_some((at, from, true)),
            Some(b'*') => {
                star = Some((at + 1, from));
                Some((at + 1, from, false))
            }
            Some(_) => name.get(from).and_then(|byte| {
                let len = one(&pattern[at..], *byte)?;
                Some((at + len, from + 1, false))
            }),
        };
        match (step, star) {
            (Some((_, _, true)), _) => return true,
            (Some((next, byte, false)), _) => (at, from) = (next, byte),
            (None, Some((behind, begun))) if begun < name.len() => {
                star = Some((behind, begun + 1));
                (at, from) = (behind, begun + 1);
            }
            (None, _) => return false,
        }
    }
}

/// Whether the pattern's first element stands for `byte`, and how long it is.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => {
            let (negated, rest) = match rest {
                [b'^', rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            let end = rest.iter().skip(1).position(|b| *b == b']')? + 1;
            let (mut members, mut found) = (&rest[..end], false);
            while let [low, tail @ ..] = members {
                (found, members) = match tail {
                    [b'-', high, tail @ ..] => (found || (*low..=*high).contains(&byte), tail),
                    tail => (found || *low == byte, tail),
                };
            }
            (found != negated).then(|| 2 + usize::from(negated) + end)
        }
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*a*b*", "xxaxxbxx", true),
            ("team-?", "team-a", true),
            ("team-?", "team-", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a", "a", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_that_are_there() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/metrics", "b/metrics", "c"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let text = |pattern: &str| format!("{}/{pattern}", root.path().display());
        let expected = [root.path().join("a/metrics"), root.path().join("b/metrics")];
        assert_eq!(paths(&text("*/metrics")), expected);
        assert!(paths(&text("x*")).is_empty());
        assert_eq!(paths("/none/at/all"), [PathBuf::from("/none/at/all")]);
    }
}
