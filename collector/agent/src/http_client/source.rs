//! Texts that the config holds itself, or that a file holds and that are read again when it changes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;
use tracing::warn;

use crate::config::Secret;
use crate::status::lock;

/// Where a secret, or a certificate, is.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// In the config.
    Inline(Secret),
    /// In this file.
    File(PathBuf),
}

/// The largest file, in bytes: four times Debian's bundle of all authorities.
const MAX_FILE: u64 = 1 << 20;
/// How old what was read may be before it is read again.
const FRESH: Duration = Duration::from_secs(2);
/// How long a read is waited for. A mount that hangs holds up one request this long, and no more after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A source with what was last read from it.
#[derive(Debug)]
pub struct Watched {
    source: Source,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    text: Option<Secret>,
    error: Option<String>,
    /// When the last read ended, on the monotonic clock.
    read: Option<Duration>,
    /// A read is going on; while a mount hangs no second one is begun.
    reading: bool,
}

impl Watched {
    /// A source that is read when it is first asked for.
    pub fn new(source: Source, clock: Clock) -> Self {
        let state = match &source {
            Source::Inline(secret) => State { text: Some(secret.clone()), ..State::default() },
            Source::File(_) => State::default(),
        };
        Watched { source, clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The text now. A file is read again when what is known is two seconds old; where it cannot be read, what was
    /// read last goes on.
    ///
    /// # Errors
    /// In words with the file's name, when it was never read.
    pub async fn text(&self) -> Result<Secret, String> {
        if let Source::File(path) = &self.source
            && self.begin()
        {
            let (path, clock, state) = (path.clone(), self.clock.clone(), self.state.clone());
            let read = tokio::task::spawn_blocking(move || State::take_in(&state, read(&path), &clock));
            let _ = tokio::time::timeout(PATIENCE, read).await;
        }
        self.last()
    }

    /// The text, for a start: it waits for the disk.
    ///
    /// # Errors
    /// As [`Watched::text`].
    pub fn text_blocking(&self) -> Result<Secret, String> {
        if let Source::File(path) = &self.source
            && self.begin()
        {
            State::take_in(&self.state, read(path), &self.clock);
        }
        self.last()
    }

    fn begin(&self) -> bool {
        let mut state = lock(&self.state);
        let now = self.clock.monotonic();
        let due = state.read.is_none_or(|read| now.saturating_sub(read) >= FRESH);
        let begin = due && !state.reading;
        state.reading |= begin;
        begin
    }

    fn last(&self) -> Result<Secret, String> {
        let state = lock(&self.state);
        let unknown = || state.error.clone().unwrap_or_else(|| "its file does not answer".to_owned());
        state.text.clone().ok_or_else(unknown)
    }
}

impl State {
    fn take_in(state: &Mutex<State>, read: Result<String, String>, clock: &Clock) {
        let mut state = lock(state);
        state.read = Some(clock.monotonic());
        state.reading = false;
        match read {
            Ok(text) => {
                state.error = None;
                state.text = Some(Secret::new(text));
            }
            Err(error) => {
                if state.text.is_some() && state.error.is_none() {
                    warn!("{error}: what was read before goes on");
                }
                state.error = Some(error);
            }
        }
    }
}

/// The text of a small file, without white space around it: editors and `echo` leave line feeds.
pub fn read(path: &Path) -> Result<String, String> {
    let wrong = |what: String| format!("{}: {what}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_FILE {
        return Err(wrong("is larger than 1 MiB, which no secret and no bundle of certificates is".into()));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() { Err(wrong("is empty".into())) } else { Ok(trimmed.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_again_and_outlives_its_absence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let clock = Clock::manual(0);
        let watched = Watched::new(Source::File(path.clone()), clock.clone());
        let error = watched.text().await.unwrap_err();
        assert!(error.contains("token: cannot be read"), "{error}");
        std::fs::write(&path, "one\n").unwrap();
        assert!(watched.text().await.is_err(), "not read again at once");
        clock.advance(FRESH);
        assert_eq!(watched.text().await.unwrap().expose(), "one");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(watched.text().await.unwrap().expose(), "one");
        clock.advance(FRESH);
        assert_eq!(watched.text().await.unwrap().expose(), "two");
        std::fs::write(&path, "\n").unwrap();
        clock.advance(FRESH);
        assert_eq!(watched.text().await.unwrap().expose(), "two", "half-written: the last goes on");
    }
}
