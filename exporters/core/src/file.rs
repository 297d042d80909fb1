//! Files of the kernel's that are read again and again: opened once, read from the start into a reused buffer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::cost::{self, Held};
use crate::subject::CollectError;

/// The most that is read of one file; the largest of the kernel's (`/proc/interrupts` with 512 CPUs) stays under it.
pub const MAX_BYTES: usize = 8 << 20;

/// A file of procfs, sysfs or the like.
#[derive(Debug)]
pub struct KernelFile {
    path: PathBuf,
    file: Option<Held<File>>,
    buffer: Vec<u8>,
    /// Readings for which a file that did not exist is not looked for again.
    rest: u8,
    /// Whether it did not exist when it was looked for last.
    missing: bool,
}

/// Readings between two looks for a file that does not exist. Most machines lack most things; a minute is soon enough
/// to see one that came, and that is four readings at the default interval.
const REST: u8 = 3;

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
        if self.rest > 0 {
            self.rest -= 1;
            return Err(CollectError::Absent);
        }
        let read = self.try_read();
        match read {
            Ok(len) => {
                self.missing = false;
                Ok(&self.buffer[..len])
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

    /// The open file, for what only some files can tell: poll(2), fstatfs(2).
    pub fn open_file(&self) -> Option<&File> {
        self.file.as_deref()
    }

    /// The error for contents that do not read as they should.
    pub fn malformed(&self, what: impl std::fmt::Display) -> CollectError {
        CollectError::Parse { path: self.path.clone(), what: what.to_string() }
    }

    fn try_read(&mut self) -> io::Result<usize> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(Held::new(File::open(&self.path)?)),
        };
        let before = self.buffer.len();
        let read = read_into(file, &mut self.buffer);
        if self.buffer.len() != before {
            cost::hold_bytes((self.buffer.len() - before) as i64);
        }
        cost::read(*read.as_ref().unwrap_or(&0));
        read
    }
}

impl Drop for KernelFile {
    fn drop(&mut self) {
        cost::hold_bytes(-(self.buffer.len() as i64));
    }
}

/// Reads all of `file` into `buffer`, which only grows, and returns how much there is.
fn read_into(file: &File, buffer: &mut Vec<u8>) -> io::Result<usize> {
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
            Ok(n) => len += n,
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
    fn what_is_not_there_is_absent() {
        assert!(matches!(KernelFile::new("/proc/none").read(), Err(CollectError::Absent)));
        assert!(matches!(read_once(Path::new("/proc")), Err(CollectError::Read { .. })));
    }
}
