//! Writes what the ledger holds to segment files, and keeps the disk from filling up.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::disk::frame;
use crate::disk::positions::Saved;
use crate::disk::recover::segment_path;
use crate::disk::unwritten::{PIECE, Piece};
use crate::disk::{DiskOptions, WriteMode};
use crate::engine::Engine;
use crate::error::FileError;
use crate::ledger::{Effects, Ledger};
use crate::log::SegmentId;
use crate::state_file::{Durability, StateFile};
use crate::ticket::Reason;

/// How often a disk that took no writes is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The files of a log.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) engine: Arc<Engine>,
    dir: PathBuf,
    options: DiskOptions,
    files: Mutex<Files>,
    state: Mutex<(StateFile, Option<Saved>)>,
    /// Where the cursors are since that was saved last, as far as a kill of the process may know it.
    recent: Mutex<StateFile>,
}

/// Changed only with the engine's writer lock held.
#[derive(Debug, Default)]
struct Files {
    open: Option<(SegmentId, Arc<File>)>,
    scratch: Vec<u8>,
    /// Written since they were last synced.
    dirty: Vec<(SegmentId, Arc<File>)>,
    created: bool,
    since_check: u64,
    /// Below its floor of free space.
    below_floor: bool,
    retry_at: Duration,
}

impl Files {
    /// Lets go of files whose segments are gone.
    fn forget_removed(&mut self, ledger: &Ledger) {
        self.dirty.retain(|(id, _)| ledger.segments.binary_search_by_key(id, |segment| segment.id).is_ok());
    }
}

impl Store {
    pub(crate) fn new(
        engine: Arc<Engine>,
        dir: PathBuf,
        options: DiskOptions,
        [state, recent]: [StateFile; 2],
    ) -> Self {
        let (state, recent) = (Mutex::new((state, None)), Mutex::new(recent));
        Store { engine, dir, options, files: Mutex::default(), state, recent }
    }

    /// Where the files are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What follows an append, with the writer's lock held.
    pub(crate) fn store(&self, fx: &mut Effects) {
        let wanted = match self.options.write {
            WriteMode::Through => true,
            WriteMode::OnLag { bytes, age } => {
                let now_ms = self.engine.clock.now_ms();
                let ledger = self.engine.ledger();
                ledger.blocked || ledger.lags(bytes, age, now_ms)
            }
        };
        if wanted {
            self.write_out(false, fx);
        }
    }

