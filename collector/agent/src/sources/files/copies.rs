//! Copies: who truncates a log has copied it before (`copytruncate`), and what was not read yet is read from the copy.
//!
//! A copy lies beside the file and is called as if it had been it, as a rotated one is, and it begins as the file did. It
//! takes the file's place in the stream: its number, its position, and what of it is on its way.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::between::{beside, is_numbered};
use super::file::{self, LogFile};
use super::identity::{Fingerprint, Identity, Verdict};
use super::source::Source;

/// How much of both ends is compared while the file and its copy are both there.
const COMPARED: u64 = 4 << 10;

/// A copy of a file, open.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) handle: File,
    pub(super) meta: Metadata,
    pub(super) path: Arc<Path>,
}

/// How a file began, and how far it was read.
#[derive(Debug, Default)]
pub(super) struct Original {
    pub(super) fingerprint: Fingerprint,
    pub(super) end: u64,
    /// What is behind `end` continues a line.
    pub(super) continues: bool,
}

impl Original {
    /// Whether `copy` begins as it did.
    fn begins(&self, copy: &Copy) -> bool {
        self.fingerprint.len > 0
            && matches!(self.fingerprint.check(&copy.handle), Ok(Verdict::Same | Verdict::Extended(_)))
    }

    /// Whether `copy` may be one of it.
    fn is_in(&self, copy: &Copy) -> bool {
        let mut before = [b'\n'];
        if let (Some(at), false) = (self.end.checked_sub(1), self.continues || copy.meta.size() < self.end) {
            // What cannot be read is none.
            before[0] = 0;
            let _ = copy.handle.read_at(&mut before, at);
        }
        self.begins(copy) && before[0] == b'\n'
    }
}

impl Source {
    /// The newest copy of what `name` held before it was truncated.
    pub(super) fn copy_of(&self, name: &Path, original: &Original) -> Option<Copy> {
        self.unknown_beside(name)
            .filter(|copy| original.is_in(copy))
            .max_by_key(|copy| (copy.meta.mtime(), copy.meta.mtime_nsec()))
    }

    /// What is called as if it had been `name`, and is not followed.
    fn unknown_beside(&self, name: &Path) -> impl Iterator<Item = Copy> {
        let open = |path: PathBuf| {
            let (handle, meta) = file::open(&path).ok()?;
            Some(Copy { handle, meta, path: path.into() })
        };
        beside(name)
            .filter(|path| !self.listing.leaves_out(path))
            .filter_map(open)
            .filter(|copy| !self.by_inode.contains_key(&(copy.meta.dev(), copy.meta.ino())))
    }

    /// Takes up copies that were made after the one born at `after_ns`, of what nobody looked at: the file was truncated
    /// several times between two looks. `now_there` is what has the name now, which no copy is needed of.
    pub(super) fn adopt_later_copies(
        &mut self,
        name: &Arc<Path>,
        after_ns: i64,
        (original, now_there): (&Original, &File),
        now: Duration,
    ) {
        let born_ns = |copy: &Copy| Identity::of(&copy.meta).born_ns;
        let mut later: Vec<Copy> = self
            .unknown_beside(name)
            .filter(|copy| born_ns(copy) > after_ns && is_numbered(name, &copy.path))
            .filter(|copy| !self.listing.matches(&copy.path))
            .filter(|copy| !original.begins(copy) && !alike(now_there, &copy.handle))
            .collect();
        later.sort_by_key(born_ns);
        for Copy { handle, meta, path } in later {
            let id = self.new_id();
            let mut file = LogFile::new(id, (handle, &meta), name.clone(), path, 0, now);
            // If it cannot be read now, the next reading says so.
            let _ = file.verify();
            self.follow(file);
        }
    }

    /// Whether what stands at `path` is a copy of a file that is still at its name: all of it is read there. Once the
    /// file is truncated the copy is found for what it is; if it goes on otherwise, it is a file of its own.
    pub(super) fn is_copy(&self, path: &Path, handle: &File, meta: &Metadata) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let name = name.as_encoded_bytes();
        let born_ns = Identity::of(meta).born_ns;
        let is_of = |file: &LogFile| {
            let born = file.identity.born_ns;
            file.path.as_deref() == Some(&*file.name)
                && file.fingerprint.len > 0
                && born != 0
                && born < born_ns
                && file.handle.as_ref().is_some_and(|original| alike(original, handle))
        };
        let ends = name.iter().enumerate().filter(|(at, byte)| *at > 0 && byte.is_ascii_punctuation());
        ends.map(|(at, _)| std::os::unix::ffi::OsStrExt::from_bytes(&name[..at]))
            .filter_map(|original: &std::ffi::OsStr| self.streams.get(&*folder.join(original)))
            .flat_map(|stream| stream.files.iter().filter_map(|id| self.files.get(id)))
            .any(is_of)
    }

    /// Goes on in the copy of a file that was truncated, if there is one. Gives how many bytes are known to be missing
    /// in it, `None` when there is no copy that helps.
    pub(super) fn go_on_in_copy(&mut self, id: u64, now_there: &File, now: Duration) -> Option<u64> {
        let file = self.files.get(&id)?;
        let (name, seen) = (file.name.clone(), file.size);
        let (fingerprint, end, continues) = (file.fingerprint, file.tracker.end(), file.continues);
        let original = Original { fingerprint, end, continues };
        let Some(copy) = self.copy_of(&name, &original) else {
            let after_ns = self.known_until(&name);
            self.adopt_later_copies(&name, after_ns, (&original, now_there), now);
            return None;
        };
        let (size, born_ns) = (copy.meta.size(), Identity::of(&copy.meta).born_ns);
        let stream = self.stream(&name);
        stream.born_ns = stream.born_ns.max(born_ns);
        let known = if size < end {
            // All of it was read. It is followed so that it is not taken for a file that nobody knows.
            let id = self.new_id();
            let mut read = LogFile::new(id, (copy.handle, &copy.meta), name.clone(), copy.path, size, now);
            // If it cannot be read now, the next reading says so.
            let _ = read.verify();
            self.follow(read);
            None
        } else {
            self.by_inode.insert((copy.meta.dev(), copy.meta.ino()), id);
            self.files.get_mut(&id)?.move_to(copy, now);
            self.note_file(id);
            Some(seen.saturating_sub(size))
        };
        self.adopt_later_copies(&name, born_ns, (&original, now_there), now);
        known
    }
}

/// Whether the shorter of two files begins and ends as the other does up to there.
pub(super) fn alike(one: &File, other: &File) -> bool {
    let size = |file: &File| file.metadata().map(|meta| meta.size());
    let (Ok(one_size), Ok(other_size)) = (size(one), size(other)) else { return false };
    let upto = one_size.min(other_size);
    let len = upto.min(COMPARED) as usize;
    let read = |file: &File, from| {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, from).map(|()| bytes)
    };
    let same = |from| matches!((read(one, from), read(other, from)), (Ok(one), Ok(other)) if one == other);
    len > 0 && same(0) && same(upto - len as u64)
}
