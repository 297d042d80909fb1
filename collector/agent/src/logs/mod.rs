//! Log lines between their source and the log with cursors.

pub mod chunk;

pub use chunk::Chunk;
