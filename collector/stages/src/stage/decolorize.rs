//! The stage `decolorize`: the line without terminal colours.

use std::borrow::Cow;

use super::Outcome;
use crate::color::strip;
use crate::entry::Entry;

pub(super) fn apply(entry: &mut Entry<'_>) -> Outcome {
    // What is borrowed is the line as it was.
    if let Cow::Owned(plain) = strip(&entry.line) {
        entry.line = Cow::Owned(plain);
    }
    Outcome::Keep
}
