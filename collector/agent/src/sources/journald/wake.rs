//! Waiting, until the time is over, somebody calls, or the kernel says (inotify) that the journal changed. Whoever waits
//! looks at everything all the same: what the kernel says only makes it sooner.

use std::collections::HashSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Calls who waits.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

impl Bell {
    /// # Errors
    /// When the system gives none.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Bell(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    /// Calls, once and for all: it is for stopping.
    pub(super) fn ring(&self) {
        // It cannot be full: it is rung twice at most.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// What the kernel says of some folders.
#[derive(Debug)]
pub(super) struct Watch {
    queue: Option<OwnedFd>,
    folders: HashSet<PathBuf>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        Watch { queue, folders: HashSet::new() }
    }

    /// Watches these folders as well. Those that are gone are forgotten by the kernel.
    pub(super) fn add<'a>(&mut self, folders: impl Iterator<Item = &'a Path>) {
        let Some(queue) = &self.queue else { return };
        for folder in folders {
            if self.folders.contains(folder) {
                continue;
            }
            let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVE | WatchFlags::DELETE_SELF;
            // Without a watch it is looked at when the time is over.
            if inotify::add_watch(queue, folder, what | WatchFlags::ONLYDIR).is_ok() {
                self.folders.insert(folder.to_owned());
            }
        }
    }

    /// Waits for at most `time`.
    pub(super) fn wait(&mut self, bell: &Bell, time: Duration) {
        let fds: Vec<BorrowedFd<'_>> =
            std::iter::once(bell.0.as_fd()).chain(self.queue.as_ref().map(AsFd::as_fd)).collect();
        let mut ready: Vec<PollFd<'_>> =
            fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        // Interrupted is as good as over.
        let _ = poll(&mut ready, Some(&time));
        self.drain();
    }

    fn drain(&mut self) {
        let Some(queue) = &self.queue else { return };
        let mut buffer = [MaybeUninit::uninit(); 4 << 10];
        let mut events = Reader::new(queue, &mut buffer);
        let mut gone = false;
        while let Ok(event) = events.next() {
            gone |= event.events().intersects(ReadFlags::DELETE_SELF | ReadFlags::IGNORED);
        }
        if gone {
            // Whichever it was: all are watched again, which changes nothing for those that are.
            self.folders.clear();
        }
    }
}
