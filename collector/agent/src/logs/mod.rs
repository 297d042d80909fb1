//! Log entries between their source and the log with cursors.

pub(crate) mod buffers;
pub mod chunk;
mod clocks;
mod errors;
mod lanes;
mod lines;
mod missing;
pub(crate) mod notes;
mod processor;
pub mod shape;
mod stage;

pub use chunk::{Body, Chunk, Pairs};
pub use lanes::Logs;
pub use lines::lines;
pub use missing::Missing;
pub use notes::{Notes, NotesSource};
pub use processor::Processor;
pub use shape::Shape;
