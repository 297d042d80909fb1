//! What is remembered of a server from run to run.

/// What views remember.
#[derive(Debug, Default)]
pub struct Memory {}
