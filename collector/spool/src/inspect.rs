//! Looking at a log on disk without opening it: nothing is written, so this may be done while a process has it open.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::frame::{self, FOOTER};
use crate::disk::frames::{Frame, Frames};
use crate::disk::positions::Saved;
use crate::error::FileError;
use crate::log::{Position, Record, SegmentId, Tally};
use crate::segment::{HEADER, framed};
use crate::state_file::{Loaded, StateFile};

/// How often the end of a file is read again that a running process may be writing, and how long it is waited for.
const TRIES: usize = 5;
const MOMENT: Duration = Duration::from_millis(50);

/// What a log's directory holds.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// Its segments, oldest first.
    pub segments: Vec<SegmentFile>,
    /// Where its readers are, as it was saved last.
    pub cursors: Vec<CursorFile>,
    /// Why it is not known where the readers are: they would begin at the oldest record.
    pub cursors_problem: Option<String>,
    /// Files that were set aside since they were damaged, and their sizes in bytes.
    pub set_aside: Vec<(PathBuf, u64)>,
}

/// One segment's file.
#[derive(Clone, Debug)]
pub struct SegmentFile {
    /// Where it is.
    pub path: PathBuf,
    /// Which segment it is.
    pub id: SegmentId,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its whole records, with their framing.
    pub held: Tally,
    /// The position of the first record, and the one after the last.
    pub positions: Option<(Position, Position)>,
    /// When the first and the last record were appended, milliseconds since 1970 UTC.
    pub times: Option<(i64, i64)>,
    /// Whether it ends with a footer: it will not change any more.
    pub complete: bool,
    /// Whether its header is not what was written. No record is lost by that: the name says which segment it is.
    pub header_damaged: bool,
    /// Stretches that are no records.
    pub damage: Vec<Damage>,
    /// Why the rest of it could not be read.
    pub error: Option<String>,
}

/// A stretch of a file that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The offset at which it begins.
    pub from: u64,
    /// The offset at which it ends.
    pub to: u64,
    /// How many records are missing, one at least; where it cannot be known, one.
    pub records: u64,
    /// It is the end of a segment that was not completed: the last write was cut short.
    pub torn: bool,
}

/// One reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorFile {
    /// Its name.
    pub name: String,
    /// The position of the next record it has to commit.
    pub committed: Position,
    /// When it was last held, milliseconds since 1970 UTC.
    pub seen_ms: i64,
    /// What is in files that it has yet to commit.
    pub lag: Tally,
    /// When the oldest of that was appended, milliseconds since 1970 UTC.
    pub pending_ms: Option<i64>,
}

/// Is told what an inspection comes by.
pub trait Inspect {
    /// Where the readers are; said before the first record.
    fn cursors(&mut self, _cursors: &[CursorFile]) {}

    /// `done` of `total` bytes are read.
    fn progress(&mut self, _done: u64, _total: u64) {}

    /// A whole record, which begins at the offset `at` of the file at `path`. `false` ends the inspection.
    fn record(&mut self, _record: &Record, _path: &Path, _at: u64) -> bool {
        true
    }
}

impl Inspect for () {}

impl SegmentFile {
    /// Whether all of it reads.
    pub fn is_sound(&self) -> bool {
        !self.header_damaged && self.damage.is_empty() && self.error.is_none()
    }
}

impl Inspection {
    /// Whether all of it reads.
    pub fn is_sound(&self) -> bool {
        self.cursors_problem.is_none() && self.segments.iter().all(SegmentFile::is_sound)
    }

    /// All whole records.
    pub fn held(&self) -> Tally {
        let mut held = Tally::default();
        self.segments.iter().for_each(|segment| held.add(segment.held.records, segment.held.bytes));
        held
    }

    /// When the first and the last record were appended, milliseconds since 1970 UTC.
    pub fn times(&self) -> Option<(i64, i64)> {
        let times = || self.segments.iter().filter_map(|segment| segment.times);
        Some((times().map(|(first, _)| first).min()?, times().map(|(_, last)| last).max()?))
    }
}

/// Reads all of the log in `dir`, record by record. `live`: a process has it open, so segments may go, and the last one
/// may be in the middle of a write.
///
/// # Errors
/// If the directory cannot be listed. What cannot be read in it is a part of what is found.
pub fn inspect(dir: &Path, live: bool, on: &mut impl Inspect) -> Result<Inspection, FileError> {
    // Before the records: what a process commits meanwhile is not missed by that, and what it appends is no lag.
    let (cursors, cursors_problem) = cursors(dir);
    on.cursors(&cursors);
    let mut found = Inspection { cursors, cursors_problem, ..Inspection::default() };
    let mut files = Vec::new();
    let unreadable = |cause| FileError::new("list the directory", dir, cause);
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let id = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok());
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        match (path.extension().and_then(OsStr::to_str), id) {
            (Some("seg"), Some(id)) => files.push((SegmentId(id), path, bytes)),
            (Some("corrupt"), Some(_)) => found.set_aside.push((path, bytes)),
            _ => {}
        }
    }
    files.sort_unstable();
    found.set_aside.sort_unstable();
    let total = files.iter().map(|(_, _, bytes)| bytes).sum();
    let (mut done, newest) = (0, files.last().map(|(id, ..)| *id));
    for (id, path, bytes) in files {
        let mut walk = Walk { on, cursors: &mut found.cursors, done, total, ended: false };
        let segment = walk.segment(id, path, live && Some(id) == newest);
        let ended = walk.ended;
        // Else it was delivered and removed since the directory was listed.
        if !(live && segment.error.is_some() && !segment.path.exists()) {
            found.segments.push(segment);
        }
        if ended {
            break;
        }
        done += bytes;
        on.progress(done, total);
    }
    Ok(found)
}

