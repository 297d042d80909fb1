//! Paths into JSON: the part of JMESPath (<https://jmespath.org>) that names one value, `a.b`, `a[0].b`, `"a b".c`.

use std::borrow::Cow;

use crate::json::{self, Value};

/// A path into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The name of a member of the object, as it would be without escapes.
    pub first: String,
    /// From there on.
    rest: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

impl Path {
    /// The path to a member of the object, whatever its name holds.
    pub fn member(name: &str) -> Self {
        Path { first: name.to_owned(), rest: Vec::new() }
    }

    /// Reads a path. An error says what is wrong, then, behind a line feed, what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            |what: String| format!("`{text}` is no path: {what}\nwrite it as a, a.b, a[0].b or \"a b\".c");
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() || steps.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (number, after) =
                    after.split_once(']').ok_or_else(|| wrong("`]` is missing".to_owned()))?;
                let number =
                    number.parse().map_err(|_| wrong(format!("`[{number}]` is no place in a list")))?;
                steps.push(Step::Item(number));
                rest = after;
                continue;
            }
            if !steps.is_empty() {
                rest = rest
                    .strip_prefix('.')
                    .ok_or_else(|| wrong(format!("there is no dot before `{rest}`")))?;
            }
            let (name, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| wrong("`\"` is missing".to_owned()))?,
                None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
            };
            if !rest.starts_with('"') {
                if name.is_empty() {
                    return Err(wrong("a name is missing".to_owned()));
                }
                if let Some(c) = name.chars().find(|c| " \t*|&()!<>=,{}]?'`\"\\".contains(*c)) {
                    return Err(wrong(format!(
                        "`{c}` has to be in quotes; filters and functions are not there"
                    )));
                }
            }
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        }
        match steps.remove(0) {
            Step::Member(first) => Ok(Path { first, rest: steps }),
            Step::Item(_) => Err(wrong("it has to begin with a name".to_owned())),
        }
    }

    /// The value at the end of the path that begins with the member whose value this is.
    pub fn follow<'a>(&self, value: Value<'a>) -> Option<Value<'a>> {
        self.rest.iter().try_fold(value, |value, step| {
            let Value::Nested(text) = value else { return None };
            let mut found = None;
            // Nested values were read whole before: no mistake is in them.
            match step {
                Step::Member(wanted) => json::members(text, |name, value| {
                    if is(name, wanted) {
                        found = Some(value);
                    }
                }),
                Step::Item(number) => {
                    let mut left = *number;
                    json::items(text, |value| {
                        if left == 0 {
                            found = Some(value);
                        }
                        left = left.wrapping_sub(1);
                        found.is_none()
                    })
                }
            }
            .ok()?;
            found
        })
    }
}

/// Whether a name as it is written in JSON is this one.
pub fn is(written: &str, name: &str) -> bool {
    // With escapes it is longer than without.
    written == name
        || (written.len() > name.len()
            && written.as_bytes().contains(&b'\\')
            && matches!(json::unescape(written), Cow::Owned(text) if text == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Option<String> {
        let path = Path::parse(path).unwrap();
        let mut found = None;
        json::members(text, |name, value| {
            if is(name, &path.first) {
                found = path.follow(value).and_then(Value::text).map(Cow::into_owned);
            }
        })
        .unwrap();
        found
    }

    #[test]
    fn paths_lead_to_values() {
        let text = r#"{"a":{"b":[1,{"c":"x"}],"d e":2,"n":null},"f":true,"g\"h":3,"http.path":4}"#;
        for (path, value) in [
            ("f", Some("true")),
            ("a.b[0]", Some("1")),
            ("a.b[1].c", Some("x")),
            ("a.b[2]", None),
            ("a.b", Some(r#"[1,{"c":"x"}]"#)),
            ("a.\"d e\"", Some("2")),
            ("\"http.path\"", Some("4")),
            ("a.n", None),
            ("a.x.y", None),
            ("f.g", None),
            ("a[0]", None),
        ] {
            assert_eq!(found(path, text).as_deref(), value, "{path}");
        }
        assert!(is(r#"g\"h"#, "g\"h") && !is("g", "h"));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, part) in [
            ("", "a name is missing"),
            ("a.", "a name is missing"),
            ("a..b", "a name is missing"),
            ("[0]", "begin with a name"),
            ("a[x]", "no place in a list"),
            ("a[0", "`]` is missing"),
            ("a[0]b", "no dot before `b`"),
            ("\"a", "`\"` is missing"),
            ("a.b | c", "` ` has to be in quotes"),
            ("length(a)", "`(` has to be in quotes"),
        ] {
            let error = Path::parse(path).unwrap_err();
            assert!(error.contains(part) && error.contains('\n'), "{path}: {error}");
        }
    }
}
