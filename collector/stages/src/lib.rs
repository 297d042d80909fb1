//! What log entries pass through between source and output. Pure: no I/O, no clock, no runtime; every function takes
//! bytes from outside, and its time is linear in them.
//!
//! * [`color`]: removes terminal colours.

pub mod color;
