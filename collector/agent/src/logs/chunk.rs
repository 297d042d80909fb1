//! A chunk: whole lines from one stream of one source, with the ticket that tells the source how they ended.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_spool::Ticket;
use taffrail_stages::Stages;

/// The most bytes a chunk holds, so that a batch made of it stays within what receivers take.
pub const MAX_BYTES: usize = 256 << 10;

/// Whole lines, each ended by a line feed (the last one of a file may lack it).
#[derive(Debug)]
pub struct Chunk {
    /// The labels of the stream, sorted by name; `job` and `instance` among them.
    pub labels: Arc<[(String, String)]>,
    /// The lines.
    pub bytes: Bytes,
    /// The time of the first line in nanoseconds since 1970-01-01 UTC; each further line without a time of its own gets
    /// one nanosecond more. The source sees to it that times never go back within a stream, and that lines read again
    /// after a crash get the times they had.
    pub base_ns: i64,
    /// What its lines pass through.
    pub stages: Arc<Stages>,
    /// Settled when every output has had its last word on all of the lines.
    pub ticket: Ticket,
}
