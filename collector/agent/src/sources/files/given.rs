//! Files that another part names one by one, with what it knows of each: the logs of containers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use super::feed::Feed;
use crate::status::lock;

/// The files to read. Whoever names them and the source that reads them share it.
#[derive(Debug, Default)]
pub struct Given {
    names: Mutex<Names>,
    ready: AtomicBool,
    reader: OnceLock<Thread>,
}

#[derive(Debug, Default)]
struct Names {
    feeds: BTreeMap<PathBuf, Feed>,
    /// The same paths, as the source looks at them; none is written out in a glob.
    paths: Arc<BTreeMap<PathBuf, bool>>,
    refused: BTreeSet<PathBuf>,
    /// Named, or told more of, since the reader last took them.
    fresh: BTreeSet<PathBuf>,
}

impl Given {
    /// `path` is to be read, or more is known of it.
    pub fn read(&self, path: &Path, feed: Feed) {
        let mut names = lock(&self.names);
        names.refused.remove(path);
        names.fresh.insert(path.to_owned());
        if names.feeds.insert(path.to_owned(), feed).is_none() {
            Arc::make_mut(&mut names.paths).insert(path.to_owned(), false);
        }
        drop(names);
        self.wake();
    }

    /// `path` is there and not to be read, though an earlier run may have.
    pub fn refuse(&self, path: &Path) {
        self.forget(path);
        lock(&self.names).refused.insert(path.to_owned());
    }

    /// `path` is not there any longer. What is held of it is read to its end.
    pub fn forget(&self, path: &Path) {
        let mut names = lock(&self.names);
        names.refused.remove(path);
        names.fresh.remove(path);
        if names.feeds.remove(path).is_some() {
            Arc::make_mut(&mut names.paths).remove(path);
        }
    }

    /// All that is there now has been named: reading may begin.
    pub fn begin(&self) {
        self.ready.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    /// Whether reading may begin.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The calling thread is woken from now on when a file is named.
    pub(super) fn wake_me(&self) {
        self.reader.get_or_init(std::thread::current);
    }

    /// The paths, none of them written out in a glob.
    pub(super) fn paths(&self) -> Arc<BTreeMap<PathBuf, bool>> {
        lock(&self.names).paths.clone()
    }

    /// What is known of `path`, if it is to be read.
    pub(super) fn feed(&self, path: &Path) -> Option<Feed> {
        lock(&self.names).feeds.get(path).cloned()
    }

    /// Whether `path` is there and not to be read.
    pub(super) fn refuses(&self, path: &Path) -> bool {
        lock(&self.names).refused.contains(path)
    }

    /// Whether a file was named since they were last taken.
    pub(super) fn has_fresh(&self) -> bool {
        !lock(&self.names).fresh.is_empty()
    }

    /// The files that were named since this was last asked.
    pub(super) fn take_fresh(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut lock(&self.names).fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_fresh_once_and_goes_again() {
        let given = Given::default();
        let feed =
            Feed { labels: Arc::from([]), metadata: Arc::from([]), stages: Arc::default(), keep: false };
        let (a, b) = (Path::new("/a"), Path::new("/b"));
        given.read(a, feed.clone());
        given.refuse(b);
        assert!(given.has_fresh() && given.refuses(b) && !given.refuses(a));
        assert_eq!(given.take_fresh().into_iter().collect::<Vec<_>>(), [a]);
        assert!(!given.has_fresh());
        assert_eq!(given.paths().keys().collect::<Vec<_>>(), [a]);
        given.read(b, feed);
        assert!(given.feed(b).is_some() && !given.refuses(b));
        given.forget(a);
        given.forget(b);
        assert!(given.paths().is_empty() && !given.has_fresh() && given.feed(b).is_none());
    }
}
