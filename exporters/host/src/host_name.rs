//! The host's name, which becomes the label `instance` of everything that leaves.

use std::path::Path;

use crate::config::HostConfig;
use crate::rootfs;

/// Why there is no name for this host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// A container's id, which changes with every container and names no host.
    #[error(
        "the host's name reads `{0}`, which is a container's id: mount the host's root directory \
         (-v /:/host:ro,rslave) and set `host.rootfs: /host`, or set `hostname:`"
    )]
    ContainerId(String),
    /// Neither `/etc/hostname` nor the kernel knows a name.
    #[error("this machine has no name: write one into /etc/hostname, or set `hostname:`")]
    None,
}

/// The name in `<rootfs>/etc/hostname`, else the kernel's. A container's id is refused.
pub fn host_name(config: &HostConfig) -> Result<String, HostNameError> {
    let kernels = || {
        let uname = rustix::system::uname();
        parse(uname.nodename().to_bytes())
    };
    check(from_rootfs(&config.rootfs).or_else(kernels))
}

/// The name in `<rootfs>/etc/hostname` (hostname(5)).
pub(crate) fn from_rootfs(root: &Path) -> Option<String> {
    parse(&rootfs::read(root, "etc/hostname").ok()?)
}

/// The first line that is not empty and no comment.
fn parse(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]);
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    (name != "(none)").then(|| name.to_owned())
}

fn check(name: Option<String>) -> Result<String, HostNameError> {
    let name = name.ok_or(HostNameError::None)?;
    let hex = name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    // Docker names a container's host by the first 12 digits of its id, Podman too; some engines by all 64.
    if hex && matches!(name.len(), 12 | 64) {
        return Err(HostNameError::ContainerId(name));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_s_first_name() {
        assert_eq!(parse(b"# set by cloud-init\n\n web-1 \n").as_deref(), Some("web-1"));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"(none)\n"), None);
        assert_eq!(parse(b"a\xff\n").as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn a_container_s_id_is_refused_with_the_fix() {
        let id = "0123456789ab";
        let error = check(Some(id.into())).unwrap_err();
        assert_eq!(error, HostNameError::ContainerId(id.into()));
        assert!(error.to_string().contains("-v /:/host:ro,rslave"), "{error}");
        assert!(check(Some(id.repeat(5) + "cdef")).is_err());
        for name in ["0123456789a", "0123456789ag", "deadbeef", "0123456789AB"] {
            assert_eq!(check(Some(name.into())).as_deref(), Ok(name));
        }
        assert_eq!(check(None), Err(HostNameError::None));
    }

    #[test]
    fn the_root_directory_decides_before_the_kernel() {
        let root = tempfile::tempdir().unwrap();
        let config = HostConfig { rootfs: root.path().into(), ..HostConfig::default() };
        let kernels = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(host_name(&config), check(Some(kernels)));
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/hostname"), "db-7\n").unwrap();
        assert_eq!(host_name(&config).as_deref(), Ok("db-7"));
    }
}
