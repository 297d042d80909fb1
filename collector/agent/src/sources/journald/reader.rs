//! All files of a journal as one sequence of entries.
//!
//! journald writes to several files, and numbers the entries of all of them in one count: a *chain*. Within a chain entries
//! are read in the order of their numbers, so that one number says how far it was read. An entry is only taken when all
//! before it can be seen: first the last number in each file is looked at, then which files there are, then what is in
//! each of them. Whatever has a lower number than the highest of the first look was written before it, and is seen in the
//! last.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use taffrail_wire::journal::{Id, State};

use super::cursor::Cursor;
use super::datum::{DAMAGED, Datum};
use super::entries::Raw;
use super::file::{JournalFile, ReadError};
use super::folder::{Folders, is_archived};
use super::wanted::Wanted;

/// The most files that are open at once.
const MAX_OPEN: usize = 256;
/// Folders are listed so often although nothing seems to have changed.
const LIST_ANYWAY: Duration = Duration::from_secs(10);
/// So long it may take until what a writer has begun can be read.
const TO_WRITE: Duration = Duration::from_secs(5);

/// One count of entries.
#[derive(Debug, Default)]
struct Chain {
    /// Entries up to here are done with: an earlier run has read them.
    base: Option<Cursor>,
    /// The last entry that was read.
    read: Option<Cursor>,
    /// Entries up to this number can all be seen.
    limit: u64,
    /// Files may have gone that were not read.
    suspect: bool,
}

#[derive(Debug)]
struct Open {
    file: JournalFile,
    /// Since when something in it cannot be read that may still be on its way to the disk.
    unclear: Option<Duration>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// An entry, with the cursor behind it.
    Entry(Raw, Cursor),
    /// Entries are gone that nobody has read: how many at least, and the cursors before and behind them.
    Gap { missing: u64, before: Cursor, behind: Cursor },
    /// Entries cannot be read, as the file says something that cannot be.
    Damaged { entries: u64, why: String },
    /// Nothing for now.
    Nothing,
}

/// How it goes.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) open: usize,
    pub(super) behind_bytes: u64,
    pub(super) unreadable: usize,
    pub(super) problem: Option<String>,
    /// Whether there is a journal at all.
    pub(super) any: bool,
}

/// Reads a journal.
#[derive(Debug)]
pub(super) struct Reader {
    wanted: Wanted,
    folders: Folders,
    from_us: u64,
    chains: HashMap<Id, Chain>,
    open: Vec<Open>,
    /// Files that have nothing more, by their identifiers.
    done: HashSet<Id>,
    /// The same by path, where the path is the file's for ever.
    quiet: HashMap<PathBuf, Id>,
    /// Files that wait until others are read, with their chains and first numbers.
    waiting: HashMap<Id, (Id, u64)>,
    list_at: Option<Duration>,
    /// The last number that was told to be missing, with the start of the machine that it is of.
    told: Option<(Id, u64)>,
    state: Health,
}

impl Reader {
    /// Reads what is behind the cursors, and of other chains what was written from `from_us` on.
    pub(super) fn new(
        roots: Vec<PathBuf>,
        wanted: Wanted,
        from_us: u64,
        cursors: impl Iterator<Item = Cursor>,
    ) -> Self {
        let chain = |cursor: Cursor| Chain { base: Some(cursor), suspect: true, ..Chain::default() };
        Reader {
            wanted,
            folders: Folders::new(roots),
            from_us,
            chains: cursors.map(|cursor| (cursor.seqnum_id, chain(cursor))).collect(),
            open: Vec::new(),
            done: HashSet::new(),
            quiet: HashMap::new(),
            waiting: HashMap::new(),
            list_at: None,
            told: None,
            state: Health::default(),
        }
    }

    /// The folders that were found.
    pub(super) fn folders(&self) -> impl Iterator<Item = &std::path::Path> {
        self.folders.known()
    }

    /// How it goes.
    pub(super) fn state(&mut self) -> &Health {
        self.state.open = self.open.len();
        self.state.behind_bytes = self.open.iter().map(|open| open.file.left_bytes()).sum();
        &self.state
    }

    /// Begins anew behind these cursors.
    pub(super) fn rewind(&mut self, cursors: impl Iterator<Item = Cursor>) {
        self.chains.values_mut().for_each(|chain| *chain = Chain { suspect: true, ..Chain::default() });
        for cursor in cursors {
            self.chains.entry(cursor.seqnum_id).or_default().base = Some(cursor);
        }
        (self.open, self.list_at, self.told) = (Vec::new(), None, None);
        self.done.clear();
        self.quiet.clear();
    }

