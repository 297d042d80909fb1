//! Packed rotations: what was compressed and removed before all of it was read is read on in what it was packed into.
//!
//! It is known again by how it begins, as everywhere, so nothing is unpacked but what goes on a file that was read. What is
//! packed cannot be read from a place within, nor twice, so what is left of it is unpacked into a file without a name, beside
//! the positions. That is followed as a deleted file is: its space is bounded, and given back once it is settled.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::beside::called_after;
use super::copies::{Copy, Original};
use super::file;
use super::identity::{FINGERPRINT_BYTES, Identity, Verdict};
use super::source::Source;

/// The most that is kept of a file: as much as all deleted files may hold.
const MOST: u64 = 1 << 30;
/// The most that is unpacked to find it.
const MOST_UNPACKED: u64 = 64 << 30;
/// How much is unpacked at a time.
const PIECE: usize = 64 << 10;
/// What the unpacked file is called, for the moment until it has no name.
const NAME: &str = "unpacked";

impl Source {
    /// What `name` held before it was rotated and packed, unpacked: the newest that begins as `original`, and has no less
    /// than was read of it.
    pub(super) fn unpacked(&mut self, name: &Path, original: &Original) -> Option<Copy> {
        if original.fingerprint.len == 0 {
            return None;
        }
        let is_packed = |path: &PathBuf| path.extension().is_some_and(|end| end == "gz" || end == "zst");
        let open = |path: PathBuf| {
            let (file, meta) = file::open(&path).ok()?;
            Some((Identity::of(&meta).born_ns, meta.mtime(), path, file))
        };
        let mut packed: Vec<_> =
            called_after(name).map(|entry| entry.path()).filter(is_packed).filter_map(open).collect();
        packed.sort_by_key(|(born_ns, changed, ..)| std::cmp::Reverse((*born_ns, *changed)));
        for (born_ns, _, path, file) in packed {
            match self.unpack(&path, file, original, born_ns) {
                Ok(None) => {}
                Ok(Some(copy)) => return Some(copy),
                Err(error) => {
                    self.complain(format!(
                        "{} cannot be unpacked, to read what is left: {error}",
                        path.display()
                    ));
                }
            }
        }
        None
    }

    /// Unpacks `file`, if it goes on `original`.
    fn unpack(&self, path: &Path, file: File, original: &Original, born_ns: i64) -> io::Result<Option<Copy>> {
        let mut reader: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
            Box::new(MultiGzDecoder::new(io::BufReader::new(file)))
        } else {
            Box::new(zstd::stream::read::Decoder::new(file)?)
        };
        let mut piece = vec![0; PIECE];
        let first = fill(&mut reader, &mut piece)?;
        if original.fingerprint.compare(&piece[..first.min(FINGERPRINT_BYTES)]) == Verdict::Differs {
            return Ok(None);
        }
        let into = nameless(&self.state.join(NAME))?;
        // What is settled stays a hole, but for its beginning, by which it is known, and the end of the line before.
        let from = original.position.saturating_sub(1);
        let (mut len, mut at, mut kept) = (first, 0, 0);
        while len > 0 {
            let end = at + len as u64;
            if at == 0 || end > from {
                kept += len as u64;
                into.write_all_at(&piece[..len], at)?;
            }
            if kept > MOST || end > MOST_UNPACKED {
                return Err(io::Error::other("it is too large"));
            }
            at = end;
            len = fill(&mut reader, &mut piece)?;
        }
        into.set_len(at)?;
        let copy = Copy { meta: into.metadata()?, handle: into, path: path.into(), born_ns };
        Ok((at >= original.end && original.is_in(&copy)).then_some(copy))
    }
}

/// A new file that has no name any longer.
fn nameless(path: &Path) -> io::Result<File> {
    // One that a kill has left.
    let _ = remove_file(path);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    remove_file(path)?;
    Ok(file)
}

/// Reads until `piece` is full, or there is no more.
fn fill(reader: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < piece.len() {
        match reader.read(&mut piece[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
