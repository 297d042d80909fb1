//! Syslog: messages of RFC 5424 and of RFC 3164, and how they stand in a stream of bytes (RFC 6587).

mod bsd;
mod frames;
mod message;
mod time;

pub use frames::{Frame, Frames, FramingError};
pub use message::{Message, Priority, parse};
pub use time::When;

#[cfg(test)]
mod tests;
