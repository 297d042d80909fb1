//! What went wrong with a file, where, and what would be right.

use std::io;
use std::path::{Path, PathBuf};

/// A file or directory could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {cause}{}", path.display(), remedy(cause))]
pub struct FileError {
    what: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl FileError {
    pub(crate) fn new(what: &'static str, path: &Path, cause: io::Error) -> Self {
        FileError { what, path: path.to_owned(), cause }
    }

    /// Where it happened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of trouble.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }
}

/// What would be right, if the error says enough to know.
fn remedy(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            let uid = rustix::process::getuid().as_raw();
            format!("; it must be readable and writable for uid {uid}, or data_dir must point elsewhere")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; mount the file system read-write, or point data_dir elsewhere".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free space on that file system, or point data_dir elsewhere".to_owned()
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; data_dir and what is above it must be directories".to_owned()
        }
        _ => String::new(),
    }
}
