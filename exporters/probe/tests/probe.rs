//! Probes of real servers on this machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it skips"
)]

mod cases {
    mod certificates;
    mod compare;
    mod compare_dns;
    mod dns;
    mod freshness;
    mod hostile;
    mod http;
    mod icmp;
    mod postgres;
    #[cfg(feature = "object-store")]
    mod store;
    mod tcp;

    use crate::kit::program;
}
mod kit;
