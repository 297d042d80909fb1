//! What `taffrail check` says of a log source.

use std::fmt;

use serde::Serialize;

use crate::config::{LogSource, Reads, Start, Which};

/// A log source.
#[derive(Debug, Serialize)]
pub(super) struct LogSummary {
    name: String,
    #[serde(flatten)]
    reads: ReadsSummary,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum ReadsSummary {
    Files { include: Vec<String>, exclude: Vec<String>, start: &'static str },
    Containers { engine: Option<String>, include: Vec<String>, exclude: Vec<String>, start: &'static str },
}

impl LogSummary {
    pub(super) fn of(source: &LogSource) -> Self {
        let reads = match &source.reads {
            Reads::Files(files) => ReadsSummary::Files {
                include: files.include.clone(),
                exclude: files.exclude.clone(),
                start: word(files.start),
            },
            Reads::Containers(containers) => ReadsSummary::Containers {
                engine: containers.engine.as_ref().map(ToString::to_string),
                include: words(&containers.include),
                exclude: words(&containers.exclude),
                start: word(containers.start),
            },
        };
        LogSummary { name: source.name.clone(), reads }
    }
}

impl fmt::Display for LogSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.reads {
            ReadsSummary::Files { include, start, .. } => {
                write!(f, "{} (start: {start})", include.join(", "))
            }
            ReadsSummary::Containers { engine, include, exclude, start } => {
                let all = if include.is_empty() { "all".to_owned() } else { include.join(", ") };
                write!(f, "containers: {all}")?;
                if !exclude.is_empty() {
                    write!(f, " but {}", exclude.join(", "))?;
                }
                let engine = engine.as_deref().unwrap_or("the first engine that is there");
                write!(f, ", of {engine} (start: {start})")
            }
        }
    }
}

fn word(start: Start) -> &'static str {
    match start {
        Start::Backfill => "backfill",
        Start::Beginning => "beginning",
        Start::End => "end",
    }
}

/// Names, and labels as they are written.
fn words(which: &Which) -> Vec<String> {
    let label = |(name, value): &(String, Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    which.names.iter().cloned().chain(which.labels.iter().map(label)).collect()
}
