//! The Redis exporter: servers that speak Redis' protocol, named, typed and labelled as redis_exporter names them.
//!
//! A server is a subject. Its connection stays open from run to run, and a run is one round trip: `INFO ALL`, the slow
//! log's length and last entry, and the length of each configured key. A new field of `INFO` is one line in the table of
//! its section.

mod address;
mod commands;
mod connection;
mod fields;
mod info;
mod keys;
mod keyspace;
mod memory;
mod persistence;
mod replication;
mod reply;
mod server;
mod slowlog;
mod stats;
mod subject;
mod tls;

use taffrail_core::{Clock, Exporter, Metric};

pub use address::{Address, AddressError};
pub use keys::{Key, KeyError};
pub use subject::{Server, subject};
pub use tls::Tls;

/// A group of metrics: what it is about, and its metrics.
pub type Group = (&'static str, &'static [&'static Metric]);

/// Every metric that a server may publish, by what it is about.
pub static GROUPS: [Group; 10] = [
    ("Whether the server answers, and what it is.", subject::METRICS),
    ("The server and its clients.", server::METRICS),
    ("Memory.", memory::METRICS),
    ("Dumps and the append-only file.", persistence::METRICS),
    ("What was done.", stats::METRICS),
    ("Each command, and errors.", commands::METRICS),
    ("Primaries and replicas.", replication::METRICS),
    ("Keys of each database.", keyspace::METRICS),
    ("Configured keys.", keys::METRICS),
    ("The slow log.", slowlog::METRICS),
];

/// The exporter of these servers.
pub fn exporter(servers: &[Server], job: &str, clock: &Clock) -> Exporter {
    let subjects = servers.iter().map(|server| subject(server, clock)).collect();
    Exporter { name: "redis", job: job.to_owned(), subjects, duration: None, success: None }
}
