//! What a log gave up, told while it can still be read.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::frames::{Frame, Frames};
use crate::ledger::CursorState;
use crate::log::{Position, SegmentId};
use crate::segment::{HEADER, Segment};
use crate::ticket::Reason;

/// Records that some cursors will never have.
#[derive(Debug)]
pub struct Loss {
    /// Why they were given up.
    pub reason: Reason,
    /// Who will never have them: each cursor's name, and the position from which on it has none.
    pub cursors: Vec<(Arc<str>, Position)>,
    /// The file that holds the first of them, and the offset up to which it is to be read.
    file: Option<(Arc<Path>, SegmentId, u64)>,
    /// Those that are in memory, which follow.
    kept: Vec<(Position, Bytes)>,
}

/// Who is told of losses. It is called while the log is being written, and must not touch it.
pub(crate) struct Listener(Box<dyn Fn(&Loss) + Send + Sync>);

impl Listener {
    pub(crate) fn new(tell: impl Fn(&Loss) + Send + Sync + 'static) -> Self {
        Listener(Box::new(tell))
    }

    pub(crate) fn tell(&self, loss: &Loss) {
        (self.0)(loss);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl Loss {
    /// Of all that `cursors` have not committed of a segment; nothing if that is nothing.
    pub(crate) fn of(segment: &Segment, cursors: &[CursorState], reason: Reason) -> Option<Self> {
        let kept = segment.kept.iter().map(|entry| (entry.position, entry.bytes.clone())).collect();
        let upto = segment.kept.front().map_or(segment.written, |entry| entry.offset);
        let file = segment.path.clone().filter(|_| upto > HEADER).map(|path| (path, segment.id, upto));
        Some(Loss { reason, cursors: losers(cursors, segment.end)?, file, kept })
    }

    /// Of records that were in memory only.
    pub(crate) fn of_records(
        kept: Vec<(Position, Bytes)>,
        cursors: &[CursorState],
        reason: Reason,
    ) -> Option<Self> {
        let end = kept.last()?.0 + 1;
        Some(Loss { reason, cursors: losers(cursors, end)?, file: None, kept })
    }

    /// Shows each of the records, in order, as it was appended. What cannot be read is left out.
    pub fn records(&self, mut show: impl FnMut(&Bytes)) {
        let Some(first) = self.cursors.iter().map(|(_, first)| *first).min() else { return };
        if let Some((path, id, upto)) = &self.file
            && self.kept.first().is_none_or(|(position, _)| first < *position)
            && let Ok(file) = File::open(path)
        {
            let mut frames = Frames::new(file, *id, HEADER, *upto);
            loop {
                match frames.next() {
                    Ok(Frame::Record { position, payload, .. }) if position >= first => show(&payload),
                    Ok(Frame::Record { .. } | Frame::Damage { .. }) => {}
                    Ok(Frame::End) | Err(_) => break,
                }
            }
        }
        self.kept.iter().filter(|(position, _)| *position >= first).for_each(|(_, bytes)| show(bytes));
    }
}

/// The cursors that have not committed all that is before `end`; nothing if all have.
fn losers(cursors: &[CursorState], end: Position) -> Option<Vec<(Arc<str>, Position)>> {
    let behind = cursors.iter().filter(|cursor| cursor.committed.position < end);
    let losers: Vec<_> = behind.map(|cursor| (cursor.name.clone(), cursor.committed.position)).collect();
    (!losers.is_empty()).then_some(losers)
}
