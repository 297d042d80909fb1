//! The whole path, with the real programs that `setup.sh` unpacked. One module a subject.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests start other programs and compare what was sent with the real time"
)]
#![allow(
    clippy::unwrap_used,
    reason = "all of this is tests, helpers too: what is not as it should be ends one"
)]

mod access_logs;
mod archive;
mod beside_peer;
mod browser;
mod cardinality;
mod databases;
mod discovery;
mod end_to_end;
mod faults;
mod files;
mod fold;
mod handover;
mod hang;
mod histograms;
mod journald;
mod keep;
mod lifecycle;
mod loki_limits;
mod loki_tenants;
mod losses;
mod measured;
mod multiline;
mod names;
mod page;
mod pages;
mod presets;
mod process;
mod prometheus;
mod push;
mod receivers;
mod records;
mod relabel;
mod relay;
mod reload;
mod remote_write;
mod scrape_beside;
mod several;
mod stdin;
mod support;
mod syslog;
mod systemd;
mod targets;
mod values;
mod verdicts;
mod write_relabel;
