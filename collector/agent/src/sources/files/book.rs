//! Positions on disk: all of them in two generations, saved now and then, and a journal of what changed since.
//!
//! The journal is written before a chunk is released, without waiting for the disk: it survives the death of the
//! process at any moment. After a power cut it may be missing; then lines are read again from the last saved
//! positions, under new times.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use taffrail_spool::{Durability, Loaded, StateFile};

use super::record::{Entry, Gap, Record, Stop, decode};
use super::tracker::Mark;

/// The journal's length at which the positions are to be saved anew.
pub(crate) const JOURNAL_BYTES: u64 = 4 << 20;

/// What an earlier run knew.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// When it last saved, in Unix nanoseconds; 0 when there was no earlier run.
    pub(crate) saved_ns: i64,
    /// A hash of its globs.
    pub(crate) globs: u64,
    /// Numbers below it were given to files.
    pub(crate) next_id: u64,
    /// The files it followed, by number, with what was released of them and not settled.
    pub(crate) files: BTreeMap<u64, (Entry, Vec<Mark>)>,
    /// Gaps that were not told yet, or whose line no output has settled.
    pub(crate) gaps: BTreeMap<u64, Gap>,
}

impl Memory {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Head { saved_ns, globs, next_id } => {
                (self.saved_ns, self.globs) = (saved_ns, globs);
                self.next_id = self.next_id.max(next_id);
            }
            Record::File(entry) => {
                self.next_id = self.next_id.max(entry.id + 1);
                match self.files.get_mut(&entry.id) {
                    // What the journal learned since may not be undone by an older word on the same file.
                    Some((known, _)) => {
                        let (position, last_ns) = (known.position.max(entry.position), known.last_ns);
                        *known = Entry { position, last_ns: last_ns.max(entry.last_ns), ..entry };
                    }
                    None => {
                        self.files.insert(entry.id, (entry, Vec::new()));
                    }
                }
            }
            Record::Mark { id, mark } => {
                let Some((entry, marks)) = self.files.get_mut(&id) else { return };
                if mark.start == marks.last().map_or(entry.position, |last| last.end) {
                    entry.last_ns = entry.last_ns.max(mark.last_ns());
                    marks.push(mark);
                }
            }
            Record::Settled { id, upto } => {
                let Some((entry, marks)) = self.files.get_mut(&id) else { return };
                marks.retain(|mark| mark.end > upto);
                entry.position = entry.position.max(upto);
            }
            Record::Gone { id } => {
                self.files.remove(&id);
                self.gaps.remove(&id);
            }
            Record::Gap(gap) => {
                self.next_id = self.next_id.max(gap.id + 1);
                self.gaps.insert(gap.id, gap);
            }
        }
    }
}

/// The positions of one source.
#[derive(Debug)]
pub(crate) struct Book {
    state: StateFile,
    path: PathBuf,
    journal: Option<File>,
    written: u64,
    buffer: Vec<u8>,
}

