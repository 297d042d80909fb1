//! Files of the kernel's that are read again and again: opened once, read from the start into a reused buffer.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cost::{self, Held};
use crate::subject::CollectError;

/// The most that is read of one file; the largest of the kernel's (`/proc/interrupts` with 512 CPUs) stays under it.
pub const MAX_BYTES: usize = 8 << 20;

/// A file of procfs, sysfs or the like.
#[derive(Debug)]
pub struct KernelFile {
    path: PathBuf,
    file: Option<Kept<File>>,
    buffer: Vec<u8>,
    /// Readings for which a file that did not exist is not looked for again.
    rest: u8,
    /// Whether it did not exist when it was looked for last.
    missing: bool,
}

/// Readings between two looks for a file that does not exist. Most machines lack most things; a minute is soon enough
/// to see one that came, and that is four readings at the default interval.
const REST: u8 = 3;

/// How many of a kind are kept open, all together: the limit is the process's, so the count is as well.
#[derive(Debug)]
pub struct Bound {
    open: AtomicUsize,
    most: usize,
    /// As a part of what the process may open: one in so many.
    one_in: usize,
}

/// Files. There is one for each ZFS data set, and a machine may have tens of thousands. What goes beyond is opened for each
/// reading.
pub static FILES: Bound = Bound { open: AtomicUsize::new(0), most: 4096, one_in: 4 };

/// Folders, opened to open files in them: they cost the kernel little, where a file costs it a page.
pub static FOLDERS: Bound = Bound { open: AtomicUsize::new(0), most: 16_384, one_in: 2 };

impl Bound {
    /// The most that are kept open.
    pub fn most(&self) -> usize {
        static MAY_OPEN: OnceLock<usize> = OnceLock::new();
        self.most.min(MAY_OPEN.get_or_init(crate::sys::may_open) / self.one_in)
    }

    /// Whether one more may be kept open.
    pub fn has_room(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.most()
    }
}

/// A file or a folder that is kept open, and counted for as long as it is.
#[derive(Debug)]
pub struct Kept<T>(Held<T>, &'static Bound);

impl<T> Kept<T> {
    /// Keeps `file`, if there is room.
    pub fn new(file: T, bound: &'static Bound) -> Option<Self> {
        if !bound.has_room() {
            return None;
        }
        bound.open.fetch_add(1, Ordering::Relaxed);
        Some(Kept(Held::new(file), bound))
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        self.1.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KernelFile {
    /// A file that is opened at its first reading.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        KernelFile { path: path.into(), file: None, buffer: Vec::new(), rest: 0, missing: false }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it from the start. What does not exist is [`CollectError::Absent`], and is looked for again every fourth
    /// time.
    pub fn read(&mut self) -> Result<&[u8], CollectError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let before = buffer.len();
        let len = self.read_into(&mut buffer).map(<[u8]>::len);
        if buffer.len() != before {
            cost::hold_bytes((buffer.len() - before) as i64);
        }
        self.buffer = buffer;
        len.map(|len| &self.buffer[..len])
    }

    /// The same, into a buffer that many files share: where there are thousands of files, one each would be much memory.
    /// The buffer only grows; who owns it counts it.
    pub fn read_into<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], CollectError> {
        if self.rest > 0 {
            self.rest -= 1;
            return Err(CollectError::Absent);
        }
        match self.try_read(buffer) {
            Ok(len) => {
                self.missing = false;
                Ok(&buffer[..len])
            }
            Err(source) => {
                // A file that failed is opened anew next time: the device behind it may have come back as another.
                self.file = None;
                match source.kind() {
                    io::ErrorKind::NotFound => {
                        // The first time it may just be on its way.
                        self.rest = if self.missing { REST } else { 0 };
                        self.missing = true;
                        Err(CollectError::Absent)
                    }
                    _ => Err(CollectError::Read { path: self.path.clone(), source }),
                }
            }
        }
    }

    /// The file, if it is kept open, for what only some files can tell: poll(2), fstatfs(2).
    pub fn open_file(&self) -> Option<&File> {
        self.file.as_deref()
    }

    /// The error for contents that do not read as they should.
    pub fn malformed(&self, what: impl std::fmt::Display) -> CollectError {
        CollectError::Parse { path: self.path.clone(), what: what.to_string() }
    }

    fn try_read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match &self.file {
            Some(file) => read_all(file, false, buffer),
            None => {
                let file = File::open(&self.path)?;
                let read = read_all(&file, false, buffer);
                self.file = Kept::new(file, &FILES);
                read
            }
        }
    }
}

impl Drop for KernelFile {
    fn drop(&mut self) {
        cost::hold_bytes(-(self.buffer.len() as i64));
    }
}

/// Reads all of `file` from its start into `buffer`, which only grows, and returns how much there is. Files that the kernel
/// writes in one piece end with a reading that leaves room in the buffer (`in_one_piece`); all others with an empty one.
pub fn read_all(file: &File, in_one_piece: bool, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let len = read_into(file, in_one_piece, buffer)?;
    cost::read(len);
    Ok(len)
}

fn read_into(file: &File, in_one_piece: bool, buffer: &mut Vec<u8>) -> io::Result<usize> {
    if buffer.is_empty() {
        buffer.resize(4096, 0);
    }
    let mut len = 0;
    loop {
        if len == buffer.len() {
            if len >= MAX_BYTES {
                return Err(io::Error::other(format!("more than {MAX_BYTES} bytes")));
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        match file.read_at(&mut buffer[len..], len as u64) {
            Ok(0) => return Ok(len),
            Ok(n) => {
                len += n;
                if in_one_piece && len < buffer.len() {
                    return Ok(len);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Reads a small file once, for what is not worth keeping open. What does not exist is [`CollectError::Absent`].
pub fn read_once(path: &Path) -> Result<Vec<u8>, CollectError> {
    let mut file = KernelFile::new(path);
    let len = file.read()?.len();
    Ok(file.buffer[..len].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_again_from_the_start() {
        let mut file = KernelFile::new("/proc/self/stat");
        let first = file.read().unwrap().to_vec();
        assert!(!first.is_empty());
        assert_eq!(first.split(|b| *b == b' ').next(), file.read().unwrap().split(|b| *b == b' ').next());
    }

    #[test]
    fn what_comes_is_found_within_four_readings() {
        let path = std::env::temp_dir().join(format!("taffrail-core-file-{}", std::process::id()));
        let mut file = KernelFile::new(&path);
        for _ in 0..2 {
            assert!(matches!(file.read(), Err(CollectError::Absent)));
        }
        std::fs::write(&path, "here").unwrap();
        let found = (0..=REST).map(|_| file.read().is_ok()).collect::<Vec<_>>();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found, [false, false, false, true]);
    }

    #[test]
    fn a_bounded_number_is_kept_open() {
        let max = FILES.most();
        let mut files: Vec<_> = (0..max + 100).map(|_| KernelFile::new("/proc/self/comm")).collect();
        for _ in 0..2 {
            assert!(files.iter_mut().all(|file| file.read().is_ok()));
            let open = files.iter().filter(|file| file.open_file().is_some()).count();
            assert!(open > 0 && open <= max, "{open} of {max}");
        }
        drop(files);
        // Other tests have a few.
        assert!(FILES.open.load(Ordering::Relaxed) < 50);
    }

    #[test]
    fn what_is_not_there_is_absent() {
        assert!(matches!(KernelFile::new("/proc/none").read(), Err(CollectError::Absent)));
        assert!(matches!(read_once(Path::new("/proc")), Err(CollectError::Read { .. })));
    }
}
