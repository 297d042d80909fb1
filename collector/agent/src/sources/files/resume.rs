//! Going on where an earlier run left off: each file is found again, under its name or the one it was rotated to.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::beside::Present;
use super::book::Memory;
use super::copies::{Copy, Original};
use super::file::{self, LogFile};
use super::identity::{Identity, Verdict};
use super::loss::{Loss, Why};
use super::record::{Entry, Record};
use super::source::Source;
use super::tracker::{Mark, Tracker};

/// How long a file that is not to be found, on a file system that is not there, keeps its position.
const MISSING_NS: i64 = 24 * 3600 * 1_000_000_000;

/// What became of a file while nobody looked.
enum Found {
    /// It is here.
    Here(File, std::fs::Metadata, Arc<Path>),
    /// Its inode is here, with other contents.
    Anew(File, Arc<Path>),
    /// It was known already that its bytes are gone.
    Lost,
    /// It cannot be asked for: it, or its folder, cannot be opened or read.
    Unreadable,
    /// Its folder is here, and it is not in it.
    Deleted,
    /// The file system it was on is not here.
    Away,
}

impl Source {
    /// Takes up what an earlier run knew.
    pub(super) fn resume(&mut self, mut memory: Memory, now: Duration) {
        self.next_id = self.next_id.max(memory.next_id);
        if memory.saved_ns != 0 {
            // Names that were not known were not looked at yet.
            (self.since_ns, self.looked_ns) = (memory.saved_ns, memory.saved_ns);
        }
        let files = std::mem::take(&mut memory.files);
        let gaps = std::mem::take(&mut memory.gaps);
        self.earlier = memory;
        for gap in gaps.into_values() {
            if self.listing.still_wants(&gap.name) {
                self.take_up_gap(gap);
            }
        }
        for (entry, marks) in files.into_values() {
            self.resume_file(entry, marks, now);
        }
        if let Some((first, _)) = self.earlier.files.values().next() {
            self.complain(format!(
                "files with a position that cannot be opened, or whose file system is away: {}, first {}; their \
                 positions are kept",
                self.earlier.files.len(),
                first.name.display()
            ));
        }
    }

    /// Goes on with a file that was not to be found and is here again, before it is taken for a new one. Says whether
    /// there was one.
    ///
    /// # Errors
    /// What reading its beginning gives; then it is still missing.
    pub(super) fn take_up_again(&mut self, handle: &File, now: Duration) -> io::Result<bool> {
        if self.earlier.files.is_empty() {
            return Ok(false);
        }
        let identity = Identity::of(&handle.metadata()?);
        let mut missing = self.earlier.files.values();
        let Some((entry, _)) = missing.find(|(entry, _)| identity.agrees(&entry.identity)) else {
            return Ok(false);
        };
        entry.fingerprint.check(handle)?;
        let id = entry.id;
        if let Some((entry, marks)) = self.earlier.files.remove(&id) {
            self.resume_file(entry, marks, now);
        }
        Ok(true)
    }

    /// Looks again for files that were not to be found.
    pub(super) fn find_missing(&mut self, now: Duration) {
        for (entry, marks) in std::mem::take(&mut self.earlier.files).into_values() {
            self.resume_file(entry, marks, now);
        }
    }

