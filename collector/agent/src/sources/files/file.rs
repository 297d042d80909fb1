//! One file that is followed: its open handle, what was seen of it, and reading its next whole lines.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memchr::{memchr, memrchr};
use rustix::fs::OFlags;
use taffrail_stages::multiline::Join;

use super::copies::Copy;
use super::identity::{Fingerprint, Identity, Verdict};
use super::lines::{self, Frame};
use super::pieces::{data_after, fill, finish};
use super::record::Entry;
use super::takes::{Takes, takes};
use super::tracker::{Mark, Tracker};
use crate::logs::Shape;
use crate::logs::chunk::MAX_BYTES;
use crate::logs::shape::cut;

/// A file, from its discovery until nothing more can come of it.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// Its number, given once.
    pub(crate) id: u64,
    pub(crate) identity: Identity,
    pub(crate) fingerprint: Fingerprint,
    /// The path it was found under: the `filename` label, also after it was rotated.
    pub(crate) name: Arc<Path>,
    /// Where that was, links resolved.
    pub(crate) real: PathBuf,
    /// The path under which it matches now; `None` once it was rotated away or deleted.
    pub(crate) path: Option<Arc<Path>>,
    /// Held open so that nothing is lost when the name goes; `None` when the bytes are gone.
    pub(crate) handle: Option<File>,
    pub(crate) tracker: Tracker,
    /// The next line fills more than a chunk: up to here its end was looked for.
    pub(crate) long: Option<u64>,
    /// What comes next is a part of a line, or of an entry, whose rest is not there yet: where, and until when it is waited
    /// for, monotonic.
    pub(crate) open: Option<(u64, Duration)>,
    pub(crate) size: u64,
    pub(crate) mtime: (i64, i64),
    /// Whether it has a name at all.
    pub(crate) linked: bool,
    /// When it was last seen to change, monotonic.
    pub(crate) changed_at: Duration,
    /// Whether reading may find something new.
    pub(crate) unread: bool,
    /// What comes next continues a line that was passed on unfinished.
    pub(crate) continues: bool,
    /// After an error, or when a chunk came back, nothing is tried until then, monotonic.
    pub(crate) retry_at: Duration,
    /// The last try to read it failed.
    pub(crate) failing: bool,
    /// More is known of it than was noted on disk.
    pub(crate) unnoted: bool,
    /// The round of polling in which it was last seen.
    pub(crate) seen: u64,
}

/// Lines of a file, as they go into a chunk.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) bytes: Bytes,
    pub(crate) count: u32,
    /// How many of them were too long.
    pub(crate) cuts: u64,
}

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Next {
    /// Lines, up to an offset.
    Lines(u64, Lines),
    /// Bytes that give no line, up to an offset.
    Void(u64),
    /// Nothing whole, for now.
    Nothing,
}

/// Opens `path` for reading if it is a plain file. A pipe or device of that name is not waited for.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        Ok((file, meta))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"))
    }
}

impl LogFile {
    /// The file `handle`, found as `path` at the monotonic time `now`, to be read from `position` on.
    pub(crate) fn new(
        id: u64,
        (handle, meta): (File, &Metadata),
        name: Arc<Path>,
        path: Arc<Path>,
        position: u64,
        now: Duration,
    ) -> Self {
        LogFile {
            id,
            identity: Identity::of(meta),
            fingerprint: Fingerprint::default(),
            real: std::fs::canonicalize(&path).unwrap_or_else(|_| path.to_path_buf()),
            name,
            path: Some(path),
            handle: Some(handle),
            tracker: Tracker::new(position),
            long: None,
            open: None,
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            linked: true,
            changed_at: now,
            unread: true,
            continues: false,
            retry_at: Duration::ZERO,
            failing: false,
            unnoted: false,
            seen: 0,
        }
    }

    /// Its bytes are in a copy of it now.
    pub(crate) fn move_to(&mut self, copy: Copy, now: Duration) {
        self.identity = Identity { born_ns: copy.born_ns, ..Identity::of(&copy.meta) };
        self.real = std::fs::canonicalize(&copy.path).unwrap_or_else(|_| copy.path.to_path_buf());
        self.handle = Some(copy.handle);
        (self.path, self.linked) = (None, true);
        (self.long, self.open) = (None, None);
        (self.size, self.mtime) = (copy.meta.size(), (copy.meta.mtime(), copy.meta.mtime_nsec()));
        (self.changed_at, self.retry_at) = (now, Duration::ZERO);
        (self.unread, self.failing) = (true, false);
    }

