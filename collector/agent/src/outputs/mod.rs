//! Outputs: each reads one log with a cursor of its own and sends to one receiver.

mod deliver;
mod http;
mod loki;
mod prometheus;
mod verdict;

pub use deliver::{Delivery, deliver};
pub use http::{Client, ClientError};
pub use loki::Loki;
pub use prometheus::Prometheus;
pub use verdict::{Fate, Verdict};
