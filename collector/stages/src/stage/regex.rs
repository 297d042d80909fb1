//! The stage `regex`: fields from the named groups of a regular expression.

use std::borrow::Cow;

use taffrail_core::Pattern;

use super::Outcome;
use crate::entry::{Entry, Extract, Found};

/// Takes the named groups of a regular expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Regex {
    source: Option<String>,
    expression: Pattern,
    /// The groups that have names.
    groups: Vec<(usize, String)>,
}

impl Regex {
    /// With an expression that is searched in the field `source`, or in the line. An error says what is wrong, then,
    /// behind a line feed, what would be right.
    pub fn new(source: Option<String>, expression: Pattern) -> Result<Self, String> {
        // Whatever looks like the name of a group and is one.
        let starts = expression.as_str().split("?P<").flat_map(|part| part.split("?<")).skip(1);
        let names = starts.filter_map(|part| part.split_once('>').map(|(name, _)| name));
        let mut groups: Vec<_> =
            names.filter_map(|name| Some((expression.group(name)?, name.to_owned()))).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            return Err(
                "the expression has no named group, so it makes no field\nname what is wanted: (?P<name>…)"
                    .to_owned(),
            );
        }
        Ok(Regex { source, expression, groups })
    }

    pub(super) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        entry.extract(self.source.as_deref(), self);
        Outcome::Keep
    }
}

impl Extract for Regex {
    fn extract<'a>(&'a self, text: &'a str, found: &mut Found<'a>) -> Result<(), Cow<'static, str>> {
        let groups = self.expression.captures(text.as_bytes()).ok_or("it does not match")?;
        for (number, name) in &self.groups {
            // Groups of whole characters in a text of whole characters; anything else is left out.
            if let Some(value) = groups.get(*number).and_then(|group| text.get(group.range())) {
                found.push((Cow::Borrowed(name), Cow::Borrowed(value)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_groups_are_fields() {
        let pattern = |text| Pattern::new(text).unwrap();
        let regex = Regex::new(None, pattern(r"^(?P<a>\w+) (\w+) (?<b>é+)(?P<c>x)?")).unwrap();
        let mut entry = Entry { line: "one two éé".into(), ..Entry::default() };
        regex.apply(&mut entry);
        assert_eq!(entry.fields.iter().collect::<Vec<_>>(), [("a", "one"), ("b", "éé")]);
        entry.begin("x".into(), 0, 0);
        entry.explain();
        regex.apply(&mut entry);
        assert_eq!(entry.take_remarks(), ["it does not match"]);
        assert!(Regex::new(None, pattern("(a)")).unwrap_err().contains("no named group"));
    }
}
