//! Polling: what the names that match stand for now, and what became of files that lost theirs.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, LogFile};
use super::hints::Look;
use super::identity::Identity;
use super::loss::{Loss, Why};
use super::record::Record;
use super::source::{Source, Trouble};
use crate::config::valid::Start;

/// `start: backfill`: files that did not change for so long are not read back.
const BACKFILL: Duration = Duration::from_secs(3600);
/// `start: backfill`: so much of the others is.
const BACKFILL_BYTES: u64 = 10 << 20;
/// How long a deleted file has to be quiet, when all of it is settled, until its space is given back.
const DELETED: Duration = Duration::from_secs(10);
/// How long a file that was rotated away has to be quiet until it is let go: some programs write to it for long.
const ROTATED: Duration = Duration::from_secs(3600);
/// The most disk space of deleted files that is kept from being freed.
const DELETED_BYTES: u64 = 1 << 30;
/// A disk of which less than one in so many parts is free is short, and gets the space of deleted files back.
const SHORT: u64 = 20;
/// A path that cannot be read is tried again after a second, then after twice as long, up to this.
const TROUBLE: Duration = Duration::from_secs(60);
/// Clocks of file systems tick apart from ours.
const SLACK_NS: i64 = 10_000_000_000;

impl Source {
    /// Looks at what may have changed. Says whether something may have.
    pub(super) fn poll(&mut self, now: Duration) -> bool {
        let looked_ns = self.clock.now_ns();
        let changed = self.look_where_needed(now);
        self.looked_ns = looked_ns;
        changed
    }

    fn look_where_needed(&mut self, now: Duration) -> bool {
        if let Look::At(paths) = self.hints.take(now) {
            let any = !paths.is_empty();
            if self.look_at(paths, now) {
                return self.look_at_nameless(now, false) || any;
            }
        }
        self.look_at_all(now);
        true
    }

    /// Looks at some files that are known; false when one is not, or what is there cannot be looked at.
    fn look_at(&mut self, mut some: BTreeSet<PathBuf>, now: Duration) -> bool {
        self.round += 1;
        let paths = self.listing.paths();
        let due = |(path, trouble): (&PathBuf, &Trouble)| (now >= trouble.retry_at).then(|| path.clone());
        some.extend(self.troubles.iter().filter_map(due));
        some.iter().all(|path| match paths.get(path) {
            Some(literal) => self.look(path, *literal, now).unwrap_or(false),
            None => true,
        })
    }

    /// Looks at everything once.
    fn look_at_all(&mut self, now: Duration) {
        let put_off = self.listing.is_put_off(now);
        let listed = self.listing.refresh(now);
        if listed {
            self.find_missing(now);
            self.complain_about_folders(now);
        }
        self.round += 1;
        let paths = self.listing.paths();
        let mut unknown = Vec::new();
        for (path, literal) in paths.iter() {
            match self.look(path, *literal, now) {
                Ok(known) => unknown.extend((!known).then_some(path)),
                Err(e) => self.trouble(path, &e, now),
            }
        }
        // New files come last: what happened to those known before them is older, and goes out before them.
        self.look_at_nameless(now, true);
        for path in unknown {
            match self.adopt(path, now) {
                Ok(()) => drop(self.troubles.remove(path)),
                Err(e) => self.trouble(path, &e, now),
            }
        }
        if self.troubles.len() > self.listing.errors().len() {
            let folders: Vec<_> = self.listing.errors().iter().map(|(path, _)| path.clone()).collect();
            self.troubles.retain(|path, _| paths.contains_key(path) || folders.contains(path));
        }
        if listed {
            self.hints.watch(paths.keys().map(PathBuf::as_path), self.listing.folders());
        }
        if put_off {
            self.hints.miss();
        }
    }

