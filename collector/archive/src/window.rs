//! The window that is open: entries of the log's next records, by hour and service, in files that nobody else reads yet.
//!
//! An object is a row of zstd frames, each of which can be read alone; together they read as one file. So one compressor
//! serves all objects, and memory is bounded whatever number of services there is.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use taffrail_spool::{Position, Record};
use taffrail_wire::loki::streams;

use crate::entry::{self, Head};
use crate::name::{Name, Slot};
use crate::sealed::{Object, Sealed};

/// An object's lines are compressed when they have grown to this many bytes,
const FRAME: usize = 256 << 10;
/// or when those of all objects together are this many.
const HELD: usize = 4 << 20;
/// A window with more objects than this is full.
pub(crate) const MOST_OBJECTS: usize = 512;
/// zstd's own default, which is about as good as gzip's best, and many times as fast.
const LEVEL: i32 = 3;

/// Numbers windows, so that no two of a process share a file.
static WINDOWS: AtomicU64 = AtomicU64::new(0);

/// Takes records until it is sealed.
pub struct Window {
    dir: PathBuf,
    number: u64,
    objects: BTreeMap<Slot, Open>,
    compressor: zstd::bulk::Compressor<'static>,
    /// Bytes of lines that are not compressed yet.
    held: usize,
    raw: u64,
    span: Option<Span>,
    /// Its files are somebody else's now.
    sealed: bool,
}

/// The records that it has taken.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Position,
    upto: Position,
    /// When the last of them was appended.
    upto_ms: i64,
}

/// An object that grows.
#[derive(Debug)]
struct Open {
    file: String,
    lines: Vec<u8>,
    entries: u64,
    bytes: u64,
}

/// What became of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Entries that were taken.
    pub entries: u64,
    /// Why the rest of the record was not, if it cannot be read.
    pub unreadable: Option<String>,
}

impl Window {
    /// An empty window, whose files are to stand in `dir`.
    ///
    /// # Errors
    /// When there is no memory for a compressor.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        let number = WINDOWS.fetch_add(1, Ordering::Relaxed);
        let (dir, objects) = (dir.to_owned(), BTreeMap::new());
        Ok(Window { dir, number, objects, compressor, held: 0, raw: 0, span: None, sealed: false })
    }

    /// Takes a record's entries.
    ///
    /// # Errors
    /// When its files cannot be written. The window is of no more use then; its records have to be read again.
    pub fn add(&mut self, record: &Record) -> io::Result<Added> {
        let mut added = Added::default();
        let (position, upto_ms) = (record.position, record.appended_ms);
        let from = self.span.map_or(position, |span| span.from);
        self.span = Some(Span { from, upto: position + 1, upto_ms });
        for stream in streams(&record.bytes) {
            let stream = match stream {
                Ok(stream) => stream,
                Err(error) => {
                    added.unreadable = Some(error.to_string());
                    break;
                }
            };
            let head = Head::read(stream.labels);
            // Entries of a stream are most often of one hour: it is looked up anew only where the hour changes.
            let mut slot = Slot { hour: i64::MIN, service: head.service.clone() };
            for entry in stream.entries() {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        added.unreadable = Some(error.to_string());
                        continue;
                    }
                };
                slot.hour = entry.ts_ns.div_euclid(1_000_000 * crate::name::HOUR_MS);
                self.entry(&slot, &head, &entry)?;
                added.entries += 1;
            }
        }
        Ok(added)
    }

    fn entry(&mut self, slot: &Slot, head: &Head, entry: &taffrail_wire::loki::Entry<'_>) -> io::Result<()> {
        if !self.objects.contains_key(slot) {
            let file = format!("{}-{}.part", self.number, self.objects.len());
            let open = Open { file, lines: Vec::new(), entries: 0, bytes: 0 };
            self.objects.insert(slot.clone(), open);
        }
        let Some(open) = self.objects.get_mut(slot) else { return Ok(()) };
        let before = open.lines.len();
        entry::write(&mut open.lines, head, entry);
        open.entries += 1;
        let grown = open.lines.len() - before;
        self.held += grown;
        self.raw += grown as u64;
        if open.lines.len() >= FRAME {
            self.held -= open.lines.len();
            open.flush(&self.dir, &mut self.compressor)?;
        } else if self.held >= HELD {
            for open in self.objects.values_mut() {
                open.flush(&self.dir, &mut self.compressor)?;
                open.lines = Vec::new();
            }
            self.held = 0;
        }
        Ok(())
    }

    /// Bytes of the lines taken, before compression.
    pub fn raw_bytes(&self) -> u64 {
        self.raw
    }

    /// How many objects it has.
    pub fn objects(&self) -> usize {
        self.objects.len()
    }

    /// Whether it has taken nothing yet.
    pub fn is_empty(&self) -> bool {
        self.span.is_none()
    }

    /// Whether it should be sealed: it holds `most` bytes of lines, or as many objects as it may.
    pub fn is_full(&self, most: u64) -> bool {
        self.raw >= most || self.objects.len() >= MOST_OBJECTS
    }

    /// Ends the window at `now_ms`: all its objects are on the disk, to be stored under names that begin with `host`.
    ///
    /// # Errors
    /// When its files cannot be written. Its records have to be read again.
    pub fn seal(mut self, host: &str, now_ms: i64) -> io::Result<Sealed> {
        let span = self.span.unwrap_or(Span { from: 0, upto: 0, upto_ms: 0 });
        let mut objects = Vec::with_capacity(self.objects.len());
        for (slot, open) in &mut self.objects {
            open.flush(&self.dir, &mut self.compressor)?;
            File::open(self.dir.join(&open.file))?.sync_all()?;
            let name = Name { slot: slot.clone(), host: host.to_owned(), sealed_ms: now_ms, from: span.from };
            let Open { file, entries, bytes, .. } = open;
            objects.push(Object { key: name.key(), file: file.clone(), bytes: *bytes, entries: *entries });
        }
        File::open(&self.dir)?.sync_all()?;
        self.sealed = true;
        let Span { from, upto, upto_ms } = span;
        Ok(Sealed { from, upto, upto_ms, objects, stored: false })
    }
}

/// What is given up leaves nothing behind: it may be a full disk that it is given up for.
impl Drop for Window {
    fn drop(&mut self) {
        if !self.sealed {
            for open in self.objects.values() {
                // What was never flushed is not there; what cannot be removed goes at the next start.
                let _ = fs::remove_file(self.dir.join(&open.file));
            }
        }
    }
}

impl Open {
    /// Appends the lines that wait as a frame.
    fn flush(&mut self, dir: &Path, compressor: &mut zstd::bulk::Compressor<'_>) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let frame = compressor.compress(&self.lines)?;
        // Not kept open: there may be hundreds, and one is written to once in many records.
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(dir.join(&self.file))?;
        file.write_all(&frame)?;
        self.bytes += frame.len() as u64;
        self.lines.clear();
        Ok(())
    }
}
