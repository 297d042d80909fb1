//! The log as its writer and its observers see it: the trait, and the values that pass through it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::cursor::Cursor;
use crate::ticket::Ticket;

/// A record's sequence number. It only ever grows, over restarts too (each restart leaves a gap), and is used once.
pub type Position = u64;

/// A stretch of records that can be read without any other. Ids only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64);

/// Where a cursor begins that the log has never seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that is still held.
    Oldest,
    /// At the next record to be appended.
    Newest,
}

/// One record as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its sequence number.
    pub position: Position,
    /// The segment it stands in. What an earlier record of the same segment defined holds for this one.
    pub segment: SegmentId,
    /// The cursor has this record behind it: it is given for its definitions only and must not be sent.
    pub replay: bool,
    /// When it was appended, milliseconds since 1970 UTC.
    pub appended_ms: i64,
    /// What was appended, unchanged.
    pub bytes: Bytes,
}

/// What [`Cursor::peek`] yields.
#[derive(Clone, Debug)]
pub struct Peeked {
    /// Records in order, at least one.
    pub records: Vec<Record>,
    /// The position after the last of them: give it to [`Cursor::commit`] or [`Cursor::skip`] when done with all.
    pub upto: Position,
}

/// How near the log is to giving up its oldest records.
///
/// It is high where three quarters of the bound are taken, or free space on the disk is near its floor, and a cursor has
/// a real backlog: 1 MiB, or a segment if those are smaller. A cursor that nobody has held for a minute does not count:
/// its backlog shrinks for no source that pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    /// There is room.
    #[default]
    Low,
    /// At least one cursor lags; others keep up, so a source that pauses now spares the one and starves the others.
    SomeLag,
    /// Every cursor lags by about as much: a source that is safe on disk loses nothing by pausing.
    AllLag,
}

impl Pressure {
    /// Whether the oldest records may go soon.
    pub fn is_high(self) -> bool {
        self != Pressure::Low
    }
}

/// A number of records and their bytes, as they lie on disk: each with 28 bytes of framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many records.
    pub records: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }
}

/// What the log holds, and all it ever gave up since it was opened.
///
/// Losses are counted once per cursor that lost the record.
#[derive(Clone, Debug, Default)]
pub struct LogStats {
    /// What is held, in memory or on disk. [`LogStats::capacity_bytes`] bounds its bytes.
    pub held: Tally,
    /// Bytes of records in memory.
    pub memory_bytes: u64,
    /// Bytes of segment files.
    pub disk_bytes: u64,
    /// The bound on the bytes held.
    pub capacity_bytes: u64,
    /// Number of segments held.
    pub segments: usize,
    /// Age of the oldest record that some cursor still needs; zero if there is none.
    pub oldest_age: Duration,
    /// All that was appended.
    pub appended: Tally,
    /// Given up because the log was full.
    pub dropped_full: Tally,
    /// Given up because of age.
    pub dropped_age: Tally,
    /// Given up because the disk was full, below its floor of free space, or broken.
    pub dropped_disk: Tally,
    /// Refused because of size.
    pub dropped_too_large: Tally,
    /// Skipped by readers, by their reasons.
    pub skipped: BTreeMap<&'static str, Tally>,
    /// Cut off at the end of a segment by a crash. A torn record was never acknowledged to its source.
    pub torn: Tally,
    /// Damaged in the middle of a segment. Where a count cannot be known, one stretch of bytes counts as one record.
    pub corrupt: Tally,
    /// The disk takes no writes now; records are kept in memory as far as its bound goes.
    pub disk_blocked: bool,
    /// The last thing that went wrong with the disk, and when (milliseconds since 1970 UTC).
    pub last_error: Option<(i64, String)>,
    /// Each cursor, by name.
    pub cursors: Vec<CursorStats>,
}

/// One cursor, seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorStats {
    /// Its name.
    pub name: String,
    /// Whether somebody holds it now.
    pub open: bool,
    /// When it was last held, milliseconds since 1970 UTC.
    pub seen_ms: i64,
    /// The position of the next record it has to commit.
    pub committed: Position,
    /// What it still has to commit.
    pub lag: Tally,
    /// Age of the oldest record it still has to commit; zero if there is none.
    pub lag_age: Duration,
    /// What it lost to the log's bounds, to the disk and to damage that was met while reading.
    pub lost: Tally,
}

/// Why a record was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// It is larger than this log can hold. Its ticket was settled as dropped, since trying again cannot help.
    #[error("a record of {bytes} bytes is larger than this log takes ({max} bytes): split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest that is taken.
        max: usize,
    },
    /// The log was closed. The ticket was dropped unsettled, so that the source reads the record again.
    #[error("the log is closed and takes no more records")]
    Closed,
}

/// Why a cursor was not given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CursorError {
    /// A cursor has one reader.
    #[error("cursor {name:?} is read by somebody else; it must be dropped first")]
    InUse {
        /// Which cursor.
        name: String,
    },
}

/// An ordered log of records with one writer and any number of named cursors, each with one reader.
///
/// **Segments.** A reader may begin at any segment, so a segment must be readable alone: the writer asks
/// [`Log::segment`] where the next record will stand, and if that is not where its last one stood it repeats all
/// definitions the record needs. The answer holds until the next [`Log::append`]. Retention gives up whole segments,
/// oldest first, for the same reason.
///
/// **Settling.** A record's [`Ticket`] is called once: when every cursor committed it, when it is safe on disk, or when
/// it was given up. With no cursor at all there is nobody to deliver to, and records settle at once as dropped for
/// [`Reason::NoOutput`](crate::Reason::NoOutput), which is not counted as a loss: create the cursors before the sources
/// start. A cursor counts from its creation until [`Log::remove_cursor`], whether somebody holds it or not.
pub trait Log: Send + Sync {
    /// The segment in which the next appended record will stand.
    fn segment(&self) -> SegmentId;

    /// Appends a record. A log on disk may block in `write(2)`.
    ///
    /// `record` is kept as it is, so it should not be a small part of a large buffer. Trouble with the disk is not an
    /// error here: the record stays in memory, and [`LogStats::last_error`] says what is wrong.
    fn append(&self, record: Bytes, ticket: Ticket) -> Result<Position, AppendError>;

    /// Waits while a cursor that is read has more than `bytes` to commit and keeps up: nothing of it is older than `age`,
    /// nor does this ever take longer. For writers that could fetch records faster than they are read, only to have them
    /// written to disk and read again. Needs a runtime with timers.
    fn wait_for_cursors(&self, bytes: u64, age: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Opens the cursor `name` at the position it last committed, or at `start` if it was never seen. On disk a new one
    /// is saved before it is given, so this may wait for the disk.
    fn cursor(&self, name: &str, start: Start) -> Result<Cursor, CursorError>;

    /// Forgets a cursor and all that is held for it alone. A reader that still has it gets no more records.
    fn remove_cursor(&self, name: &str);

    /// What the log holds and what it lost.
    fn stats(&self) -> LogStats;

    /// How near the log is to giving up records, as it changes.
    fn pressure(&self) -> watch::Receiver<Pressure>;

    /// Takes no more records. Readers get what is left, then `None`.
    fn close(&self);
}
