//! The source as one thread sees it: what it follows, and one round of its work.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_stages::Stages;
use tokio::sync::{mpsc, watch};

use super::book::{Book, Memory};
use super::feed::Feed;
use super::file::LogFile;
use super::gaps::Gaps;
use super::given::Given;
use super::glob::Patterns;
use super::hints::Hints;
use super::identity::hash64;
use super::listing::Listing;
use super::loss::Why;
use super::promtail::Promtail;
use super::receipts::{Receipt, Receipts};
use super::tenure::Tenure;
use crate::config::valid::{Files, Start};
use crate::logs::{Chunk, Notes, Shape};
use crate::sources::Context;
use crate::status::{Failure, SourceStatus, lock};

/// The file system is asked at most so often, however busy the source is.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// What a round of work came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to read at once.
    Busy,
    /// There is more to read, but the queue of chunks is full.
    Full,
    /// Nothing more for now; true when something was released in this round.
    Idle(bool),
    /// Nobody takes chunks any longer.
    Closed,
}

/// Lines of one name: the files that have it, or had it before they were rotated.
#[derive(Debug)]
pub(super) struct Stream {
    /// Its labels and the like.
    pub(super) feed: Feed,
    /// The time of the last line.
    pub(super) last_ns: i64,
    /// The numbers of its files, oldest first.
    pub(super) files: BTreeSet<u64>,
    /// When the newest of them was born, in Unix nanoseconds; 0 when that is not known.
    pub(super) born_ns: i64,
}

/// A path that cannot be read, and when to try again.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) wait: Duration,
    pub(super) retry_at: Duration,
}

/// What a source of files is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// Unique among log sources.
    pub name: String,
    /// Labels of its streams.
    pub labels: BTreeMap<String, String>,
    /// The files.
    pub files: Files,
    /// Which files, if not those that match the globs.
    pub given: Option<Arc<Given>>,
}

/// A source of log files, worked by calling [`Source::step`] again and again on one thread; see [`super::start`].
#[derive(Debug)]
pub struct Source {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) instance: String,
    pub(super) start: Start,
    pub(super) positions_from: Option<PathBuf>,
    /// What promtail knew.
    pub(super) promtail: Promtail,
    pub(super) shape: Shape,
    pub(super) clock: Clock,
    pub(super) chunks: Option<mpsc::Sender<Chunk>>,
    pause: watch::Receiver<bool>,
    pub(super) stages: Arc<Stages>,
    pub(super) keep: bool,
    pub(super) state: PathBuf,
    pub(super) status: Arc<Mutex<SourceStatus>>,
    pub(super) notes: Notes,
    pub(super) listing: Listing,
    pub(super) hints: Hints,
    pub(super) globs: u64,
    /// `None` while positions cannot be read.
    pub(super) book: Option<Book>,
    pub(super) files: BTreeMap<u64, LogFile>,
    /// Files by device and inode, as long as they are held open.
    pub(super) by_inode: HashMap<(u64, u64), u64>,
    pub(super) streams: BTreeMap<Arc<Path>, Stream>,
    pub(super) gaps: Gaps,
    /// Files born before were there when this began, or were followed and let go.
    pub(super) since_ns: i64,
    /// When the last look at files began: what was born before was there to be seen.
    pub(super) looked_ns: i64,
    pub(super) troubles: HashMap<PathBuf, Trouble>,
    /// Files that are held and have no name that matches.
    pub(super) nameless: Vec<u64>,
    /// All is read and settled: until something changes, files need not be gone through.
    pub(super) at_rest: bool,
    /// Files that were named before they are there, and until when they are looked for often, monotonic.
    pub(super) awaited: Vec<(PathBuf, Duration)>,
    /// What an earlier run knew.
    pub(super) earlier: Memory,
    pub(super) receipts: Arc<Receipts>,
    pub(super) fetched: Vec<Receipt>,
    pub(super) next_id: u64,
    /// How many rounds of polling there were.
    pub(super) round: u64,
    poll_at: Duration,
    pub(super) save_at: Duration,
    /// The last try to save positions failed.
    pub(super) save_failing: bool,
    pub(super) hold_until: Duration,
    /// It was said that nothing is read.
    pub(super) holding: bool,
    /// Up to here it was said that times were ahead, in Unix nanoseconds.
    pub(super) ahead_said_ns: i64,
    /// The stream that is read first in the next round.
    pub(super) turn: Option<Arc<Path>>,
    pub(super) buffer: Vec<u8>,
    pub(super) tally: Tally,
    pub(super) tenure: Arc<Tenure>,
}

/// What is counted since the start.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    /// Bytes lost, by [`Why`].
    pub(super) lost: [u64; Why::ALL.len()],
    pub(super) cuts: u64,
    pub(super) failure: Option<Failure>,
}

