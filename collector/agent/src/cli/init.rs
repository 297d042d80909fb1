//! `taffrail init`: a commented `taffrail.yml` to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::print;

/// The file that is written.
pub const STARTER: &str = include_str!("starter.yml");

/// `taffrail init`
#[derive(Args, Debug)]
pub struct Init {
    /// The file to write; `-` prints it
    #[arg(default_value = "taffrail.yml")]
    file: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        if self.file == Path::new("-") {
            print::out(STARTER)?;
            return Ok(ExitCode::SUCCESS);
        }
        let shown = self.file.display();
        match self.write() {
            Ok(()) => {
                print::out(&format!(
                    "{shown} is written. Next: edit it, then `taffrail check --config {shown}`, then \
                     `taffrail run --config {shown}`.\n"
                ))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                print::err(&format!(
                    "{shown} is there already; --force overwrites it, `taffrail init -` prints"
                ));
                Ok(ExitCode::FAILURE)
            }
            Err(e) => {
                print::err(&format!("{shown} cannot be written: {e}"));
                Ok(ExitCode::FAILURE)
            }
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        if self.force {
            options.create(true).truncate(true);
        } else {
            // Fails when the file is there, without a moment in between.
            options.create_new(true);
        }
        options.write(true).open(&self.file)?.write_all(STARTER.as_bytes())
    }
}
