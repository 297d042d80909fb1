//! A source over a folder of its own, stepped by hand under a clock that stands still.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use taffrail_collector::config::valid::{Files, Start};
use taffrail_collector::engines::Engines;
use taffrail_collector::logs::{Body, Chunk, Notes, NotesSource};
use taffrail_collector::sources::Context;
use taffrail_collector::sources::files::{Config, Source, Step};
use taffrail_collector::status::SourceStatus;
use taffrail_core::Clock;
use taffrail_spool::Settled;
use taffrail_stages::format::Format;
use tokio::sync::{mpsc, watch};

pub struct Rig {
    pub dir: tempfile::TempDir,
    pub config: Config,
    pub clock: Clock,
    pub source: Option<Source>,
    pub chunks: mpsc::Receiver<Chunk>,
    pub pause: watch::Sender<bool>,
    pub status: Arc<Mutex<SourceStatus>>,
    pub room: usize,
    notes: Notes,
    posted: NotesSource,
}

/// One line as it would leave: its file's name, its time, its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub file: String,
    pub ns: i64,
    pub text: String,
}

impl Rig {
    /// A source over `<root>/logs/*.log` from the beginning.
    pub fn new() -> Rig {
        Rig::with(Start::Beginning, &["*.log"], |_| ())
    }

    /// A source over `globs` below `<root>/logs`, after `before` was done there.
    pub fn with(start: Start, globs: &[&str], before: impl FnOnce(&Path)) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        before(&logs);
        let include = globs.iter().map(|glob| format!("{}/{glob}", logs.display())).collect();
        let files = Files {
            include,
            exclude: vec![],
            start,
            positions_from: None,
            format: Format::Plain,
            max_line_bytes: 64 << 10,
        };
        let config = Config { name: "test".to_owned(), labels: BTreeMap::new(), files, given: None };
        let (_, chunks) = mpsc::channel(1);
        let (pause, _) = watch::channel(false);
        let clock = Clock::manual(Clock::system().now_ns());
        let (notes, posted) = Notes::new(clock.clone());
        let status = Arc::default();
        let mut rig =
            Rig { dir, config, clock, source: None, chunks, pause, status, room: 1000, notes, posted };
        rig.restart();
        rig
    }

    /// What a process that was killed and started again would have: nothing but what is on disk.
    pub fn restart(&mut self) {
        self.source = None;
        let (sender, chunks) = mpsc::channel(self.room);
        self.chunks = chunks;
        self.status = Arc::default();
        let context = self.context(sender);
        self.source = Some(Source::new(&self.config, context).unwrap());
    }

    pub fn context(&self, chunks: mpsc::Sender<Chunk>) -> Context {
        Context {
            sockets: Arc::default(),
            stages: Arc::default(),
            keep: false,
            notes: self.notes.clone(),
            engines: Engines::default(),
            clock: self.clock.clone(),
            instance: "host-1".to_owned(),
            chunks,
            pause: self.pause.subscribe(),
            state: self.state(),
            status: self.status.clone(),
        }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("logs").join(name)
    }

    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.path(name));
        file.unwrap().write_all(text.as_ref()).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn truncate(&self, name: &str) {
        fs::OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    /// One round, a second after the one before.
    pub fn step(&mut self) -> Step {
        self.clock.advance(Duration::from_secs(1));
        self.source.as_mut().unwrap().step()
    }

    /// So many rounds.
    pub fn steps(&mut self, rounds: std::ops::Range<u32>) {
        for _ in rounds {
            self.step();
        }
    }

    /// Rounds until there is nothing more to do; the chunks are not settled.
    pub fn take(&mut self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        loop {
            let step = self.step();
            let before = chunks.len();
            while let Ok(chunk) = self.chunks.try_recv() {
                chunks.push(chunk);
            }
            if matches!(step, Step::Idle(_) | Step::Closed) && chunks.len() == before {
                return chunks;
            }
        }
    }

    /// The same; all chunks are settled, and their lines given.
    pub fn read(&mut self) -> Vec<Line> {
        let chunks = self.take();
        let lines = chunks.iter().flat_map(|chunk| self.lines(chunk)).collect();
        chunks.into_iter().for_each(|chunk| chunk.ticket.settle(Settled::Delivered));
        self.step();
        lines
    }

    /// The same; only the texts.
    pub fn texts(&mut self) -> Vec<String> {
        self.read().into_iter().map(|line| line.text).collect()
    }

    pub fn lines(&self, chunk: &Chunk) -> Vec<Line> {
        let logs = self.dir.path().join("logs");
        let label = chunk.labels.iter().find(|(name, _)| name == "filename").unwrap();
        let file = Path::new(&label.1).strip_prefix(&logs).unwrap().display().to_string();
        let text = String::from_utf8_lossy(body(chunk).0);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let line = |(at, text): (usize, &str)| Line {
            file: file.clone(),
            ns: body(chunk).1 + at as i64,
            text: text.to_owned(),
        };
        text.split('\n').enumerate().map(line).collect()
    }

    /// The notes posted since this was asked last, as log lines.
    pub fn notes(&mut self) -> Vec<String> {
        let mut waker = TaskContext::from_waker(Waker::noop());
        let mut notes = Vec::new();
        while let Poll::Ready(Some(chunk)) = pin!(self.posted.next()).poll(&mut waker) {
            notes.push(String::from_utf8_lossy(body(&chunk).0).trim_end().to_owned());
        }
        notes
    }

    pub fn status(&self) -> SourceStatus {
        self.status.lock().unwrap().clone()
    }

    pub fn last_error(&self) -> String {
        self.status().last_error.unwrap_or_default().text
    }
}

/// The lines of a chunk, and the time of the first.
pub fn body(chunk: &Chunk) -> (&[u8], i64) {
    match &chunk.body {
        Body::Lines { bytes, base_ns, .. } => (bytes, *base_ns),
        Body::Entries(_) => unreachable!("files give lines"),
    }
}
