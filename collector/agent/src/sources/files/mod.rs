//! Log files by glob: followed through creation, rotation, truncation and deletion, read at least once.
//!
//! Polling is the truth, and the kernel's hints spare it files at rest ([`hints`]). Each round asks the file system what
//! the names that match stand for now; a file is known by
//! its inode, its time of birth and how it begins, and is held open until all of it is read and settled, whatever
//! happens to its name. What is released as a chunk is noted on disk first ([`book`]), with the time of its lines; so
//! after `kill -9` the same bytes are released again in the same pieces under the same times, and a receiver that drops
//! equal entries drops them.
//!
//! A line that is not ended yet is waited for: until it is, or until the file was rotated away and is quiet, or for
//! five minutes. Lines longer than `max_line_bytes` are cut, with a mark. Files that are packed (`.gz` and the like) are
//! left out.

mod anew;
mod beside;
mod between;
mod book;
mod copies;
mod discover;
mod feed;
mod file;
mod gaps;
mod given;
mod glob;
mod hints;
mod identity;
mod keep;
mod ledger;
mod lines;
mod listing;
mod loss;
mod named;
mod packed;
mod pieces;
mod promtail;
mod read;
mod receipts;
mod record;
mod resume;
mod run;
mod say;
mod source;
mod takes;
mod tenure;
mod tracker;

pub use feed::Feed;
pub use given::Given;
pub use glob::{GlobError, Patterns};
pub(super) use receipts::Receipts;
pub use run::{Left, Running, start};
pub use source::{Config, Source, Step};
pub(super) use takes::{Takes, takes};
