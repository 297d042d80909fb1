//! The devices in a folder of sysfs (`/sys/class/hwmon`), and what is kept of each for as long as it stays the same.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RawDir, SeekFrom, openat, seek};
use rustix::io::Errno;
use taffrail_core::cost::Held;
use taffrail_core::{CollectError, label};

/// After so many runs all that is kept is looked up anew: names and labels that changed, attributes that came later or
/// may be read since.
const RENEWED_AFTER: u32 = 20;

/// A device's folder, open for as long as the device stays the same.
#[derive(Debug)]
pub(crate) struct Node {
    dir: Held<OwnedFd>,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its name, as a label.
    pub(crate) label: String,
}

impl Node {
    /// Opens the folder `name` in `parent`. `None`: it is none, or gone.
    pub(crate) fn open(parent: &Path, name: &[u8]) -> Option<Self> {
        let path = parent.join(OsStr::from_bytes(name));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = Held::new(openat(CWD, &path, flags, Mode::empty()).ok()?);
        Some(Node { dir, path, label: label::value(name).into_owned() })
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

/// The entries of a folder, which is kept open.
#[derive(Debug)]
pub(crate) struct Listing {
    path: PathBuf,
    dir: Option<Held<OwnedFd>>,
    /// In the kernel's order. An inode stays with its device through a change of name, and a new device has a new one.
    entries: Vec<(u64, Box<[u8]>)>,
}

impl Listing {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Listing { path: path.into(), dir: None, entries: Vec::new() }
    }

    /// Lists the folder, and says whether anything came or went.
    pub(crate) fn refresh(&mut self) -> Result<bool, CollectError> {
        // A folder that was taken away and made again is another: the old one refuses, or is empty from then on.
        let held = self.dir.is_some();
        if self.entries.is_empty() {
            self.dir = None;
        }
        let mut changed = self.read();
        if changed.is_err() && held {
            self.dir = None;
            changed = self.read();
        }
        if changed.is_err() {
            self.dir = None;
            self.entries.clear();
        }
        match changed {
            Ok(changed) => Ok(changed),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(CollectError::Absent),
            Err(source) => Err(CollectError::Read { path: self.path.clone(), source: source.into() }),
        }
    }

    fn read(&mut self) -> Result<bool, Errno> {
        let dir = match &self.dir {
            Some(dir) => dir,
            None => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                self.dir.insert(Held::new(openat(CWD, &self.path, flags, Mode::empty())?))
            }
        };
        seek(dir, SeekFrom::Start(0))?;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut listed = RawDir::new(dir, &mut buffer);
        let (mut at, mut changed) = (0, false);
        while let Some(entry) = listed.next() {
            let entry = entry?;
            let (inode, name) = (entry.ino(), entry.file_name().to_bytes());
            if name.starts_with(b".") {
                continue;
            }
            if !changed && self.entries.get(at).is_some_and(|(i, n)| *i == inode && **n == *name) {
                at += 1;
                continue;
            }
            changed = true;
            self.entries.truncate(at);
            self.entries.push((inode, name.into()));
            at += 1;
        }
        changed |= at < self.entries.len();
        self.entries.truncate(at);
        Ok(changed)
    }
}

/// The devices in a folder, in the order of their names.
#[derive(Debug)]
pub(crate) struct Devices<T> {
    listing: Listing,
    devices: Vec<Device<T>>,
    runs: u32,
    listed_every: u32,
}

#[derive(Debug)]
struct Device<T> {
    inode: u64,
    name: Box<[u8]>,
    /// `None`: not one that is collected.
    kept: Option<T>,
}

