//! Whose network is seen. Network files show the reader's own namespace; the host's are those of its first process.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{PROC_SUPER_MAGIC, statfs};
use taffrail_core::CollectError;
use taffrail_core::file::{KernelFile, read_once};

use crate::config::HostConfig;
use crate::view;

/// The folder whose files show the host's network: `<procfs>/1/net`.
///
/// Where the first process is hidden (`hidepid`), the reader's own `<procfs>/net` will do, but only if the reader is
/// in the host's network.
pub(crate) fn directory(config: &HostConfig) -> Result<PathBuf, CollectError> {
    let in_hosts_network = in_hosts_network(&config.procfs);
    if !in_hosts_network && view::is_container(&config.procfs) {
        return Err(CollectError::Other(format!(
            "{} shows a container's network, not the host's: mount the host's /proc (-v /proc:/host/proc:ro) and \
             set `host.procfs: /host/proc`, or run the container with --network host",
            config.procfs.display()
        )));
    }
    let first = config.proc("1/net");
    if read_once(&first.join("dev")).is_ok() {
        return Ok(first);
    }
    if in_hosts_network {
        return Ok(config.proc("net"));
    }
    Err(CollectError::Other(format!(
        "{} cannot be read, and this process is not in the host's network: run it as root, or mount procfs without \
         hidepid",
        first.display()
    )))
}

/// Whether `/proc/sys/net`, which shows the reader's network, shows the host's: only the first network namespace has the
/// settings of the network stack's core (`net/core/sysctl_net_core.c`).
pub(crate) fn in_hosts_network(procfs: &Path) -> bool {
    procfs.join("sys/net/core/netdev_budget").exists()
}

/// Whether this process is in the network that [`directory`] shows, so that the kernel itself can be asked.
pub(crate) fn is_own(config: &HostConfig) -> bool {
    let namespace = |path: PathBuf| fs::metadata(path).map(|link| (link.dev(), link.ino()));
    match namespace(config.proc("1/ns/net")) {
        Ok(hosts) => namespace("/proc/self/ns/net".into()).is_ok_and(|own| own == hosts),
        // Only root may look at the first process's namespaces. A tree of files is nobody's.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let is_procfs = statfs(&config.procfs).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
            is_procfs && in_hosts_network(&config.procfs)
        }
        Err(_) => false,
    }
}

/// A file of the host's network, read again and again.
#[derive(Debug)]
pub(crate) struct NetFile {
    config: HostConfig,
    name: &'static str,
    file: Option<KernelFile>,
    /// Whose network is seen is to be found out anew.
    failed: bool,
}

impl NetFile {
    /// The file `name` of [`directory`], which is looked for at the first reading.
    pub(crate) fn new(config: &HostConfig, name: &'static str) -> Self {
        NetFile { config: config.clone(), name, file: None, failed: false }
    }

    /// Reads it from the start. What does not exist is [`CollectError::Absent`].
    pub(crate) fn read(&mut self) -> Result<&[u8], CollectError> {
        let file = match self.file.take().filter(|_| !self.failed) {
            Some(file) => file,
            None => KernelFile::new(directory(&self.config)?.join(self.name)),
        };
        let read = self.file.insert(file).read();
        // What is not there is looked for in the same place the next time: it may come with a module of the kernel's.
        self.failed = !matches!(read, Ok(_) | Err(CollectError::Absent));
        read
    }

    /// The error for contents that do not read as they should.
    pub(crate) fn malformed(&self, what: impl std::fmt::Display) -> CollectError {
        let path = self.file.as_ref().map_or_else(|| self.name.into(), |file| file.path().to_owned());
        CollectError::Parse { path, what: what.to_string() }
    }
}

/// The names of all interfaces of the host.
pub(crate) fn interfaces(config: &HostConfig) -> Result<BTreeSet<Vec<u8>>, CollectError> {
    let path = directory(config)?.join("dev");
    let bytes = read_once(&path)?;
    let names = crate::netdev::devices(&bytes).map(|device| device.map(|(name, _)| name.to_vec()));
    names.collect::<Result<_, _>>().map_err(|error| CollectError::Parse { path, what: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(root: &Path) -> HostConfig {
        HostConfig { procfs: root.into(), ..HostConfig::default() }
    }

    #[test]
    fn the_first_process_s_network_is_the_host_s() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path());
        let error = directory(&config).unwrap_err().to_string();
        assert!(error.contains("1/net cannot be read"), "{error}");
        fs::create_dir_all(root.path().join("sys/net/core")).unwrap();
        fs::write(root.path().join("sys/net/core/netdev_budget"), "300").unwrap();
        assert_eq!(directory(&config).unwrap(), root.path().join("net"));
        fs::create_dir_all(root.path().join("1/net")).unwrap();
        fs::write(root.path().join("1/net/dev"), "").unwrap();
        assert_eq!(directory(&config).unwrap(), root.path().join("1/net"));
    }

    #[test]
    fn a_container_s_own_network_is_refused_with_the_fix() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("1/net")).unwrap();
        fs::write(root.path().join("1/net/dev"), "").unwrap();
        let mounts = "610 500 0:60 / / rw - overlay overlay rw\n";
        fs::write(root.path().join("1/mountinfo"), mounts).unwrap();
        let error = directory(&config(root.path())).unwrap_err().to_string();
        assert!(error.contains("-v /proc:/host/proc:ro"), "{error}");
    }
}