    /// Writes all that is in memory only. While the disk takes no writes this is tried once a second, or at once with
    /// `now`.
    fn write_out(&self, now: bool, fx: &mut Effects) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = self.engine.clock.monotonic();
        if self.engine.ledger().blocked && (!now && monotonic < files.retry_at) {
            return self.engine.ledger().evict(fx);
        }
        if files.since_check >= PIECE as u64 {
            self.check_space(&mut files, fx);
        }
        if files.below_floor {
            files.retry_at = monotonic + RETRY;
            return self.engine.ledger().evict(fx);
        }
        loop {
            let piece = self.engine.ledger().piece();
            let Some(piece) = piece else {
                self.engine.ledger().blocked = false;
                return;
            };
            match self.write(&mut files, &piece) {
                Ok(written) => {
                    files.since_check += written - piece.at;
                    let mut ledger = self.engine.ledger();
                    ledger.written(&piece, written, &self.dir, fx);
                }
                Err(error) => {
                    files.open = None;
                    let full =
                        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                    if full && (self.engine.empty_trash() || self.give_up_oldest(piece.id, &mut files, fx)) {
                        continue;
                    }
                    self.block(&segment_path(&self.dir, piece.id), error, fx);
                    files.retry_at = monotonic + RETRY;
                    return;
                }
            }
        }
    }

    /// Makes room by dropping the oldest segment that is on disk; `false` if that is the one being written.
    fn give_up_oldest(&self, writing: SegmentId, files: &mut Files, fx: &mut Effects) -> bool {
        let mut ledger = self.engine.ledger();
        // What could not be read again stays, and what comes is asked for again.
        let droppable = !ledger.bounds.asks_again
            && ledger.segments.front().is_some_and(|oldest| oldest.id != writing && oldest.written > 0);
        let dropped = droppable && ledger.drop_oldest(Reason::Disk, fx);
        // An open file would keep its space.
        files.forget_removed(&ledger);
        drop(ledger);
        // At once, as the next write needs the room.
        self.engine.remove_files(fx);
        dropped
    }

    fn block(&self, path: &Path, error: io::Error, fx: &mut Effects) {
        let what = FileError::new("write", path, error).to_string();
        let now_ms = self.engine.clock.now_ms();
        let mut ledger = self.engine.ledger();
        if !ledger.blocked {
            tracing::warn!(%what, "the log on disk takes no records; they are kept in memory as far as it goes");
        }
        ledger.blocked = true;
        ledger.last_error = Some((now_ms, what));
        ledger.evict(fx);
    }

    /// Writes a piece; the offset at which it ends.
    fn write(&self, files: &mut Files, piece: &Piece) -> io::Result<u64> {
        let file = match files.open.take().filter(|(id, _)| *id == piece.id) {
            Some((_, file)) => file,
            None => {
                let path =
                    piece.path.as_deref().map_or_else(|| segment_path(&self.dir, piece.id), Path::to_owned);
                let new = piece.at == 0;
                files.created |= new;
                Arc::new(OpenOptions::new().write(true).create(new).truncate(new).open(path)?)
            }
        };
        let scratch = &mut files.scratch;
        scratch.clear();
        if piece.at == 0 {
            frame::put_header(scratch, piece.id, piece.first, piece.first_ms);
        }
        for (position, ms, bytes) in &piece.records {
            frame::put_record(scratch, piece.id, *position, *ms, bytes);
        }
        let end = piece.at + scratch.len() as u64;
        if let Some(summary) = &piece.seal {
            frame::put_footer(scratch, piece.id, summary);
        }
        let done = file.write_all_at(scratch, piece.at);
        if scratch.capacity() > PIECE {
            *scratch = Vec::new();
        }
        if let Err(error) = done {
            // What was written of it is no record; its space is given back.
            let _ = file.set_len(piece.at);
            return Err(error);
        }
        if files.dirty.last().is_none_or(|(id, _)| *id != piece.id) {
            files.dirty.push((piece.id, file.clone()));
        }
        if piece.seal.is_none() {
            files.open = Some((piece.id, file));
        }
        Ok(end)
    }

    /// Gives up the oldest while the file system has less free space than it must keep.
    fn check_space(&self, files: &mut Files, fx: &mut Effects) {
        files.since_check = 0;
        self.engine.empty_trash();
        let Ok(stat) = rustix::fs::statvfs(&self.dir) else { return };
        let floor = (stat.f_blocks as f64 * self.options.min_free.clamp(0.0, 1.0)) as u64 * stat.f_frsize;
        let floor = floor.min(self.options.min_free_most);
        let mut free = stat.f_bavail * stat.f_frsize;
        let mut ledger = self.engine.ledger();
        // Clearly more than that is needed to be out of it again.
        ledger.tight = floor > 0 && free < floor + floor / if ledger.tight { 3 } else { 4 };
        while free < floor && !ledger.bounds.asks_again {
            let size = ledger.segments.front().map_or(0, |oldest| oldest.written);
            if size == 0 || !ledger.drop_oldest(Reason::Disk, fx) {
                break;
            }
            free += size;
        }
        if free < floor && !files.below_floor {
            let what = format!(
                "{}: {} MiB are free, and {} MiB must stay free: records are kept in memory until there is room",
                self.dir.display(),
                free >> 20,
                floor >> 20
            );
            tracing::warn!(%what, "the log on disk takes no records");
            ledger.last_error = Some((self.engine.clock.now_ms(), what));
        }
        files.below_floor = free < floor;
        files.forget_removed(&ledger);
        ledger.blocked |= files.below_floor;
        drop(ledger);
        self.engine.remove_files(fx);
    }

    /// What has to be done from time to time: age, free space, another try on a disk that took no writes, the disk's
    /// own caches, the cursors' positions.
    pub(crate) fn tick(&self) {
        let mut fx = Effects::default();
        let (dirty, created) = {
            let _writer = self.engine.writer();
            let now_ms = self.engine.clock.now_ms();
            self.engine.ledger().expire(now_ms, &mut fx);
            {
                let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
                self.check_space(&mut files, &mut fx);
                files.retry_at = Duration::ZERO;
            }
            self.store(&mut fx);
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut files.dirty), std::mem::take(&mut files.created))
        };
        self.engine.changed.notify_waiters();
        self.engine.change(|_, more| std::mem::swap(more, &mut fx));
        self.engine.empty_trash();
        // Outside the writer's lock: this may take as long as the disk likes.
        for (_, file) in dirty {
            self.complain("sync the segment files in", file.sync_data());
        }
        if created {
            self.complain("sync", File::open(&self.dir).and_then(|dir| dir.sync_all()));
        }
        self.save();
    }

    /// Whether the log has no cursor.
    pub(crate) fn nobody_reads(&self) -> bool {
        self.engine.ledger().cursors.is_empty()
    }

    fn complain(&self, what: &'static str, done: io::Result<()>) {
        if let Err(error) = done {
            let what = FileError::new(what, &self.dir, error).to_string();
            tracing::warn!(%what, "the log may lose its last seconds in a power cut");
            self.engine.ledger().last_error = Some((self.engine.clock.now_ms(), what));
        }
    }

    /// Saves the cursors if they have moved.
    pub(crate) fn save(&self) {
        let now_ms = self.engine.clock.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (saved, last_time) = {
            let ledger = self.engine.ledger();
            if ledger.cursors_lost && ledger.cursors.is_empty() && !ledger.segments.is_empty() {
                // A state that says nothing of cursors would hide that they are lost, and with them what is held.
                return;
            }
            (Saved::of(&ledger, now_ms), ledger.closed)
        };
        let (file, last) = &mut *state;
        let enough = |last: &Saved| saved == *last || !last_time && saved.adds_nothing_to(last);
        if last.as_ref().is_some_and(enough) {
            return;
        }
        match file.save(&saved.encode(), Durability::PowerCut) {
            Ok(()) => *last = Some(saved),
            Err(error) => {
                tracing::warn!(%error, "the cursors' positions are not saved; a restart would send records again");
                self.engine.ledger().last_error = Some((now_ms, error.to_string()));
            }
        }
    }

    /// Saves the cursors for the case that the process is killed, without waiting for the disk.
    pub(crate) fn save_recent(&self) {
        let now_ms = self.engine.clock.now_ms();
        let saved = {
            let ledger = self.engine.ledger();
            if !ledger.on_disk() {
                return;
            }
            Saved::of(&ledger, now_ms)
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = recent.save(&saved.encode(), Durability::Kill) {
            tracing::debug!(%error, "a kill would send again what was delivered since the last save");
        }
    }

    /// The last things: all that is needed is written, and the files are completed.
    pub(crate) fn finish(&self) {
        let mut fx = Effects::default();
        {
            let _writer = self.engine.writer();
            {
                // Nothing follows in the current segment.
                let mut ledger = self.engine.ledger();
                ledger.closed = true;
                ledger.end_segment(&mut fx);
            }
            self.write_out(true, &mut fx);
        }
        self.engine.run(fx);
        self.engine.changed.notify_waiters();
        self.tick();
    }
}
