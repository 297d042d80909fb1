//! What the integration tests stand on: the real programs as child processes ([`Prometheus`], [`Postgres`],
//! [`Alertmanager`], [`NodeExporter`], [`Taffrail`]), a receiver that misbehaves as told
//! ([`Receiver`]), a double of Loki that is as strict as Loki ([`LokiDouble`]) and a mount that never
//! answers ([`HangingMount`]).
//!
//! The programs are those that `collector/tests/setup.sh` unpacked; one that is missing is an error
//! that names the script, never a test that passes without it. All of them listen on loopback, keep
//! their files in a temporary folder, and end when their value is dropped. A test that fails prints
//! the last lines of their logs.
#![allow(
    clippy::disallowed_methods,
    reason = "the harness starts other programs and waits for them in real time"
)]
#![allow(clippy::print_stderr, reason = "logs of a failed test are for the terminal")]

mod alertmanager;
mod browser;
mod bucket;
mod dnsmasq;
mod exposition;
mod gate;
mod hang;
mod http;
mod journald;
pub mod loki;
mod node_exporter;
mod postgres;
mod process;
mod prometheus;
mod receiver;
mod relay;
mod server;
mod systemd;
mod taffrail;
mod tools;
mod wait;
mod web;
mod wire;

pub use alertmanager::Alertmanager;
pub use browser::{Seen, open_page, run_node};
pub use bucket::{Bucket, Fate};
pub use dnsmasq::Dnsmasq;
pub use exposition::{Exposition, Labels, series_text};
pub use gate::Gate;
pub use hang::HangingMount;
pub use http::{Client, Response};
pub use journald::Journald;
pub use loki::LokiDouble;
pub use node_exporter::NodeExporter;
pub use postgres::Postgres;
pub use process::Process;
pub use prometheus::{Prometheus, Series, Version};
pub use receiver::{Received, Receiver};
pub use relay::Relay;
pub use server::{Answer, Request};
pub use systemd::Systemd;
pub use taffrail::Taffrail;
pub use tools::{repo_root, tool};
pub use wait::{free_port, wait_for};
pub use web::{WebServer, slow_upstream};
pub use wire::{
    Label, LogEntry, LogStream, Metadata, PushRequest, Sample, TimeSeries, Timestamp, WriteRequest,
};
