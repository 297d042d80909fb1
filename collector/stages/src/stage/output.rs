//! The stage `output`: a field becomes the line.

use super::Outcome;
use crate::entry::Entry;

/// Makes a field the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The field; where it is not there, the line stays.
    pub source: String,
}

impl Output {
    pub(super) fn apply(&self, entry: &mut Entry<'_>) -> Outcome {
        if let Some(text) = entry.text_or_remark(Some(&self.source)) {
            entry.line = text;
        }
        Outcome::Keep
    }
}
