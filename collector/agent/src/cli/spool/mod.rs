//! `taffrail spool check | repair | export | dead`: what is on disk, looked at from outside.

mod check;
mod contents;
mod dead;
mod export;
mod line;
mod progress;
mod repair;
pub(super) mod selector;
pub(super) mod time;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use taffrail_spool::{DirLock, Holder};

use super::{ConfigOptions, refuse};

/// `taffrail spool`
#[derive(Args, Debug)]
pub struct Spool {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read all of it, and say what is there, who lags, and what is damaged; changes nothing
    Check(check::Check),
    /// Mend what is damaged; only while no taffrail runs on it
    Repair(repair::Repair),
    /// Print samples or log lines; changes nothing
    Export(export::Export),
    /// Look at what receivers refused for good, and send it again
    Dead(dead::Dead),
}

impl Spool {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        match &self.what {
            What::Check(check) => check.answer(),
            What::Repair(repair) => repair.answer(),
            What::Export(export) => export.answer(),
            What::Dead(dead) => dead.answer(),
        }
    }
}

/// Where the logs are.
#[derive(Args, Debug)]
struct Place {
    #[command(flatten)]
    config: ConfigOptions,
    /// The folder that the configuration calls data_dir; with it, no configuration is read
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "set"])]
    data_dir: Option<PathBuf>,
}

impl Place {
    /// The folder, or how it ends without one.
    fn data_dir(&self) -> Result<PathBuf, ExitCode> {
        match &self.data_dir {
            Some(dir) => Ok(dir.clone()),
            None => self.config.load().map(|config| config.data_dir).map_err(|errors| refuse(&errors)),
        }
    }
}

/// The logs below a data folder: their names and folders.
fn logs(data_dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let spool = data_dir.join("spool");
    let listed = std::fs::read_dir(&spool).with_context(|| {
        format!("cannot list {}: is {} the data_dir of a taffrail?", spool.display(), data_dir.display())
    })?;
    let mut logs = Vec::new();
    for entry in listed {
        let entry = entry.with_context(|| format!("cannot list {}", spool.display()))?;
        if entry.path().is_dir() {
            logs.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    logs.sort();
    anyhow::ensure!(!logs.is_empty(), "there is no log in {}", spool.display());
    Ok(logs)
}

/// Whether a process has the folder, and what to say of that.
fn in_use(data_dir: &Path) -> Option<String> {
    let by = match DirLock::holder(data_dir) {
        Holder::None => return None,
        Holder::Process(Some(pid)) => format!("process {pid}"),
        Holder::Process(None) => "a process".to_owned(),
        Holder::Unknown => "perhaps a process (its lock file cannot be opened)".to_owned(),
    };
    Some(by)
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        let sizes = [0, 1023, 1024, 8 << 20, (3 << 30) + (1 << 29)];
        assert_eq!(sizes.map(size), ["0 B", "1023 B", "1.0 KiB", "8.0 MiB", "3.5 GiB"]);
    }
}
