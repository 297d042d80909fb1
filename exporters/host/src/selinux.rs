//! SELinux from its file system `/sys/fs/selinux` and its settings `<rootfs>/etc/selinux/config` (selinux_config(5)).
//! A machine without it says so with a 0, as node_exporter does.

use std::path::PathBuf;

use taffrail_core::{Out, Subject, metrics};

use crate::attribute::Buffer;
use crate::config::HostConfig;
use crate::number_file::NumberFile;
use crate::rootfs;
use crate::scan;

metrics! {
    /// Whether SELinux is on (1) or off (0).
    ENABLED: Gauge = "node_selinux_enabled" [];
    /// What its settings say: 1 enforcing, 0 permissive, -1 disabled.
    CONFIG_MODE: Gauge = "node_selinux_config_mode" [];
    /// What it does: 1 enforcing, 0 permissive.
    CURRENT_MODE: Gauge = "node_selinux_current_mode" [];
}

/// The subject `selinux`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut selinux = Selinux {
        enforce: config.sys("fs/selinux/enforce"),
        file: None,
        rootfs: config.rootfs.clone(),
        runs: 0,
        config_mode: 0.0,
        buffer: Box::new([0; 4096]),
    };
    Subject::blocking("selinux", METRICS, move |out| {
        selinux.write(out);
        Ok(())
    })
}

struct Selinux {
    enforce: PathBuf,
    file: Option<NumberFile>,
    rootfs: PathBuf,
    runs: u32,
    config_mode: f64,
    buffer: Box<Buffer>,
}

impl Selinux {
    /// Settings that take effect at the next start need not be read at each run.
    const CONFIG_RUNS: u32 = 4;

    fn write(&mut self, out: &mut Out) {
        let file = self.file.get_or_insert_with(|| NumberFile::new(&*self.enforce));
        let Some(current) = file.read(&mut self.buffer) else {
            // It cannot be switched on later, but its file system can be mounted later.
            self.file = None;
            out.put(&ENABLED, [], 0.0);
            return;
        };
        if self.runs.is_multiple_of(Self::CONFIG_RUNS) {
            let bytes = rootfs::read(&self.rootfs, "etc/selinux/config").unwrap_or_default();
            self.config_mode = config_mode(&bytes);
        }
        self.runs = self.runs.wrapping_add(1);
        out.put(&ENABLED, [], 1.0);
        out.put(&CONFIG_MODE, [], self.config_mode);
        out.put(&CURRENT_MODE, [], current);
    }
}

/// What the settings say: 1, 0 or -1; the last line that sets `SELINUX` counts, and none means disabled.
pub fn config_mode(bytes: &[u8]) -> f64 {
    let value = |line| {
        let at = memchr::memchr(b'=', line)?;
        (scan::trim(&line[..at]) == b"SELINUX").then(|| scan::trim(&line[at + 1..]).to_ascii_lowercase())
    };
    match scan::lines(bytes).filter_map(value).last().as_deref() {
        Some(b"enforcing") => 1.0,
        Some(b"permissive") => 0.0,
        _ => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, mode) in [
            ("# SELINUX=enforcing\nSELINUX=permissive\nSELINUXTYPE=targeted\n", 0.0),
            ("SELINUX = Enforcing", 1.0),
            ("SELINUX=enforcing\nSELINUX=disabled\n", -1.0),
            ("SELINUX\n", -1.0),
            ("", -1.0),
        ] {
            assert_eq!(config_mode(text.as_bytes()), mode, "{text:?}");
        }
    }
}
