//! What log entries pass through between source and output. Pure: no I/O, no clock, no runtime; every function takes
//! bytes from outside, and its time is linear in them.
//!
//! * [`entry`]: a line with what is known of it.
//! * [`stage`]: what entries pass through, one file each; [`Stages`]: several of them in order.
//! * [`explain`]: what each stage did, for people.
//! * [`times`]: the times with which entries leave.
//! * [`format`]: the records in which engines write the lines of containers.
//! * [`color`]: removes terminal colours.
//! * [`level`]: finds the level that a line itself names.
//! * [`redact`]: removes credentials, and what names a person.
//! * [`multiline`]: lines that belong together become one entry.
//! * [`preset`]: how the lines of well-known programs are understood.
//! * [`errors`]: what makes two errors the same, and which are new.
//! * [`json`], [`path`], [`logfmt`], [`pattern`], [`template`], [`timeformat`]: languages that stages read.
//! * [`hash`]: the same in every run.

pub mod color;
pub mod entry;
pub mod errors;
pub mod explain;
pub mod format;
pub mod hash;
pub mod json;
pub mod level;
pub mod logfmt;
pub mod multiline;
pub mod path;
pub mod pattern;
mod prefilter;
pub mod preset;
pub mod redact;
pub mod stage;
mod stages;
pub mod template;
pub mod timeformat;
pub mod times;

pub use entry::{Entry, Fields, Time};
pub use stage::Stage;
pub use stages::{Fate, Stages, stream_of};
