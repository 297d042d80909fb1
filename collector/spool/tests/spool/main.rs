//! The log, the state file and the lock, seen from outside.

mod basics;
mod state;
