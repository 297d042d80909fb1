//! A stage: one of the things that entries pass through.
//!
//! To add one: its file in `stage/`, a variant here, its name in [`Stage::name`], its call in [`Running::apply`].

mod decolorize;
mod errors;
mod filter;
mod json;
mod labels;
mod level;
mod limit;
mod logfmt;
mod metadata;
mod meter;
mod output;
mod pattern;
mod redact;
mod regex;
mod sampling;
mod template;
mod timestamp;
mod trace;

pub use errors::{ErrorsStage, FINGERPRINT, Occurred};
pub use filter::Condition;
pub use json::Json;
pub use labels::{Label, Labels, MAX_VALUES};
pub use level::LevelStage;
pub use limit::Limit;
pub use logfmt::Logfmt;
pub use metadata::Metadata;
pub use meter::{Action, Change, Kind, Measured, Meter, MeterLabel, Metric, OTHER};
pub use output::Output;
pub use pattern::PatternStage;
pub use redact::RedactStage;
pub use regex::Regex;
pub use sampling::Sampling;
pub use template::TemplateStage;
pub use timestamp::{OnFailure, Timestamp};

pub(crate) use labels::stream;

use crate::entry::Entry;

/// A stage as it was configured; made once, and equal to another one that does the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Fields from a JSON object.
    Json(Json),
    /// Fields from `key=value` pairs.
    Logfmt(Logfmt),
    /// Fields from the named groups of a regular expression.
    Regex(Regex),
    /// Fields from a Loki pattern.
    Pattern(PatternStage),
    /// The entry's time from a field.
    Timestamp(Timestamp),
    /// Fields become labels of the stream.
    Labels(Labels),
    /// Fields become structured metadata.
    Metadata(Metadata),
    /// Trace and span ids become structured metadata.
    TraceContext,
    /// The level becomes structured metadata.
    Level(LevelStage),
    /// A field, or the line, made of others.
    Template(TemplateStage),
    /// A field becomes the line.
    Output(Output),
    /// The line without terminal colours.
    Decolorize,
    /// Errors get their fingerprint, and are counted.
    Errors(ErrorsStage),
    /// Metrics of what entries say.
    Meter(Meter),
    /// The entry without what must not leave.
    Redact(RedactStage),
    /// Leaves out what is so.
    Drop(Condition),
    /// Leaves out what is not so.
    Keep(Condition),
    /// Keeps a share.
    Sampling(Sampling),
    /// Keeps so many a second.
    Limit(Limit),
}

impl Stage {
    /// Its name in the configuration, and in the count of what it leaves out.
    pub fn name(&self) -> &'static str {
        match self {
            Stage::Json(_) => "json",
            Stage::Logfmt(_) => "logfmt",
            Stage::Regex(_) => "regex",
            Stage::Pattern(_) => "pattern",
            Stage::Timestamp(_) => "timestamp",
            Stage::Labels(_) => "labels",
            Stage::Metadata(_) => "structured_metadata",
            Stage::TraceContext => "trace_context",
            Stage::Level(_) => "level",
            Stage::Template(_) => "template",
            Stage::Output(_) => "output",
            Stage::Decolorize => "decolorize",
            Stage::Errors(_) => "errors",
            Stage::Meter(_) => "meter",
            Stage::Redact(_) => "redact",
            Stage::Drop(_) => "drop",
            Stage::Keep(_) => "keep",
            Stage::Sampling(_) => "sampling",
            Stage::Limit(_) => "limit",
        }
    }
}

/// What a stage says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It goes on.
    Keep,
    /// It is left out.
    Drop,
}

/// A stage with what it remembers.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) stage: Stage,
    buckets: limit::Buckets,
    seen: labels::Seen,
    redaction: redact::State,
    errors: errors::State,
    measured: meter::State,
}

impl Running {
    pub(crate) fn new(stage: Stage) -> Self {
        Running {
            stage,
            buckets: limit::Buckets::default(),
            seen: labels::Seen::default(),
            redaction: redact::State::default(),
            errors: errors::State::default(),
            measured: meter::State::default(),
        }
    }

    pub(crate) fn apply<'c>(&'c self, entry: &mut Entry<'c>) -> Outcome {
        let drop_if = |drop: bool| if drop { Outcome::Drop } else { Outcome::Keep };
        match &self.stage {
            Stage::Json(json) => json.apply(entry),
            Stage::Logfmt(logfmt) => logfmt.apply(entry),
            Stage::Regex(regex) => regex.apply(entry),
            Stage::Pattern(pattern) => pattern.apply(entry),
            Stage::Timestamp(timestamp) => timestamp.apply(entry),
            Stage::Labels(labels) => labels.apply(&self.seen, entry),
            Stage::Metadata(metadata) => metadata.apply(entry),
            Stage::TraceContext => trace::apply(entry),
            Stage::Level(level) => level.apply(entry),
            Stage::Template(template) => template.apply(entry),
            Stage::Output(output) => output.apply(entry),
            Stage::Decolorize => decolorize::apply(entry),
            Stage::Errors(errors) => errors.apply(&self.errors, entry),
            Stage::Meter(meter) => meter.apply(&self.measured, entry),
            Stage::Redact(redact) => redact.apply(&self.redaction, entry),
            Stage::Drop(condition) => drop_if(condition.holds(entry)),
            Stage::Keep(condition) => drop_if(!condition.holds(entry)),
            Stage::Sampling(sampling) => sampling.apply(entry),
            Stage::Limit(limit) => limit.apply(&self.buckets, entry),
        }
    }

    /// The errors that were found since this was last asked.
    pub(crate) fn take_errors(&self) -> Vec<Occurred> {
        match &self.stage {
            Stage::Errors(_) => self.errors.take(),
            _ => Vec::new(),
        }
    }

    /// What was measured since this was last asked.
    pub(crate) fn take_measured(&self) -> Vec<Measured> {
        match &self.stage {
            Stage::Meter(_) => self.measured.take(),
            _ => Vec::new(),
        }
    }

    /// How often each rule of `redact` found something since this was last asked.
    pub(crate) fn take_redacted(&self) -> Vec<(&str, u64)> {
        match &self.stage {
            Stage::Redact(redact) => redact.take_found(&self.redaction),
            _ => Vec::new(),
        }
    }
}
