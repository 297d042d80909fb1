//! The stage `structured_metadata`: fields become structured metadata, which makes no stream.

use super::Outcome;
use crate::entry::Entry;

/// Makes structured metadata of fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Names, and the fields that hold the values.
    pub metadata: Vec<(String, String)>,
}

impl Metadata {
    pub(super) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        for (name, source) in &self.metadata {
            if let Some(value) = entry.text_or_remark(Some(source)).filter(|value| !value.is_empty()) {
                entry.metadata.set(name.as_str(), value);
            }
        }
        Outcome::Keep
    }
}
