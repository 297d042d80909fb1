//! A folder of the kernel's whose files are read again and again: the folder is kept open, each file is opened from there
//! for each reading. A cgroup has some twenty such files, and to keep one of them open costs the kernel a page: with the
//! files of 2,000 containers that would be more than all else. To open one in an open folder costs a microsecond.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use taffrail_core::file::{FOLDERS, Kept, read_all};

/// One folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Where there is no room for one more that is kept open, files are opened by their whole path.
    open: Option<Kept<OwnedFd>>,
}

/// The first size of a buffer: no file of a cgroup's is larger, but for machines with hundreds of nodes or devices.
const BUFFER: usize = 16 << 10;

impl Folder {
    /// The folder at `path`, which is opened at the first reading.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Folder { path: path.into(), open: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all of one of its files into a buffer that many share, and returns how much there is. Files that the kernel
    /// writes in one piece (all of a cgroup's but its lists of processes) take one reading.
    pub fn read(&mut self, name: &str, in_one_piece: bool, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if buffer.len() < BUFFER {
            buffer.resize(BUFFER, 0);
        }
        read_all(&self.open(name)?, in_one_piece, buffer)
    }

    fn open(&mut self, name: &str) -> io::Result<File> {
        if self.open.is_none() && FOLDERS.has_room() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.open = Kept::new(openat(CWD, &self.path, flags, Mode::empty())?, &FOLDERS);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = match &self.open {
            Some(folder) => openat(&**folder, name, flags, Mode::empty())?,
            None => openat(CWD, self.path.join(name), flags, Mode::empty())?,
        };
        Ok(File::from(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use taffrail_core::cost;

    #[test]
    fn only_the_folder_is_kept_open() {
        let temp = tempfile::tempdir().unwrap();
        let (before, mut buffer) = (cost::tally(), Vec::new());
        let mut folder = Folder::new(temp.path().join("one"));
        assert_eq!(folder.read("a", true, &mut buffer).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(temp.path().join("one")).unwrap();
        for (name, text) in [("a", "1\n"), ("b", "22\n")] {
            fs::write(folder.path().join(name), text).unwrap();
            for in_one_piece in [true, false] {
                let len = folder.read(name, in_one_piece, &mut buffer).unwrap();
                assert_eq!(&buffer[..len], text.as_bytes());
            }
        }
        let large = vec![b'x'; 100_000];
        fs::write(folder.path().join("a"), &large).unwrap();
        let len = folder.read("a", true, &mut buffer).unwrap();
        assert_eq!(&buffer[..len], large);
        assert_eq!(cost::tally().held_files, before.held_files + 1);
        // What is there anew under its name is another folder.
        fs::remove_dir_all(folder.path()).unwrap();
        fs::create_dir(temp.path().join("one")).unwrap();
        fs::write(folder.path().join("a"), "new").unwrap();
        assert_eq!(folder.read("a", true, &mut buffer).unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(folder);
        assert_eq!(cost::tally().held_files, before.held_files);
    }
}
