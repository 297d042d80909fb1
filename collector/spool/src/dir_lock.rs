//! One process a data directory.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::FileError;

/// The lock on a data directory: held until it is dropped or the process ends, however it ends.
///
/// It is `flock(2)` on the file `lock` in the directory. The file holds the pid of its holder and stays when the lock
/// is gone, since removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub struct DirLock {
    path: PathBuf,
    _file: File,
}

/// Why the directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by {}: stop that first, or give this one a data_dir of its own", dir.display(), holder(*pid))]
    Held {
        /// The directory.
        dir: PathBuf,
        /// The holder's pid, as it sees itself: in a container that can be another number than here. `None` if it has
        /// not written it yet.
        pid: Option<u32>,
    },
    /// The directory or the file in it cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Whether somebody has a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    None,
    /// A process, with its pid as it sees it itself, if it has written that.
    Process(Option<u32>),
    /// It may not be asked: the lock file cannot be opened.
    Unknown,
}

/// How often a lock is tried, and how long it is waited for: [`DirLock::holder`] has it for a moment.
const TRIES: usize = 5;
const MOMENT: Duration = Duration::from_millis(20);

/// What the lock file says of its holder.
fn pid(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok())
}

impl DirLock {
    /// Who has `dir`. Writes nothing.
    pub fn holder(dir: &Path) -> Holder {
        let path = dir.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Holder::None,
            Err(_) => return Holder::Unknown,
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Holder::None,
            Err(rustix::io::Errno::WOULDBLOCK) => Holder::Process(pid(&path)),
            Err(_) => Holder::Unknown,
        }
    }

    /// Creates `dir` if need be and locks it. Shows that a file can be written there, too.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        std::fs::create_dir_all(dir).map_err(|cause| FileError::new("create the directory", dir, cause))?;
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|cause| FileError::new("open the lock file", &path, cause))?;
        let mut tries = 1;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(MOMENT);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(LockError::Held { dir: dir.to_owned(), pid: pid(&path) });
                }
                Err(errno) => return Err(FileError::new("lock", &path, errno.into()).into()),
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|cause| FileError::new("write the lock file", &path, cause))?;
        Ok(DirLock { path, _file: file })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
