//! What log entries pass through between source and output. Pure: no I/O, no clock, no runtime; every function takes
//! bytes from outside, and its time is linear in them.
//!
//! * [`color`]: removes terminal colours.
//! * [`level`]: finds the level that a line itself names.
//! * [`redact`]: removes credentials, and what names a person.

pub mod color;
pub mod level;
mod prefilter;
pub mod redact;
