//! Prints this machine's page: one run of every subject, as a pull of `/metrics/host` would show it.
//!
//! `cargo run -p taffrail-host --example page [ROOTFS]`

use std::io::Write;

use taffrail_core::golden;
use taffrail_host::{HostConfig, subjects};

fn main() -> std::io::Result<()> {
    let mut config = HostConfig::default();
    if let Some(rootfs) = std::env::args_os().nth(1) {
        config.rootfs = rootfs.into();
    }
    let mut out = std::io::stdout().lock();
    for mut subject in subjects(&config) {
        match golden::page(&mut subject) {
            Ok(page) => out.write_all(page.as_bytes())?,
            Err(error) => writeln!(out, "# {}: {error}", subject.name)?,
        }
    }
    Ok(())
}