    /// Looks what is there, at the monotonic time `now`.
    pub(super) fn look(&mut self, now: Duration, time: SystemTime) {
        let mut tails = self.tails();
        if self.list_if_due(now, time) {
            // Of new files the last numbers are to be looked at first, too.
            tails = self.tails();
            self.list_if_due(now, time);
        }
        self.tails();
        for (id, chain) in &mut self.chains {
            let waiting = self.waiting.values().filter(|(chain, _)| chain == id).map(|(_, head)| *head);
            let before = waiting.min().map_or(u64::MAX, |head| head.saturating_sub(1));
            chain.limit = tails.get(id).map_or(0, |tail| (*tail).min(before));
        }
    }

    /// Reads all headers again, and gives the last number of each chain.
    fn tails(&mut self) -> HashMap<Id, u64> {
        let mut tails: HashMap<Id, u64> = HashMap::new();
        for open in &mut self.open {
            if open.file.header.state != State::Archived
                && let Err(error) = open.file.refresh()
            {
                self.state.problem = Some(format!("{}: {error}", open.file.path.display()));
            }
            let tail = tails.entry(open.file.header.seqnum_id).or_default();
            *tail = open.file.header.tail_seqnum.max(*tail);
        }
        tails
    }

    /// Lists the files when that is due; whether there are new ones.
    fn list_if_due(&mut self, now: Duration, time: SystemTime) -> bool {
        if self.list_at.is_some_and(|at| now < at) && !self.folders.have_changed() {
            return false;
        }
        let before = self.open.len();
        self.list(time);
        self.list_at = Some(now + LIST_ANYWAY);
        self.open.len() > before
    }

