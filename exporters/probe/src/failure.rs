//! Why a probe failed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Why a probe failed: one line for people.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The target does not read as this prober's targets do.
    #[error("the target `{target}` is not {wanted}")]
    Target {
        /// As given.
        target: String,
        /// What would be right: "host:port".
        wanted: &'static str,
    },
    /// Time was up.
    #[error("no answer within {} ms, while {doing}", limit.as_millis())]
    Timeout {
        /// What was under way: "resolving db.example".
        doing: String,
        /// The time allowed.
        limit: Duration,
    },
    /// The name has no address.
    #[error("resolving {host}: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The address must not be probed.
    #[error("{ip} is not probed: {why}")]
    Forbidden {
        /// The address.
        ip: IpAddr,
        /// What forbids it, and what would allow it.
        why: String,
    },
    /// No connection.
    #[error("connecting to {to}: {why}")]
    Connect {
        /// Where to.
        to: SocketAddr,
        /// What the kernel said.
        why: std::io::Error,
    },
    /// No TLS.
    #[error("TLS with {name}: {why}")]
    Tls {
        /// The server's name.
        name: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The answer is not what the module wants, or anything else went wrong.
    #[error("{0}")]
    Answer(String),
}
