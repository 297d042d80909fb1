//! Encoders and parsers of the protocols Taffrail speaks. Pure: no I/O, no clock, no runtime; every parser takes bytes
//! from outside and is fuzzed (`fuzz/`).
//!
//! * [`remote_write`]: Prometheus remote write 1.0, the metrics' way out.
//! * [`loki`]: Loki's push request, which is also the form log records have inside Taffrail.
//! * [`syslog`]: messages of RFC 5424 and 3164, and their framing.
//! * [`journal`]: the files that systemd's journald writes.
//! * [`page`]: what a target answers a scrape in any of Prometheus' formats, the way in.
//! * [`relabel`]: rules that change, keep or drop labels, between the two.
//! * [`retry_after()`]: the header by which a receiver says when to come back.

pub mod calendar;
pub mod journal;
pub mod loki;
pub mod page;
pub mod proto;
mod protobuf;
pub mod relabel;
pub mod remote_write;
mod retry_after;
mod snappy;
pub mod syslog;
mod text;

pub use retry_after::{LONGEST_WAIT, retry_after};
pub use snappy::{Compressor, TooLarge, decompress, decompressed_len};
