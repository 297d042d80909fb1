//! The stage `template`: a field, or the line, made of others.

use std::borrow::Cow;

use super::Outcome;
use crate::entry::Entry;
use crate::template::Template;

/// Makes a field of others.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateStage {
    /// The field that gets the result; none: the line.
    pub source: Option<String>,
    /// How it is made.
    pub template: Template,
}

impl TemplateStage {
    pub(super) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        let value = entry.text(self.source.as_deref()).map_or("", Cow::as_ref);
        let made = self.template.fill(&|name| match name {
            "Value" => value,
            "Entry" => &entry.line,
            name => entry.fields.get(name).map_or("", Cow::as_ref),
        });
        match (&self.source, made.is_empty()) {
            (None, _) => entry.line = Cow::Owned(made),
            // As in promtail: an empty field is one that is not there.
            (Some(name), true) => entry.fields.remove(name),
            (Some(name), false) => entry.fields.set(name.as_str(), made),
        }
        Outcome::Keep
    }
}
