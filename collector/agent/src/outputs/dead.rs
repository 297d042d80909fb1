//! Dead letters: what a receiver refused for good, kept for a while so that it can be looked at and sent again.
//!
//! A folder an output, in it files of JSON lines, each a letter: a stream with entries as Loki's push API has them in
//! JSON, with when and why it was refused. Bounded in bytes and age: the oldest file goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use taffrail_core::Clock;
use taffrail_wire::loki::{Batch, parse_label_set, streams, write_label_set};

use crate::status::lock;

/// The folder of all dead letters, below `data_dir`.
pub const FOLDER: &str = "dead";
/// Files are an eighth of the bound each, so that not much goes at once.
const FILES: u64 = 8;
/// How often is looked for what is too old.
const SWEEP: Duration = Duration::from_secs(600);

/// Bounds of one output's dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadBounds {
    /// The most bytes; 0 keeps none.
    pub max_bytes: u64,
    /// How long they are kept.
    pub max_age: Duration,
}

/// One letter: entries of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// When it was refused, in Unix milliseconds.
    pub at_ms: i64,
    /// Why, as a word.
    pub reason: String,
    /// Why, in the receiver's words.
    pub message: String,
    /// The tenant, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The stream's labels.
    pub stream: Map<String, Value>,
    /// `[nanoseconds, line, structured metadata]`.
    pub values: Vec<(String, String, Map<String, Value>)>,
}

/// Keeps the dead letters of one output.
#[derive(Debug)]
pub struct DeadLetters {
    dir: PathBuf,
    bounds: DeadBounds,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The file that is written to, and its size.
    file: Option<(PathBuf, u64)>,
    swept: Option<Duration>,
    bytes: u64,
}

/// Why a letter was refused, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// The tenant, where there is one.
    pub tenant: Option<&'a str>,
    /// Why, as a word.
    pub reason: &'a str,
    /// Why, in the receiver's words.
    pub message: &'a str,
}

impl DeadLetters {
    /// Of the output whose folder is `dir`; it is made when the first letter comes.
    pub fn new(dir: PathBuf, bounds: DeadBounds, clock: Clock) -> Self {
        DeadLetters { dir, bounds, clock, state: Mutex::default() }
    }

    /// Keeps the entries of a push request. Gives how many bytes of older letters had to go.
    pub fn keep(&self, request: &[u8], cause: Cause<'_>) -> io::Result<u64> {
        if self.bounds.max_bytes == 0 {
            return Ok(0);
        }
        let mut text = Vec::new();
        for letter in letters(request, cause, self.clock.now_ms()) {
            serde_json::to_writer(&mut text, &letter)?;
            text.push(b'\n');
        }
        let mut state = lock(&self.state);
        fs::create_dir_all(&self.dir)?;
        let _lock = FolderLock::take(&self.dir)?;
        let (path, size) = match state.file.take() {
            // Who sends letters again takes files away.
            Some((path, size)) if size < self.bounds.max_bytes / FILES && path.exists() => (path, size),
            _ => (self.dir.join(format!("{:013}.ndjson", self.clock.now_ms())), 0),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(&text)?;
        state.file = Some((path, size + text.len() as u64));
        self.sweep_locked(&mut state)
    }

    /// Removes what is too old, from time to time. Gives how many bytes that were.
    pub fn sweep(&self) -> io::Result<u64> {
        let now = self.clock.monotonic();
        let mut state = lock(&self.state);
        if state.swept.is_some_and(|at| now.saturating_sub(at) < SWEEP) {
            return Ok(0);
        }
        state.swept = Some(now);
        if !self.dir.exists() {
            return Ok(0);
        }
        let _lock = FolderLock::take(&self.dir)?;
        self.sweep_locked(&mut state)
    }

    /// Bytes that are kept, as far as is known.
    pub fn bytes(&self) -> u64 {
        lock(&self.state).bytes
    }

    fn sweep_locked(&self, state: &mut State) -> io::Result<u64> {
        let mut files = files(&self.dir)?;
        let oldest = self.clock.now_ms() - self.bounds.max_age.as_millis() as i64;
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut gone = 0;
        // Those in a file came after the first of the file, and before that of the next one.
        while let Some(first) = files.first() {
            let next_ms = files.get(1).map_or(i64::MAX, |next| next.since_ms);
            if bytes <= self.bounds.max_bytes && next_ms.min(first.since_ms + DAY_MS) > oldest {
                break;
            }
            let first = files.remove(0);
            fs::remove_file(&first.path)?;
            bytes -= first.bytes;
            gone += first.bytes;
        }
        state.bytes = bytes;
        Ok(gone)
    }
}

/// Those of a file that is written to for long are kept a day longer at most.
const DAY_MS: i64 = 86_400_000;

/// A file of letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterFile {
    /// Where it is.
    pub path: PathBuf,
    /// When its first letter came, in Unix milliseconds.
    pub since_ms: i64,
    /// Its size.
    pub bytes: u64,
}

