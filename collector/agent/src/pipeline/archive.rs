//! Archives: what they are given, and how they are started.

use taffrail_spool::Start;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Pipeline;
use super::part::Part;
use crate::component::Key;
use crate::config::ArchiveOutput;
use crate::contain::keep_running;
use crate::outputs::{Archive, ArchiveRead as Read};
use crate::status::{ArchiveStatus, OutputStatus};

impl Pipeline {
    pub(super) fn start_archive(
        &self,
        key: &Key,
        config: &ArchiveOutput,
        instance: &str,
    ) -> anyhow::Result<Part> {
        let archive = ArchiveStatus { every_s: config.every.as_secs_f64(), ..Default::default() };
        let status = OutputStatus {
            kind: key.kind,
            name: key.name.clone(),
            url: config.url(),
            shards: 1,
            archive: Some(archive),
            ..Default::default()
        };
        let status = self.shared.board.output(key.clone(), status);
        let (logs, clock, name) = (self.shared.logs.clone(), self.shared.clock.clone(), key.to_string());
        let dir = |folder| self.shared.state.join(folder).join(&key.name);
        let dirs = [dir("archive"), dir("archive-kept")];
        let make = {
            let (config, instance, name) = (config.clone(), instance.to_owned(), name.clone());
            move || -> anyhow::Result<(Archive, [Read; 2])> {
                let [others, kept] = logs.both().map(|log| log.cursor(&name, Start::Newest));
                let [dir, kept_dir] = dirs.clone();
                let reads = [Read { cursor: others?, dir }, Read { cursor: kept?, dir: kept_dir }];
                Ok((Archive::new(&config, &instance)?, reads))
            }
        };
        // The first ones are made here, so that what is wrong with them is known now.
        let mut first = Some(make()?);
        let leave = CancellationToken::new();
        let left = leave.clone();
        let task = keep_running(name, move || {
            let parts = first.take().map_or_else(&make, Ok);
            let (status, clock, left) = (status.clone(), clock.clone(), left.clone());
            async move {
                match parts {
                    Ok((archive, reads)) => archive.run(reads, status, clock, left).await,
                    Err(error) => error!("the archive cannot be started again: {error:#}"),
                }
            }
        });
        Ok(Part::Output { leave, task: tokio::spawn(task) })
    }
}
