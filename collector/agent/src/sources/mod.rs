//! Log sources.

pub mod files;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use taffrail_core::Clock;
use taffrail_stages::Stages;
use tokio::sync::{mpsc, watch};

use crate::logs::{Chunk, Notes};
use crate::status::SourceStatus;

/// What every source is given when it starts.
#[derive(Clone, Debug)]
pub struct Context {
    /// The one clock.
    pub clock: Clock,
    /// The host's name, for the label `instance`.
    pub instance: String,
    /// What its lines pass through; goes into every chunk.
    pub stages: Arc<Stages>,
    /// Where notes go: what was lost, and why.
    pub notes: Notes,
    /// Where chunks go. The queue is bounded: a source waits when it is full, and nothing is lost by waiting.
    pub chunks: mpsc::Sender<Chunk>,
    /// True while sources whose lines are safe where they are shall not read on: the log behind the queue is full.
    pub pause: watch::Receiver<bool>,
    /// A folder of the source's own for its state.
    pub state: PathBuf,
    /// What the page shows of it.
    pub status: Arc<Mutex<SourceStatus>>,
}
