//! Numbers that nobody can guess, where a forged answer has to be told from the right one.

use std::hash::{BuildHasher, RandomState};

/// A number that a stranger does not know.
pub fn random_u16() -> u16 {
    // The keys of a new state are random, and differ from one state to the next.
    RandomState::new().hash_one(0_u8) as u16
}
