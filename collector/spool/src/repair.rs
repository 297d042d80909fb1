//! Mending a log on disk that no process has open. Nothing is thrown away unsaid: what is cut off never was a whole
//! record, and a damaged segment is set aside as it was before a sound one takes its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::dir_lock::DirLock;
use crate::disk::frame::{self, Summary};
use crate::disk::frames::{Frame, Frames};
use crate::disk::positions::Saved;
use crate::error::FileError;
use crate::inspect::{Inspection, SegmentFile};
use crate::segment::{HEADER, framed};
use crate::state_file::{Durability, Loaded, StateFile};

/// What was done about one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// Its torn end was cut off.
    Cut {
        /// The segment.
        path: PathBuf,
        /// The offset at which the torn end began: the file is as long now, apart from its footer.
        from: u64,
        /// How many bytes it had.
        bytes: u64,
    },
    /// It was set aside, and its whole records were written to a new one.
    Rewritten {
        /// The segment.
        path: PathBuf,
        /// Where it is kept as it was.
        aside: PathBuf,
        /// How many records it has still.
        kept: u64,
        /// How many are missing, one at least for each damaged stretch.
        lost: u64,
        /// The bytes of the damaged stretches.
        bytes: u64,
    },
    /// It was set aside: nothing in it is a record.
    SetAside {
        /// The segment.
        path: PathBuf,
        /// Where it is kept.
        aside: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It could not be read, and was left as it is.
    Left {
        /// The segment.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// Mends the log in `dir`, below the directory that `lock` keeps others out of, as `found` shows it.
///
/// # Errors
/// If a file cannot be written. What was done before stays done; each step leaves a log that can be opened.
pub fn repair(_lock: &DirLock, dir: &Path, found: &Inspection) -> Result<Vec<Repaired>, FileError> {
    let mut done = Vec::new();
    for segment in found.segments.iter().filter(|segment| !segment.is_sound()) {
        let path = segment.path.clone();
        let failed = |cause| FileError::new("repair", &segment.path, cause);
        let aside = path.with_extension("corrupt");
        done.push(if let Some(error) = &segment.error {
            Repaired::Left { path, error: error.clone() }
        } else if segment.held.records == 0
            && (segment.header_damaged || segment.damage.iter().any(|d| !d.torn))
        {
            fs::rename(&path, &aside).and_then(|()| sync(dir)).map_err(failed)?;
            Repaired::SetAside { path, aside, bytes: segment.bytes }
        } else if !segment.header_damaged && segment.damage.iter().all(|damage| damage.torn) {
            let from = segment.damage.first().map_or(segment.bytes, |damage| damage.from);
            cut(segment, from).map_err(failed)?;
            Repaired::Cut { path, from, bytes: segment.bytes - from }
        } else {
            forget_offsets(dir, segment)?;
            rewrite(dir, segment, &aside).map_err(failed)?;
            let lost = segment.damage.iter().map(|damage| damage.records).sum();
            let bytes = segment.damage.iter().map(|damage| damage.to - damage.from).sum();
            Repaired::Rewritten { path, aside, kept: segment.held.records, lost, bytes }
        });
    }
    Ok(done)
}

/// Cuts a segment off at `from` and completes it.
fn cut(segment: &SegmentFile, from: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(&segment.path)?;
    let mut footer = Vec::new();
    if let Some(summary) = summary(segment, from) {
        frame::put_footer(&mut footer, segment.id, &summary);
        file.write_all_at(&footer, from)?;
    }
    file.set_len(from + footer.len() as u64)?;
    file.sync_all()
}

/// What a footer says of the segment's whole records, which end at the offset `len`.
fn summary(segment: &SegmentFile, len: u64) -> Option<Summary> {
    let ((first, end), (first_ms, last_ms)) = segment.positions.zip(segment.times)?;
    Some(Summary { first, end, records: segment.held.records, first_ms, last_ms, len })
}

/// Makes cursors in `segment` look for their place by its position: offsets change when it is written anew.
fn forget_offsets(dir: &Path, segment: &SegmentFile) -> Result<(), FileError> {
    let mut state = StateFile::new(dir.join("cursors"));
    let Loaded::Found { bytes, .. } = state.load() else { return Ok(()) };
    let Some(mut saved) = Saved::decode(&bytes) else { return Ok(()) };
    let mut inside =
        saved.cursors.iter_mut().filter(|cursor| cursor.committed.segment == segment.id).peekable();
    if inside.peek().is_none() {
        return Ok(());
    }
    inside.for_each(|cursor| cursor.committed.offset = 0);
    state.save(&saved.encode(), Durability::PowerCut)
}

/// Keeps the segment at `aside` as it is, and puts one with its whole records in its place.
fn rewrite(dir: &Path, segment: &SegmentFile, aside: &Path) -> io::Result<()> {
    let new = segment.path.with_extension("new");
    let mut out = BufWriter::new(File::create(&new)?);
    let mut piece = Vec::new();
    let ((first, _), (first_ms, _)) =
        segment.positions.zip(segment.times).ok_or(io::ErrorKind::InvalidData)?;
    frame::put_header(&mut piece, segment.id, first, first_ms);
    let mut len = HEADER;
    let mut frames = Frames::new(File::open(&segment.path)?, segment.id, HEADER, segment.bytes);
    loop {
        out.write_all(&piece)?;
        piece.clear();
        match frames.next()? {
            Frame::End => break,
            Frame::Damage { .. } => {}
            Frame::Record { position, appended_ms, payload, .. } => {
                frame::put_record(&mut piece, segment.id, position, appended_ms, &payload);
                len += framed(payload.len());
            }
        }
    }
    if let Some(summary) = summary(segment, len) {
        frame::put_footer(&mut piece, segment.id, &summary);
        out.write_all(&piece)?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    // Under both names for a moment, so that there is never none of them.
    let _ = fs::remove_file(aside);
    fs::hard_link(&segment.path, aside).or_else(|_| fs::copy(&segment.path, aside).map(drop))?;
    fs::rename(&new, &segment.path)?;
    sync(dir)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
