//! Room for pages that come or wait to be read: a bound on their bytes over all targets.
//!
//! Room is taken as bytes come, so that a target that announces much and sends nothing takes none from others. Pages
//! that have room already could wait for each other's for ever; so one of them at a time may take more than there is.
//! It comes to its end, and then its room is free for the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// So many bytes of a page are not counted: most pages are no larger, and they never wait for those that are.
pub const UNCOUNTED: usize = 64 << 10;
/// Room is counted in pieces of so many bytes.
const PIECE: usize = 4 << 10;
/// Room for all pages where nothing is written.
pub const DEFAULT: usize = 256 << 20;

/// What all pages together may take up.
#[derive(Debug)]
pub struct Room {
    free: Arc<Semaphore>,
    /// Who has this takes more than is free.
    excess: Arc<Mutex<()>>,
    /// In pieces, as are the next.
    capacity: AtomicUsize,
    held: AtomicUsize,
    waiting: AtomicUsize,
    waited: AtomicU64,
}

/// What is held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoomStatus {
    /// Bytes that all pages may take up.
    pub max_bytes: u64,
    /// Bytes that they take up.
    pub held_bytes: u64,
    /// Scrapes that wait for room.
    pub waiting: usize,
    /// How often a scrape had to wait, since the start.
    pub waits: u64,
}

impl Default for Room {
    fn default() -> Self {
        let pieces = pieces(DEFAULT);
        Room {
            free: Arc::new(Semaphore::new(pieces)),
            excess: Arc::default(),
            capacity: AtomicUsize::new(pieces),
            held: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            waited: AtomicU64::new(0),
        }
    }
}

fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE).min(u32::MAX as usize)
}

impl Room {
    /// Bytes that all pages may take up.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed) * PIECE
    }

    /// Makes it larger at once, or smaller as pages are read.
    pub fn resize(&self, bytes: usize) {
        let new = pieces(bytes);
        let old = self.capacity.swap(new, Ordering::Relaxed);
        if new >= old {
            return self.free.add_permits(new - old);
        }
        let owed = old - new - self.free.forget_permits(old - new);
        if owed > 0 {
            let free = self.free.clone();
            // It ends when the pages that hold it have been read, each of which has its timeout.
            tokio::spawn(async move {
                if let Ok(permit) = free.acquire_many_owned(owed as u32).await {
                    permit.forget();
                }
            });
        }
    }

    /// What is held now.
    pub fn status(&self) -> RoomStatus {
        RoomStatus {
            max_bytes: self.capacity() as u64,
            held_bytes: (self.held.load(Ordering::Relaxed) * PIECE) as u64,
            waiting: self.waiting.load(Ordering::Relaxed),
            waits: self.waited.load(Ordering::Relaxed),
        }
    }
}

/// The room of one page, free again when this is dropped.
#[derive(Debug)]
pub struct Held {
    room: Arc<Room>,
    permit: Option<OwnedSemaphorePermit>,
    excess: Option<OwnedMutexGuard<()>>,
    pieces: usize,
    waits: bool,
}

impl Held {
    /// No room yet.
    pub fn new(room: &Arc<Room>) -> Self {
        Held { room: room.clone(), permit: None, excess: None, pieces: 0, waits: false }
    }

    /// Waits until there is room for `bytes` in all. Whoever stops waiting keeps what it has.
    pub async fn grow(&mut self, bytes: usize) {
        if self.try_grow(bytes) {
            return;
        }
        let more = self.missing(bytes);
        self.begin_to_wait();
        let free = self.room.free.clone().acquire_many_owned(more as u32);
        // Who holds nothing keeps nobody from ending, and can wait.
        let in_the_way = self.pieces > 0;
        tokio::select! {
            biased;
            // The semaphore is never closed.
            Ok(permit) = free => self.add(permit, more),
            guard = self.room.excess.clone().lock_owned(), if in_the_way => {
                self.excess = Some(guard);
                self.count(more);
            }
        }
        self.end_to_wait();
    }

