//! The kernel's hints (inotify) which files changed, so that files at rest need not be asked again and again.
//!
//! A hint is no more than that: everything is looked at every [`ANYWAY`] all the same, and whenever hints may be missing. Where
//! file systems give none for what others write (over a network, in user space), everything is looked at each time.
//! Folders are watched, not files: one watch serves all files of a folder, and names that come and go show too.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// How long files without a hint are left alone.
const ANYWAY: Duration = Duration::from_secs(10);
/// The most folders that are watched. The kernel bounds the watches of a user too.
const MAX_FOLDERS: usize = 20_000;
/// File systems that give hints for whatever is written to them: ext2 to ext4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs,
/// bcachefs. The numbers are those of linux/magic.h, and of zfs and bcachefs themselves.
const LOCAL: [u64; 8] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010, 0xca45_1a4e];

/// What is to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Everything.
    All,
    /// These paths.
    At(BTreeSet<PathBuf>),
}

/// The hints of one source.
#[derive(Debug)]
pub(super) struct Hints {
    /// `None` where the kernel gives no queue.
    queue: Option<OwnedFd>,
    /// Watched folders by their number, and the other way round, links resolved.
    folders: HashMap<i32, PathBuf>,
    numbers: HashMap<PathBuf, i32>,
    /// Paths by where they really are, where that is elsewhere.
    names: HashMap<PathBuf, PathBuf>,
    /// Not every folder could be watched.
    blind: bool,
    /// A watch is new, so that what happened before it does not show; or hints were lost.
    missed: bool,
    all_at: Duration,
}

impl Hints {
    /// Hints of nothing yet.
    pub(super) fn new() -> Self {
        Hints {
            queue: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok(),
            folders: HashMap::new(),
            numbers: HashMap::new(),
            names: HashMap::new(),
            blind: true,
            missed: true,
            all_at: Duration::ZERO,
        }
    }

    /// What is to be looked at, at the monotonic time `now`.
    pub(super) fn take(&mut self, now: Duration) -> Look {
        let mut changed = BTreeSet::new();
        self.drain(&mut changed);
        if self.blind || std::mem::take(&mut self.missed) || now >= self.all_at {
            self.all_at = now + ANYWAY;
            return Look::All;
        }
        Look::At(changed)
    }

    /// Something could not be looked at: all is to be looked at again.
    pub(super) fn miss(&mut self) {
        self.missed = true;
    }

    fn drain(&mut self, changed: &mut BTreeSet<PathBuf>) {
        let Some(queue) = &self.queue else { return };
        let mut buffer = [MaybeUninit::uninit(); 8 << 10];
        let mut events = Reader::new(queue, &mut buffer);
        // It ends when the queue is empty. What else goes wrong with it is made up for by looking at all.
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            match (self.folders.get(&event.wd()), name) {
                (Some(folder), Some(name)) if event.events() == ReadFlags::MODIFY => {
                    let path = folder.join(name);
                    changed.insert(self.names.get(&path).cloned().unwrap_or(path));
                }
                // Names came or went, or hints were lost.
                _ => self.missed = true,
            }
        }
    }

    /// Watches the folders that these paths are in, and `more`, and no others.
    pub(super) fn watch<'a>(
        &mut self,
        paths: impl Iterator<Item = &'a Path>,
        more: impl Iterator<Item = &'a Path>,
    ) {
        let Some(queue) = &self.queue else { return };
        let mut real = HashMap::new();
        // Of a folder that is not there yet, the nearest that is: it will show that the other came.
        let mut resolve = |folder: &Path| -> Option<PathBuf> {
            let find = || folder.ancestors().find_map(|folder| std::fs::canonicalize(folder).ok());
            real.entry(folder.to_owned()).or_insert_with(find).clone()
        };
        let mut wanted: HashSet<PathBuf> = more.filter_map(&mut resolve).collect();
        self.names.clear();
        for path in paths {
            let (Some(folder), Some(name)) = (path.parent().and_then(&mut resolve), path.file_name()) else {
                continue;
            };
            let mut at = folder.join(name);
            wanted.insert(folder);
            if at.is_symlink()
                && let Ok(target) = std::fs::canonicalize(&at)
            {
                wanted.extend(target.parent().map(Path::to_owned));
                at = target;
            }
            if at != path {
                self.names.insert(at, path.to_owned());
            }
        }
        self.blind = wanted.len() > MAX_FOLDERS;
        let gone: Vec<PathBuf> =
            self.numbers.keys().filter(|folder| !wanted.contains(*folder)).cloned().collect();
        for number in gone.iter().filter_map(|folder| self.numbers.remove(folder)) {
            self.folders.remove(&number);
            // It may be gone with its folder.
            let _ = inotify::remove_watch(queue, number);
        }
        let what = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        for folder in wanted {
            if self.blind || self.numbers.contains_key(&folder) {
                continue;
            }
            let local = rustix::fs::statfs(&folder).is_ok_and(|fs| LOCAL.contains(&(fs.f_type as u64)));
            match inotify::add_watch(queue, &folder, what) {
                Ok(number) if local => {
                    self.missed = true;
                    self.numbers.insert(folder.clone(), number);
                    self.folders.insert(number, folder);
                }
                Ok(_) | Err(_) => self.blind = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn watching(paths: &[&Path]) -> Hints {
        let mut hints = Hints::new();
        hints.watch(paths.iter().copied(), std::iter::empty());
        assert_eq!(hints.take(NOW), Look::All, "what happened before a watch does not show");
        assert_eq!(hints.take(NOW), Look::At(BTreeSet::new()));
        hints
    }

    fn append(path: &Path) {
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"x\n").unwrap();
    }

    #[test]
    fn what_is_written_to_is_named_by_the_path_it_is_known_by() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("real/deep")).unwrap();
        for name in ["a.log", "b.log", "real/deep/c.log"] {
            fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink("real/deep/c.log", at("link.log")).unwrap();
        let mut hints = watching(&[&at("a.log"), &at("b.log"), &at("link.log")]);
        append(&at("b.log"));
        append(&at("real/deep/c.log"));
        assert_eq!(hints.take(NOW), Look::At([at("b.log"), at("link.log")].into()));
        assert_eq!(hints.take(NOW + ANYWAY), Look::All, "hints are not believed for ever");
    }

    #[test]
    fn names_that_come_and_go_ask_for_a_look_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, "").unwrap();
        let mut hints = watching(&[&path]);
        let changes: [&dyn Fn(); 3] = [
            &|| fs::write(dir.path().join("new.log"), "").unwrap(),
            &|| fs::rename(&path, dir.path().join("a.log.1")).unwrap(),
            &|| fs::remove_file(dir.path().join("new.log")).unwrap(),
        ];
        for change in changes {
            change();
            assert_eq!(hints.take(NOW), Look::All);
            assert_eq!(hints.take(NOW), Look::At(BTreeSet::new()));
        }
    }

    #[test]
    fn where_there_are_no_hints_everything_is_looked_at() {
        let mut hints = Hints::new();
        hints.watch(std::iter::once(Path::new("/proc/self/status")), std::iter::empty());
        for _ in 0..3 {
            assert_eq!(hints.take(NOW), Look::All);
        }
    }
}
