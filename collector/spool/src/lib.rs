//! The log with named cursors.

/// Tells a source how its bytes ended.
#[derive(Debug)]
pub struct Ticket;
