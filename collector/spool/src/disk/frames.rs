//! Reads the records of a segment file one after another, in bounded pieces, and finds its way again after damage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use crate::disk::frame::{Head, MARKER};
use crate::log::{Position, SegmentId};
use crate::segment::FRAME;

/// How much is read at once, unless a record is larger.
const PIECE: u64 = 256 << 10;

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A whole record, which ends at the offset `end`.
    Record { position: Position, appended_ms: i64, payload: Bytes, end: u64 },
    /// Bytes that are no record, up to the next one that is, or to the end.
    Damage { from: u64, to: u64 },
    /// The end of what there is.
    End,
}

/// A reading position in a segment file.
#[derive(Debug)]
pub(crate) struct Frames {
    file: File,
    segment: SegmentId,
    at: u64,
    end: u64,
    /// Records before this were read: what repeats them is no record.
    least: Position,
    piece: Bytes,
    piece_at: u64,
}

impl Frames {
    /// Reads `file` from the offset `at`, where a record begins, to the offset `end`.
    pub(crate) fn new(file: File, segment: SegmentId, at: u64, end: u64) -> Self {
        Frames { file, segment, at, end, least: 0, piece: Bytes::new(), piece_at: 0 }
    }

    /// The segment it reads.
    pub(crate) fn segment(&self) -> SegmentId {
        self.segment
    }

    /// The offset of the next frame.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The file has grown.
    pub(crate) fn extend(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// The file itself.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> io::Result<Frame> {
        if self.at >= self.end {
            return Ok(Frame::End);
        }
        if let Some(record) = self.record_at(self.at)? {
            return Ok(record);
        }
        let from = self.at;
        self.at = self.next_start(from + 1)?;
        Ok(Frame::Damage { from, to: self.at })
    }

    /// The size of the next record's payload, if there is one: to stop before it.
    pub(crate) fn next_size(&mut self) -> io::Result<Option<usize>> {
        if self.end.saturating_sub(self.at) < FRAME {
            return Ok(None);
        }
        Ok(Head::parse(&self.bytes(self.at, FRAME)?).map(|head| head.length as usize))
    }

    /// Takes the record at `at`, if a whole one is there.
    fn record_at(&mut self, at: u64) -> io::Result<Option<Frame>> {
        if self.end.saturating_sub(at) < FRAME {
            return Ok(None);
        }
        let Some(head) = Head::parse(&self.bytes(at, FRAME)?) else { return Ok(None) };
        let end = at + FRAME + u64::from(head.length);
        if end > self.end || head.position < self.least {
            return Ok(None);
        }
        let payload = self.bytes(at + FRAME, u64::from(head.length))?;
        if !head.holds(self.segment, &payload) {
            return Ok(None);
        }
        self.at = end;
        self.least = head.position + 1;
        Ok(Some(Frame::Record { position: head.position, appended_ms: head.appended_ms, payload, end }))
    }

    /// The offset of the first whole record at `from` or after it; the end if there is none.
    fn next_start(&mut self, mut from: u64) -> io::Result<u64> {
        let before = (self.at, self.least);
        while self.end.saturating_sub(from) >= FRAME {
            let piece = self.bytes(from, (self.end - from).min(PIECE))?;
            let Some(found) = piece.windows(MARKER.len()).position(|window| window == MARKER) else {
                // The last bytes may be the beginning of a marker.
                from += (piece.len() + 1 - MARKER.len()) as u64;
                continue;
            };
            from += found as u64;
            let whole = self.record_at(from)?.is_some();
            (self.at, self.least) = before;
            if whole {
                return Ok(from);
            }
            from += 1;
        }
        Ok(self.end)
    }

    fn bytes(&mut self, at: u64, len: u64) -> io::Result<Bytes> {
        let held = self.piece_at..self.piece_at + self.piece.len() as u64;
        if at < held.start || at + len > held.end {
            let size = len.max(PIECE).min(self.end - at);
            let mut piece = vec![0; size as usize];
            self.file.read_exact_at(&mut piece, at)?;
            self.piece = piece.into();
            self.piece_at = at;
        }
        let start = (at - self.piece_at) as usize;
        Ok(self.piece.slice(start..start + len as usize))
    }
}