/// The readers, or why they are not known.
fn cursors(dir: &Path) -> (Vec<CursorFile>, Option<String>) {
    let saved = match StateFile::new(dir.join("cursors")).load() {
        Loaded::Empty => return (Vec::new(), None),
        Loaded::Unreadable { problem } => return (Vec::new(), Some(problem)),
        Loaded::Found { bytes, .. } => Saved::decode(&bytes),
    };
    let Some(saved) = saved else {
        return (Vec::new(), Some("they are not in a format that this version knows".to_owned()));
    };
    let cursor = |cursor: crate::disk::positions::SavedCursor| CursorFile {
        name: cursor.name,
        committed: cursor.committed.position,
        seen_ms: cursor.seen_ms,
        lag: Tally::default(),
        pending_ms: None,
    };
    (saved.cursors.into_iter().map(cursor).collect(), None)
}

/// The reading of one segment.
struct Walk<'a, I> {
    on: &'a mut I,
    cursors: &'a mut [CursorFile],
    done: u64,
    total: u64,
    ended: bool,
}

impl<I: Inspect> Walk<'_, I> {
    fn segment(&mut self, id: SegmentId, path: PathBuf, growing: bool) -> SegmentFile {
        let mut segment = SegmentFile {
            path,
            id,
            bytes: 0,
            held: Tally::default(),
            positions: None,
            times: None,
            complete: false,
            header_damaged: false,
            damage: Vec::new(),
            error: None,
        };
        if let Err(error) = self.read(&mut segment, growing) {
            segment.error = Some(FileError::new("read", &segment.path, error).to_string());
        }
        segment
    }

    fn read(&mut self, segment: &mut SegmentFile, growing: bool) -> io::Result<()> {
        let file = File::open(&segment.path)?;
        let (mut end, mut last) = look(&file, segment)?;
        let mut header = [0; HEADER as usize];
        segment.header_damaged = segment.bytes >= HEADER
            && !(file.read_exact_at(&mut header, 0).is_ok() && frame::header_holds(&header, segment.id));
        let mut frames = Frames::new(file.try_clone()?, segment.id, HEADER, end);
        let mut tries = if growing { TRIES } else { 1 };
        loop {
            let at = frames.at();
            match frames.next()? {
                Frame::End => return Ok(()),
                Frame::Record { position, appended_ms, payload, end } => {
                    self.record(
                        segment,
                        at,
                        end,
                        &Record { position, segment: segment.id, replay: false, appended_ms, bytes: payload },
                    );
                    if self.ended {
                        return Ok(());
                    }
                }
                Frame::Damage { from, to } if to >= end && tries > 1 => {
                    // A write that is under way looks like one that was cut short.
                    tries -= 1;
                    std::thread::sleep(MOMENT);
                    (end, last) = look(&file, segment)?;
                    frames = Frames::new(file.try_clone()?, segment.id, from, end);
                }
                Frame::Damage { from, to } => {
                    let torn = to >= end && !segment.complete;
                    let before = segment.positions.map(|(_, before)| before);
                    let records = match (to >= end, last, before) {
                        (true, Some(last), Some(before)) => last.saturating_sub(before).max(1),
                        _ => 1,
                    };
                    segment.damage.push(Damage { from, to, records, torn });
                }
            }
        }
    }

    fn record(&mut self, segment: &mut SegmentFile, at: u64, end: u64, record: &Record) {
        let (position, ms) = (record.position, record.appended_ms);
        if let Some(damage) = segment.damage.last_mut().filter(|damage| damage.to == at)
            && let Some((_, before)) = segment.positions
        {
            damage.records = position.saturating_sub(before).max(1);
        }
        let size = framed(record.bytes.len());
        segment.held.add(1, size);
        segment.positions = Some((segment.positions.map_or(position, |(first, _)| first), position + 1));
        segment.times = Some(segment.times.map_or((ms, ms), |(first, last)| (first.min(ms), last.max(ms))));
        for cursor in self.cursors.iter_mut().filter(|cursor| cursor.committed <= position) {
            cursor.lag.add(1, size);
            cursor.pending_ms.get_or_insert(ms);
        }
        self.ended = !self.on.record(record, &segment.path, at);
        self.on.progress(self.done + end, self.total);
    }
}

/// Notes the file's size and whether it is complete; the offset at which its records end, and the position if known.
fn look(file: &File, segment: &mut SegmentFile) -> io::Result<(u64, Option<Position>)> {
    segment.bytes = file.metadata()?.len();
    let mut footer = [0; FOOTER as usize];
    let summary = match segment.bytes.checked_sub(FOOTER) {
        Some(at) => {
            file.read_exact_at(&mut footer, at)?;
            frame::parse_footer(&footer, segment.id, segment.bytes)
        }
        None => None,
    };
    segment.complete = summary.is_some();
    Ok(summary.map_or((segment.bytes, None), |summary| (summary.len, Some(summary.end))))
}
