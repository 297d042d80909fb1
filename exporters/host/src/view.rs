//! What this process sees: the host, or only the container it runs in.

use std::path::Path;

use taffrail_core::file::read_once;

use crate::mounts::{self, Mount};

/// Types of file systems that engines make containers' root directories of.
const LAYERED: [&[u8]; 3] = [b"overlay", b"aufs", b"fuse.fuse-overlayfs"];

/// Whether `procfs` is a container's own: its first process lives on a layered root directory, and the kernel's threads,
/// which only the host's procfs shows, are not there. A live system has a layered root too, but shows them; a system
/// container (LXC) shows none, but has a root of its own kind: it is a host of its own.
pub(crate) fn is_container(procfs: &Path) -> bool {
    if shows_kernel_threads(procfs) {
        return false;
    }
    root_of(procfs, "1").or_else(|| root_of(procfs, "self")).is_some_and(|root| is_layered(&root))
}

/// Process 2 of a host is the kernel's `kthreadd`.
fn shows_kernel_threads(procfs: &Path) -> bool {
    read_once(&procfs.join("2/comm")).is_ok_and(|name| name == b"kthreadd\n")
}

/// The mount that a process has as its root directory.
fn root_of(procfs: &Path, process: &str) -> Option<Mount> {
    let bytes = read_once(&procfs.join(process).join("mountinfo")).ok()?;
    root(&mounts::parse(&bytes).ok()?).cloned()
}

/// The root directory among visible mounts; of several the last.
pub(crate) fn root(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().rev().find(|mount| mount.point == b"/")
}

fn is_layered(mount: &Mount) -> bool {
    LAYERED.contains(&&*mount.fs_type)
}

/// How the paths of the host's mounts are reached from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The mounts are the host's, as the host names them.
    Hosts,
    /// The mounts are our own; the host's are those at or below `rootfs`.
    Own,
}

/// Finds out how the file systems in `listed` are reached below `rootfs`, or says what is missing.
///
/// `listed` is what the first process of `procfs` has mounted (or this process, where that is hidden), `own` what this
/// process has.
pub(crate) fn reach(procfs: &Path, rootfs: &Path, listed: &[Mount], own: &[Mount]) -> Result<Reach, String> {
    let at = rootfs.display();
    let (Some(listed_root), Some(own_root)) = (root(listed), root(own)) else {
        return Err(format!("{}/1/mountinfo has no mount at /", procfs.display()));
    };
    const MOUNT: &str = "mount the host's root directory (-v /:/host:ro,rslave) and set `host.rootfs: /host`";
    if rootfs == Path::new("/") {
        if !listed_root.shows_same(own_root) {
            return Err(format!("this process has another root directory than the host: {MOUNT}"));
        }
        if is_layered(own_root) && is_container(procfs) {
            return Err(format!("only a container's own file systems are seen: {MOUNT}"));
        }
        return Ok(Reach::Hosts);
    }
    let path = rootfs.as_os_str().as_encoded_bytes();
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mounted = own.iter().rev().find(|mount| mount.point == path);
    if listed_root.shows_same(own_root) {
        if own.iter().any(|mount| mounts::contains(path, &mount.point)) {
            return Ok(Reach::Own);
        }
        return Err(format!("nothing is mounted at `host.rootfs: {at}`: add -v /:{at}:ro,rslave"));
    }
    match mounted {
        Some(mount) if mount.shows_same(listed_root) => Ok(Reach::Hosts),
        Some(_) => {
            Err(format!("`host.rootfs: {at}` is not the host's root directory: use -v /:{at}:ro,rslave"))
        }
        None => Err(format!("nothing is mounted at `host.rootfs: {at}`: add -v /:{at}:ro,rslave")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /srv rw - ext4 /dev/sdb rw\n";
    const CONTAINER: &str =
        "61 50 0:60 / / rw - overlay overlay rw\n62 61 8:1 /etc/h /etc/hosts rw - ext4 /dev/sda1 rw\n";
    const MOUNTED: &str = "61 50 0:60 / / rw - overlay overlay rw\n70 61 8:1 / /host ro - ext4 /dev/sda1 rw\n\
                           71 70 8:2 / /host/srv ro - ext4 /dev/sdb rw\n";

    fn try_reach(rootfs: &str, listed: &str, own: &str) -> Result<Reach, String> {
        let procfs = tempfile::tempdir().unwrap();
        std::fs::create_dir(procfs.path().join("1")).unwrap();
        std::fs::write(procfs.path().join("1/mountinfo"), listed).unwrap();
        if listed == HOST {
            std::fs::create_dir(procfs.path().join("2")).unwrap();
            std::fs::write(procfs.path().join("2/comm"), "kthreadd\n").unwrap();
        }
        let parse = |text: &str| mounts::parse(text.as_bytes()).unwrap();
        reach(procfs.path(), Path::new(rootfs), &parse(listed), &parse(own))
    }

    fn says(result: Result<Reach, String>, what: &str) {
        let error = result.unwrap_err();
        assert!(error.contains(what), "{error}");
    }

    #[test]
    fn on_the_host() {
        assert_eq!(try_reach("/", HOST, HOST), Ok(Reach::Hosts));
        let live = "1 0 0:1 / / rw - overlay overlay rw\n";
        says(try_reach("/", live, live), "only a container's own");
    }

    #[test]
    fn in_a_container() {
        says(try_reach("/", CONTAINER, CONTAINER), "only a container's own file systems are seen: mount");
        says(try_reach("/", HOST, CONTAINER), "another root directory than the host");
        says(try_reach("/host", CONTAINER, CONTAINER), "nothing is mounted at `host.rootfs: /host`");
        says(try_reach("/host", HOST, CONTAINER), "add -v /:/host:ro,rslave");
        says(try_reach("/host", HOST, &MOUNTED.replace("8:1", "8:9")), "is not the host's root");
        assert_eq!(try_reach("/host", HOST, MOUNTED), Ok(Reach::Hosts));
        assert_eq!(try_reach("/host", MOUNTED, MOUNTED), Ok(Reach::Own));
    }

    #[test]
    fn a_live_system_is_no_container() {
        let procfs = tempfile::tempdir().unwrap();
        for dir in ["1", "2"] {
            std::fs::create_dir(procfs.path().join(dir)).unwrap();
        }
        std::fs::write(procfs.path().join("1/mountinfo"), "1 0 0:1 / / rw - overlay overlay rw\n").unwrap();
        assert!(is_container(procfs.path()));
        std::fs::write(procfs.path().join("2/comm"), "kthreadd\n").unwrap();
        assert!(!is_container(procfs.path()));
    }
}
