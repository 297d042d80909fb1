//! What a reader does whose records are not in memory: reads one batch from a segment file.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use crate::disk::frames::{Frame, Frames};
use crate::log::{Position, Record, Tally};
use crate::segment::{HEADER, Spot};

/// What to read.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) path: Arc<Path>,
    /// The first record wanted is at or after this position; the offset is at or before it, 0 if not known.
    pub(crate) from: Spot,
    /// The offset at which the whole records in the file end.
    pub(crate) end: u64,
    /// The position after those.
    pub(crate) until: Position,
    pub(crate) committed: Position,
    pub(crate) max_bytes: usize,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) after: Spot,
    /// Damaged stretches: from, to, and how many records are missing.
    pub(crate) damage: Vec<(u64, u64, u64)>,
    /// Why the rest of the segment is given up.
    pub(crate) error: Option<io::Error>,
    /// Why there is no more now; what comes next can be read later.
    pub(crate) trouble: Option<io::Error>,
    /// To read on from, if there is more.
    pub(crate) frames: Option<Frames>,
}

/// Whether what could not be read never will be. Anything else may pass: no descriptor or memory left, a mount that is
/// away, rights that are wrong.
pub(crate) fn is_lost(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
    ) || matches!(Errno::from_io_error(error), Some(Errno::IO | Errno::BADMSG | Errno::UCLEAN))
}

impl Job {
    /// Reads; `frames` may be what an earlier batch left.
    pub(crate) fn run(self, frames: Option<Frames>) -> Batch {
        let mut batch = Batch {
            records: Vec::new(),
            after: self.from,
            damage: Vec::new(),
            error: None,
            trouble: None,
            frames: None,
        };
        let start = self.from.offset.max(HEADER);
        let frames = match frames
            .filter(|frames| frames.segment() == self.from.segment && frames.at() == start)
        {
            Some(mut frames) => {
                frames.extend(self.end);
                Ok(frames)
            }
            None => File::open(&self.path).map(|file| Frames::new(file, self.from.segment, start, self.end)),
        };
        match frames.and_then(|mut frames| self.fill(&mut frames, &mut batch).map(|more| (frames, more))) {
            Ok((frames, true)) => batch.frames = Some(frames),
            Ok((_, false)) => {}
            Err(error) if !is_lost(&error) => batch.trouble = Some(error),
            Err(error) => {
                // The rest of the segment is out of reach. Going on with the next beats trying this one for ever.
                let from = batch.after.offset.max(HEADER);
                batch.damage.push((from, self.end, self.until.saturating_sub(batch.after.position).max(1)));
                batch.after = Spot { position: self.until, segment: self.from.segment, offset: self.end };
                batch.error = Some(error);
            }
        }
        batch
    }

    /// Whether there is more after it.
    fn fill(&self, frames: &mut Frames, batch: &mut Batch) -> io::Result<bool> {
        let mut room = self.max_bytes;
        let mut damaged = None;
        // Where the offset is only a lower bound, what is missing there may be behind the reader already.
        let mut expected = self.from.position;
        loop {
            if !batch.records.is_empty() && frames.next_size()?.is_some_and(|size| size > room) {
                return Ok(true);
            }
            match frames.next()? {
                Frame::Damage { from, to } => damaged = Some((from, to)),
                Frame::Record { position, .. } if position < self.from.position => damaged = None,
                Frame::Record { position, appended_ms, payload, end } => {
                    if let Some((from, to)) = damaged.take() {
                        batch.damage.push((from, to, position.saturating_sub(expected).max(1)));
                    }
                    expected = position + 1;
                    room = room.saturating_sub(payload.len());
                    batch.after = Spot { position: expected, segment: self.from.segment, offset: end };
                    batch.records.push(Record {
                        position,
                        segment: self.from.segment,
                        replay: position < self.committed,
                        appended_ms,
                        bytes: payload,
                    });
                }
                Frame::End => {
                    if let Some((from, to)) = damaged {
                        batch.damage.push((from, to, self.until.saturating_sub(expected).max(1)));
                    }
                    batch.after = Spot { position: self.until, segment: self.from.segment, offset: self.end };
                    return Ok(false);
                }
            }
        }
    }
}

impl crate::ledger::Ledger {
    /// A reader at `at` met trouble that may pass; says what it is.
    pub(crate) fn note_trouble(&mut self, at: Spot, error: &io::Error, now_ms: i64) -> String {
        let segment = self.segments.iter().find(|segment| segment.id == at.segment);
        let path = segment.and_then(|segment| segment.path.as_deref()).unwrap_or(Path::new("a segment"));
        let what = format!("cannot read {}: {error}; it is tried again", path.display());
        self.last_error = Some((now_ms, what.clone()));
        what
    }

    /// Counts what a reader found damaged, once however many readers find it.
    pub(crate) fn note_damage(&mut self, cursor: u64, at: Spot, batch: &Batch, now_ms: i64) {
        let Some(segment) = self.segments.iter_mut().find(|segment| segment.id == at.segment) else {
            // It was dropped, and counted, while it was read.
            return;
        };
        let mut lost = Tally::default();
        for (from, to, records) in &batch.damage {
            lost.add(*records, to - from);
            if *from >= segment.damage_upto {
                segment.damage_upto = *to;
                self.counters.corrupt.add(*records, to - from);
            }
        }
        if lost == Tally::default() {
            return;
        }
        let path = segment.path.clone().unwrap_or_else(|| Path::new("").into());
        let what = match &batch.error {
            Some(error) => format!("cannot read {}: {error}", path.display()),
            None => format!("{}: {} bytes are damaged", path.display(), lost.bytes),
        };
        tracing::warn!(%what, records = lost.records, "records in the log are lost");
        self.last_error = Some((now_ms, what));
        if let Some(cursor) = self.cursors.iter_mut().find(|state| state.id == cursor)
            && cursor.committed.position <= batch.after.position
        {
            cursor.lost.add(lost.records, lost.bytes);
        }
    }
}
