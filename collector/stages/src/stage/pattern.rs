//! The stage `pattern`: fields from one of Loki's pattern expressions.

use std::borrow::Cow;

use super::Outcome;
use crate::entry::{Entry, Extract, Found};
use crate::pattern::Pattern;

/// Takes what a pattern names.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternStage {
    /// The field that is taken apart; none: the line is.
    pub source: Option<String>,
    /// The pattern.
    pub pattern: Pattern,
}

impl PatternStage {
    pub(super) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        entry.extract(self.source.as_deref(), self);
        Outcome::Keep
    }
}

impl Extract for PatternStage {
    fn extract<'a>(&'a self, text: &'a str, found: &mut Found<'a>) -> Result<(), Cow<'static, str>> {
        match self.pattern.find(text, |name, value| found.push((Cow::Borrowed(name), value))) {
            true => Ok(()),
            false => Err("it does not begin as the pattern does".into()),
        }
    }
}
