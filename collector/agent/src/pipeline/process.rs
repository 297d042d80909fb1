//! The thread of the log processor.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Shared;
use crate::contain::contain;
use crate::logs::{Chunk, Notes, NotesSource, Processor};

/// Runs the processor on a thread of its own: it computes, and writes to the disk.
pub(super) fn process(
    shared: Shared,
    mut chunks: mpsc::Receiver<Chunk>,
    (mut notes, notes_sender): (NotesSource, Notes),
    pauses: watch::Sender<bool>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let runtime = Handle::current();
    spawn_blocking(move || {
        let Shared { logs, tail, measures, state, clock, .. } = shared;
        runtime.block_on(async {
            while !stop.is_cancelled() {
                let processor = Processor::new(logs.clone(), tail.clone(), measures.clone(), pauses.clone())
                    .telling(&state, clock.clone(), notes_sender.clone());
                // After a panic, what it held is unsettled and is read again at the next start; the rest goes on.
                match contain(processor.run(&mut chunks, &mut notes, stop.clone())).await {
                    Ok(()) => return,
                    Err(text) => error!("the log processor panicked and is started again: {text}"),
                }
            }
        });
    })
}
