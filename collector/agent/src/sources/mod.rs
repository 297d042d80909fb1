//! Log sources.

mod containers;
pub mod door;
pub mod files;
mod journald;
mod like;
mod push;
mod stdin;
mod streams;
mod syslog;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_stages::Stages;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use crate::config::{LogSource, Reads};
use crate::engines::Engines;
use crate::logs::{Chunk, Notes};
use crate::status::SourceStatus;

/// What stops a source; waits until what it has read is settled, at most for the time given, and says in words what is
/// left.
type Stop = Box<dyn FnOnce(Duration) -> Pin<Box<dyn Future<Output = String> + Send>> + Send>;

/// A source that runs. When this is dropped the source stops at once.
pub struct Running(Stop);

impl Running {
    /// Of what stops the source, and stops it when it is dropped.
    pub fn new<F>(stop: impl FnOnce(Duration) -> F + Send + 'static) -> Self
    where
        F: Future<Output = String> + Send + 'static,
    {
        Running(Box::new(move |by| Box::pin(stop(by))))
    }

    /// Stops it: reads nothing more, waits for at most `by` until what was read is settled, and says what is left.
    pub async fn stop(self, by: Duration) -> String {
        (self.0)(by).await
    }
}

/// Makes of a source what can fail, and throws it away.
///
/// # Errors
/// What is wrong with it.
pub fn check(source: &LogSource) -> anyhow::Result<()> {
    match &source.reads {
        Reads::Files(files) => drop(files::Patterns::new(&files.include, &files.exclude)?),
        Reads::Containers(_) | Reads::Journald(_) | Reads::Push(_) | Reads::Syslog(_) | Reads::Stdin(_) => {}
    }
    Ok(())
}

/// Starts a source.
///
/// # Errors
/// What it lacks.
pub async fn start(source: &LogSource, context: Context) -> anyhow::Result<Running> {
    match &source.reads {
        Reads::Files(files) => {
            let LogSource { name, labels, .. } = source.clone();
            let config = files::Config { name, labels, files: files.clone(), given: None };
            let running = spawn_blocking(move || files::start(&config, context)).await??;
            Ok(Running::new(|by| async move { running.stop(by).await.to_string() }))
        }
        Reads::Containers(containers) => containers::start(source, containers, context),
        Reads::Journald(config) => journald::start(source, config, context),
        Reads::Push(config) => {
            let (source, config) = (source.clone(), config.clone());
            spawn_blocking(move || push::start(&source.name, &source.labels, &config, context)).await?
        }
        Reads::Syslog(config) => {
            let (source, config) = (source.clone(), config.clone());
            spawn_blocking(move || syslog::start(&source.name, &source.labels, &config, context)).await?
        }
        Reads::Stdin(config) => stdin::start(&source.name, &source.labels, config, context),
    }
}

/// What every source is given when it starts.
#[derive(Clone, Debug)]
pub struct Context {
    /// The one clock.
    pub clock: Clock,
    /// The host's name, for the label `instance`.
    pub instance: String,
    /// What its lines pass through; goes into every chunk.
    pub stages: Arc<Stages>,
    /// Its entries are the last to go where the logs' log is full.
    pub keep: bool,
    /// Where notes go: what was lost, and why.
    pub notes: Notes,
    /// Where chunks go. The queue is bounded: a source waits when it is full, and nothing is lost by waiting.
    pub chunks: mpsc::Sender<Chunk>,
    /// True while sources whose lines are safe where they are shall not read on: the log behind the queue is full.
    pub pause: watch::Receiver<bool>,
    /// A folder of the source's own for its state.
    pub state: PathBuf,
    /// The inventories of containers.
    pub engines: Engines,
    /// Sockets of sources that others send to.
    pub sockets: Arc<door::Sockets>,
    /// What the page shows of it.
    pub status: Arc<Mutex<SourceStatus>>,
}
