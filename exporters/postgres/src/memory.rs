//! What is remembered of a server from round to round.

use std::collections::HashSet;
use std::time::Duration;

use crate::views::Told;

/// What views remember.
#[derive(Debug, Default)]
pub struct Memory {
    /// When the round began, on the monotonic clock.
    pub now: Duration,
    /// The statements that are told.
    pub statements: Told,
    /// Pairs of sessions that wait and that block, of which a note was made.
    pub blocked: HashSet<(i64, i64)>,
}
