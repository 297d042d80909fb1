//! `logs.multiline`: which lines belong together.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, Regex};

/// The language whose stack traces and panics are joined.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Java, Kotlin, Scala.
    Java,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// Node.
    Node,
    /// .NET.
    Dotnet,
}

/// Which lines belong together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Multiline {
    /// A regular expression in RE2's syntax: a line that it matches anywhere begins an entry.
    #[schemars(extend("examples" = ["^\\d{4}-\\d\\d-\\d\\d "]))]
    pub first_line: Field<Regex>,
    /// As this language writes its traces, instead of `first_line`.
    pub language: Field<Language>,
    /// The most lines of an entry; what follows is an entry of its own, and counted.
    #[schemars(extend("default" = defaults::MULTILINE_LINES))]
    pub max_lines: Field<u64>,
    /// How long after its last line an entry is complete.
    #[schemars(extend("default" = defaults::MULTILINE_WAIT))]
    pub max_wait: Field<Interval>,
}

/// Which lines belong together, as promtail has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["firstline"]))]
pub struct MultilineStage {
    /// A regular expression in RE2's syntax: a line that it matches anywhere begins an entry.
    #[schemars(extend("examples" = ["^\\d{4}-\\d\\d-\\d\\d "]))]
    pub firstline: Field<Regex>,
    /// The most lines of an entry.
    #[schemars(extend("default" = defaults::MULTILINE_LINES))]
    pub max_lines: Field<u64>,
    /// How long after its last line an entry is complete.
    #[schemars(extend("default" = defaults::MULTILINE_WAIT))]
    pub max_wait_time: Field<Interval>,
}
