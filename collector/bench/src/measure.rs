//! What a process costs, by the kernel's accounting.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

/// A cgroup with one process in it. Removed when this is dropped.
pub struct Account {
    folder: PathBuf,
    file: &'static str,
    pid: u32,
}

impl Account {
    /// Puts `pid` into a cgroup of its own. Wants root.
    pub fn open(pid: u32) -> Result<Self> {
        let (root, file) = match Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            true => ("/sys/fs/cgroup", "cpu.stat"),
            false => ("/sys/fs/cgroup/cpuacct", "cpuacct.usage"),
        };
        let folder = Path::new(root).join(format!("taffrail-bench-{pid}"));
        fs::create_dir(&folder)
            .with_context(|| format!("{}: measuring wants root and cgroups", folder.display()))?;
        fs::write(folder.join("cgroup.procs"), pid.to_string())?;
        Ok(Account { folder, file, pid })
    }

    /// CPU time used in user and system mode since the account was opened.
    pub fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(self.folder.join(self.file))?;
        match text.lines().find_map(|line| line.strip_prefix("usage_usec ")) {
            Some(us) => Ok(Duration::from_micros(us.trim().parse()?)),
            None => Ok(Duration::from_nanos(text.trim().parse()?)),
        }
    }

    /// The largest resident size so far, in MiB.
    pub fn largest_resident_mib(&self) -> Result<f64> {
        self.status_mib("VmHWM:")
    }

    /// The resident size now, in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        self.status_mib("VmRSS:")
    }

    fn status_mib(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: f64 = line.with_context(|| format!("no {name}"))?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // The process has to leave before its cgroup can go.
        let _ = fs::write(
            self.folder.parent().unwrap_or(&self.folder).join("cgroup.procs"),
            self.pid.to_string(),
        );
        let _ = fs::remove_dir(&self.folder);
    }
}
