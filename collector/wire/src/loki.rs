//! Loki's push request, `logproto.PushRequest`, and Loki's answers.
//!
//! Uncompressed, it is also the one form of a batch of log entries inside Taffrail: sources and stages write it with
//! [`Batch`], the log keeps it, the live page and the outputs walk it with [`streams`]. Only an output that sends it to
//! Loki compresses it. Fields (see Loki's `pkg/push/push.proto`): request 1 streams; stream 1 labels, 2 entries, 3 hash;
//! entry 1 timestamp, 2 line, 3 structured metadata, 4 parsed; the hash and `parsed` are for Loki's own use and not written.

mod batch;
mod labels;
mod push;
mod push_json;
mod reader;
mod refusal;
mod subset;

pub use batch::Batch;
pub use labels::{label_name, parse_label_set, same_stream, write_label_set};
pub use push::{BadLabels, Pairs, PushError, Sink, read_protobuf};
pub use push_json::read_json;
pub use reader::{Entries, Entry, Metadata, Outline, Stream, Streams, count_entries, streams};
pub use refusal::{Reason, Refusal, refusals};
pub use subset::{Place, filter, split};

/// Value of the `Content-Type` header of a push; the body is compressed with snappy's block format.
pub const CONTENT_TYPE: &str = "application/x-protobuf";
/// The path of the push API below Loki's address.
pub const PUSH_PATH: &str = "/loki/api/v1/push";

#[cfg(test)]
mod tests;
