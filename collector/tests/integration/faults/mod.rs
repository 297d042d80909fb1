//! Faults, in loops: whatever is killed, cut off, filled up or hostile, every sample is counted.

mod disk;
mod kill;
mod outage;
mod pages;
mod receiver;
pub mod rig;
mod staleness;

pub use disk::Small;