    fn list(&mut self, time: SystemTime) {
        let found = self.folders.list(time);
        let mut problems = found.problems;
        let (mut there, mut fresh) = (HashSet::new(), Vec::new());
        for path in found.files {
            if let Some(id) = self.quiet.get(&path) {
                there.insert(*id);
                continue;
            }
            let file = match JournalFile::open(&path) {
                Ok(file) => file,
                // It was renamed or deleted just now.
                Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    problems.push(format!("{} cannot be read: {error}", path.display()));
                    continue;
                }
            };
            let id = file.header.file_id;
            if !there.insert(id) {
                continue;
            }
            if let Some(open) = self.open.iter_mut().find(|open| open.file.header.file_id == id) {
                open.file.path = path;
            } else if self.done.contains(&id) || self.has_nothing(&file) {
                self.done.insert(id);
                if is_archived(&path) {
                    self.quiet.insert(path, id);
                }
            } else {
                fresh.push(file);
            }
        }
        self.done.retain(|id| there.contains(id));
        self.quiet.retain(|_, id| there.contains(id));
        let before = mem::take(&mut self.waiting);
        fresh.sort_by_key(|file| (is_archived(&file.path), file.header.head_seqnum));
        for file in fresh {
            let header = file.header;
            if self.open.len() >= MAX_OPEN {
                if !is_archived(&file.path) {
                    problems.push(format!(
                        "{}: {MAX_OPEN} files of the journal are open already",
                        file.path.display()
                    ));
                    continue;
                }
                self.waiting.insert(header.file_id, (header.seqnum_id, header.head_seqnum));
            } else if let Err(problem) = self.open(file) {
                problems.push(problem);
            }
        }
        for (id, (chain, _)) in before {
            if !there.contains(&id)
                && let Some(chain) = self.chains.get_mut(&chain)
            {
                chain.suspect = true;
            }
        }
        self.state.any = found.any;
        self.state.unreadable = problems.len();
        self.state.problem = problems.into_iter().next();
    }

    /// Whether nothing in a file is wanted, nor ever will be.
    fn has_nothing(&self, file: &JournalFile) -> bool {
        let header = &file.header;
        if header.state != State::Archived && !is_archived(&file.path) {
            return false;
        }
        match self.chains.get(&header.seqnum_id).and_then(|chain| chain.base) {
            Some(base) => header.tail_seqnum <= base.seqnum,
            None => header.tail_realtime < self.from_us || header.n_entries == 0,
        }
    }

    fn open(&mut self, mut file: JournalFile) -> Result<(), String> {
        let chain = self.chains.entry(file.header.seqnum_id).or_default();
        let from_us = self.from_us;
        let sought = match chain.base {
            Some(base) => file.seek(|entry| entry.seqnum <= base.seqnum),
            None if from_us == 0 => Ok(()),
            None => file.seek(|entry| entry.realtime < from_us),
        };
        sought.map_err(|error| format!("{} cannot be read: {error}", file.path.display()))?;
        self.open.push(Open { file, unclear: None });
        Ok(())
    }

    /// Takes what comes next.
    pub(super) fn next(&mut self, now: Duration) -> Next {
        let mut best: Option<(usize, Id, u64, u64)> = None;
        let mut at = 0;
        while at < self.open.len() {
            let Open { file, unclear } = &mut self.open[at];
            let (chain, archived) = (file.header.seqnum_id, is_archived(&file.path));
            let limit = self.chains.get(&chain).map_or(0, |chain| chain.limit);
            let next = file.next().map(|entry| entry.map(|entry| (entry.seqnum, entry.realtime)));
            match next {
                Ok(Some((seqnum, _))) if seqnum > limit => *unclear = None,
                Ok(Some((seqnum, realtime))) => {
                    *unclear = None;
                    let earlier =
                        best.is_none_or(
                            |(_, id, number, time)| {
                                if id == chain { seqnum < number } else { realtime < time }
                            },
                        );
                    if earlier {
                        best = Some((at, chain, seqnum, realtime));
                    }
                }
                Ok(None) if file.left() == 0 && (archived || file.header.state == State::Archived) => {
                    let done = self.open.swap_remove(at);
                    self.done.insert(done.file.header.file_id);
                    if !self.waiting.is_empty() {
                        self.list_at = None;
                    }
                    continue;
                }
                Ok(None) => *unclear = None,
                Err(error) => {
                    let since = *unclear.get_or_insert(now);
                    // What has something behind it was written whole.
                    let whole = archived || (file.has_place() && file.left() > 1);
                    if whole || now.saturating_sub(since) >= TO_WRITE {
                        *unclear = None;
                        let why = format!("{}: {error}", file.path.display());
                        let entries = if file.has_place() {
                            file.pass();
                            1
                        } else {
                            file.give_up()
                        };
                        return Next::Damaged { entries, why };
                    }
                }
            }
            at += 1;
        }
        match best {
            Some((at, id, ..)) => self.take(at, id),
            None => Next::Nothing,
        }
    }

    fn take(&mut self, at: usize, id: Id) -> Next {
        if let Some(gap) = self.gap(at, id) {
            return gap;
        }
        let file = &mut self.open[at].file;
        let chain = self.chains.entry(id).or_default();
        let Some(entry) = file.pass() else { return Next::Nothing };
        let cursor = Cursor::behind(id, &entry);
        // A file that was found late may have lower numbers.
        if chain.read.is_none_or(|read| read.seqnum < cursor.seqnum) {
            chain.read = Some(cursor);
        }
        let mut raw = Raw::new(&entry);
        for place in &entry.items {
            let (datum, terms) = match file.data.get(*place) {
                Some(known) => known,
                None => {
                    let read = file.packed(*place, self.wanted.max_message + 256);
                    let read = read.map_or((Datum::Unread(DAMAGED), 0), |packed| packed.read(&self.wanted));
                    file.data.put(*place, &read);
                    read
                }
            };
            raw.add(datum, terms);
        }
        Next::Entry(raw, chain.read.unwrap_or(cursor))
    }

    /// What is missing before the next entry of a chain, where files may have gone.
    fn gap(&mut self, at: usize, id: Id) -> Option<Next> {
        // What cannot be read now may be read later.
        if self.state.unreadable > 0 {
            return None;
        }
        let file = &mut self.open[at].file;
        let behind = Cursor::behind(id, file.next().ok()??);
        let folder = file.path.parent()?.to_owned();
        let chain = self.chains.get_mut(&id)?;
        if !mem::take(&mut chain.suspect) {
            return None;
        }
        let before = chain.read.or(chain.base)?;
        // Some releases count users' entries with those of the system, and give them chains of their own: a number that is
        // missing here may be there, or may have been read there.
        let others = self.chains.values().filter_map(|chain| chain.base);
        let others = others.filter(|base| base.boot_id == before.boot_id).map(|base| base.seqnum);
        let told = self.told.filter(|(boot, _)| *boot == before.boot_id).map(|(_, seqnum)| seqnum);
        let first = others.chain(told).fold(before.seqnum, u64::max) + 1;
        let last = behind.seqnum.saturating_sub(1);
        if first > last {
            return None;
        }
        let mut missing = last - first + 1;
        for open in &self.open {
            let file = &open.file;
            if file.header.seqnum_id != id && file.path.parent() == Some(&folder) {
                // One that is not there any longer, or cannot be read, might have all of them.
                let there = JournalFile::open(&file.path).and_then(|mut file| file.count(first, last));
                missing = missing.saturating_sub(there.unwrap_or(u64::MAX));
            }
        }
        self.told = Some((before.boot_id, last));
        (missing > 0).then_some(Next::Gap { missing, before, behind })
    }

    /// What is wanted.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }
}
