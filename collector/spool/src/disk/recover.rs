//! What a crash left in the directory of segments. Nothing that is found there refuses the start.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::frame::{self, FOOTER, Summary};
use crate::disk::frames::{Frame, Frames};
use crate::disk::read::is_lost;
use crate::error::FileError;
use crate::log::{Position, SegmentId, Tally};
use crate::segment::{HEADER, Segment};

/// How often a segment is tried that may be readable in a moment, and how long that moment is.
const TRIES: usize = 5;
const MOMENT: Duration = Duration::from_millis(100);
/// How many files that could not be read are kept for whoever wants to look.
const KEEP_CORRUPT: usize = 4;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Segments with records, oldest first.
    pub(crate) segments: Vec<Segment>,
    pub(crate) torn: Tally,
    pub(crate) corrupt: Tally,
    /// What went wrong last.
    pub(crate) problem: Option<String>,
    /// No segment ever had this id or a higher one.
    pub(crate) free_id: u64,
}

/// The file of a segment.
pub(crate) fn segment_path(dir: &Path, id: SegmentId) -> PathBuf {
    dir.join(format!("{:020}.seg", id.0))
}

/// Reads the directory.
pub(crate) fn recover(dir: &Path) -> Result<Recovered, FileError> {
    let unreadable = |cause| FileError::new("list the directory", dir, cause);
    let mut found = Recovered::default();
    let (mut ids, mut corrupt) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let id = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok());
        match (path.extension().and_then(OsStr::to_str), id) {
            (Some("seg"), Some(id)) => ids.push((id, path)),
            (Some("corrupt"), Some(id)) => corrupt.push((id, path)),
            // A repair that was broken off: the segment itself is still there.
            (Some("new"), Some(_)) => remove(&path),
            _ => {}
        }
    }
    ids.sort_unstable();
    for (id, path) in ids {
        found.free_id = found.free_id.max(id + 1);
        let least = found.segments.last().map_or(0, |before: &Segment| before.end);
        match examine_patiently(SegmentId(id), &path, least, &mut found) {
            Ok(Some(segment)) => found.segments.push(segment),
            Ok(None) => remove(&path),
            Err(what) => {
                let bytes = path.metadata().map_or(0, |metadata| metadata.len());
                found.corrupt.add(1, bytes);
                if !is_lost(&what) {
                    found.problem =
                        Some(format!("{}: {what}; left as it is, for the next start", path.display()));
                    tracing::warn!(path = %path.display(), %what, bytes, "a segment cannot be read now and is left out");
                    continue;
                }
                let aside = path.with_extension("corrupt");
                found.problem = Some(format!("{}: {what}; set aside as .corrupt", path.display()));
                tracing::warn!(path = %path.display(), %what, bytes, "a segment cannot be read and is set aside");
                if let Err(error) = std::fs::rename(&path, &aside) {
                    tracing::warn!(path = %path.display(), %error, "cannot set the segment aside");
                }
                corrupt.push((id, aside));
            }
        }
    }
    corrupt.sort_unstable();
    found.free_id = corrupt.last().map_or(found.free_id, |(id, _)| found.free_id.max(id + 1));
    for (_, path) in corrupt.iter().rev().skip(KEEP_CORRUPT) {
        tracing::info!(path = %path.display(), "the oldest damaged segment that was set aside is removed");
        remove(path);
    }
    Ok(found)
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove a file of the log");
    }
}

/// As [`examine`], several times where trouble may pass.
fn examine_patiently(
    id: SegmentId,
    path: &Path,
    least: Position,
    found: &mut Recovered,
) -> io::Result<Option<Segment>> {
    let counted = (found.torn, found.corrupt);
    let mut tries = 1;
    loop {
        match examine(id, path, least, found) {
            Err(error) if !is_lost(&error) => {
                (found.torn, found.corrupt) = counted;
                if tries == TRIES {
                    return Err(error);
                }
            }
            done => return done,
        }
        tries += 1;
        std::thread::sleep(MOMENT);
    }
}

