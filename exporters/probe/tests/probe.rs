//! Probes of real servers on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod cases {
    mod compare;
    mod dns;
    mod freshness;
    mod icmp;
    mod postgres;
    mod tcp;
}
mod kit;
