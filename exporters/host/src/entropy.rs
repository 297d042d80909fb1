//! The kernel's random numbers from `/proc/sys/kernel/random` (random(4)).

use taffrail_core::{Subject, metrics};

use crate::config::HostConfig;
use crate::number_file::Numbers;

metrics! {
    /// Bits of entropy that are available.
    AVAILABLE: Gauge = "node_entropy_available_bits" [];
    /// Bits of entropy that the pool can hold.
    POOL_SIZE: Gauge = "node_entropy_pool_size_bits" [];
}

/// The subject `entropy`.
pub fn subject(config: &HostConfig) -> Subject {
    let files = [("entropy_avail", &AVAILABLE, 1.0), ("poolsize", &POOL_SIZE, 1.0)];
    let mut numbers = Numbers::new(&config.proc("sys/kernel/random"), &files);
    Subject::blocking("entropy", METRICS, move |out| numbers.write(out))
}
