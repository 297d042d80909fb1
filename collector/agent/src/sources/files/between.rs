//! Files that had a name and lost it again between two looks: rotated twice while nobody looked, or very fast.
//!
//! They are known by where they are (beside the name), what they are called (the name and something behind it: `app.log.1`,
//! `app.log-20250101`), and when they were born: after the file that had the name when we last looked, before the one that
//! has it now. Where the file system does not keep times of birth they cannot be told from other files.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::copies::alike;
use super::file::{self, LogFile};
use super::identity::Identity;
use super::source::Source;

/// The longest that the clock of file systems lags behind, so that what is born just after a moment may have a time before it: a tick where the kernel has the fewest, 100 a second.
const TICK_NS: i64 = 10_000_000;

impl Source {
    /// Takes up files that had the name `path` after the last one known, and before the one born at `before_ns`.
    ///
    /// What was born later than that is a copy of what it held before it was truncated (`copytruncate`), unless it still holds
    /// that.
    pub(super) fn adopt_between(&mut self, path: &Path, (now_there, before_ns): (&File, i64), now: Duration) {
        let after_ns = match self.streams.get(path).map_or(0, |stream| stream.born_ns) {
            0 => self.since_ns - TICK_NS,
            born_ns => born_ns,
        };
        if before_ns == 0 {
            return;
        }
        let mut between = self.rotated_from(path);
        between.retain(|(handle, meta, found)| {
            let born_ns = Identity::of(meta).born_ns;
            after_ns < born_ns
                && (born_ns < before_ns || is_numbered(path, found) && !alike(now_there, handle))
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

    /// Copies of what had the name `path` that were born before are known, or were there before this source was.
    pub(super) fn known_until(&self, path: &Path) -> i64 {
        self.streams.get(path).map_or(0, |stream| stream.born_ns).max(self.since_ns - TICK_NS)
    }

    /// Files beside `path` that are called as if they had been it, and that no glob matches.
    fn rotated_from(&self, path: &Path) -> Vec<(File, Metadata, Arc<Path>)> {
        beside(path)
            .filter(|path| !self.listing.leaves_out(path) && !self.listing.matches(path))
            .filter_map(|path| file::open(&path).ok().map(|(handle, meta)| (handle, meta, path.into())))
            .collect()
    }
}

/// Whether `rotated` is called as `path` with a number or a date behind it, and not with a word: `app.log.err` is written
/// by somebody, too.
pub(super) fn is_numbered(path: &Path, rotated: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(OsStr::to_owned).unwrap_or_default().into_encoded_bytes();
    let number = |byte: &u8| byte.is_ascii_digit() || b".-_:+TZ".contains(byte);
    name(rotated).strip_prefix(&*name(path)).is_some_and(|rest| rest.iter().all(number))
}

/// What lies beside `path` and is called as if it had been it.
pub(super) fn beside(path: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().map(OsStr::to_owned).unwrap_or_default();
    let rotated = move |other: &OsStr| {
        let rest = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        rest.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_punctuation))
    };
    let entries = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    entries.flatten().filter(move |entry| rotated(&entry.file_name())).map(|entry| entry.path())
}
