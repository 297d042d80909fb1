//! The live page: this host over the last hour, the log tail, and the pipeline itself, in bounded memory.

pub mod live;
pub mod tail;

pub use live::Live;
pub use tail::Tail;
