//! Taffrail's agent: it collects metrics and logs of this machine, keeps them until they are delivered, and shows them.
//!
//! Data flows left to right: exporters and sources, then stages, then the logs with cursors, then outputs. `pipeline`
//! alone creates the parts and owns the order in which they start, reload and stop.

pub mod cli;
pub mod component;
pub mod config;
pub mod contain;
pub mod engines;
pub mod http_client;
pub mod logs;
pub mod measures;
pub mod metrics;
pub mod outputs;
pub mod own;
pub mod page;
pub mod pipeline;
pub mod probe;
pub mod registry;
pub mod run;
pub mod schedule;
pub mod scrape;
pub mod server;
pub mod sources;
pub mod status;
pub mod telemetry;
pub mod watch;
