//! A module: how to probe, without the target. What is here is valid, and needs no further check.

use std::time::Duration;

use crate::failure::Failure;
use crate::freshness::Glob;
use crate::target::host_and_port;
use crate::{certificate, dns, freshness, http, icmp, postgres, tcp, tls};

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
    /// Asks a PostgreSQL server.
    Postgres(Box<postgres::Settings>),
    /// Looks at files or objects.
    Freshness(Box<freshness::Settings>),
    /// Reads certificate files.
    Certificate(certificate::Settings),
}

impl Module {
    /// Whether `target` reads as this prober's targets do, before anything is probed.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check_target(&self, target: &str) -> Result<(), String> {
        let said = |checked: Result<(), Failure>| checked.map_err(|failure| failure.to_string());
        match &self.prober {
            Prober::Http(_) => Ok(()),
            Prober::Tcp(_) => said(tcp::host_port(target).map(drop)),
            Prober::Tls(_) | Prober::Dns(_) | Prober::Postgres(_) => said(host_and_port(target, 1).map(drop)),
            Prober::Icmp(_) => said(icmp::host(target).map(drop)),
            Prober::Freshness(_) => freshness::check_target(target),
            Prober::Certificate(_) => Glob::new(target).map(drop).map_err(|error| error.to_string()),
        }
    }

    /// Whether it looks at what is on this machine's disks, whose paths mean something else on every other one.
    pub fn is_local(&self, target: &str) -> bool {
        match &self.prober {
            Prober::Certificate(_) => true,
            Prober::Freshness(_) => !target.contains("://"),
            _ => false,
        }
    }
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
            Prober::Postgres(_) => "postgres",
            Prober::Freshness(_) => "freshness",
            Prober::Certificate(_) => "certificate",
        }
    }
}
