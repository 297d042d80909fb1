//! The stage `timestamp`: the entry's time from a field.

use super::Outcome;
use crate::entry::{Entry, Time};
use crate::timeformat::{Format, Place, Zone};

/// Reads the entry's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timestamp {
    /// The field that holds it; none: the whole line.
    pub source: Option<String>,
    /// How it is written: the first that fits.
    pub formats: Vec<Format>,
    /// The zone of clocks that say none.
    pub zone: Zone,
    /// What becomes of entries without it.
    pub on_failure: OnFailure,
}

/// What becomes of entries whose time cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They follow the entry before.
    #[default]
    Fudge,
    /// They have the time at which they were read.
    Skip,
}

impl Timestamp {
    pub(super) fn apply(&self, entry: &mut Entry<'_>) -> Outcome {
        let place = Place { zone: &self.zone, read_ns: entry.read_ns };
        let text = entry.text(self.source.as_deref());
        let read = text.and_then(|text| self.formats.iter().find_map(|format| format.read(text, place)));
        match read {
            Some(read) => entry.time = Time::Said { ns: read.ns, resolution_ns: read.resolution_ns },
            None => {
                if let Some(text) = entry.text_or_remark(self.source.as_deref()) {
                    entry.remark(|| format!("`{text}` is not written as the format says"));
                }
                if self.on_failure == OnFailure::Fudge {
                    entry.time = Time::LikeBefore;
                }
            }
        }
        Outcome::Keep
    }
}
