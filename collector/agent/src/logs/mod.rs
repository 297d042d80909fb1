//! Log lines between their source and the log with cursors.

pub mod chunk;
mod lines;
mod notes;
mod processor;
mod stage;

pub use chunk::Chunk;
pub use lines::lines;
pub use notes::{Notes, NotesSource};
pub use processor::Processor;
