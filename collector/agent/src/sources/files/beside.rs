//! What lies beside a log and is called as if it had been it, and what has the log's name at the same moment.
//!
//! Both have to be of one moment: a log that is copied and truncated between the two would hold something else already,
//! and the copy of what it held would never be looked for.

use std::ffi::OsStr;
use std::fs::{DirEntry, File, Metadata};
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::copies::Copy;
use super::file::{self, LogFile};
use super::identity::{Fingerprint, Identity, Verdict};
use super::source::Source;

/// How often it is looked again because something moved meanwhile: each time takes less than anybody takes to rotate.
const TRIES: usize = 5;

/// What a file held at a moment. What is done to it after that moment shows against it.
#[derive(Debug)]
pub(super) struct Present {
    /// What the file system said of it.
    pub(super) meta: Metadata,
    /// How it began.
    pub(super) fingerprint: Fingerprint,
}

impl Present {
    /// What `file` holds now.
    ///
    /// # Errors
    /// What asking for it, or reading it, gives.
    pub(super) fn of(file: &File) -> io::Result<Present> {
        // Its size is asked for first: what is written in between shows as a change.
        let meta = file.metadata()?;
        let fingerprint = match Fingerprint::default().check(file)? {
            Verdict::Extended(fingerprint) => fingerprint,
            Verdict::Same | Verdict::Differs => Fingerprint::default(),
        };
        Ok(Present { meta, fingerprint })
    }

    /// Whether `file` holds that still, and maybe more.
    fn stands(&self, file: &File) -> io::Result<bool> {
        let meta = file.metadata()?;
        if self.fingerprint.len == 0 {
            return Ok(meta.size() == self.meta.size() && meta.modified()? == self.meta.modified()?);
        }
        Ok(meta.size() >= self.meta.size() && self.fingerprint.check(file)? != Verdict::Differs)
    }
}

impl LogFile {
    /// It holds what `present` says. Of what is empty nothing is read before it was looked at again: what it held
    /// meanwhile may be in copies, which come before what it will hold then.
    pub(super) fn holds(&mut self, present: &Present) {
        let Present { meta, fingerprint } = present;
        self.fingerprint = *fingerprint;
        (self.size, self.mtime) = (meta.size(), (meta.mtime(), meta.mtime_nsec()));
        self.unread = fingerprint.len > 0;
    }

    /// Whether it was empty when it was looked at, and was written to since: what it held may be in copies.
    pub(super) fn was_empty(&self, meta: &Metadata) -> bool {
        let as_seen = (meta.size(), (meta.mtime(), meta.mtime_nsec())) == (self.size, self.mtime);
        self.fingerprint.len == 0 && self.tracker.end() == 0 && !as_seen
    }
}

/// What lies beside a log at a moment.
#[derive(Debug)]
struct Beside {
    /// When its folder changed last.
    changed: Option<SystemTime>,
    files: Vec<Copy>,
    /// Every name stood for the same file when it was listed and when it was opened.
    whole: bool,
}

impl Source {
    /// Takes up what lies beside `name`, is called as if it had been it, is not followed, and is `wanted`: oldest first.
    /// Gives what `now_there`, which has the name, held before.
    ///
    /// # Errors
    /// When what is there now cannot be read.
    pub(super) fn adopt_beside(
        &mut self,
        name: &Path,
        now_there: &File,
        wanted: impl Fn(&Copy) -> bool,
        now: Duration,
    ) -> io::Result<Present> {
        let mut tries = 1;
        let (present, mut found) = loop {
            let present = Present::of(now_there)?;
            let Beside { changed, mut files, whole } = self.unknown_beside(name);
            // What is empty holds nothing, or not yet: then it is a copy of what is there now.
            files.retain(|copy| copy.meta.size() > 0 && !self.listing.matches(&copy.path) && wanted(copy));
            let still = whole && changed == folder_changed(name) && present.stands(now_there)?;
            if still || tries == TRIES {
                break (present, files);
            }
            tries += 1;
        };
        found.sort_by_key(|copy| (copy.born_ns, copy.meta.mtime(), copy.meta.mtime_nsec()));
        let name: Arc<Path> = name.into();
        for Copy { handle, meta, path, .. } in found {
            let id = self.new_id();
            let mut file = LogFile::new(id, (handle, &meta), name.clone(), path, 0, now);
            // If it cannot be read now, the next reading says so.
            let _ = file.verify();
            self.follow(file);
        }
        Ok(present)
    }

    /// The newest file beside `name` that is not followed and is `wanted`.
    pub(super) fn newest_beside(&self, name: &Path, wanted: impl Fn(&Copy) -> bool) -> Option<Copy> {
        let mut tries = 1;
        loop {
            let Beside { changed, files, whole } = self.unknown_beside(name);
            let newest = files
                .into_iter()
                .filter(|copy| wanted(copy))
                .max_by_key(|copy| (copy.meta.mtime(), copy.meta.mtime_nsec()));
            let still = newest.is_some() || whole && changed == folder_changed(name);
            if still || tries == TRIES {
                return newest;
            }
            tries += 1;
        }
    }

    /// What is called as if it had been `name`, and is not followed.
    fn unknown_beside(&self, name: &Path) -> Beside {
        let mut beside = Beside { changed: folder_changed(name), files: Vec::new(), whole: true };
        for entry in called_after(name) {
            if self.listing.leaves_out(&entry.path()) {
                continue;
            }
            let path = entry.path();
            match file::open(&path) {
                Ok((handle, meta)) => {
                    beside.whole &= meta.ino() == entry.ino();
                    if !self.by_inode.contains_key(&(meta.dev(), meta.ino())) {
                        let born_ns = Identity::of(&meta).born_ns;
                        beside.files.push(Copy { handle, meta, path: path.into(), born_ns });
                    }
                }
                Err(e) => beside.whole &= e.kind() != io::ErrorKind::NotFound,
            }
        }
        beside
    }
}

/// What lies beside `path` and is called as if it had been it.
pub(super) fn called_after(path: &Path) -> impl Iterator<Item = DirEntry> {
    let name = path.file_name().map(OsStr::to_owned).unwrap_or_default();
    let rotated = move |other: &OsStr| {
        let rest = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        rest.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_punctuation))
    };
    let entries = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    entries.flatten().filter(move |entry| rotated(&entry.file_name()))
}

/// When the folder that `path` is in changed last.
fn folder_changed(path: &Path) -> Option<SystemTime> {
    path.parent().and_then(|folder| std::fs::metadata(folder).ok()?.modified().ok())
}
