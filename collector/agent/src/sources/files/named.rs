//! Files that another part names: taken up as soon as they are there, without a look at all the others.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::source::Source;

/// How long a file that is named before it is there is looked for often; later it is with all others.
const AWAIT: Duration = Duration::from_secs(5);
/// The most files that are looked for often.
const MAX_AWAITED: usize = 256;

impl Source {
    /// Whether a file was named that was not looked for yet.
    pub(super) fn is_called(&self) -> bool {
        let Some(given) = self.listing.given() else { return false };
        match self.book {
            Some(_) => given.has_fresh(),
            None => given.is_ready() && self.clock.monotonic() >= self.hold_until,
        }
    }

    /// Whether there are files that may be there at any moment.
    pub(super) fn awaits(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Takes up files that were named since the last look, or shortly before. Those of the first look are with all others.
    pub(super) fn take_fresh(&mut self, now: Duration) {
        let Some(given) = self.listing.given().cloned() else { return };
        let fresh = given.take_fresh();
        if !fresh.is_empty() {
            // So that their folders are watched.
            self.listing.list_again();
            self.hints.miss();
        }
        for path in fresh {
            let name: Arc<Path> = path.as_path().into();
            if let (Some(stream), Some(feed)) = (self.streams.get_mut(&name), given.feed(&path)) {
                stream.feed = feed;
            }
            if self.awaited.len() < MAX_AWAITED {
                self.awaited.push((path, now + AWAIT));
            }
        }
        self.at_rest &= self.awaited.is_empty();
        // What is named from now on came later.
        self.round = self.round.max(2);
        for (path, until) in std::mem::take(&mut self.awaited) {
            match self.adopt(&path, now) {
                Ok(()) => drop(self.troubles.remove(&path)),
                Err(e) if e.kind() != io::ErrorKind::NotFound => self.trouble(&path, &e, now),
                Err(_) if now < until && given.feed(&path).is_some() => self.awaited.push((path, until)),
                // One that was told more of, and read before it went, has a stream still.
                Err(_) if given.feed(&path).is_none() && !self.streams.contains_key(path.as_path()) => {
                    self.complain(format!("{}: it was gone before it could be read", path.display()));
                }
                Err(_) => {}
            }
        }
    }
}
