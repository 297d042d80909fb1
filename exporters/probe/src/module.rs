//! A module: how to probe, without the target. What is here is valid, and needs no further check.

use std::time::Duration;

use crate::tcp;

/// How to probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// With what.
    pub prober: Prober,
    /// How long a probe may take; without one, as long as [`Context::limit`](crate::Context) says.
    pub timeout: Option<Duration>,
}

/// The probers and their settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Prober {
    /// Connects to a TCP port.
    Tcp(tcp::Settings),
}

impl Prober {
    /// The prober's name, as module files spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Prober::Tcp(_) => "tcp",
        }
    }
}