    fn resume_file(&mut self, entry: Entry, marks: Vec<Mark>, now: Duration) {
        let name: Arc<Path> = entry.name.as_path().into();
        if !self.listing.still_wants(&name) {
            tracing::info!(source = self.name, "{}: not wanted any longer", name.display());
            self.note(&Record::Gone { id: entry.id });
            return;
        }
        let stream = self.stream(&name);
        stream.last_ns = stream.last_ns.max(entry.last_ns);
        stream.born_ns = stream.born_ns.max(entry.identity.born_ns);
        let end = marks.last().map_or(entry.position, |mark| mark.end);
        let mut missing = if entry.lost { end } else { end.max(entry.size) } - entry.position;
        let position = entry.position;
        let original = Original { fingerprint: entry.fingerprint, end, position, continues: false };
        let from_ns = marks.first().map_or(entry.last_ns, |mark| mark.base_ns);
        let found = match if entry.lost { Found::Lost } else { find(&entry) } {
            // Its folder went with it.
            Found::Away if self.listing.is_gone(&name) => Found::Deleted,
            found => found,
        };
        let why = match found {
            Found::Here(handle, meta, path) => {
                if entry.fingerprint.len > 0 || end > 0 || path != name {
                    let file = LogFile::new(entry.id, (handle, &meta), name, path, 0, now);
                    return self.go_on(&entry, marks, file);
                }
                // It was empty: what it held meanwhile may be in copies, and what it holds now is behind that.
                return match self.copies_before(&name, None, (&Original::default(), &handle), now) {
                    Ok((present, copies)) => {
                        self.note(&Record::Gone { id: entry.id });
                        let id = if copies { self.new_id() } else { entry.id };
                        self.follow_anew(id, (handle, &present), (&name, path), now);
                    }
                    // Its beginning cannot be read now.
                    Err(_) => drop(self.earlier.files.insert(entry.id, (entry, marks))),
                };
            }
            Found::Anew(handle, path) => {
                let copy = self.copy_of(&name, &original);
                let copy_ns = copy.as_ref().map(|copy| copy.born_ns);
                if let Some(copy) = copy {
                    missing = self.go_on_in(&entry, marks, copy, now);
                }
                if copy_ns.is_none() {
                    self.note(&Record::Gone { id: entry.id });
                }
                let present = self.copies_before(&name, copy_ns, (&original, &handle), now);
                // Under its number, so that it keeps its place before younger files; tickets of before are gone. The gap
                // has that place when there is one, and copies are before it.
                let gap = if copy_ns.is_some() { self.new_id() } else { entry.id };
                let first = copy_ns.is_none() && missing == 0 && matches!(present, Ok((_, false)));
                let id = if first { entry.id } else { self.new_id() };
                match present {
                    Ok((present, _)) => self.follow_anew(id, (handle, &present), (&name, path), now),
                    Err(e) => self.trouble(&path, &e, now),
                }
                let why = if copy_ns.is_some() { Why::Truncated } else { Why::Replaced };
                return self.lose(Loss { name: &name, bytes: missing, why, from_ns, at: Some(gap) });
            }
            Found::Lost => {
                let copy = self.copy_of(&name, &original).filter(|copy| copy.meta.size() > entry.position);
                if let Some(copy) = copy {
                    // What truncation destroyed had been read, and what stands before it is in the copy.
                    missing = self.go_on_in(&entry, marks, copy, now);
                    let why = Why::Gone;
                    return self.lose(Loss { name: &name, bytes: missing, why, from_ns, at: None });
                }
                Why::Gone
            }
            Found::Deleted | Found::Away if let Some(copy) = self.unpacked(&name, &original) => {
                if copy.meta.size() > position {
                    // It is what it was, not a copy: what took its name was born later than it, maybe before it was
                    // packed.
                    let copy = Copy { born_ns: entry.identity.born_ns, ..copy };
                    missing = self.go_on_in(&entry, marks, copy, now);
                    return self.lose(Loss {
                        name: &name,
                        bytes: missing,
                        why: Why::Deleted,
                        from_ns,
                        at: None,
                    });
                }
                // All of it is settled, also where it was last unpacked on another file system, which is not away.
                missing = 0;
                Why::Deleted
            }
            Found::Unreadable => {
                self.earlier.files.insert(entry.id, (entry, marks));
                return;
            }
            Found::Away if self.clock.now_ns() < self.earlier.saved_ns + MISSING_NS => {
                self.earlier.files.insert(entry.id, (entry, marks));
                return;
            }
            Found::Deleted => Why::Deleted,
            Found::Away => Why::Away,
        };
        self.note(&Record::Gone { id: entry.id });
        self.lose(Loss { name: &name, bytes: missing, why, from_ns, at: Some(entry.id) });
    }

    /// Takes up copies of what `name` held before what it holds now, behind the copy of what was known if there is one.
    /// Gives what it holds, and whether there were any.
    fn copies_before(
        &mut self,
        name: &Arc<Path>,
        copy_ns: Option<i64>,
        (original, now_there): (&Original, &File),
        now: Duration,
    ) -> io::Result<(Present, bool)> {
        let after_ns = copy_ns.unwrap_or_else(|| self.known_until(name));
        let before = self.next_id;
        let present = self.adopt_later_copies(name, after_ns, (original, now_there), now)?;
        Ok((present, before != self.next_id))
    }

    /// Follows a file whose contents were not known, from its beginning.
    fn follow_anew(
        &mut self,
        id: u64,
        (handle, present): (File, &Present),
        (name, path): (&Arc<Path>, Arc<Path>),
        now: Duration,
    ) {
        let mut file = LogFile::new(id, (handle, &present.meta), name.clone(), path, 0, now);
        file.holds(present);
        if !self.by_inode.contains_key(&(file.identity.device, file.identity.inode)) {
            self.follow(file);
        }
    }

