//! What `taffrail check` says of a log source.

use std::fmt;

use serde::Serialize;

use crate::config::{LogSource, Reads, Start, Which, WhichEntries, show_duration};

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
    Journald { paths: Vec<String>, include: Vec<String>, exclude: Vec<String>, start: String },
    Push { listen: String, tls: bool, auth: bool },
    Syslog { listens: Vec<String> },
    Stdin,
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
            Reads::Journald(journald) => ReadsSummary::Journald {
                paths: journald.paths.iter().map(|path| path.display().to_string()).collect(),
                include: entries(&journald.include),
                exclude: entries(&journald.exclude),
                start: match journald.start {
                    Start::Backfill => format!("{} ago", show_duration(journald.max_age)),
                    start => word(start).to_owned(),
                },
            },
            Reads::Push(push) => ReadsSummary::Push {
                listen: push.listen.to_string(),
                tls: push.tls.is_some(),
                auth: push.auth.is_some(),
            },
            Reads::Syslog(_) => {
                let listens = source.reads.listens().into_iter();
                ReadsSummary::Syslog {
                    listens: listens.map(|(protocol, at)| format!("{protocol} {at}")).collect(),
                }
            }
            Reads::Stdin(_) => ReadsSummary::Stdin,
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
            ReadsSummary::Journald { paths, include, exclude, start } => {
                let all = if include.is_empty() { "all".to_owned() } else { include.join(", ") };
                write!(f, "the journal in {}: {all}", paths.join(" and "))?;
                if !exclude.is_empty() {
                    write!(f, " but {}", exclude.join(", "))?;
                }
                write!(f, " (start: {start})")
            }
            ReadsSummary::Syslog { listens } => write!(f, "syslog that comes by {}", listens.join(", ")),
            ReadsSummary::Stdin => f.write_str("standard input"),
            ReadsSummary::Push { listen, tls, .. } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "what is pushed to {scheme}://{listen}/loki/api/v1/push")
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

/// Units, and matches as they are written.
fn entries(which: &WhichEntries) -> Vec<String> {
    let terms = |terms: &Vec<(String, String)>| {
        terms.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(" ")
    };
    which.units.iter().cloned().chain(which.matches.iter().map(terms)).collect()
}
