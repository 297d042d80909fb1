//! Notes become log lines: the source `taffrail`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use taffrail_core::{Clock, Note};
use taffrail_spool::Ticket;
use taffrail_stages::stage::LevelStage;
use taffrail_stages::{Stage, Stages};
use tokio::sync::mpsc;

use super::{Body, Chunk, Pairs, Shape};
use crate::status::lock;

/// The most notes that wait. More are counted and left out: what floods the queue says the same again and again.
const WAITING: usize = 1000;

/// Where any part posts a note. Never waits.
#[derive(Clone, Debug)]
pub struct Notes {
    queue: mpsc::Sender<Note>,
    left_out: Arc<AtomicU64>,
    labels: Arc<Mutex<Labels>>,
}

/// A stream's labels, sorted by name.
type Labels = Pairs;

impl Notes {
    /// A register of notes, and the source that reads it.
    pub fn new(clock: Clock) -> (Self, NotesSource) {
        let (queue, notes) = mpsc::channel(WAITING);
        let labels: Arc<Mutex<Labels>> = Arc::new(Mutex::new(Arc::from([])));
        let stages = Arc::new(Stages::new([Stage::Level(LevelStage::default())]));
        let source = NotesSource { notes, labels: labels.clone(), clock, stages, last_ns: 0 };
        (Notes { queue, left_out: Arc::default(), labels }, source)
    }

    /// Sets the labels of the notes' stream: `job`, `instance`, `service_name`, and `extra`.
    pub fn set_labels(&self, instance: &str, extra: &BTreeMap<String, String>) {
        let mut labels = extra.clone();
        for (name, value) in [("instance", instance), ("job", "taffrail"), ("service_name", "taffrail")] {
            labels.insert(name.into(), value.into());
        }
        *lock(&self.labels) = labels.into_iter().collect();
    }

    /// Posts a note.
    pub fn send(&self, note: Note) {
        if self.queue.try_send(note).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes left out because too many waited, or nobody reads them any more.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

/// Turns notes into chunks.
#[derive(Debug)]
pub struct NotesSource {
    notes: mpsc::Receiver<Note>,
    labels: Arc<Mutex<Labels>>,
    clock: Clock,
    /// Notes say their level, and nothing else is to be found in them.
    stages: Arc<Stages>,
    last_ns: i64,
}

impl NotesSource {
    /// The next note as a chunk of one line; waits for it. None once all senders are gone.
    pub async fn next(&mut self) -> Option<Chunk> {
        let note = self.notes.recv().await?;
        self.last_ns = self.clock.now_ns().max(self.last_ns + 1);
        Some(Chunk {
            labels: lock(&self.labels).clone(),
            metadata: Arc::from([]),
            body: Body::Lines { bytes: line(&note).into(), base_ns: self.last_ns, shape: Shape::default() },
            stages: self.stages.clone(),
            keep: false,
            ticket: Ticket::none(),
        })
    }
}

/// A note in logfmt, with its end.
pub(crate) fn line(note: &Note) -> String {
    let mut line = format!("level={} event={} msg={}", note.level.as_str(), note.event, quoted(&note.text));
    for (name, value) in &note.facts {
        line.push_str(&format!(" {name}={}", quoted(value)));
    }
    line.push('\n');
    line
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@+".contains(c);
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::note::Level;

    fn note(text: &str) -> Note {
        Note {
            level: Level::Warn,
            event: "log_lost",
            text: text.into(),
            facts: vec![("file", "/a b".into())],
        }
    }

    #[tokio::test]
    async fn a_note_becomes_a_line_with_a_time_of_its_own() {
        let (notes, mut source) = Notes::new(Clock::manual(5));
        notes.set_labels("web-1", &BTreeMap::from([("env".to_owned(), "prod".to_owned())]));
        notes.send(note("two\nlines"));
        notes.send(note("plain"));
        let first = source.next().await.unwrap();
        let of = |chunk: &Chunk| match &chunk.body {
            Body::Lines { bytes, base_ns, .. } => (bytes.clone(), *base_ns),
            Body::Entries(_) => unreachable!("notes are lines"),
        };
        assert_eq!(&*of(&first).0, b"level=warn event=log_lost msg=\"two\\nlines\" file=\"/a b\"\n");
        let names: Vec<&str> = first.labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["env", "instance", "job", "service_name"]);
        let second = source.next().await.unwrap();
        assert_eq!((of(&first).1, of(&second).1), (5, 6));
    }

    #[tokio::test]
    async fn a_flood_is_bounded_and_counted() {
        let (notes, _source) = Notes::new(Clock::manual(5));
        (0..WAITING + 3).for_each(|_| notes.send(note("again")));
        assert_eq!(notes.left_out(), 3);
    }
}