impl Book {
    /// Opens the positions in `folder`, which is made if it is not there. Nothing can be noted before the first save.
    ///
    /// # Errors
    /// In words, with what to do, when there are positions but they cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<(Book, Memory), String> {
        let path = folder.join("journal");
        let held = |problem: &str| {
            format!(
                "the positions in {} cannot be read: {problem}. Nothing is read, so that no line is skipped or sent \
                 twice. Repair that, or put back the files from a backup, or move the folder away to begin as `start` says",
                folder.display()
            )
        };
        std::fs::create_dir_all(folder).map_err(|e| held(&e.to_string()))?;
        let mut state = StateFile::new(folder.join("positions"));
        let mut memory = Memory::default();
        match state.load() {
            Loaded::Empty => {}
            Loaded::Unreadable { problem } => return Err(held(&problem)),
            Loaded::Found { bytes, .. } => {
                let (records, stop) = decode(&bytes);
                match stop {
                    None => records.into_iter().for_each(|record| memory.apply(record)),
                    Some(Stop::Newer(version)) => {
                        return Err(held(&format!("they are of version {version}, from a later taffrail")));
                    }
                    Some(Stop::Torn) => return Err(held("a record in them is garbled")),
                }
            }
        }
        match std::fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(held(&format!("{}: {e}", path.display()))),
            // The last record is torn when the process died while it wrote: it was not acted upon yet.
            Ok(bytes) => decode(&bytes).0.into_iter().for_each(|record| memory.apply(record)),
        }
        Ok((Book { state, path, journal: None, written: 0, buffer: Vec::new() }, memory))
    }

    /// Adds a record to what [`Book::write`] writes.
    pub(crate) fn note(&mut self, record: &Record) {
        // Until the next save there is no journal to write to, and that save will hold everything.
        if self.journal.is_some() {
            record.encode(&mut self.buffer);
        }
    }

    /// Writes what was noted to the journal, with one call.
    ///
    /// # Errors
    /// Once; after that nothing is written until [`Book::save`] succeeds, as what stands behind a torn record is not read.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let Some(journal) = self.journal.as_mut().filter(|_| !self.buffer.is_empty()) else { return Ok(()) };
        let result = journal.write_all(&self.buffer);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if result.is_err() {
            self.journal = None;
        }
        result.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", self.path.display())))
    }

    /// Whether there is something that a save would make safe against a power cut, or shorter.
    pub(crate) fn wants_save(&self) -> bool {
        self.written > 0 || self.journal.is_none()
    }

    /// Whether the journal has grown so long that it should not wait for its time.
    pub(crate) fn is_long(&self) -> bool {
        self.written > JOURNAL_BYTES
    }

    /// Saves `records`, which are everything that is known, and empties the journal.
    ///
    /// # Errors
    /// In words. What was saved before is still there, and the journal with it.
    pub(crate) fn save(&mut self, records: impl Iterator<Item = Record>) -> Result<(), String> {
        self.buffer.clear();
        records.for_each(|record| record.encode(&mut self.buffer));
        let saved = self.state.save(&self.buffer, Durability::PowerCut).map_err(|e| e.to_string());
        self.buffer.clear();
        // Positions of 10,000 files are megabytes; the journal's records are not.
        self.buffer.shrink_to(64 << 10);
        saved?;
        let journal = OpenOptions::new().create(true).append(true).open(&self.path);
        let journal = journal.and_then(|file| file.set_len(0).map(|()| file));
        self.journal = Some(journal.map_err(|e| format!("{}: {e}", self.path.display()))?);
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sources::files::identity::{Fingerprint, Identity};

    fn entry(id: u64, position: u64) -> Entry {
        Entry {
            id,
            identity: Identity { device: 1, inode: id, born_ns: 1 },
            fingerprint: Fingerprint::default(),
            position,
            size: 100,
            last_ns: 0,
            lost: false,
            name: format!("/{id}.log").into(),
            real: format!("/{id}.log").into(),
        }
    }

    fn mark(start: u64, end: u64) -> Mark {
        Mark { start, end, base_ns: 1000 + start as i64, lines: 2 }
    }

    fn head() -> Record {
        Record::Head { saved_ns: 5, globs: 6, next_id: 2 }
    }

    #[test]
    fn what_was_saved_and_noted_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut book, memory) = Book::open(folder.path()).unwrap();
        assert_eq!((memory.saved_ns, memory.files.len()), (0, 0));
        book.save([head(), Record::File(entry(1, 10))].into_iter()).unwrap();
        for (start, end) in [(10, 20), (20, 30), (30, 40)] {
            book.note(&Record::Mark { id: 1, mark: mark(start, end) });
        }
        book.note(&Record::Settled { id: 1, upto: 20 });
        book.note(&Record::File(entry(7, 0)));
        book.write().unwrap();
        let (_, memory) = Book::open(folder.path()).unwrap();
        assert_eq!((memory.saved_ns, memory.globs, memory.next_id), (5, 6, 8));
        let (known, marks) = &memory.files[&1];
        assert_eq!((known.position, known.last_ns), (20, 1031));
        assert_eq!(marks, &[mark(20, 30), mark(30, 40)]);
        assert!(memory.files.contains_key(&7));
    }

    #[test]
    fn a_death_between_save_and_emptying_the_journal_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut book, _) = Book::open(folder.path()).unwrap();
        book.save([head(), Record::File(entry(1, 10))].into_iter()).unwrap();
        book.note(&Record::Mark { id: 1, mark: mark(10, 20) });
        book.note(&Record::Mark { id: 1, mark: mark(20, 30) });
        book.note(&Record::Settled { id: 1, upto: 20 });
        book.write().unwrap();
        let journal = fs::read(folder.path().join("journal")).unwrap();
        let saved = [head(), Record::File(entry(1, 20)), Record::Mark { id: 1, mark: mark(20, 30) }];
        book.save(saved.into_iter()).unwrap();
        fs::write(folder.path().join("journal"), journal).unwrap();
        let (_, memory) = Book::open(folder.path()).unwrap();
        assert_eq!((memory.files[&1].0.position, &memory.files[&1].1[..]), (20, &[mark(20, 30)][..]));
    }

    #[test]
    fn positions_that_cannot_be_read_are_never_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let (mut book, _) = Book::open(folder.path()).unwrap();
        for position in [10, 20] {
            book.save([head(), Record::File(entry(1, position))].into_iter()).unwrap();
        }
        fs::write(folder.path().join("positions.0"), "garbage").unwrap();
        Book::open(folder.path()).expect("the other generation is whole");
        fs::write(folder.path().join("positions.1"), "garbage").unwrap();
        let said = Book::open(folder.path()).unwrap_err();
        assert!(said.contains("cannot be read") && said.contains("move the folder away"), "{said}");
    }

    #[test]
    fn after_a_failure_nothing_is_written_until_the_next_save() {
        let folder = tempfile::tempdir().unwrap();
        let (mut book, _) = Book::open(folder.path()).unwrap();
        book.save([head(), Record::File(entry(1, 10))].into_iter()).unwrap();
        book.journal = Some(OpenOptions::new().write(true).open("/dev/full").unwrap());
        book.note(&Record::Mark { id: 1, mark: mark(10, 20) });
        assert!(book.write().unwrap_err().to_string().contains("journal: No space left"));
        book.note(&Record::Mark { id: 1, mark: mark(20, 30) });
        book.write().expect("said once");
        assert!(book.wants_save());
        book.save([head(), Record::File(entry(1, 10))].into_iter()).unwrap();
        book.note(&Record::Mark { id: 1, mark: mark(10, 20) });
        book.write().unwrap();
        let (_, memory) = Book::open(folder.path()).unwrap();
        assert_eq!(memory.files[&1].1, [mark(10, 20)]);
    }

    #[test]
    fn a_torn_journal_is_not_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut book, _) = Book::open(folder.path()).unwrap();
        book.save([head(), Record::File(entry(1, 10))].into_iter()).unwrap();
        book.note(&Record::Mark { id: 1, mark: mark(10, 20) });
        book.write().unwrap();
        let path = folder.path().join("journal");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let (mut book, memory) = Book::open(folder.path()).unwrap();
        assert!(memory.files[&1].1.is_empty());
        book.note(&Record::Settled { id: 1, upto: 99 });
        book.write().unwrap();
        assert!(book.wants_save());
        assert_eq!(fs::read(&path).unwrap().len(), bytes.len() - 1, "noted only after a save");
    }
}