/// One file: the segment in it, or nothing if no record was ever whole in it.
fn examine(
    id: SegmentId,
    path: &Path,
    least: Position,
    found: &mut Recovered,
) -> io::Result<Option<Segment>> {
    // A disk that takes no writes is no reason not to read.
    let file = OpenOptions::new().read(true).write(true).open(path).or_else(|_| File::open(path))?;
    let file_len = file.metadata()?.len();
    let (summary, damage_upto) = match footer(&file, id, file_len)? {
        Some(summary) => (summary, 0),
        None => match scan(file, id, file_len, found)? {
            Some(summary) => (summary, summary.len),
            None => return Ok(None),
        },
    };
    if summary.first < least {
        return Err(damaged("it repeats positions of the segment before"));
    }
    let mut segment = Segment::new(id, summary.first, summary.first_ms);
    segment.end = summary.end;
    segment.records = summary.records;
    segment.len = summary.len;
    segment.last_ms = summary.last_ms;
    segment.written = summary.len;
    segment.path = Some(path.into());
    segment.sealed = true;
    segment.damage_upto = damage_upto;
    Ok(Some(segment))
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn footer(file: &File, id: SegmentId, file_len: u64) -> io::Result<Option<Summary>> {
    let mut data = [0; FOOTER as usize];
    let Some(at) = file_len.checked_sub(FOOTER) else { return Ok(None) };
    match file.read_exact_at(&mut data, at) {
        Ok(()) => Ok(frame::parse_footer(&data, id, file_len)),
        // The records before it may be whole.
        Err(error) if is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file that was not completed; cuts its torn end off and completes it.
fn scan(file: File, id: SegmentId, file_len: u64, found: &mut Recovered) -> io::Result<Option<Summary>> {
    let mut header = [0; HEADER as usize];
    let header_holds = file.read_exact_at(&mut header, 0).is_ok() && frame::header_holds(&header, id);
    // A damaged header takes no record with it: the name says which segment it is.
    let mut frames = Frames::new(file, id, HEADER, file_len);
    let mut summary: Option<Summary> = None;
    let mut damage = None;
    loop {
        match frames.next()? {
            Frame::Record { position, appended_ms, end, .. } => {
                let known = summary.get_or_insert(Summary {
                    first: position,
                    end: position,
                    records: 0,
                    first_ms: appended_ms,
                    last_ms: appended_ms,
                    len: 0,
                });
                if let Some(bytes) = damage.take() {
                    found.corrupt.add((position - known.end).max(1), bytes);
                    found.problem = Some(format!("segment {}: {bytes} bytes are damaged", id.0));
                    tracing::warn!(segment = id.0, bytes, "damaged records in the log are skipped");
                }
                known.end = position + 1;
                known.records += 1;
                known.last_ms = appended_ms;
                known.len = end;
            }
            Frame::Damage { from, to } => damage = Some(to - from),
            Frame::End => break,
        }
    }
    let Some(summary) = summary else {
        if header_holds || file_len <= HEADER {
            found.torn.add(u64::from(file_len > HEADER), file_len.saturating_sub(HEADER));
            return Ok(None);
        }
        return Err(damaged("nothing in it is a record"));
    };
    if !header_holds {
        found.corrupt.add(0, HEADER);
        found.problem = Some(format!("segment {}: its header is damaged", id.0));
    }
    if let Some(bytes) = damage {
        found.torn.add(1, bytes);
        tracing::info!(segment = id.0, bytes, "the last record was cut short by a crash and is left out");
    }
    complete(&frames.into_file(), id, &summary);
    Ok(Some(summary))
}

/// Writes the footer, so that the file need not be read through again. Without it nothing is lost but time.
fn complete(file: &File, id: SegmentId, summary: &Summary) {
    let mut footer = Vec::with_capacity(FOOTER as usize);
    frame::put_footer(&mut footer, id, summary);
    let done = file.write_all_at(&footer, summary.len).and_then(|()| file.set_len(summary.len + FOOTER));
    if let Err(error) = done {
        tracing::debug!(segment = id.0, %error, "cannot complete a segment");
    }
}
