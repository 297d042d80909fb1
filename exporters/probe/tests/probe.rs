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
    mod dns;
    mod hostile;
    mod http;
    mod icmp;
    mod tcp;
}
mod kit;
