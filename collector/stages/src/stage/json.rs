//! The stage `json`: fields from a JSON object.

use std::borrow::Cow;

use super::Outcome;
use crate::entry::{Entry, Extract, Found, MAX_FIELDS};
use crate::json::{self, Malformed, Value, unescape};
use crate::path::{Path, is};

/// Objects within objects that are taken apart where all fields are taken; deeper ones stay as they are written.
const LEVELS: usize = 8;

/// Takes fields out of a JSON object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json {
    /// The field that holds it; none: the line does.
    pub source: Option<String>,
    /// The fields to make and where their values are. None: all that there is, `a.b` as `a_b`, but for lists.
    pub expressions: Vec<(String, Path)>,
    /// Leave out what is no JSON.
    pub drop_malformed: bool,
}

impl Json {
    pub(super) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        let there = entry.text(self.source.as_deref()).is_some();
        let read = entry.extract(self.source.as_deref(), self);
        if there && !read && self.drop_malformed { Outcome::Drop } else { Outcome::Keep }
    }
}

impl Extract for Json {
    fn extract<'a>(&'a self, text: &'a str, found: &mut Found<'a>) -> Result<(), Cow<'static, str>> {
        let result = if self.expressions.is_empty() {
            let room = found.len() + MAX_FIELDS;
            flatten(text, "", LEVELS, &mut |name, value| {
                if found.len() < room {
                    found.push((name, value));
                }
            })
        } else {
            json::members(text, |name, value| {
                for (field, path) in self.expressions.iter().filter(|(_, path)| is(name, &path.first)) {
                    if let Some(value) = path.follow(value).and_then(Value::text) {
                        found.push((Cow::Borrowed(field), value));
                    }
                }
            })
        };
        result.map_err(|error| error.to_string().into())
    }
}

/// All members that are no list, those of objects in it under both names.
fn flatten<'a>(
    text: &'a str,
    prefix: &str,
    levels: usize,
    found: &mut dyn FnMut(Cow<'a, str>, Cow<'a, str>),
) -> Result<(), Malformed> {
    let mut result = Ok(());
    let read = json::members(text, |name, value| {
        let name = match prefix {
            "" => unescape(name),
            prefix => Cow::Owned(format!("{prefix}_{}", unescape(name))),
        };
        match value {
            Value::Nested(inner) if inner.starts_with('{') && levels > 1 => {
                result = result.and(flatten(inner, &name, levels - 1, found));
            }
            Value::Nested(inner) if inner.starts_with('[') => {}
            value => {
                if let Some(value) = value.text() {
                    found(name, value);
                }
            }
        }
    });
    read.and(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(json: &Json, line: &str) -> (Outcome, Vec<(String, String)>) {
        let mut entry = Entry { line: line.into(), ..Entry::default() };
        let outcome = json.apply(&mut entry);
        (outcome, entry.fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn all_fields_or_those_that_are_named() {
        let line = r#"{"a":1,"b":{"c":"x","d":{"e":true}},"f":[1],"g":null}"#;
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(run(&Json::default(), line).1, pairs(&[("a", "1"), ("b_c", "x"), ("b_d_e", "true")]));
        let path = |text| Path::parse(text).unwrap();
        let expressions = vec![
            ("x".to_owned(), path("b.c")),
            ("list".to_owned(), path("f")),
            ("none".to_owned(), path("g")),
        ];
        let some = Json { expressions, ..Json::default() };
        assert_eq!(run(&some, line).1, pairs(&[("x", "x"), ("list", "[1]")]));
    }

    #[test]
    fn what_is_no_json_is_let_pass_unless_said_otherwise() {
        assert_eq!(run(&Json::default(), r#"{"a":1,"#), (Outcome::Keep, vec![]));
        let strict = Json { drop_malformed: true, ..Json::default() };
        assert_eq!(run(&strict, "plain").0, Outcome::Drop);
        assert_eq!(run(&strict, "{}").0, Outcome::Keep);
        let of = Json { source: Some("none".into()), ..strict };
        assert_eq!(run(&of, "{}").0, Outcome::Keep);
    }

    #[test]
    fn as_many_fields_as_there_is_room_for() {
        let many: Vec<String> = (0..MAX_FIELDS + 5).map(|n| format!("\"f{n}\":{n}")).collect();
        assert_eq!(run(&Json::default(), &format!("{{{}}}", many.join(","))).1.len(), MAX_FIELDS);
        let deep = format!("{}1{}", "{\"a\":".repeat(20), "}".repeat(20));
        let fields = run(&Json::default(), &deep).1;
        assert_eq!((fields.len(), fields[0].0.as_str()), (1, "a_a_a_a_a_a_a_a"));
    }
}
