//! Copies: who truncates a log has copied it before (`copytruncate`), and what was not read yet is read from the copy.
//!
//! A copy lies beside the file and is called as if it had been it, as a rotated one is, and it begins as the file did. It
//! takes the file's place in the stream: its number, its position, and what of it is on its way.
//!
//! What keeps every copied line: *of what a name held before what it is known to hold now, no copy is left to be found.* So
//! copies are looked for whenever a name is found to hold something else ([`super::beside`]), and nothing is read of what
//! it holds before that was done. The copy of what it is known to hold is found by how it begins, once it is truncated; all
//! that were made after that copy hold what nobody looked at.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::beside::Present;
use super::between::is_numbered;
use super::file::LogFile;
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
    /// When it was born, in Unix nanoseconds; 0 where the file system does not keep that.
    pub(super) born_ns: i64,
}

/// How a file began, and how far it was read.
#[derive(Debug, Default)]
pub(super) struct Original {
    pub(super) fingerprint: Fingerprint,
    pub(super) end: u64,
    /// From here on it is not settled: it may have to be read again.
    pub(super) position: u64,
    /// What is behind `end` continues a line.
    pub(super) continues: bool,
}

impl LogFile {
    /// How it began, and how far it was read.
    pub(super) fn original(&self) -> Original {
        Original {
            fingerprint: self.fingerprint,
            end: self.tracker.end(),
            position: self.tracker.position(),
            continues: self.continues,
        }
    }
}

impl Original {
    /// Whether `copy` begins as it did.
    fn begins(&self, copy: &Copy) -> bool {
        self.fingerprint.len > 0
            && matches!(self.fingerprint.check(&copy.handle), Ok(Verdict::Same | Verdict::Extended(_)))
    }

    /// Whether `copy` may be one of it.
    pub(super) fn is_in(&self, copy: &Copy) -> bool {
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
    /// The newest copy of what `name` held before it was truncated, unpacked if it was packed meanwhile.
    pub(super) fn copy_of(&mut self, name: &Path, original: &Original) -> Option<Copy> {
        self.newest_beside(name, |copy| original.is_in(copy)).or_else(|| self.unpacked(name, original))
    }

    /// Takes up copies that were made after the one born at `after_ns`, of what nobody looked at: the file was truncated
    /// several times between two looks. `now_there` is what has the name now, which no copy is needed of. Gives what it
    /// held before they were looked for.
    ///
    /// # Errors
    /// When what is there now cannot be read.
    pub(super) fn adopt_later_copies(
        &mut self,
        name: &Arc<Path>,
        after_ns: i64,
        (original, now_there): (&Original, &File),
        now: Duration,
    ) -> io::Result<Present> {
        let wanted = |copy: &Copy| {
            copy.born_ns > after_ns
                && is_numbered(name, &copy.path)
                && !original.begins(copy)
                && !alike(now_there, &copy.handle)
        };
        self.adopt_beside(name, now_there, wanted, now)
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

    /// Goes on in the copy of a file that was truncated, if there is one. Gives when that was born, and how many bytes are
    /// known to be missing in it; `None` when all of it was read.
    pub(super) fn go_on_in_copy(&mut self, id: u64, now: Duration) -> Option<(i64, Option<u64>)> {
        let file = self.files.get(&id)?;
        let (name, seen, end) = (file.name.clone(), file.size, file.tracker.end());
        let copy = self.copy_of(&name, &file.original())?;
        let (size, born_ns) = (copy.meta.size(), copy.born_ns);
        let stream = self.stream(&name);
        stream.born_ns = stream.born_ns.max(born_ns);
        if size < end {
            // It is followed so that it is not taken for a file that nobody knows.
            let id = self.new_id();
            let mut read = LogFile::new(id, (copy.handle, &copy.meta), name, copy.path, size, now);
            // If it cannot be read now, the next reading says so.
            let _ = read.verify();
            self.follow(read);
            return Some((born_ns, None));
        }
        self.by_inode.insert((copy.meta.dev(), copy.meta.ino()), id);
        self.files.get_mut(&id)?.move_to(copy, now);
        self.note_file(id);
        Some((born_ns, Some(seen.saturating_sub(size))))
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
