//! The journal of systemd, read from its files, without journalctl and without systemd's library.
//!
//! [`file`] reads one file while journald may be writing it, [`reader`] makes one sequence of all of them, [`entries`] makes
//! log entries with labels and metadata of that. How far the journal was read is kept as a cursor for each count of
//! entries ([`cursor`]); it moves when all outputs have settled what is before it.

mod cursor;
mod datum;
mod entries;
mod file;
mod folder;
mod reader;
mod run;
mod say;
mod shelf;
mod task;
mod wake;
mod wanted;

pub use run::start;
