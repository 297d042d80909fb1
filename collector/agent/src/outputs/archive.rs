//! The archive: what the logs' log holds, in objects that are stored one window after the other.
//!
//! A window is open until it is old or large enough. Then it is sealed, which fixes what its objects hold and what they
//! are called, and stored; only after that the cursor moves. So a kill at any moment makes no object of other entries
//! than before: either the window was not sealed, and none of it is stored, or it is stored again, under the same names.
//! Nothing that a store answers loses entries: it is asked again, for as long as the log on disk has them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use taffrail_archive::{Folder, Found, Object, Sealed, Staging, Store, StoreError, Window, segment};
use taffrail_core::Clock;
use taffrail_spool::{Cursor, Record};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::settle::{Common, FIRST_WAIT};
use crate::config::{ArchiveOutput, ArchivePlace};
use crate::status::{ArchiveStatus, OutputStatus, Place, lock};

/// The most bytes of records that are read at once.
const PEEK_BYTES: usize = 512 << 10;
/// The longest wait before a store is asked again: each time may cost money.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often is looked for objects that are old.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

/// An archive.
pub struct Archive {
    store: Store,
    expire: Option<(Folder, Duration)>,
    every: Duration,
    size: u64,
    /// The instance, fit for a name.
    host: String,
    /// When the newest window was sealed, milliseconds since 1970 UTC: no two have the same time, so that their objects
    /// cannot have the same names, of whichever log they are.
    sealed_ms: AtomicI64,
    /// What is open of each log.
    open: Mutex<[Open; 2]>,
}

/// A log that is archived.
#[derive(Debug)]
pub struct Read {
    /// The archive's cursor in it.
    pub cursor: Cursor,
    /// Where its windows stand until they are stored.
    pub dir: PathBuf,
}

/// What of a log is in its open window.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    entries: u64,
    objects: usize,
    bytes: u64,
}

/// One log of an archive that runs.
struct Run<'a> {
    archive: &'a Archive,
    common: Common,
    /// Which of its logs.
    number: usize,
    cursor: Cursor,
    staging: Staging,
    /// The last window that was stored: its records may come again after a crash, which forgets where cursors were.
    done: Option<Sealed>,
}

/// What became of waiting for a window to be filled.
struct Filled {
    window: Window,
    /// The log is closed, and all of it was read.
    ended: bool,
}

impl Archive {
    /// An archive as `config` says, for what this `instance` logs.
    ///
    /// # Errors
    /// When there can be no such store.
    pub fn new(config: &ArchiveOutput, instance: &str) -> Result<Self, StoreError> {
        let expire = match &config.place {
            ArchivePlace::Folder { folder, keep: Some(keep) } => Some((folder.clone(), *keep)),
            _ => None,
        };
        let (sealed_ms, open) = Default::default();
        let (store, host) = (config.store()?, segment(instance));
        Ok(Archive { store, expire, every: config.every, size: config.size, host, sealed_ms, open })
    }

    /// Archives until the logs are closed and all of them is stored, or until `leave`. What is not stored stays in its log.
    pub async fn run(
        self,
        reads: [Read; 2],
        status: Place<OutputStatus>,
        clock: Clock,
        leave: CancellationToken,
    ) {
        let common = Common::new(status, clock);
        let [others, kept] = reads;
        let both = async {
            tokio::join!(self.all(0, others, common.clone()), self.all(1, kept, common.clone()));
        };
        tokio::select! {
            () = leave.cancelled() => {}
            () = both => {}
            () = self.expire(&common) => {}
        }
    }

    /// When a window is sealed now.
    fn seal_ms(&self, now_ms: i64) -> i64 {
        let next = |last: i64| Some(now_ms.max(last + 1));
        // It never fails: there is always a next one.
        let last = self.sealed_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        now_ms.max(last.unwrap_or_default() + 1)
    }

    async fn all(&self, number: usize, Read { cursor, dir }: Read, common: Common) {
        let (staging, found) = Self::open(&dir, &common).await;
        let mut run = Run { archive: self, common, number, cursor, staging, done: None };
        match found {
            Found::Nothing => {}
            Found::Lost(why) => {
                let name = run.common.status().name.clone();
                warn!(output = %name, "what was about to be archived is read again; some may be there twice: {why}");
            }
            Found::Window(sealed) => run.store(sealed).await,
        }
        let mut wait = FIRST_WAIT;
        loop {
            match run.window().await {
                Ok(true) => return,
                Ok(false) => wait = FIRST_WAIT,
                Err(error) => {
                    let dir = dir.display();
                    run.common.retrying(&format!("cannot write what is to be archived to {dir}: {error}"));
                    run.cursor.rewind();
                    wait = longer(&run.common, wait).await;
                }
            }
        }
    }

    /// The folder of windows; tried until it opens.
    async fn open(dir: &Path, common: &Common) -> (Staging, Found) {
        let mut wait = FIRST_WAIT;
        loop {
            let at = dir.to_owned();
            match apart(move || Staging::open(&at)).await {
                Ok(opened) => return opened,
                Err(error) => {
                    common.retrying(&format!("cannot open {}: {error}", dir.display()));
                    wait = longer(common, wait).await;
                }
            }
        }
    }

