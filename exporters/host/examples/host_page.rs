//! Prints this machine's page: one run of every subject, as a pull of `/metrics/host` would show it.
//!
//! `cargo run -p taffrail-host --example host_page [ROOTFS [PROCFS SYSFS]]`

use std::io::Write;

use taffrail_core::golden;
use taffrail_host::{HostConfig, problems, subjects};

fn main() -> std::io::Result<()> {
    let mut config = HostConfig::default();
    let roots = [&mut config.rootfs, &mut config.procfs, &mut config.sysfs];
    for (root, given) in roots.into_iter().zip(std::env::args_os().skip(1)) {
        *root = given.into();
    }
    let mut out = std::io::stdout().lock();
    for problem in problems(&config) {
        writeln!(out, "# {}: {}", problem.what, problem.text)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for mut subject in subjects(&config) {
        match runtime.block_on(golden::page_async(&mut subject)) {
            Ok(page) => out.write_all(page.as_bytes())?,
            Err(error) => writeln!(out, "# {}: {error}", subject.name)?,
        }
    }
    Ok(())
}
