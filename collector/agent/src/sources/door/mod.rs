//! What sources share that others send to: sockets that outlive a reload, a thread of their own, TLS, and the books on what
//! came and was settled.
//!
//! What comes through a door stands nowhere else: it cannot be read again.

mod books;
mod sockets;
mod thread;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use taffrail_core::Clock;
use taffrail_spool::Ticket;
use taffrail_stages::Stages;
use taffrail_stages::multiline::Join;
use tokio::sync::{mpsc, watch};

pub use books::Books;
pub use sockets::Sockets;
pub use thread::start;
pub use tls::{ServerTls, ServerTrust};

use super::Context;
use crate::logs::{Body, Chunk, chunk::Pairs};

/// The larger pieces in which entries go on, in bytes: a batch is twice that.
pub const PIECE: usize = 128 << 10;

/// A door: how entries get from it into the pipeline.
#[derive(Clone, Debug)]
pub struct Door {
    /// The one clock.
    pub clock: Clock,
    /// The labels of what does not say others; `job`, `instance` and `service_name` among them.
    pub labels: Pairs,
    /// What came, and what became of it.
    pub books: Books,
    /// True while no output takes logs and their log on disk is nearly full.
    pub pause: watch::Receiver<bool>,
    stages: Arc<Stages>,
    keep: bool,
    chunks: mpsc::Sender<Chunk>,
}

impl Door {
    /// Of the source `name` with these labels of its own.
    pub fn new(name: &str, labels: &BTreeMap<String, String>, context: Context) -> Self {
        let mut labels = labels.clone();
        let job = labels.entry("job".to_owned()).or_insert_with(|| name.to_owned()).clone();
        labels.entry("instance".to_owned()).or_insert(context.instance);
        labels.entry("service_name".to_owned()).or_insert(job);
        Door {
            clock: context.clock.clone(),
            labels: labels.into_iter().collect(),
            books: Books::new(name, context.clock, context.status, context.notes),
            pause: context.pause,
            stages: context.stages,
            keep: context.keep,
            chunks: context.chunks,
        }
    }

    /// Which lines belong together.
    pub fn join(&self) -> Option<&Join> {
        self.stages.join()
    }

    /// Sends entries on. Waits while the queue is full.
    ///
    /// # Errors
    /// When nobody takes entries any longer; the ticket is dropped then.
    pub async fn send(&self, body: Body, ticket: Ticket) -> Result<(), Closed> {
        self.chunks.send(self.chunk(body, ticket)).await.map_err(|_| Closed)
    }

    /// The same, from a thread that may wait.
    ///
    /// # Errors
    /// As [`Door::send`].
    pub fn blocking_send(&self, body: Body, ticket: Ticket) -> Result<(), Closed> {
        self.chunks.blocking_send(self.chunk(body, ticket)).map_err(|_| Closed)
    }

    fn chunk(&self, body: Body, ticket: Ticket) -> Chunk {
        let (labels, stages) = (self.labels.clone(), self.stages.clone());
        Chunk { labels, metadata: Arc::from([]), body, stages, keep: self.keep, ticket }
    }
}

/// Nobody takes entries any longer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the collector is stopping")]
pub struct Closed;
