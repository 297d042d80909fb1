//! Files below the host's root directory, whose symbolic links mean the host's files, not the container's.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// The most that is read of one file: settings and time zones are far smaller.
const MAX_BYTES: u64 = 1 << 20;

/// Opens `path` below `root`. An absolute link starts at `root` again, and nothing leads out of it.
pub(crate) fn open(root: &Path, path: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let within = |root: &OwnedFd| openat2(root.as_fd(), path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    let file = match within(&root) {
        // Before Linux 5.6, and under older seccomp filters of container engines: links are then followed as ever.
        Err(Errno::NOSYS | Errno::PERM) => openat(&root, path, flags, Mode::empty())?,
        other => other?,
    };
    Ok(File::from(file))
}

/// Reads `path` below `root`.
pub(crate) fn read(root: &Path, path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(root, path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn absolute_links_stay_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("usr/lib/os-release"), "ID=theirs\n").unwrap();
        symlink("/usr/lib/os-release", root.path().join("etc/os-release")).unwrap();
        assert_eq!(read(root.path(), "etc/os-release").unwrap(), b"ID=theirs\n");
        assert_eq!(read(root.path(), "etc/none").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
