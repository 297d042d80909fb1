//! Files that had a name and lost it again between two looks: rotated twice while nobody looked, or very fast.
//!
//! They are known by where they are (beside the name), what they are called (the name and something behind it: `app.log.1`,
//! `app.log-20250101`), and when they were born: after the file that had the name when we last looked, before the one that
//! has it now. Where the file system does not keep times of birth they cannot be told from other files.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, LogFile};
use super::identity::Identity;
use super::source::Source;

/// The longest that the clock of file systems lags behind: a tick where the kernel has the fewest, 100 a second.
const TICK_NS: i64 = 10_000_000;

impl Source {
    /// Takes up files that had the name `path` after the last one known, and before the one born at `before_ns`.
    pub(super) fn adopt_between(&mut self, path: &Path, before_ns: i64, now: Duration) {
        let after_ns = match self.streams.get(path).map_or(0, |stream| stream.born_ns) {
            // A file that is born just after has the time of the kernel's last tick, which may be before.
            0 => self.since_ns - TICK_NS,
            born_ns => born_ns,
        };
        if before_ns == 0 {
            return;
        }
        let mut between = self.rotated_from(path);
        between.retain(|(_, meta, _)| {
            let born_ns = Identity::of(meta).born_ns;
            after_ns < born_ns
                && born_ns < before_ns
                && !self.by_inode.contains_key(&(meta.dev(), meta.ino()))
        });
        between.sort_by_key(|(_, meta, _)| (Identity::of(meta).born_ns, meta.mtime(), meta.mtime_nsec()));
        let name: Arc<Path> = path.into();
        for (handle, meta, path) in between {
            let id = self.new_id();
            let mut file = LogFile::new(id, (handle, &meta), name.clone(), path, 0, now);
            // If it cannot be read now, the next reading says so.
            let _ = file.verify();
            self.follow(file);
        }
    }

    /// Files beside `path` that are called as if they had been it, and that no glob matches.
    fn rotated_from(&self, path: &Path) -> Vec<(File, Metadata, Arc<Path>)> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let rotated = |other: &std::ffi::OsStr| {
            let rest = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
            rest.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_punctuation))
        };
        entries
            .flatten()
            .filter(|entry| rotated(&entry.file_name()))
            .map(|entry| entry.path())
            .filter(|path| !self.listing.leaves_out(path) && !self.listing.matches(path))
            .filter_map(|path| file::open(&path).ok().map(|(handle, meta)| (handle, meta, path.into())))
            .collect()
    }
}
