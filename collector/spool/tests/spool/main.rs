//! The log, the state file and the lock, seen from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod agreement;
mod basics;
mod damage;
mod disk;
mod full;
mod inspect;
mod kill;
mod load;
mod model;
mod outage;
mod shared;
mod state;
mod trouble;
