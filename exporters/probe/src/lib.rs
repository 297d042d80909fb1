//! The probe exporter: whether a service answers, how fast, and until when its certificates hold, seen from outside.
//!
//! Metrics are named, typed and labelled as blackbox_exporter does, and its module files are read as they are. A
//! [`Module`] says how to probe; [`run`] probes one target with it, and writes what was seen to an
//! [`Out`](taffrail_core::Out). A probe that fails is a result, not an error: `run` always returns.

mod attempt;
pub mod blackbox;
mod context;
pub mod dns;
mod failure;
pub mod http;
pub mod icmp;
mod matching;
mod module;
mod number;
mod resolve;
mod run;
mod secret;
mod target;
pub mod tcp;
pub mod tls;
mod trail;

use std::sync::LazyLock;

use taffrail_core::Metric;

pub use attempt::Attempt;
pub use context::{Context, Guard};
pub use failure::Failure;
pub use module::{Module, Prober};
pub use resolve::{Addressing, Prefer, Resolver};
pub use run::{Verdict, run};
pub use secret::{Secret, Source, SourceError};
pub use trail::Trail;

/// Every metric that a probe may publish.
pub fn metrics() -> &'static [&'static Metric] {
    static ALL: LazyLock<Vec<&'static Metric>> = LazyLock::new(|| {
        let common = [run::METRICS, resolve::METRICS, tls::METRICS, matching::METRICS];
        common.into_iter().chain([http::METRICS, dns::METRICS, icmp::METRICS]).flatten().copied().collect()
    });
    &ALL
}
