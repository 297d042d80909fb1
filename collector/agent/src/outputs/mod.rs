//! Outputs: each reads one log with a cursor of its own and sends to one receiver.

mod archive;
pub mod dead;
mod deliver;
mod flight;
mod http;
mod live;
mod loki;
mod prometheus;
#[cfg(test)]
mod scripted;
mod settle;
mod verdict;

pub use archive::{Archive, Read as ArchiveRead};
pub use deliver::{Delivery, Reads, Ready, Window, deliver};
pub use http::{Client, ClientError};
pub use loki::{Loki, LokiContext, Mine, ResendError, Resender, StartTenant, StillDead, check_tenant};
pub use prometheus::Prometheus;
pub use verdict::{Fate, Refused, Verdict};