    /// What is kept of it on disk; `last_ns` is its stream's.
    pub(crate) fn entry(&self, last_ns: i64) -> Entry {
        Entry {
            id: self.id,
            identity: self.identity,
            fingerprint: self.fingerprint,
            position: self.tracker.position(),
            size: self.size,
            last_ns,
            lost: self.handle.is_none(),
            name: self.name.to_path_buf(),
            real: self.real.clone(),
        }
    }

    /// Bytes that are there and not read yet.
    pub(crate) fn behind(&self) -> u64 {
        if self.handle.is_some() { self.size.saturating_sub(self.tracker.end()) } else { 0 }
    }

    /// Takes note of what the file system says of it now. False when its bytes are not those that were read: it is
    /// shorter, or begins otherwise; then its size stays what it was before.
    pub(crate) fn observe(&mut self, meta: &Metadata, now: Duration) -> bool {
        let mtime = (meta.mtime(), meta.mtime_nsec());
        self.linked = meta.nlink() > 0;
        if meta.size() < self.tracker.end().max(self.long.unwrap_or(0)) {
            return false;
        }
        if (meta.size(), mtime) != (self.size, self.mtime) {
            // A beginning that cannot be read now will not be read silently later either.
            if !self.verify().unwrap_or(true) {
                return false;
            }
            self.size = meta.size();
            self.mtime = mtime;
            self.changed_at = now;
            self.unread = true;
        }
        true
    }

    /// Whether it still begins as it did. Remembers more of its beginning as it grows.
    ///
    /// # Errors
    /// What reading gives.
    pub(crate) fn verify(&mut self) -> io::Result<bool> {
        let Some(handle) = &self.handle else { return Ok(false) };
        let verdict = self.fingerprint.check(handle)?;
        if let Verdict::Extended(more) = verdict {
            self.fingerprint = more;
            self.unnoted = true;
        }
        Ok(verdict != Verdict::Differs)
    }

    /// Reads on: whole lines, at most a chunk of them, or with `flush` an unfinished last line too. A line that stands in
    /// several records is whole with the last one, an entry of several lines where another one begins.
    ///
    /// Nothing moves until a mark is pushed to the tracker, so an unfinished line is read again when it has grown; in
    /// return no bytes are kept between calls, however many files there are.
    ///
    /// # Errors
    /// What reading gives.
    pub(crate) fn next(
        &mut self,
        buffer: &mut Vec<u8>,
        (shape, join): (Shape, Option<&Join>),
        flush: bool,
    ) -> io::Result<Next> {
        let max = shape.max_raw();
        let Some(handle) = &self.handle else { return Ok(Next::Nothing) };
        let start = self.tracker.end();
        if let Some(searched) = self.long {
            return self.next_long(searched, buffer, max, flush);
        }
        fill(handle, start, MAX_BYTES, buffer)?;
        if self.continues && buffer.first() == Some(&b'\n') {
            self.continues = false;
            return Ok(Next::Void(start + 1));
        }
        match lines::frame(buffer, buffer.len() == MAX_BYTES) {
            Frame::Lines(len) => {
                let full = buffer.len() == MAX_BYTES;
                match takes(&buffer[..len], shape, join, full, flush) {
                    Takes::Bytes(len) => buffer.truncate(len),
                    Takes::Nothing { wait, anew } => return Ok(self.wait_for_rest(start, wait, anew)),
                }
                self.continues = false;
                let len = buffer.len();
                Ok(Next::Lines(start + len as u64, finish(buffer, max)))
            }
            Frame::Nuls(len) => Ok(Next::Void(data_after(handle, start + len as u64))),
            Frame::Long => self.next_long(start + MAX_BYTES as u64, buffer, max, flush),
            Frame::Unfinished => {
                self.unread = false;
                let end = start + buffer.len() as u64;
                if !flush || end == start {
                    return Ok(Next::Nothing);
                }
                if buffer.iter().all(|byte| *byte == 0) {
                    return Ok(Next::Void(end));
                }
                self.continues = true;
                Ok(Next::Lines(end, finish(buffer, max)))
            }
        }
    }

