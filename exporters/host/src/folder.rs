//! Folders of sysfs and procfs whose entries are devices: listed now and then, not at every run.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::io::Errno;
use taffrail_core::CollectError;

/// One folder and the names in it.
///
/// It is listed again every fourth run, so that at the usual interval of 15 seconds a new device is seen within a minute,
/// and in the run after [`look_again`](Folder::look_again), which a failed reading calls for.
pub(crate) struct Folder {
    path: PathBuf,
    names: Vec<Vec<u8>>,
    listed: bool,
    runs: u32,
}

impl Folder {
    const RUNS: u32 = 4;

    /// A folder that was not looked at yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Folder { path: path.into(), names: Vec::new(), listed: false, runs: 0 }
    }

    /// Lists the folder if it is time to. True when there are other names than before; at the first run always. What
    /// does not exist is [`CollectError::Absent`].
    pub(crate) fn is_new(&mut self) -> Result<bool, CollectError> {
        if self.listed && self.runs < Self::RUNS {
            self.runs += 1;
            return Ok(false);
        }
        let names = list(&self.path).inspect_err(|_| self.listed = false)?;
        self.runs = 1;
        let new = !self.listed || names != self.names;
        self.names = names;
        self.listed = true;
        Ok(new)
    }

    /// Something that was there is not as it was: all is made anew at the next run.
    pub(crate) fn look_again(&mut self) {
        self.listed = false;
    }

    /// The names that are text, sorted. Others the kernel does not give to devices.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| std::str::from_utf8(name).ok())
    }

    /// The path of an entry.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.as_bytes()))
    }
}

/// The names in a folder, sorted. What does not exist is [`CollectError::Absent`].
pub(crate) fn list(path: &Path) -> Result<Vec<Vec<u8>>, CollectError> {
    let failed = |source: Errno| match source {
        Errno::NOENT | Errno::NOTDIR => CollectError::Absent,
        source => CollectError::Read { path: path.into(), source: source.into() },
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = openat(CWD, path, flags, Mode::empty()).and_then(Dir::new).map_err(failed)?;
    let mut names = Vec::new();
    for entry in dir {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn new_entries_are_seen_in_the_fourth_run_or_when_asked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("fs");
        let mut folder = Folder::new(&*path);
        assert!(matches!(folder.is_new(), Err(CollectError::Absent)));
        fs::create_dir_all(path.join("sda")).unwrap();
        assert!(folder.is_new().unwrap());
        fs::create_dir(path.join("sdb")).unwrap();
        let seen: Vec<_> = (0..4).map(|_| folder.is_new().unwrap()).collect();
        assert_eq!(seen, [false, false, false, true]);
        assert_eq!(folder.names().collect::<Vec<_>>(), ["sda", "sdb"]);
        fs::remove_dir(path.join("sda")).unwrap();
        folder.look_again();
        assert!(folder.is_new().unwrap());
        assert_eq!(folder.names().collect::<Vec<_>>(), ["sdb"]);
    }
}
