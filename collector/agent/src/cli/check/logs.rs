//! What `taffrail check` says of a log source.

use std::fmt;

use serde::Serialize;

use crate::config::{LogSource, Reads, Start};

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
                start: match files.start {
                    Start::Backfill => "backfill",
                    Start::Beginning => "beginning",
                    Start::End => "end",
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
            ReadsSummary::Syslog { listens } => write!(f, "syslog that comes by {}", listens.join(", ")),
            ReadsSummary::Stdin => f.write_str("standard input"),
            ReadsSummary::Push { listen, tls, .. } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "what is pushed to {scheme}://{listen}/loki/api/v1/push")
            }
        }
    }
}