    /// Takes room for `bytes` in all, if that is free.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let more = self.missing(bytes);
        if more == 0 {
            return true;
        }
        if self.excess.is_some() {
            self.count(more);
            return true;
        }
        match self.room.free.clone().try_acquire_many_owned(more as u32) {
            Ok(permit) => {
                self.add(permit, more);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether it waits, or did when waiting was given up.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Bytes that one page may have, at most.
    pub fn most(&self) -> usize {
        self.room.capacity()
    }

    fn missing(&self, bytes: usize) -> usize {
        pieces(bytes.saturating_sub(UNCOUNTED)).saturating_sub(self.pieces)
    }

    fn add(&mut self, permit: OwnedSemaphorePermit, pieces: usize) {
        match &mut self.permit {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        self.count(pieces);
    }

    fn count(&mut self, pieces: usize) {
        self.pieces += pieces;
        self.room.held.fetch_add(pieces, Ordering::Relaxed);
    }

    fn begin_to_wait(&mut self) {
        self.end_to_wait();
        self.waits = true;
        self.room.waiting.fetch_add(1, Ordering::Relaxed);
        self.room.waited.fetch_add(1, Ordering::Relaxed);
    }

    fn end_to_wait(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.room.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end_to_wait();
        self.room.held.fetch_sub(self.pieces, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const MIB: usize = 1 << 20;
    const MOMENT: Duration = Duration::from_millis(10);

    fn room(bytes: usize) -> Arc<Room> {
        let room = Arc::new(Room::default());
        room.resize(bytes);
        room
    }

    async fn waits(held: &mut Held, bytes: usize) -> bool {
        timeout(MOMENT, held.grow(bytes)).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_nothing_waits_and_small_pages_do_not() {
        let room = room(MIB);
        let (mut large, mut late, mut small) = (Held::new(&room), Held::new(&room), Held::new(&room));
        large.grow(MIB + UNCOUNTED).await;
        assert_eq!(room.status().held_bytes, MIB as u64);
        assert!(waits(&mut late, UNCOUNTED + 1).await && late.waits());
        assert_eq!((room.status().waiting, room.status().waits), (1, 1));
        assert!(!waits(&mut small, UNCOUNTED).await);
        drop(late);
        assert_eq!(room.status().waiting, 0);
        drop(large);
        assert!(!waits(&mut small, MIB).await && !small.waits());
        drop(small);
        assert_eq!(room.status().held_bytes, 0);
        assert_eq!(room.free.available_permits(), MIB / PIECE);
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_in_each_others_way_one_goes_on_and_lets_the_next() {
        let room = room(MIB);
        let mut all: Vec<Held> = (0..4).map(|_| Held::new(&room)).collect();
        for held in &mut all {
            held.grow(MIB / 4 + UNCOUNTED).await;
        }
        assert!(!waits(&mut all[0], MIB).await, "the first takes more than there is");
        assert!(!waits(&mut all[0], 2 * MIB).await);
        assert!(waits(&mut all[1], MIB).await && waits(&mut all[2], MIB).await);
        drop(all.remove(0));
        assert!(!waits(&mut all[0], MIB).await, "then the next");
        drop(all);
        assert_eq!((room.status().held_bytes, room.status().waiting), (0, 0));
        assert_eq!(room.free.available_permits(), MIB / PIECE);
    }

    #[tokio::test(start_paused = true)]
    async fn it_shrinks_as_pages_are_read() {
        let room = room(2 * MIB);
        let mut held = Held::new(&room);
        held.grow(2 * MIB).await;
        room.resize(MIB);
        assert_eq!(room.capacity(), MIB);
        drop(held);
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!(room.free.available_permits(), MIB / PIECE);
        room.resize(3 * MIB);
        assert_eq!(room.free.available_permits(), 3 * MIB / PIECE);
    }
}