/// The files of letters in a folder, oldest first; none where there is no folder.
pub fn files(dir: &Path) -> io::Result<Vec<LetterFile>> {
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in listed {
        let path = entry?.path();
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".ndjson"));
        let Some(since_ms) = name.and_then(|name| name.parse().ok()) else { continue };
        let bytes = fs::metadata(&path)?.len();
        files.push(LetterFile { path, since_ms, bytes });
    }
    files.sort_by_key(|file| file.since_ms);
    Ok(files)
}

/// Held by who writes letters, or takes files away.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "the lock ends with the file")] File);

impl FolderLock {
    /// Waits for the lock of the folder.
    pub fn take(dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(FolderLock(file))
    }
}

/// A push request as letters.
pub fn letters<'a>(request: &'a [u8], cause: Cause<'a>, at_ms: i64) -> impl Iterator<Item = Letter> + 'a {
    streams(request).flatten().map(move |stream| {
        let labels = parse_label_set(stream.labels).unwrap_or_default();
        let pairs = labels.into_iter().map(|(name, value)| (name.into_owned(), json!(value)));
        let values = stream.entries().flatten().map(|entry| {
            let metadata = entry.metadata().flatten();
            let metadata = metadata.map(|(name, value)| (name.to_owned(), json!(value))).collect();
            (entry.ts_ns.to_string(), entry.line.to_owned(), metadata)
        });
        Letter {
            at_ms,
            reason: cause.reason.to_owned(),
            message: cause.message.to_owned(),
            tenant: cause.tenant.map(str::to_owned),
            stream: pairs.collect(),
            values: values.collect(),
        }
    })
}

impl Letter {
    /// Adds its entries to a push request.
    pub fn write(&self, batch: &mut Batch) {
        let mut pairs: Vec<(&str, &str)> = texts(&self.stream).collect();
        pairs.sort_unstable();
        let mut labels = String::new();
        write_label_set(&mut labels, pairs);
        batch.stream(&labels);
        for (ts_ns, line, metadata) in &self.values {
            let metadata: Vec<(&str, &str)> = texts(metadata).collect();
            batch.entry(ts_ns.parse().unwrap_or_default(), line, metadata);
        }
    }
}

fn texts(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: Cause<'_> = Cause { tenant: Some("shop"), reason: "labels", message: "why" };
    const HOUR: Duration = Duration::from_secs(3600);

    fn request(line: &str) -> Vec<u8> {
        let mut batch = Batch::new();
        batch.stream(r#"{a="1", b="é\"\n"}"#);
        batch.entry(1_795_226_400_000_000_001, line, [("trace_id", "7")]);
        batch.finish().to_vec()
    }

    fn kept(dir: &Path) -> Vec<String> {
        let read = |file: LetterFile| fs::read_to_string(file.path).unwrap();
        files(dir).unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn a_letter_is_the_request_that_was_refused() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_795_226_400_000_000_000);
        let bounds = DeadBounds { max_bytes: 1 << 20, max_age: HOUR };
        let dead = DeadLetters::new(dir.path().join("loki"), bounds, clock);
        assert_eq!(dead.keep(&request("x"), CAUSE).unwrap(), 0);
        let letter: Letter = serde_json::from_str(kept(&dir.path().join("loki"))[0].trim()).unwrap();
        assert_eq!(
            (letter.tenant.as_deref(), &*letter.reason, &*letter.message),
            (Some("shop"), "labels", "why")
        );
        let mut batch = Batch::new();
        letter.write(&mut batch);
        assert_eq!(batch.finish(), request("x"));
    }

    #[test]
    fn bounds_hold_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_795_226_400_000_000_000);
        let bounds = DeadBounds { max_bytes: 8000, max_age: 3 * HOUR };
        let dead = DeadLetters::new(dir.path().to_owned(), bounds, clock.clone());
        let mut gone = 0;
        for i in 0..20 {
            gone += dead.keep(&request(&format!("{i} {}", "x".repeat(1000))), CAUSE).unwrap();
            clock.advance(Duration::from_secs(1));
        }
        let all = kept(dir.path()).concat();
        assert!(gone > 0 && all.len() <= 8000 && dead.bytes() == all.len() as u64, "{gone} {}", all.len());
        assert!(all.contains("\"19 x") && !all.contains("\"0 x"));
        // A file that is taken away is not written to any more.
        for file in files(dir.path()).unwrap() {
            fs::rename(&file.path, file.path.with_extension("away")).unwrap();
        }
        dead.keep(&request("new"), CAUSE).unwrap();
        assert_eq!(kept(dir.path()).len(), 1);
        clock.advance(Duration::from_secs(2 * 86_400));
        assert!(dead.sweep().unwrap() > 0);
        assert!(kept(dir.path()).is_empty());
        let none = DeadLetters::new(dir.path().join("none"), DeadBounds { max_bytes: 0, ..bounds }, clock);
        none.keep(&request("x"), CAUSE).unwrap();
        assert!(!dir.path().join("none").exists());
    }
}
