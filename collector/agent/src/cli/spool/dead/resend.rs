//! `taffrail spool dead resend`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use taffrail_core::Clock;
use taffrail_wire::loki::Batch;

use super::{Which, read, rewrite, take};
use crate::cli::{ConfigOptions, print, refuse};
use crate::config::LokiOutput;
use crate::outputs::dead::{Cause, FOLDER, Letter, letters};
use crate::outputs::{ResendError, Resender};

/// `taffrail spool dead resend`
#[derive(Args, Debug)]
pub(super) struct Resend {
    #[command(flatten)]
    config: ConfigOptions,
    #[command(flatten)]
    which: Which,
}

/// What came of it.
#[derive(Debug, Default)]
struct Done {
    taken: u64,
    refused: u64,
    /// Why, of the last that was refused.
    message: String,
    /// Why nothing more was sent.
    broken_off: Option<String>,
}

impl Resend {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let config = match self.config.load() {
            Ok(config) => config,
            Err(errors) => return Ok(refuse(&errors)),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut well = true;
        let folders = self.which.folders(&config.data_dir)?;
        if folders.is_empty() {
            print::out("there are no dead letters\n")?;
        }
        for (name, folder) in folders {
            let output =
                config.loki.iter().find(|output| output.receiver.name == name).with_context(|| {
                    let place = config.data_dir.join(FOLDER).join(&name);
                    format!(
                        "the configuration has no Loki output `{name}`: name it so, or move {}",
                        place.display()
                    )
                })?;
            let done = self.resend(output, &folder, &runtime)?;
            print::out(&format!(
                "{name}: {} entries were taken, {} refused again\n",
                done.taken, done.refused
            ))?;
            if done.refused > 0 {
                print::out(&format!("  {}\n", done.message))?;
            }
            if let Some(cause) = &done.broken_off {
                print::err(&format!("{name}: the rest is kept, the receiver takes nothing now: {cause}"));
            }
            well &= done.refused == 0 && done.broken_off.is_none();
        }
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn resend(
        &self,
        output: &LokiOutput,
        folder: &Path,
        runtime: &tokio::runtime::Runtime,
    ) -> anyhow::Result<Done> {
        let clock = Clock::system();
        let mut resender = Resender::new(output, clock.clone())?;
        let mut done = Done::default();
        for file in take(folder)? {
            if !any(&file, &self.which)? {
                continue;
            }
            rewrite(&file, |letter| {
                if done.broken_off.is_some() || !self.which.matches(&letter) {
                    return Ok(vec![letter]);
                }
                let mut batch = Batch::new();
                letter.write(&mut batch);
                let request = Bytes::copy_from_slice(batch.finish());
                match runtime.block_on(resender.send(request, letter.tenant.as_deref())) {
                    Ok(still) => {
                        let mut kept: Vec<Letter> = Vec::new();
                        for dead in still {
                            let (tenant, message) = (letter.tenant.as_deref(), dead.message.as_str());
                            let cause = Cause { tenant, reason: dead.reason, message };
                            kept.extend(letters(&dead.request, cause, letter.at_ms));
                            done.message = dead.message;
                        }
                        let refused: u64 = kept.iter().map(|letter| letter.values.len() as u64).sum();
                        done.refused += refused;
                        done.taken += (letter.values.len() as u64).saturating_sub(refused);
                        Ok(kept)
                    }
                    Err(ResendError::Later(cause)) => {
                        done.broken_off = Some(cause);
                        Ok(vec![letter])
                    }
                    Err(ResendError::Unreadable(error)) => Err(error.into()),
                }
            })?;
        }
        Ok(done)
    }
}

/// Whether a file has any of those that are meant.
fn any(file: &Path, which: &Which) -> anyhow::Result<bool> {
    let mut any = false;
    read(file, |letter, _| {
        any |= which.matches(&letter);
        Ok(())
    })?;
    Ok(any)
}
