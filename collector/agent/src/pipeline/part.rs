//! A component's part that runs, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::component::Key;
use crate::{scrape, sources};

/// A part that runs.
pub(super) enum Part {
    Exporter { stop: CancellationToken, end: Arc<AtomicBool>, task: JoinHandle<()> },
    Scrape { stop: CancellationToken, task: JoinHandle<scrape::Left> },
    Source(sources::Running),
    Output { leave: CancellationToken, task: JoinHandle<()> },
}

/// Stops a part. With `ended`, an exporter marks its series as ended. What a job leaves is given back.
pub(super) async fn stop_one(
    key: Key,
    part: Part,
    ended: bool,
    to_settle: Duration,
) -> Option<(Key, scrape::Left)> {
    match part {
        Part::Scrape { stop, task } => {
            stop.cancel();
            return task.await.ok().map(|left| (key, left));
        }
        Part::Exporter { stop, end, task } => {
            end.store(ended, Ordering::SeqCst);
            stop.cancel();
            let _ = task.await;
            // Its successor's first values must not carry the time of the markers that end its own.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Part::Source(source) => {
            // What hangs in a dead mount must not hold up the rest.
            match tokio::time::timeout(to_settle + Duration::from_secs(1), source.stop(to_settle)).await {
                Ok(left) => info!(source = %key, "{left}"),
                Err(_) => warn!(source = %key, "it does not answer; it is left to itself"),
            }
        }
        Part::Output { leave, task } => {
            leave.cancel();
            let _ = task.await;
        }
    }
    None
}
