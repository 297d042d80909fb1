//! The stage `logfmt`: fields from `key=value` pairs.

use std::borrow::Cow;

use super::Outcome;
use crate::entry::{Entry, Extract, Found, MAX_FIELDS};
use crate::logfmt;

/// Takes fields out of `key=value` pairs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logfmt {
    /// The field that holds them; none: the line does.
    pub source: Option<String>,
    /// The fields to make and the keys of their values. None: all that there are.
    pub mapping: Vec<(String, String)>,
}

impl Logfmt {
    pub(super) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        entry.extract(self.source.as_deref(), self);
        Outcome::Keep
    }
}

impl Extract for Logfmt {
    fn extract<'a>(&'a self, text: &'a str, found: &mut Found<'a>) -> Result<(), Cow<'static, str>> {
        let before = found.len();
        // Words without a value are most often not meant as keys: they are only taken where they are asked for.
        logfmt::pairs(text, |key, value| {
            if self.mapping.is_empty() {
                if !value.is_empty() {
                    found.push((Cow::Borrowed(key), value));
                }
            } else {
                for (field, _) in self.mapping.iter().filter(|(_, wanted)| wanted == key) {
                    found.push((Cow::Borrowed(field), value.clone()));
                }
            }
            found.len() - before < MAX_FIELDS
        });
        if found.len() > before { Ok(()) } else { Err("no key=value was found".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(logfmt: &Logfmt, line: &str) -> Vec<(String, String)> {
        let mut entry = Entry { line: line.into(), ..Entry::default() };
        logfmt.apply(&mut entry);
        entry.fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn all_pairs_or_those_that_are_named() {
        let line = r#"ts=1 retry msg="it is up""#;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(run(&Logfmt::default(), line), [pair("ts", "1"), pair("msg", "it is up")]);
        let mapping = vec![pair("message", "msg"), pair("again", "retry")];
        let some = Logfmt { mapping, ..Logfmt::default() };
        assert_eq!(run(&some, line), [pair("again", ""), pair("message", "it is up")]);
        assert_eq!(run(&Logfmt::default(), &"a=1 ".repeat(1000)).len(), MAX_FIELDS);
    }
}
