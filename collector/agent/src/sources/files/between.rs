//! Files that had a name and lost it again between two looks: rotated twice while nobody looked, or very fast.
//!
//! They are known by where they are (beside the name), what they are called (the name and something behind it: `app.log.1`,
//! `app.log-20250101`), and when they were born: after the file that had the name when we last looked, before the one that
//! has it now. Where the file system does not keep times of birth they cannot be told from other files.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::beside::Present;
use super::copies::{Copy, alike};
use super::identity::Identity;
use super::source::Source;

/// The longest that the clock of file systems lags behind, so that what is born just after a moment may have a time before it: a tick where the kernel has the fewest, 100 a second.
const TICK_NS: i64 = 10_000_000;

impl Source {
    /// Takes up files that had the name `path` after the last one known, and before `now_there`. Gives what that held before
    /// they were looked for.
    ///
    /// What was born later than that is a copy of what it held before it was truncated (`copytruncate`), unless it still holds
    /// that.
    ///
    /// # Errors
    /// When what is there now cannot be read.
    pub(super) fn adopt_between(
        &mut self,
        path: &Path,
        now_there: &File,
        now: Duration,
    ) -> io::Result<Present> {
        let before_ns = Identity::of(&now_there.metadata()?).born_ns;
        let after_ns = match self.streams.get(path).map_or(0, |stream| stream.born_ns) {
            0 => self.since_ns - TICK_NS,
            born_ns => born_ns,
        };
        if before_ns == 0 {
            return Present::of(now_there);
        }
        let wanted = |rotated: &Copy| {
            let born_ns = rotated.born_ns;
            let is_copy = || is_numbered(path, &rotated.path) && !alike(now_there, &rotated.handle);
            after_ns < born_ns && (born_ns < before_ns || is_copy())
        };
        self.adopt_beside(path, now_there, wanted, now)
    }

    /// Copies of what had the name `path` that were born before are known, or were there before this source was.
    pub(super) fn known_until(&self, path: &Path) -> i64 {
        self.streams.get(path).map_or(0, |stream| stream.born_ns).max(self.since_ns - TICK_NS)
    }
}

/// Whether `rotated` is called as `path` with a number or a date behind it, and not with a word: `app.log.err` is written
/// by somebody, too.
pub(super) fn is_numbered(path: &Path, rotated: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(OsStr::to_owned).unwrap_or_default().into_encoded_bytes();
    let number = |byte: &u8| byte.is_ascii_digit() || b".-_:+TZ".contains(byte);
    name(rotated).strip_prefix(&*name(path)).is_some_and(|rest| rest.iter().all(number))
}
