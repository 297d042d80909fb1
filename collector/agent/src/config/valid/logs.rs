//! `logs`, valid.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use taffrail_stages::Stage;
use taffrail_stages::format::Format;
use taffrail_stages::multiline::Join;

use super::{Push, Stdin, Syslog};

/// One log source.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSource {
    /// Unique among log sources.
    pub name: String,
    /// Labels for its streams; `job` among them.
    pub labels: BTreeMap<String, String>,
    /// Where the lines come from.
    pub reads: Reads,
    /// How lines are joined before all stages.
    pub multiline: Option<Join>,
    /// What the lines pass through, in order; those that are there by default among them.
    pub stages: Vec<Stage>,
}

/// Where the lines of a log source come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Reads {
    /// Log files, by glob.
    Files(Files),
    /// Loki's push API.
    Push(Push),
    /// Syslog.
    Syslog(Syslog),
    /// Standard input.
    Stdin(Stdin),
}

impl Reads {
    /// The word for it in the configuration, in logs and on the page.
    pub fn kind(&self) -> &'static str {
        match self {
            Reads::Files(_) => "files",
            Reads::Push(_) => "push",
            Reads::Syslog(_) => "syslog",
            Reads::Stdin(_) => "stdin",
        }
    }

    /// Where it listens, and for what.
    pub fn listens(&self) -> Vec<(&'static str, SocketAddr)> {
        match self {
            Reads::Files(_) | Reads::Stdin(_) => Vec::new(),
            Reads::Push(push) => vec![("TCP", push.listen)],
            Reads::Syslog(Syslog { udp, tcp, tls, .. }) => {
                let udp = udp.map(|address| ("UDP", address));
                let tls = tls.as_ref().map(|(address, _)| *address);
                let tcp = [*tcp, tls].into_iter().flatten().map(|address| ("TCP", address));
                udp.into_iter().chain(tcp).collect()
            }
        }
    }
}

/// Log files, by glob.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// Absolute globs.
    pub include: Vec<String>,
    /// Absolute globs; what matches is left out.
    pub exclude: Vec<String>,
    /// Where to start in files never seen before.
    pub start: Start,
    /// The file with promtail's positions, which come before that.
    pub positions_from: Option<PathBuf>,
    /// How lines stand in them.
    pub format: Format,
    /// A longer line is cut here, with a mark.
    pub max_line_bytes: usize,
}

/// Where reading starts in a file without a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Files there at the start: the last hour, or the last 10 MB; later files: from their beginning.
    Backfill,
    /// From the beginning.
    Beginning,
    /// What is written from now on; later files: from their beginning.
    End,
}
