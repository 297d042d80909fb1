//! The stages of one source, in their order.

use crate::entry::Entry;
use crate::explain::{self, Step};
use crate::multiline::Join;
use crate::stage::{Measured, Occurred, Outcome, Running, Stage, stream};

/// The stages of one source, ready to run, with what they remember.
#[derive(Debug, Default)]
pub struct Stages {
    join: Option<Join>,
    running: Vec<Running>,
}

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
        Stages { join: None, running: stages.into_iter().map(Running::new).collect() }
    }

    /// The same, behind lines that were joined so.
    pub fn joining(self, join: Option<Join>) -> Self {
        Stages { join, ..self }
    }

    /// How lines are joined before they come to the stages.
    pub fn join(&self) -> Option<&Join> {
        self.join.as_ref()
    }

    /// Whether entries pass through as they are.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.join.is_none()
    }

    /// Whether entries may say their time themselves.
    pub fn set_times(&self) -> bool {
        self.running.iter().any(|running| matches!(running.stage, Stage::Timestamp(_)))
    }

    /// What the stages `redact` found since this was last asked: the rule's name, and how often.
    pub fn take_redacted(&self) -> impl Iterator<Item = (&str, u64)> {
        self.running.iter().flat_map(Running::take_redacted)
    }

    /// The errors that the stages `errors` found since this was last asked.
    pub fn take_errors(&self) -> Vec<Occurred> {
        self.running.iter().flat_map(Running::take_errors).collect()
    }

    /// What the stages `meter` measured since this was last asked.
    pub fn take_measured(&self) -> Vec<Measured> {
        self.running.iter().flat_map(Running::take_measured).collect()
    }

    /// Passes an entry through.
    pub fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Fate {
        for running in &self.running {
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
        for running in &self.running {
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

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use taffrail_core::Pattern;

    use super::*;
    use crate::pattern;
    use crate::redact::Settings;
    use crate::stage::{
        Json, Label, Labels, LevelStage, Limit, Logfmt, OnFailure, Output, PatternStage, RedactStage, Regex,
        Sampling, TemplateStage, Timestamp,
    };
    use crate::template::Template;
    use crate::timeformat::{Format, Zone};

    /// One after the other, each on what those before it left.
    fn all() -> Stages {
        let label = Label { name: "a".into(), source: "a".into(), values: vec![] };
        let formats = vec![Format::parse("RFC3339").unwrap(), Format::parse("%b %d %H:%M:%S").unwrap()];
        let pattern = pattern::Pattern::parse("<a> <b> \"<c>\"").unwrap();
        Stages::new([
            Stage::Level(LevelStage::default()),
            Stage::Decolorize,
            Stage::Json(Json::default()),
            Stage::Logfmt(Logfmt::default()),
            Stage::Regex(Regex::new(None, Pattern::new(r"(?P<d>(a*)*b?\S+)$").unwrap()).unwrap()),
            Stage::Pattern(PatternStage { source: None, pattern }),
            Stage::Timestamp(Timestamp {
                source: Some("a".into()),
                formats,
                zone: Zone::default(),
                on_failure: OnFailure::Fudge,
            }),
            Stage::TraceContext,
            Stage::Labels(Labels { labels: vec![label] }),
            Stage::Template(TemplateStage {
                source: Some("e".into()),
                template: Template::parse("{{ .Entry | replace \"a\" \"bb\" | upper }}{{ .a }}").unwrap(),
            }),
            Stage::Output(Output { source: "e".into() }),
            Stage::Sampling(Sampling::new(None, 0.9).unwrap()),
            Stage::Limit(Limit::new(1e9, None, None).unwrap()),
            Stage::Redact(RedactStage::new(Settings::default()).unwrap()),
        ])
    }

    /// Made once: regular expressions take longer to make than to run.
    static TWICE: LazyLock<[Stages; 2]> = LazyLock::new(|| [all(), all()]);

    #[test]
    fn long_lines_of_odd_bytes_pass() {
        let stages = all();
        for part in [
            "\0",
            "[",
            "{\"a\":",
            "a=",
            "\"",
            "\\",
            "é",
            "a",
            " ",
            "\x1b[",
            "<a>",
            "\u{fffd}",
            "trace_id=",
            "1",
        ] {
            let line = part.repeat((1 << 20) / part.len());
            let mut entry = Entry::default();
            entry.begin(line.into(), 1, 1);
            stages.apply(&mut entry);
        }
    }

    proptest! {
        #[test]
        fn any_line_passes_and_does_so_again(
            line in r#"(?s)(\{"a":|"b"|\}|a=|"|\\|\x1b\[0m|level=error|trace_id=|0af7651916cd43dd8448eb211c80319c|.| ){0,24}"#,
        ) {
            let mut results = Vec::new();
            for (explain, stages) in [false, true].into_iter().zip(&*TWICE) {
                let mut entry = Entry::default();
                entry.begin(line.as_str().into(), 7, 1);
                let fate = if explain { stages.explain(&mut entry).0 } else { stages.apply(&mut entry) };
                results.push((fate, entry.line.to_string(), entry.time, entry.metadata.len(), entry.labels.len()));
            }
            prop_assert_eq!(&results[0], &results[1]);
        }
    }
}
