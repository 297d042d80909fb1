//! Gaps: what is missing in a stream is told in the stream itself, in the place where it is missing.
//!
//! A gap has a number between those of the files before and behind it, and is kept on disk as marks of files are: its
//! line leaves once, and after a crash again with the same time, so that a receiver has it once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Note;
use taffrail_stages::stage::LevelStage;
use taffrail_stages::{Stage, Stages};
use tokio::sync::mpsc::Permit;

use super::feed::Feed;
use super::read::Released;
use super::record::{Gap, Record};
use super::source::Source;
use crate::logs::{Body, Chunk, Shape, notes};

/// The most gaps that wait to be told. What is lost beyond it is counted and noted, and not told in its stream.
const MAX_GAPS: usize = 1000;
/// How long until a line that came back is sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// The gaps of a source that were not told yet, or whose line is on its way.
#[derive(Debug)]
pub(super) struct Gaps {
    waiting: BTreeMap<u64, Waiting>,
    /// Its lines say their level, and nothing else is to be found in them.
    stages: Arc<Stages>,
}

#[derive(Debug)]
struct Waiting {
    gap: Gap,
    name: Arc<Path>,
    /// Its line is on its way.
    sent: bool,
    /// It came back; it is not sent before this, monotonic.
    retry_at: Duration,
}

impl Default for Gaps {
    fn default() -> Self {
        let stages = Arc::new(Stages::new([Stage::Level(LevelStage::default())]));
        Gaps { waiting: BTreeMap::new(), stages }
    }
}

impl Gaps {
    /// The streams in which there is something to tell.
    pub(super) fn due(&self, now: Duration) -> impl Iterator<Item = &Arc<Path>> {
        self.waiting.values().filter(move |gap| gap.is_due(now)).map(|gap| &gap.name)
    }

    /// Whether the gap of this number is to be told now.
    pub(super) fn is_due(&self, id: u64, now: Duration) -> bool {
        self.waiting.get(&id).is_some_and(|gap| gap.is_due(now))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is kept of them on disk.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.waiting.values().map(|waiting| Record::Gap(waiting.gap.clone()))
    }
}

impl Waiting {
    fn is_due(&self, now: Duration) -> bool {
        !self.sent && now >= self.retry_at
    }
}

impl Source {
    /// Has something told in the stream `name`: before its files of higher numbers than `at`, or behind all.
    pub(super) fn tell_gap(&mut self, name: &Arc<Path>, at: Option<u64>, note: &Note) {
        if self.gaps.waiting.len() >= MAX_GAPS {
            return;
        }
        let id = at.unwrap_or_else(|| self.new_id());
        let gap = Gap { id, base_ns: 0, name: name.to_path_buf(), line: notes::line(note) };
        self.note(&Record::Gap(gap.clone()));
        self.take_up_gap(gap);
        self.write();
    }

    /// Goes on with a gap that an earlier run knew.
    pub(super) fn take_up_gap(&mut self, gap: Gap) {
        let name: Arc<Path> = gap.name.as_path().into();
        let stream = self.stream(&name);
        stream.files.insert(gap.id);
        stream.last_ns = stream.last_ns.max(gap.base_ns);
        let waiting = Waiting { gap, name, sent: false, retry_at: Duration::ZERO };
        self.gaps.waiting.insert(waiting.gap.id, waiting);
    }

    /// Sends the line of a gap.
    pub(super) fn send_gap(&mut self, id: u64, permit: Permit<'_, Chunk>) -> Released {
        let Some(waiting) = self.gaps.waiting.get(&id) else { return Released::Nothing };
        let (name, mut base_ns) = (waiting.name.clone(), waiting.gap.base_ns);
        let first = base_ns == 0;
        if first {
            base_ns = self.next_time(&name, self.clock.now_ns());
        }
        let stream = self.stream(&name);
        stream.last_ns = stream.last_ns.max(base_ns);
        let Feed { labels, metadata, keep, .. } = stream.feed.clone();
        let Some(waiting) = self.gaps.waiting.get_mut(&id) else { return Released::Nothing };
        waiting.gap.base_ns = base_ns;
        let gap = waiting.gap.clone();
        let bytes = gap.line.clone();
        if first {
            self.note(&Record::Gap(gap));
            self.write();
        }
        if self.tenure.is_over() {
            return Released::Nothing;
        }
        if let Some(waiting) = self.gaps.waiting.get_mut(&id) {
            waiting.sent = true;
        }
        let len = bytes.len() as u64;
        let body = Body::Lines { bytes: bytes.into(), base_ns, shape: Shape::default() };
        let (stages, ticket) = (self.gaps.stages.clone(), self.receipts.ticket(id, 0));
        permit.send(Chunk { labels, metadata, body, stages, keep, ticket });
        Released::Bytes(len)
    }

    /// What became of a gap's line.
    pub(super) fn gap_ended(&mut self, id: u64, settled: bool) {
        let again = self.clock.monotonic() + AGAIN;
        let Some(waiting) = self.gaps.waiting.get_mut(&id) else { return };
        if !settled {
            (waiting.sent, waiting.retry_at) = (false, again);
            return;
        }
        let name = waiting.name.clone();
        self.gaps.waiting.remove(&id);
        self.leave_stream(&name, id);
        self.note(&Record::Gone { id });
    }
}