impl Source {
    /// A source that goes on, from its first step, where an earlier one left off. If its positions cannot be read it
    /// holds: it reads nothing and says why in its status. This looks at no file: a dead mount may hang whoever does.
    ///
    /// # Errors
    /// When a glob cannot be used.
    pub fn new(config: &Config, context: Context) -> io::Result<Source> {
        let files = &config.files;
        let patterns = Patterns::new(&files.include, &files.exclude)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        let globs = format!("{:?}", (&files.include, &files.exclude));
        // Until the first step has come through; who sees it for long should know why.
        lock(&context.status).holding = Some(
            "it looks for the files it read before. If it does so for long, a file system with logs does not answer"
                .to_owned(),
        );
        Ok(Source {
            name: config.name.clone(),
            labels: config.labels.clone(),
            instance: context.instance,
            start: files.start,
            positions_from: files.positions_from.clone(),
            promtail: Promtail::default(),
            shape: Shape::new(files.format, files.max_line_bytes),
            chunks: Some(context.chunks),
            pause: context.pause,
            stages: context.stages,
            keep: context.keep,
            state: context.state,
            status: context.status,
            notes: context.notes,
            listing: Listing::new(patterns, config.given.clone()),
            hints: Hints::new(),
            globs: hash64(globs.as_bytes()),
            book: None,
            files: BTreeMap::new(),
            by_inode: HashMap::new(),
            streams: BTreeMap::new(),
            gaps: Gaps::default(),
            since_ns: context.clock.now_ns(),
            looked_ns: context.clock.now_ns(),
            clock: context.clock,
            troubles: HashMap::new(),
            nameless: Vec::new(),
            at_rest: false,
            awaited: Vec::new(),
            earlier: Memory::default(),
            receipts: Arc::default(),
            fetched: Vec::new(),
            next_id: 1,
            round: 0,
            poll_at: Duration::ZERO,
            save_at: Duration::ZERO,
            save_failing: false,
            hold_until: Duration::ZERO,
            holding: false,
            ahead_said_ns: i64::MIN,
            turn: None,
            buffer: Vec::new(),
            tally: Tally::default(),
            tenure: Arc::default(),
        })
    }

    /// One round: looks at files when it is time to, then releases a bounded number of chunks. Waits for nothing but
    /// the disk.
    pub fn step(&mut self) -> Step {
        if self.tenure.is_over() {
            return Step::Closed;
        }
        let now = self.clock.monotonic();
        let ready = self.listing.given().is_none_or(|given| given.is_ready());
        if self.book.is_none() && ready && now >= self.hold_until {
            self.take_up();
        }
        if self.book.is_none() {
            self.show();
            return Step::Idle(false);
        }
        self.settle();
        let polled = now >= self.poll_at;
        if polled {
            self.at_rest &= !self.poll(now);
            self.poll_at = now + POLL_EVERY;
        }
        self.take_fresh(now);
        if self.at_rest {
            self.keep(now);
            if self.tally.failure.is_some() {
                self.show();
            }
            return Step::Idle(false);
        }
        let paused = *self.pause.borrow();
        let step = if paused { Step::Idle(false) } else { self.read(now) };
        self.keep(now);
        if polled || matches!(step, Step::Idle(_)) {
            self.show();
        }
        step
    }

    /// Stops reading for good: no chunk is released any longer, and the queue's end is given up.
    pub fn halt(&mut self) {
        self.chunks = None;
    }

    /// Takes note of what was settled meanwhile. Says how many bytes are not, and how many were not read.
    pub fn settle_and_save(&mut self) -> (u64, u64) {
        self.settle();
        if self.book.as_ref().is_some_and(Book::wants_save) {
            self.save();
        }
        self.show();
        let sum = |of: fn(&LogFile) -> u64| self.files.values().map(of).sum::<u64>();
        (sum(|file| file.tracker.unsettled()), sum(LogFile::behind))
    }

    /// Where tickets of this source report.
    pub(super) fn receipts(&self) -> Arc<Receipts> {
        self.receipts.clone()
    }

    /// The stream of `name`, made if it is new.
    pub(super) fn stream(&mut self, name: &Arc<Path>) -> &mut Stream {
        let feed = match self.streams.get(name) {
            Some(stream) => stream.feed.clone(),
            None => self.feed_of(name),
        };
        let new = || Stream { feed, last_ns: 0, files: BTreeSet::new(), born_ns: 0 };
        self.streams.entry(name.clone()).or_insert_with(new)
    }

    /// Whether the globs are those of the run before.
    pub(super) fn same_globs(&self) -> bool {
        self.earlier.globs == self.globs
    }

    fn show(&mut self) {
        let files = self.files.values();
        let (mut behind, mut unsettled, mut inputs) = (0, 0, 0);
        for file in files {
            behind += file.behind();
            unsettled += file.tracker.unsettled();
            inputs += usize::from(file.handle.is_some());
        }
        let furthest = self.furthest();
        let mut status = lock(&self.status);
        status.streams = furthest;
        status.inputs = inputs;
        status.lines = self.tally.lines;
        status.bytes = self.tally.bytes;
        status.behind_bytes = behind;
        status.unsettled_bytes = unsettled;
        status.lost_bytes = self.tally.lost.iter().sum();
        status.lost.extend(Why::ALL.map(|why| (why.word(), self.tally.lost[why as usize])));
        status.unreadable = self.troubles.len();
        status.cut_lines = self.tally.cuts;
        if let Some(failure) = self.tally.failure.take() {
            status.last_error = Some(failure);
        }
    }
}