    /// Removes what is old, for ever.
    async fn expire(&self, common: &Common) {
        let Some((folder, keep)) = &self.expire else { return std::future::pending().await };
        loop {
            let before_ms = common.clock().now_ms().saturating_sub(keep.as_millis() as i64);
            let (at, host) = (folder.clone(), self.host.clone());
            match apart(move || at.expire(&host, before_ms)).await {
                Ok(expired) if expired.objects > 0 => {
                    let (path, objects, bytes) = (folder.path.display(), expired.objects, expired.bytes);
                    info!("{objects} objects of {bytes} bytes were old and removed from {path}");
                    archive_of(&mut common.status()).expired_objects += expired.objects;
                }
                Ok(_) => {}
                Err(error) => warn!("cannot look for old objects in {}: {error}", folder.path.display()),
            }
            tokio::time::sleep(EXPIRE_EVERY).await;
        }
    }
}

impl Run<'_> {
    /// Fills a window and stores it. Whether that was the last.
    async fn window(&mut self) -> io::Result<bool> {
        let Filled { window, ended } = self.fill().await?;
        if !window.is_empty() {
            let (host, now_ms) = (self.archive.host.clone(), self.common.clock().now_ms());
            let sealed_ms = self.archive.seal_ms(now_ms);
            let sealed = apart(move || window.seal(&host, sealed_ms)).await?;
            if let Err(error) = self.staging.save(&sealed) {
                self.staging.clear(&sealed);
                return Err(error);
            }
            self.store(sealed).await;
        }
        Ok(ended)
    }

    async fn fill(&mut self) -> io::Result<Filled> {
        let mut window = Window::new(self.staging.dir())?;
        let mut entries = 0;
        let mut due = None;
        loop {
            self.show(&window, entries);
            if window.is_full(self.archive.size) {
                return Ok(Filled { window, ended: false });
            }
            let now = self.common.clock().monotonic();
            let left = due.map(|due: Duration| due.saturating_sub(now));
            let peeked = tokio::select! {
                biased;
                () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {
                    return Ok(Filled { window, ended: false });
                }
                peeked = self.cursor.peek(PEEK_BYTES) => peeked,
            };
            let Some(peeked) = peeked else { return Ok(Filled { window, ended: true }) };
            let done = |record: &Record| self.done.as_ref().is_some_and(|done| done.holds(record));
            let mut records = peeked.records;
            records.retain(|record| !record.replay && !done(record));
            if records.is_empty() {
                if window.is_empty() {
                    // It is stored, and only that was forgotten.
                    self.cursor.commit(peeked.upto);
                }
                continue;
            }
            due = due.or(Some(now + self.archive.every));
            let (filled, added, unreadable) = apart(move || add(window, &records)).await?;
            window = filled;
            entries += added;
            for error in unreadable {
                let mut status = self.common.status();
                warn!(output = %status.name, %error, "a record cannot be read and is left out");
                *status.lost.entry("unreadable".into()).or_default() += 1;
            }
        }
    }

    fn show(&self, window: &Window, entries: u64) {
        let mut open = lock(&self.archive.open);
        open[self.number] = Open { entries, objects: window.objects(), bytes: window.raw_bytes() };
        let [a, b] = *open;
        drop(open);
        let mut status = self.common.status();
        status.in_flight = a.entries + b.entries;
        let archive = archive_of(&mut status);
        (archive.open_objects, archive.open_bytes) = (a.objects + b.objects, a.bytes + b.bytes);
    }

    /// Stores a window that is not stored yet; afterwards its records are settled.
    async fn store(&mut self, mut sealed: Sealed) {
        if !sealed.stored {
            for object in &sealed.objects {
                self.store_object(object).await;
            }
            sealed.stored = true;
            if let Err(error) = self.staging.save(&sealed) {
                // The cursor's place is saved too, within a second: only a crash before that stores it again.
                warn!("cannot note that a window is archived: {error}");
            }
        }
        self.cursor.commit(sealed.upto);
        self.staging.clear(&sealed);
        self.done = Some(sealed);
    }

    async fn store_object(&self, object: &Object) {
        let file = self.staging.dir().join(&object.file);
        let mut wait = FIRST_WAIT;
        loop {
            match self.archive.store.put(&object.key, &file).await {
                Ok(bytes) => {
                    self.common.sent(bytes);
                    self.common.delivered(object.entries);
                    self.common.arrived();
                    archive_of(&mut self.common.status()).objects += 1;
                    return;
                }
                Err(error) => {
                    self.common.sent(0);
                    self.common.retrying(&error.to_string());
                    wait = longer(&self.common, wait).await;
                }
            }
        }
    }
}

/// Adds records; gives the window back, how many entries it took, and what could not be read.
fn add(mut window: Window, records: &[Record]) -> io::Result<(Window, u64, Vec<String>)> {
    let (mut entries, mut unreadable) = (0, Vec::new());
    for record in records {
        let added = window.add(record)?;
        entries += added.entries;
        unreadable.extend(added.unreadable);
    }
    Ok((window, entries, unreadable))
}

/// Waits, and says how long to wait the next time.
async fn longer(common: &Common, wait: Duration) -> Duration {
    tokio::time::sleep(common.jittered(wait)).await;
    (wait * 2).min(LONGEST_WAIT)
}

/// Does work that computes or waits for a disk where it holds up nobody.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

fn archive_of(status: &mut OutputStatus) -> &mut ArchiveStatus {
    status.archive.get_or_insert_with(ArchiveStatus::default)
}
