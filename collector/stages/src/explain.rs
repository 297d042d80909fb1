//! What a stage did to an entry, for people.

use crate::entry::{Entry, Fields, Time};

/// What one stage did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage's name.
    pub stage: &'static str,
    /// What it changed.
    pub changes: Vec<Change>,
    /// Why it did nothing, as far as it says so.
    pub remarks: Vec<String>,
}

/// One thing that a stage changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The line is another one.
    Line(String),
    /// The time, in nanoseconds since 1970-01-01 UTC.
    Time(i64),
    /// A field has a value, or has gone.
    Field(String, Option<String>),
    /// A label of the stream has a value, or has gone.
    Label(String, Option<String>),
    /// A structured metadata has a value, or has gone.
    Metadata(String, Option<String>),
}

/// What differs.
pub(crate) fn step(stage: &'static str, before: &Entry<'_>, after: &mut Entry<'_>) -> Step {
    let mut changes = Vec::new();
    if before.line != after.line {
        changes.push(Change::Line(after.line.to_string()));
    }
    if let (true, Time::Said { ns, .. }) = (before.time != after.time, after.time) {
        changes.push(Change::Time(ns));
    }
    differ(&before.fields, &after.fields, Change::Field, &mut changes);
    differ(&before.labels, &after.labels, Change::Label, &mut changes);
    differ(&before.metadata, &after.metadata, Change::Metadata, &mut changes);
    Step { stage, changes, remarks: after.take_remarks() }
}

fn differ(
    before: &Fields<'_>,
    after: &Fields<'_>,
    change: fn(String, Option<String>) -> Change,
    changes: &mut Vec<Change>,
) {
    let mut names: Vec<&str> = after.iter().chain(before.iter()).map(|(name, _)| name).collect();
    let mut known = std::collections::HashSet::new();
    names.retain(|name| known.insert(*name));
    for name in names {
        if before.get(name) != after.get(name) {
            changes.push(change(name.to_owned(), after.get(name).map(ToString::to_string)));
        }
    }
}