impl<T> Devices<T> {
    /// The devices in `path`, which is listed at every run: that costs less than reading two attributes, and a device is
    /// seen as soon as it is there.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Devices { listing: Listing::new(path), devices: Vec::new(), runs: 0, listed_every: 1 }
    }

    /// Lists a long folder of which little is wanted at every fourth run only: a minute, as runs are by default.
    pub(crate) fn seldom(mut self) -> Self {
        self.listed_every = 4;
        self
    }

    /// What is kept of the devices there are now. `make` looks at a new one, given the folder and the name; `None` from
    /// it leaves the device out. [`CollectError::Absent`] when there is no such folder.
    pub(crate) fn present(
        &mut self,
        make: impl FnMut(&Path, &[u8]) -> Option<T>,
    ) -> Result<impl Iterator<Item = &mut T>, CollectError> {
        if self.runs == RENEWED_AFTER {
            self.forget();
        }
        if self.runs.is_multiple_of(self.listed_every) || self.devices.is_empty() {
            match self.listing.refresh() {
                Ok(false) => {}
                Ok(true) => self.take_over(make),
                Err(error) => {
                    self.forget();
                    return Err(error);
                }
            }
        }
        self.runs += 1;
        Ok(self.devices.iter_mut().filter_map(|device| device.kept.as_mut()))
    }

    /// Drops what is kept: the next run looks everything up.
    pub(crate) fn forget(&mut self) {
        self.runs = 0;
        self.devices.clear();
        self.listing.entries.clear();
    }

    fn take_over(&mut self, mut make: impl FnMut(&Path, &[u8]) -> Option<T>) {
        let mut before = std::mem::take(&mut self.devices);
        for (inode, name) in &self.listing.entries {
            let known = before.iter().position(|device| device.inode == *inode && device.name == *name);
            self.devices.push(match known {
                Some(at) => before.swap_remove(at),
                None => Device { inode: *inode, name: name.clone(), kept: make(&self.listing.path, name) },
            });
        }
        self.devices.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// The number behind `prefix` in a name such as `cpu12`. `None` for another name.
pub(crate) fn numbered<'n>(name: &'n [u8], prefix: &str) -> Option<&'n str> {
    let digits = name.strip_prefix(prefix.as_bytes())?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn present(devices: &mut Devices<String>, made: &mut u32) -> Vec<String> {
        let make = |_: &Path, name: &[u8]| {
            *made += 1;
            (name != b"other").then(|| String::from_utf8_lossy(name).into_owned())
        };
        devices.present(make).unwrap().map(|name| name.clone()).collect()
    }

    #[test]
    fn devices_come_and_go_and_the_rest_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("class");
        let mut devices = Devices::new(&path);
        assert!(matches!(devices.present(|_, _| Some(String::new())).map(|_| ()), Err(CollectError::Absent)));
        let mut made = 0;
        fs::create_dir(&path).unwrap();
        assert!(present(&mut devices, &mut made).is_empty());
        for name in ["b", "a", "other"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        assert_eq!((present(&mut devices, &mut made), made), (vec!["a".into(), "b".into()], 3));
        assert_eq!((present(&mut devices, &mut made).len(), made), (2, 3));
        fs::remove_dir(path.join("a")).unwrap();
        fs::create_dir(path.join("c")).unwrap();
        assert_eq!((present(&mut devices, &mut made), made), (vec!["b".into(), "c".into()], 4));
        // Another device of the same name.
        fs::rename(path.join("b"), root.path().join("b")).unwrap();
        fs::create_dir(path.join("b")).unwrap();
        assert_eq!((present(&mut devices, &mut made).len(), made), (2, 5));
        for run in 0..RENEWED_AFTER {
            present(&mut devices, &mut made);
            assert!(run == RENEWED_AFTER - 1 || made <= 8, "{run}");
        }
        assert_eq!(made, 8, "all are looked at again after a while");
    }

    #[test]
    fn a_folder_that_was_made_again_is_found() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("class");
        fs::create_dir_all(path.join("a")).unwrap();
        let (mut devices, mut made) = (Devices::new(&path), 0);
        assert_eq!(present(&mut devices, &mut made).len(), 1);
        fs::remove_dir_all(&path).unwrap();
        fs::create_dir_all(path.join("b")).unwrap();
        assert_eq!(present(&mut devices, &mut made), ["b"]);
    }

    #[test]
    fn numbers_in_names() {
        assert_eq!(numbered(b"cpu12", "cpu"), Some("12"));
        for name in [b"cpu".as_slice(), b"cpufreq", b"cpu1x", b"mc1"] {
            assert_eq!(numbered(name, "cpu"), None);
        }
    }
}