    /// Nothing is whole from `start` on: it is waited for so long from when that began or, with `anew`, from when the
    /// file last changed.
    fn wait_for_rest(&mut self, start: u64, wait: Duration, anew: bool) -> Next {
        self.unread = false;
        if anew || self.open.is_none_or(|(at, _)| at != start) {
            self.open = Some((start, self.changed_at + wait));
        }
        Next::Nothing
    }

    /// Goes on looking for the end of a line that fills more than a chunk; only its beginning is ever kept.
    fn next_long(
        &mut self,
        searched: u64,
        buffer: &mut Vec<u8>,
        max: usize,
        flush: bool,
    ) -> io::Result<Next> {
        let Some(handle) = &self.handle else { return Ok(Next::Nothing) };
        fill(handle, searched, MAX_BYTES, buffer)?;
        let found = memchr(b'\n', buffer);
        let end = searched + found.map_or(buffer.len(), |at| at + 1) as u64;
        if found.is_none() {
            self.long = Some(end);
            self.unread = buffer.len() == MAX_BYTES;
            if self.unread || !flush {
                return Ok(Next::Nothing);
            }
        }
        self.continues = found.is_none();
        match self.render(self.tracker.end()..end, buffer, max)? {
            Some(lines) => Ok(Next::Lines(end, lines)),
            None => Ok(Next::Nothing),
        }
    }

    /// Notes a stretch that is about to be released and gives its number; `None` when it is not the next one.
    pub(crate) fn push(&mut self, mark: Mark) -> Option<u64> {
        (self.long, self.open) = (None, None);
        self.tracker.push(mark)
    }

    /// The lines in `range`, as they were when it was read the first time; `None` when it is not there any longer.
    ///
    /// # Errors
    /// What reading gives.
    pub(crate) fn render(
        &self,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
        max: usize,
    ) -> io::Result<Option<Lines>> {
        let Some(handle) = &self.handle else { return Ok(None) };
        let len = range.end - range.start;
        if len <= MAX_BYTES as u64 {
            fill(handle, range.start, len as usize, buffer)?;
            return Ok((buffer.len() as u64 == len).then(|| finish(buffer, max)));
        }
        // Only a single line is ever longer than a chunk.
        let mut last = [0];
        if handle.read_at(&mut last, range.end - 1)? == 0 {
            return Ok(None);
        }
        let ended = last[0] == b'\n';
        fill(handle, range.start, max + 1, buffer)?;
        let mut bytes = Vec::with_capacity(max + 1);
        cut(&mut bytes, buffer, len - u64::from(ended), max);
        if ended {
            bytes.push(b'\n');
        }
        Ok(Some(Lines { bytes: bytes.into(), count: 1, cuts: 1 }))
    }

    /// Whether the line before the place where reading goes on was never ended.
    pub(crate) fn find_out_whether_it_continues(&mut self) {
        let mut before = [b'\n'];
        if let (Some(handle), Some(at)) = (&self.handle, self.tracker.end().checked_sub(1)) {
            // If it cannot be read now, the next reading says so.
            let _ = handle.read_at(&mut before, at);
        }
        self.continues = before[0] != b'\n';
    }
}

/// Where to begin in a file of `size` bytes to read its last `tail` bytes: at the beginning of a line.
///
/// # Errors
/// What reading gives.
pub(crate) fn line_start(file: &File, size: u64, tail: u64) -> io::Result<u64> {
    let Some(from) = size.checked_sub(tail).filter(|from| *from > 0) else { return Ok(0) };
    let mut buffer = Vec::new();
    // The line that `from` is in is left out, unless it is the last one, not finished yet: then it is read whole.
    fill(file, from - 1, MAX_BYTES, &mut buffer)?;
    if let Some(at) = memchr(b'\n', &buffer) {
        return Ok(from + at as u64);
    }
    let before = from.saturating_sub(MAX_BYTES as u64);
    fill(file, before, (from - before) as usize, &mut buffer)?;
    Ok(match memrchr(b'\n', &buffer) {
        Some(at) => before + at as u64 + 1,
        None if before == 0 => 0,
        None => from,
    })
}

#[cfg(test)]
mod tests;
