//! Texts that are never printed, and files that hold them.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest file that holds a secret, a certificate or a request's body.
const MAX_FILE: u64 = 16 << 20;

/// A text that is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from view.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A text, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// As written in the configuration.
    Text(Secret),
    /// Read when it is needed, so that a rotated file is taken up.
    File(PathBuf),
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct SourceError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub why: String,
}

impl Source {
    /// The bytes. Blocks on a file.
    pub fn read(&self) -> Result<Vec<u8>, SourceError> {
        match self {
            Source::Text(text) => Ok(text.0.clone().into_bytes()),
            Source::File(path) => read_file(path),
        }
    }

    /// The bytes, read on a thread that may block.
    pub async fn load(&self) -> Result<Vec<u8>, SourceError> {
        let Source::File(path) = self else { return self.read() };
        let at = path.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&at)).await;
        read.unwrap_or_else(|e| Err(SourceError { path: path.clone(), why: e.to_string() }))
    }

    /// The text without white space around it, as secrets in files are meant.
    pub async fn secret(&self) -> Result<Secret, SourceError> {
        let bytes = self.load().await?;
        Ok(Secret(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let fail = |why: String| SourceError { path: path.to_owned(), why };
    let file = std::fs::File::open(path).map_err(|e| fail(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fail(format!("larger than {} MiB, which is the most that is read", MAX_FILE >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_are_read_late_and_never_printed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "hunter2\n").unwrap();
        let source = Source::File(file.path().to_owned());
        let secret = source.secret().await.unwrap();
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(format!("{:?}", Source::Text(secret)), "Text(<secret>)");
        let missing = Source::File("/nonexistent/x".into()).load().await.unwrap_err().to_string();
        assert!(missing.starts_with("/nonexistent/x: "), "{missing}");
    }
}
