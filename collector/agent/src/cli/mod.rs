//! The command line: `taffrail run | check | metrics | init | health | socket-proxy | spool | archive | tail | version`.
//!
//! It ends with 0, with 1 for what fails at run time, and with 2 for a wrong command line or configuration.

mod archive;
mod check;
mod health;
mod init;
mod metrics;
pub mod print;
mod socket_proxy;
mod spool;
pub mod tail;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Errors, load};

pub use init::STARTER;

/// The exit code for a wrong command line or configuration.
pub const USAGE: u8 = 2;

/// Collects metrics and logs of this machine, keeps them until they are delivered, and shows them.
#[derive(Debug, Parser)]
#[command(name = "taffrail", disable_version_flag = true, max_term_width = 100)]
#[command(
    after_help = "Without a configuration file, taffrail collects what this machine has and shows it on its page."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect, push and show, until SIGTERM
    Run(RunOptions),
    /// Check the configuration, and say what would run
    Check(check::Check),
    /// List the metrics that can be published
    Metrics(metrics::Metrics),
    /// Write a taffrail.yml to start from
    Init(init::Init),
    /// Ask the running taffrail whether it is well: for health checks of containers
    Health(health::Health),
    /// Serve a filter in front of the container engine's socket, through which containers can only be looked at
    SocketProxy(socket_proxy::SocketProxy),
    /// Look at, mend or print what is kept on disk until it is delivered
    Spool(spool::Spool),
    /// Read an archive of logs back: name its objects, or print their entries
    Archive(archive::Archive),
    /// Pass lines through the stages of a log source, and show what would leave
    Tail(tail::Tail),
    /// Print the version
    Version(version::Version),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigOptions {
    /// The configuration file; without one, what this machine has is collected
    #[arg(short, long, value_name = "FILE", env = "TAFFRAIL_CONFIG")]
    pub config: Option<PathBuf>,
    /// Lay a value over the file: host.interval=5s, outputs.loki.0.url=http://loki:3100 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigOptions {
    /// Reads and checks the configuration.
    pub fn load(&self) -> Result<Config, Errors> {
        load(self.file().as_deref(), &self.set, &|name| std::env::var(name).ok())
    }

    /// The file, if one is named.
    pub fn file(&self) -> Option<PathBuf> {
        // `TAFFRAIL_CONFIG=` means none.
        self.config.clone().filter(|path| !path.as_os_str().is_empty())
    }
}

/// `taffrail run`
#[derive(Args, Clone, Debug, Default)]
pub struct RunOptions {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigOptions,
    /// This machine leaves for good: mark its series as ended when stopping
    #[arg(long)]
    pub leaving: bool,
}

/// Does every command but `run`, which needs the whole process: `None` for it.
pub fn answer(command: &Command) -> Option<anyhow::Result<ExitCode>> {
    match command {
        Command::Run(_) => None,
        Command::Check(check) => Some(check.answer()),
        Command::Metrics(metrics) => Some(metrics.answer()),
        Command::Init(init) => Some(init.answer()),
        Command::Health(health) => Some(Ok(health.answer())),
        Command::SocketProxy(proxy) => Some(proxy.answer()),
        Command::Spool(spool) => Some(spool.answer()),
        Command::Archive(archive) => Some(archive.answer()),
        Command::Tail(tail) => Some(tail.answer()),
        Command::Version(version) => Some(version.answer()),
    }
}

/// Says what is wrong with a configuration, and that nothing runs.
pub fn refuse(errors: &Errors) -> ExitCode {
    let count = match errors.problems.len() {
        1 => "1 error".to_owned(),
        n => format!("{n} errors"),
    };
    print::err(&format!("{errors}\n\nThe configuration has {count}."));
    ExitCode::from(USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, load_text};
    use clap::CommandFactory;

    fn exit(arguments: &[&str]) -> ExitCode {
        let cli = Cli::try_parse_from([&["taffrail"], arguments].concat()).unwrap();
        answer(&cli.command).unwrap().unwrap()
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_starter_loads() {
        load_text(Source::new("starter.yml", STARTER, ""), &[], &|_| None).unwrap();
    }

    #[test]
    fn init_writes_once_and_check_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taffrail.yml");
        let file = file.to_str().unwrap();
        assert_eq!(exit(&["init", file]), ExitCode::SUCCESS);
        assert_eq!(exit(&["check", "--config", file]), ExitCode::SUCCESS);
        std::fs::write(file, "hots: {}\n").unwrap();
        assert_eq!(exit(&["init", file]), ExitCode::FAILURE, "it is there");
        assert_eq!(exit(&["check", "--config", file]), ExitCode::from(USAGE));
        assert_eq!(exit(&["init", "--force", file]), ExitCode::SUCCESS);
        assert_eq!(exit(&["check", "--config", file, "--set", "interval=5"]), ExitCode::from(USAGE));
    }

    #[test]
    fn an_empty_name_of_a_file_is_none() {
        let options = ConfigOptions { config: Some(PathBuf::new()), set: vec![] };
        assert_eq!(options.file(), None);
    }
}
