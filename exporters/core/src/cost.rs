//! What collecting costs, counted where it arises: bytes read, files held open, memory held in buffers.
//!
//! The counts are the thread's. Whoever runs subjects looks at them before and after, and has the subject's: so a
//! subject says nothing itself, and counting is an addition.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};

/// Counts of one thread since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes read from files and peers.
    pub read_bytes: u64,
    /// File descriptors opened to be kept, without those closed again.
    pub held_files: i64,
    /// Bytes of memory taken for buffers, without those given back.
    pub held_bytes: i64,
}

thread_local! {
    static TALLY: Cell<Tally> = const { Cell::new(Tally { read_bytes: 0, held_files: 0, held_bytes: 0 }) };
}

/// The counts of this thread. Only differences mean something.
pub fn tally() -> Tally {
    TALLY.get()
}

/// Counts bytes that were read. [`KernelFile`](crate::file::KernelFile) does so itself.
pub fn read(bytes: usize) {
    change(|tally| tally.read_bytes += bytes as u64);
}

/// Counts memory that is taken for a buffer that stays (more than 0), or given back.
pub fn hold_bytes(change_of: i64) {
    change(|tally| tally.held_bytes += change_of);
}

/// Takes over the counts of a thread that worked for this one, as it had them at its end.
pub fn add(other: Tally) {
    change(|tally| {
        tally.read_bytes += other.read_bytes;
        tally.held_files += other.held_files;
        tally.held_bytes += other.held_bytes;
    });
}

fn change(with: impl FnOnce(&mut Tally)) {
    // At the thread's end, when its counts are gone already, nobody counts any more.
    let _ = TALLY.try_with(|cell| {
        let mut tally = cell.get();
        with(&mut tally);
        cell.set(tally);
    });
}

/// A file, a socket or the like that is kept open from run to run, and counted as long as it is.
#[derive(Debug)]
pub struct Held<T>(T);

impl<T> Held<T> {
    /// Keeps `file`.
    pub fn new(file: T) -> Self {
        change(|tally| tally.held_files += 1);
        Held(file)
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        change(|tally| tally.held_files -= 1);
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: AsFd> AsFd for Held<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::KernelFile;

    #[test]
    fn a_file_is_counted_while_it_is_kept() {
        let before = tally();
        let mut file = KernelFile::new("/proc/self/stat");
        assert_eq!(tally(), before);
        let len = file.read().unwrap().len() as u64;
        let after = tally();
        assert_eq!((after.read_bytes, after.held_files), (before.read_bytes + len, before.held_files + 1));
        assert!(after.held_bytes >= before.held_bytes + len as i64);
        let other = std::thread::spawn(|| {
            read(7);
            std::mem::forget(Held::new(()));
            tally()
        });
        add(other.join().unwrap());
        assert_eq!((tally().read_bytes, tally().held_files), (after.read_bytes + 7, after.held_files + 1));
        add(Tally { held_files: -1, ..Tally::default() });
        drop(file);
        assert_eq!((tally().held_files, tally().held_bytes), (before.held_files, before.held_bytes));
    }
}
