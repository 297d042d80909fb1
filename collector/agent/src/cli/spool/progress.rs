//! How far long work is, on standard error: one line that changes on a terminal, else a line now and then.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use taffrail_core::Clock;

use super::size;

/// How often it is said on a terminal, and elsewhere. What is done sooner says nothing.
const OFTEN: Duration = Duration::from_millis(500);
const SELDOM: Duration = Duration::from_secs(10);

/// Says how far something is.
pub(super) struct Progress {
    what: String,
    clock: Clock,
    said: Duration,
    terminal: bool,
    dirty: bool,
}

impl Progress {
    /// Of `what`, a word or two.
    pub(super) fn new(what: String) -> Self {
        let clock = Clock::system();
        let said = clock.monotonic();
        Progress { what, clock, said, terminal: std::io::stderr().is_terminal(), dirty: false }
    }

    /// `done` of `total` bytes are behind.
    pub(super) fn show(&mut self, done: u64, total: u64) {
        let now = self.clock.monotonic();
        let every = if self.terminal { OFTEN } else { SELDOM };
        if now.saturating_sub(self.said) < every {
            return;
        }
        self.said = now;
        self.dirty = self.terminal;
        let (begin, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let mut out = std::io::stderr().lock();
        // Nobody is left to tell when it fails.
        let _ = write!(out, "{begin}{}: {} of {}{end}", self.what, size(done), size(total));
        let _ = out.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.dirty {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
