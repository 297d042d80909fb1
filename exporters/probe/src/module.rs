//! A module: how to probe, without the target. What is here is valid, and needs no further check.

use std::time::Duration;

use crate::{dns, http, icmp, tcp, tls};

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
    /// Asks a web server.
    Http(Box<http::Settings>),
    /// Connects to a TCP port.
    Tcp(tcp::Settings),
    /// Looks at a server's certificates.
    Tls(tls::Settings),
    /// Asks a DNS server.
    Dns(Box<dns::Settings>),
    /// Sends an echo request.
    Icmp(icmp::Settings),
}

impl Prober {
    /// The prober's name, as module files spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Prober::Http(_) => "http",
            Prober::Tcp(_) => "tcp",
            Prober::Tls(_) => "tls",
            Prober::Dns(_) => "dns",
            Prober::Icmp(_) => "icmp",
        }
    }
}
