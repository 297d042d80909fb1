//! The stages of one source, in their order.

use crate::entry::Entry;
use crate::explain::{self, Step};
use crate::stage::{Outcome, Running, Stage, stream};

/// The stages of one source, ready to run, with what they remember.
#[derive(Debug, Default)]
pub struct Stages(Vec<Running>);

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Kept,
    /// The stage of this name left it out.
    Dropped(&'static str),
}

impl Stages {
    /// In this order.
    pub fn new(stages: impl IntoIterator<Item = Stage>) -> Self {
        Stages(stages.into_iter().map(Running::new).collect())
    }

    /// Whether entries pass through as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether entries may say their time themselves.
    pub fn set_times(&self) -> bool {
        self.0.iter().any(|running| matches!(running.stage, Stage::Timestamp(_)))
    }

    /// What the stages `redact` found since this was last asked: the rule's name, and how often.
    pub fn take_redacted(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().flat_map(Running::take_redacted)
    }

    /// Passes an entry through.
    pub fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Fate {
        for running in &self.0 {
            if running.apply(entry) == Outcome::Drop {
                return Fate::Dropped(running.stage.name());
            }
        }
        Fate::Kept
    }

    /// Passes an entry through, and tells what each stage did to it.
    pub fn explain<'c>(&'c self, entry: &mut Entry<'c>) -> (Fate, Vec<Step>) {
        entry.explain();
        let mut steps = Vec::new();
        for running in &self.0 {
            let before = entry.clone();
            let outcome = running.apply(entry);
            steps.push(explain::step(running.stage.name(), &before, entry));
            if outcome == Outcome::Drop {
                return (Fate::Dropped(running.stage.name()), steps);
            }
        }
        (Fate::Kept, steps)
    }
}

/// Stands for the stream of an entry that gave its stream labels; `base` stands for the stream without them.
pub fn stream_of(entry: &Entry<'_>, base: u64) -> u64 {
    if entry.labels.is_empty() { base } else { stream(entry.labels.iter(), base) }
}