    /// Goes on in a copy, as far as that goes. Gives how many bytes are known to be missing in it.
    fn go_on_in(&mut self, entry: &Entry, mut marks: Vec<Mark>, copy: Copy, now: Duration) -> u64 {
        let size = copy.meta.size();
        let end = marks.last().map_or(entry.position, |mark| mark.end);
        let seen = if entry.lost { end } else { end.max(entry.size) };
        let position = entry.position.min(size);
        marks.retain(|mark| mark.start < size);
        // Its lines keep their times, as they count from its beginning.
        marks.iter_mut().for_each(|mark| mark.end = mark.end.min(size));
        let name = entry.name.as_path().into();
        let mut file = LogFile::new(entry.id, (copy.handle, &copy.meta), name, copy.path, 0, now);
        file.identity.born_ns = copy.born_ns;
        let entry = Entry { real: file.real.clone(), position, ..entry.clone() };
        self.go_on(&entry, marks, file);
        seen.saturating_sub(size.max(entry.position))
    }

    fn go_on(&mut self, entry: &Entry, marks: Vec<Mark>, mut file: LogFile) {
        file.real = entry.real.clone();
        file.fingerprint = entry.fingerprint;
        file.tracker = Tracker::new(entry.position);
        for mark in marks {
            // Marks without lines were only noted so that the next ones fit.
            if let Some(number) = file.tracker.push(mark)
                && mark.lines == 0
            {
                file.tracker.void(number);
            }
        }
        file.find_out_whether_it_continues();
        // If it cannot be read now, the next reading says so; if it begins otherwise by now, the next look does.
        let _ = file.verify();
        if !self.by_inode.contains_key(&(file.identity.device, file.identity.inode)) {
            self.follow(file);
        }
    }
}

/// Finds the file: under its name, where that really was, or under another name in the folder of either.
fn find(entry: &Entry) -> Found {
    let (mut anew, mut unsure, mut listed) = (None, false, false);
    for path in [&entry.name, &entry.real] {
        match check(entry, path) {
            Check::Same(handle, meta) => return Found::Here(handle, meta, path.as_path().into()),
            Check::OtherContents(handle) => anew = Some((handle, path.as_path().into())),
            Check::Unreadable => return Found::Unreadable,
            Check::Unknown => unsure = true,
            Check::Other => {}
        }
    }
    let folders: BTreeSet<&Path> =
        [&entry.real, &entry.name].into_iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        let names = match std::fs::read_dir(folder) {
            Ok(names) => names,
            Err(e) => {
                unsure |= !is_absence(&e);
                continue;
            }
        };
        listed |= std::fs::metadata(folder).is_ok_and(|meta| meta.dev() == entry.identity.device);
        for name in names {
            let Ok(name) = name else {
                unsure = true;
                continue;
            };
            if name.ino() != entry.identity.inode {
                continue;
            }
            match check(entry, &name.path()) {
                Check::Same(handle, meta) => return Found::Here(handle, meta, name.path().into()),
                // Truncated, then rotated; without its time of birth it may be anybody's.
                Check::OtherContents(handle) if entry.identity.born_ns != 0 => {
                    anew = Some((handle, name.path().into()));
                }
                Check::Unreadable | Check::Unknown => unsure = true,
                Check::OtherContents(..) | Check::Other => {}
            }
        }
    }
    match anew {
        Some((handle, path)) => Found::Anew(handle, path),
        None if unsure => Found::Unreadable,
        None if listed => Found::Deleted,
        None => Found::Away,
    }
}

/// Whether the error says that there is nothing of that name. All others say nothing about what is there.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

enum Check {
    Same(File, std::fs::Metadata),
    /// The same inode, but not what was read of it.
    OtherContents(File),
    /// It is the file, and it cannot be opened or read.
    Unreadable,
    /// What is there cannot even be asked.
    Unknown,
    Other,
}

fn check(entry: &Entry, path: &Path) -> Check {
    let Ok((handle, meta)) = file::open(path) else {
        // Who may not open a file may often ask which it is, so that only the file itself is waited for.
        return match std::fs::metadata(path) {
            Ok(meta) if meta.is_file() && Identity::of(&meta).agrees(&entry.identity) => Check::Unreadable,
            Ok(_) => Check::Other,
            Err(e) if is_absence(&e) => Check::Other,
            Err(_) => Check::Unknown,
        };
    };
    if !Identity::of(&meta).agrees(&entry.identity) {
        return Check::Other;
    }
    match entry.fingerprint.check(&handle) {
        Ok(Verdict::Same | Verdict::Extended(_)) if meta.size() >= entry.position => {
            Check::Same(handle, meta)
        }
        Ok(_) => Check::OtherContents(handle),
        Err(_) => Check::Unreadable,
    }
}
