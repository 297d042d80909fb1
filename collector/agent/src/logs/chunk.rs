//! A chunk: entries of one source, with the ticket that tells the source how they ended.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_spool::Ticket;
use taffrail_stages::Stages;

use super::Shape;

/// The most bytes a chunk holds, so that a batch made of it stays within what receivers take.
pub const MAX_BYTES: usize = 256 << 10;

/// Names with values.
pub type Pairs = Arc<[(String, String)]>;

/// What a source read, in one piece.
#[derive(Debug)]
pub struct Chunk {
    /// The labels of the stream, sorted by name; `job` and `instance` among them.
    pub labels: Pairs,
    /// Structured metadata that each of its entries gets.
    pub metadata: Pairs,
    /// The entries.
    pub body: Body,
    /// What its entries pass through.
    pub stages: Arc<Stages>,
    /// Its stream is marked: where the logs' log is full, its entries are the last to go.
    pub keep: bool,
    /// Settled when every output has had its last word on all of the entries.
    pub ticket: Ticket,
}

/// The entries of a chunk.
#[derive(Debug)]
pub enum Body {
    /// Whole lines of one stream, each ended by a line feed (the last one of a file may lack it).
    Lines {
        /// The lines.
        bytes: Bytes,
        /// The time of the first line in nanoseconds since 1970-01-01 UTC; each further line without a time of its own
        /// gets one nanosecond more. The source sees to it that times never go back within a stream, and that lines
        /// read again after a crash get the times they had.
        base_ns: i64,
        /// How the lines stand in the bytes. All records of a line are in one chunk, where the source can have it so.
        shape: Shape,
    },
    /// Entries that came with times and metadata of their own, as [`taffrail_wire::loki::Batch`] writes them. The labels
    /// of their streams are laid over those of the chunk. Their times stay, unless a stage says another: a sender that
    /// sends them again sends the same.
    Entries(Bytes),
}

impl Body {
    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        match self {
            Body::Lines { bytes, .. } | Body::Entries(bytes) => bytes.len(),
        }
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
