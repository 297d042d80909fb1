//! What the containers of this machine write.
//!
//! The inventory says which containers there are ([`task`]). Where Docker's driver `json-file` writes a file that can be
//! read, the source of files reads it, rotations and all; what any other driver keeps, the engine is asked for
//! ([`follow`]), with a cursor for each container. Streams carry the container's name and not its id: a container that is
//! made anew under its name makes no new stream.
//!
//! The collector's own container is never read: what it says of reading would make more to read.

mod batch;
mod choice;
mod cursor;
mod follow;
mod frames;
mod keep;
mod seats;
mod settings;
mod shelf;
mod show;
mod task;
mod way;
mod who;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_container::ContainerConfig;
use taffrail_stages::format::Format;
use tokio::sync::oneshot;

use self::task::Task;
use super::files::{self, Given};
use super::{Context, Running};
use crate::config::{ContainerLogs, Files, LogSource};
use crate::status::SourceStatus;

/// How long after its time to settle the task may take to save its cursors.
const TO_ANSWER: Duration = Duration::from_millis(900);

/// Starts reading; waits for neither the engine nor a file system. To be called within the runtime.
///
/// # Errors
/// When no thread can be had.
pub(super) fn start(
    source: &LogSource,
    containers: &ContainerLogs,
    context: Context,
) -> anyhow::Result<Running> {
    let config = ContainerConfig {
        engine: containers.engine.clone(),
        rootfs: containers.rootfs.clone(),
        ..ContainerConfig::default()
    };
    let engine = context.engines.get(&config, &context.clock, &context.notes);
    let given = Arc::new(Given::default());
    // Both ways of reading show how they go; the task shows the sum.
    let by_file = Arc::new(Mutex::new(SourceStatus::default()));
    let files = files::Config {
        name: source.name.clone(),
        labels: source.labels.clone(),
        files: Files {
            include: Vec::new(),
            exclude: Vec::new(),
            start: containers.start,
            positions_from: None,
            format: Format::Docker,
            max_line_bytes: containers.max_line_bytes,
        },
        given: Some(given.clone()),
    };
    let files = files::start(&files, Context { status: by_file.clone(), ..context.clone() })?;
    let (stop, stopped) = oneshot::channel();
    let task = Task::new((source, containers), context, engine, given, by_file);
    let task = tokio::spawn(task.run(stopped));
    Ok(Running::new(move |by: Duration| async move {
        // When nobody asked it to stop before, this is dropped, which stops both at once.
        let _ = stop.send(by);
        let (files, asked) = tokio::join!(files.stop(by), tokio::time::timeout(by + TO_ANSWER, task));
        let asked = asked.ok().and_then(Result::ok).unwrap_or_default();
        format!("{files}; {asked} bytes that the engine was asked for are not settled, it has them still")
    }))
}
