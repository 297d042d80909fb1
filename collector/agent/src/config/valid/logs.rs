//! `logs`, valid.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use taffrail_container::inventory::Address;
use taffrail_stages::Stage;
use taffrail_stages::format::Format;
use taffrail_stages::multiline::Join;

use super::{Journald, Push, Stdin, Syslog};

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
    /// Its entries are the last to go where the logs' log on disk is full.
    pub keep: bool,
}

/// Where the lines of a log source come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Reads {
    /// Log files, by glob.
    Files(Files),
    /// What the containers of this machine write.
    Containers(ContainerLogs),
    /// The journal of systemd.
    Journald(Journald),
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
            Reads::Containers(_) => "containers",
            Reads::Journald(_) => "journald",
            Reads::Push(_) => "push",
            Reads::Syslog(_) => "syslog",
            Reads::Stdin(_) => "stdin",
        }
    }

    /// Where it listens, and for what.
    pub fn listens(&self) -> Vec<(&'static str, SocketAddr)> {
        match self {
            Reads::Files(_) | Reads::Containers(_) | Reads::Journald(_) | Reads::Stdin(_) => Vec::new(),
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

/// Logs of containers.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerLogs {
    /// Where the engine's API is. None: the first of the usual places that is there.
    pub engine: Option<Address>,
    /// Where the host's root directory is.
    pub rootfs: PathBuf,
    /// Only these, where any are named.
    pub include: Which,
    /// Not these.
    pub exclude: Which,
    /// Where to start in what was there before this source was.
    pub start: Start,
    /// A longer line is cut here, with a mark.
    pub max_line_bytes: usize,
}

/// Some containers; `*` stands for anything, `?` for one character.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Which {
    /// By name.
    pub names: Vec<String>,
    /// By label, and its value if one is named.
    pub labels: Vec<(String, Option<String>)>,
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