    /// Looks at what a path that matches stands for now; false when it is a file that is not known yet.
    fn look(&mut self, path: &Path, literal: bool, now: Duration) -> io::Result<bool> {
        if self.troubles.get(path).is_some_and(|trouble| now < trouble.retry_at) {
            return Ok(true);
        }
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.troubles.remove(path);
                return Ok(true);
            }
            Err(e) => return Err(e),
        };
        if let Some(id) = self.by_inode.get(&(meta.dev(), meta.ino())).copied() {
            self.seen(id, path, &meta, now);
        } else if meta.is_file() {
            return Ok(false);
        } else if literal {
            let what = if meta.is_dir() {
                "it is a folder: write /*.log behind it"
            } else {
                "it is not a plain file"
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        self.troubles.remove(path);
        Ok(true)
    }

    /// A file that is followed has a name that matches.
    fn seen(&mut self, id: u64, path: &Path, meta: &Metadata, now: Duration) {
        let Some(file) = self.files.get_mut(&id) else { return };
        // Of several names (links) the one it had stays, as long as it has it.
        let first = file.seen != self.round;
        file.seen = self.round;
        if first && file.path.as_deref() != Some(path) || !first && path == &*file.name {
            file.path = Some(path.into());
        }
        let was_empty = path == &*file.name && file.was_empty(meta);
        if first && (was_empty || !file.observe(meta, now)) {
            self.begin_anew(id, now);
        }
    }

    /// A file that is not followed yet.
    pub(super) fn adopt(&mut self, path: &Path, now: Duration) -> io::Result<()> {
        let (handle, meta) = file::open(path)?;
        let inode = (meta.dev(), meta.ino());
        if self.by_inode.contains_key(&inode) {
            return Ok(());
        }
        if self.take_up_again(&handle, now)? {
            return Ok(());
        }
        if self.is_copy(path, &handle, &meta) {
            return Ok(());
        }
        let position = self.first_position(path, (&handle, &meta), now)?;
        let present = self.adopt_between(path, &handle, now)?;
        let id = self.new_id();
        let path: Arc<Path> = path.into();
        let mut file = LogFile::new(id, (handle, &meta), path.clone(), path.clone(), position, now);
        file.seen = self.round;
        file.holds(&present);
        self.follow(file);
        Ok(())
    }

    /// Adds a file to those that are followed.
    pub(super) fn follow(&mut self, file: LogFile) {
        let id = file.id;
        self.by_inode.insert((file.identity.device, file.identity.inode), id);
        let stream = self.stream(&file.name.clone());
        stream.files.insert(id);
        stream.born_ns = stream.born_ns.max(file.identity.born_ns);
        self.files.insert(id, file);
        self.note_file(id);
    }

    /// Notes for the journal what is known of a file now.
    pub(super) fn note_file(&mut self, id: u64) {
        if let Some(file) = self.files.get(&id) {
            let last_ns = self.streams.get(&file.name).map_or(0, |stream| stream.last_ns);
            let record = Record::File(file.entry(last_ns));
            self.note(&record);
        }
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Where to begin in a file that was never seen before.
    fn first_position(
        &mut self,
        path: &Path,
        (handle, meta): (&std::fs::File, &Metadata),
        now: Duration,
    ) -> io::Result<u64> {
        let changed_ns = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
        if self.is_later(meta) {
            return Ok(0);
        }
        if let Some(position) = self.promtails(path, (handle, meta), now)? {
            return Ok(position);
        }
        match self.start {
            Start::Beginning => Ok(0),
            Start::Backfill if self.clock.now_ns() - changed_ns <= BACKFILL.as_nanos() as i64 => {
                file::line_start(handle, meta.size(), BACKFILL_BYTES)
            }
            Start::Backfill | Start::End => file::line_start(handle, meta.size(), 0),
        }
    }

    /// Whether a file came into being after the source was first started: such are read from their beginning.
    fn is_later(&self, meta: &Metadata) -> bool {
        if self.round > 1 {
            return true;
        }
        let born_ns = Identity::of(meta).born_ns;
        match self.earlier.saved_ns {
            0 => false,
            // Without a time of birth it is later, unless the globs may have made it match only now.
            _ if born_ns == 0 => self.same_globs(),
            saved_ns => born_ns > saved_ns - SLACK_NS,
        }
    }

    /// Files that are held and were not met under any name that matches; `all` when names were looked for. Says whether there
    /// is something to do with one.
    fn look_at_nameless(&mut self, now: Duration, all: bool) -> bool {
        let (mut anew, mut done, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        if all {
            let nameless = self.files.values().filter(|file| file.seen != self.round);
            self.nameless = nameless.map(|file| file.id).collect();
        }
        let mut any = false;
        for id in &self.nameless {
            let Some(file) = self.files.get_mut(id).filter(|file| file.seen != self.round) else { continue };
            let settled = file.tracker.len() == 0;
            let Some(handle) = &file.handle else {
                if settled {
                    done.push(*id);
                }
                continue;
            };
            file.path = None;
            // A handle that cannot be asked says so when it is read.
            let Ok(meta) = handle.metadata() else { continue };
            if !file.observe(&meta, now) {
                anew.push(*id);
                continue;
            }
            any |= file.unread || file.behind() > 0 || !settled;
            let patience = if file.linked { ROTATED } else { DELETED };
            if settled && file.behind() == 0 && now >= file.changed_at + patience {
                done.push(*id);
            } else if !file.linked {
                deleted.push((*id, file.size));
            }
        }
        any |= !anew.is_empty() || !done.is_empty();
        anew.into_iter().for_each(|id| self.begin_anew(id, now));
        done.into_iter().for_each(|id| self.let_go(id));
        self.bound_deleted(deleted);
        any
    }

    /// Deleted files may not fill the disk: beyond the bound, and when the disk is short, they are let go, settled or
    /// not; first those of which nothing is missed, then the oldest.
    fn bound_deleted(&mut self, mut deleted: Vec<(u64, u64)>) {
        let is_missed = |id: u64| {
            self.files.get(&id).is_some_and(|file: &LogFile| file.behind() > 0 || file.tracker.len() > 0)
        };
        deleted.sort_by_key(|(id, _)| (is_missed(*id), *id));
        let mut sum: u64 = deleted.iter().map(|(_, size)| size).sum();
        for (id, size) in &deleted {
            let why = match self.files.get(id).and_then(|file| file.handle.as_ref()) {
                _ if sum > DELETED_BYTES => Why::Bound,
                Some(handle) if is_short(handle) => Why::Disk,
                _ => continue,
            };
            sum -= size;
            if let Some(file) = self.files.get_mut(id) {
                let (name, unread) = (file.name.clone(), file.behind());
                file.handle = None;
                let from_ns = file.tracker.due_ns();
                let bytes = unread + file.tracker.give_up_due();
                self.by_inode.retain(|_, held| held != id);
                self.note_file(*id);
                let from_ns = from_ns.unwrap_or_else(|| self.last_ns(&name));
                self.lose(Loss { name: &name, bytes, why, from_ns, at: None });
            }
        }
    }

    /// Nothing more can come of the file.
    pub(super) fn let_go(&mut self, id: u64) {
        let Some(file) = self.files.remove(&id) else { return };
        self.by_inode.retain(|_, held| *held != id);
        self.since_ns = self.since_ns.max(file.identity.born_ns);
        self.leave_stream(&file.name, id);
        self.note(&Record::Gone { id });
    }

    /// The file, or the gap, is none of its stream's any longer.
    pub(super) fn leave_stream(&mut self, name: &Arc<Path>, id: u64) {
        let Some(stream) = self.streams.get_mut(name) else { return };
        stream.files.remove(&id);
        // The time of the last line is worth keeping only as long as the clock might not have passed it.
        if stream.files.is_empty() && stream.last_ns < self.clock.now_ns() {
            self.streams.remove(name);
        }
    }

    /// The time of a stream's last line; 0 when there was none.
    pub(super) fn last_ns(&self, name: &Arc<Path>) -> i64 {
        self.streams.get(name).map_or(0, |stream| stream.last_ns)
    }

    fn complain_about_folders(&mut self, now: Duration) {
        let errors: Vec<_> = self
            .listing
            .errors()
            .iter()
            .map(|(path, e)| (path.clone(), io::Error::new(e.kind(), e.to_string())))
            .collect();
        for (path, e) in errors {
            self.trouble(&path, &e, now);
        }
    }

    /// Says that a path cannot be read, once until it can, and puts off the next try.
    pub(super) fn trouble(&mut self, path: &Path, error: &io::Error, now: Duration) {
        let trouble = self.troubles.get(path).map(|trouble| trouble.wait);
        let wait = trouble.map_or(Duration::from_secs(1), |wait| (wait * 2).min(TROUBLE));
        self.troubles.insert(path.to_owned(), Trouble { wait, retry_at: now + wait });
        if trouble.is_some() {
            return;
        }
        let fix = match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::PermissionDenied, _) => {
                "; let the collector's user read it (often: add it to the group adm), or exclude it"
            }
            (_, Some(23 | 24)) => "; raise the limit of open files (LimitNOFILE= in the service, ulimit -n)",
            _ => "",
        };
        self.complain(format!("cannot read {}: {error}{fix}", path.display()));
    }
}

/// Whether the disk that holds a file is nearly full.
fn is_short(file: &std::fs::File) -> bool {
    rustix::fs::fstatvfs(file).is_ok_and(|disk| disk.f_bavail.saturating_mul(SHORT) < disk.f_blocks)
}
