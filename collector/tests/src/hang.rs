//! A mount whose every call hangs, as a dead NFS server's does.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::{repo_root, tool};

/// A FUSE file system that mounts and then never answers. Dropping it ends its server, which makes
/// the kernel fail all waiting calls and lets them go.
#[derive(Debug)]
pub struct HangingMount {
    process: Process,
    dir: TempDir,
}

impl HangingMount {
    /// Mounts one in a temporary folder. Needs root.
    ///
    /// # Errors
    /// When it cannot be mounted, with the reason.
    pub fn start() -> Result<Self> {
        Self::mount(&[])
    }

    /// Mounts one that says how large it is, until [`HangingMount::hang`].
    ///
    /// # Errors
    /// As [`HangingMount::start`].
    pub fn start_well() -> Result<Self> {
        Self::mount(&["--well"])
    }

    /// From now on it does not answer.
    ///
    /// # Errors
    /// When its server has ended.
    pub fn hang(&mut self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    fn mount(args: &[&str]) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-hang-")?;
        let at = dir.path().join("mnt");
        std::fs::create_dir(&at)?;
        let mut command = Command::new(tool("PYTHON")?);
        command.arg(repo_root().join("collector/tests/hangfs.py")).args(args).arg(&at);
        let log = dir.path().join("log");
        let mut process = Process::start("hangfs", &mut command, &log)?;
        process.wait_ready(Duration::from_secs(10), || {
            if std::fs::read_to_string(&log)?.contains("mounted") {
                return Ok(());
            }
            bail!("it is not mounted")
        })?;
        Ok(Self { process, dir })
    }

    /// The mount point. Any call on it, `statfs` too, waits until this value is dropped.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }
}

impl Drop for HangingMount {
    fn drop(&mut self) {
        // Without its server the mount fails at once in place of hanging, and can be taken away.
        self.process.kill();
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};

    #[test]
    fn hangs_until_dropped() {
        let mount = HangingMount::start().unwrap();
        let (path, (done, ended)) = (mount.path(), channel());
        std::thread::spawn(move || done.send(rustix::fs::statvfs(&path).is_err()));
        let waited = ended.recv_timeout(Duration::from_millis(300));
        assert_eq!(waited, Err(RecvTimeoutError::Timeout), "statfs must hang");
        let path = mount.path();
        drop(mount);
        assert_eq!(ended.recv_timeout(Duration::from_secs(5)), Ok(true));
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(&path.display().to_string()));
    }
}
