//! Log lines between their source and the log with cursors.

pub mod chunk;
mod notes;
mod processor;
pub mod stage;

pub use chunk::Chunk;
pub use notes::{Notes, NotesSource};
pub use processor::Processor;
pub use stage::Stages;
