//! The probe exporter: whether a service answers, how fast, and until when its certificates hold, seen from outside.
//!
//! Metrics are named, typed and labelled as blackbox_exporter does, and its module files are read as they are. A
//! [`Module`] says how to probe; [`run`] probes one target with it, and writes what was seen to an
//! [`Out`](taffrail_core::Out). A probe that fails is a result, not an error: `run` always returns.

mod attempt;
pub mod blackbox;
pub mod certificate;
mod context;
pub mod dns;
mod failure;
pub mod freshness;
pub mod http;
pub mod icmp;
mod matching;
mod module;
mod number;
pub mod postgres;
mod resolve;
mod run;
mod target;
pub mod tcp;
mod threads;
pub mod tls;
mod trail;

use std::sync::LazyLock;

use taffrail_core::Metric;

pub use attempt::Attempt;
pub use blackbox::{Modules, ModulesError};
pub use context::{Context, Guard};
pub use failure::Failure;
pub use module::{Module, Prober};
pub use resolve::{Addressing, Prefer, Resolver};
pub use run::{Verdict, run};
pub use taffrail_core::secret::{Secret, Source, SourceError};
pub use threads::Threads;
pub use trail::Trail;

/// A group of metrics: what it is about, and its metrics.
pub type Group = (&'static str, &'static [&'static Metric]);

/// Every metric that a probe may publish, by what it is about.
pub fn groups() -> &'static [Group] {
    static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
        vec![
            ("Every probe.", run::METRICS),
            ("Probes that look up a name.", resolve::METRICS),
            ("Probes that speak TLS.", tls::METRICS),
            ("Probes that compare an answer with an expression.", matching::METRICS),
            ("`http`", http::METRICS),
            ("`dns`", dns::METRICS),
            ("`icmp`", icmp::METRICS),
            ("`postgres`", postgres::METRICS),
            ("`freshness`", freshness::METRICS),
            ("`certificate`", certificate::METRICS),
        ]
    });
    &GROUPS
}

/// Every metric that a probe may publish.
pub fn metrics() -> &'static [&'static Metric] {
    static ALL: LazyLock<Vec<&'static Metric>> =
        LazyLock::new(|| groups().iter().flat_map(|(_, metrics)| *metrics).copied().collect());
    &ALL
}
