//! Which paths match now: folders are listed again when their time of change says so, and every few seconds anyway; or
//! those that another part names.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::given::Given;
use super::glob::{Part, Patterns, is_packed};

/// How long a listing is believed when nothing seems to change: not every file system keeps the time of change.
const BELIEVED: Duration = Duration::from_secs(10);
/// Folders whose time of change is looked at per second, at most: 5,000 folders are a fraction of a percent of a core.
const FOLDERS_PER_SECOND: u64 = 1000;
/// The deepest that `**` goes.
const MAX_DEPTH: usize = 32;

/// The paths that match, kept up to date.
#[derive(Debug)]
pub(crate) struct Listing {
    patterns: Patterns,
    /// The paths come from there, if they do not come from patterns.
    given: Option<Arc<Given>>,
    folders: HashMap<PathBuf, Folder>,
    /// When everything was listed last, and when times of change were looked at last.
    listed: Option<Duration>,
    looked: Duration,
    /// The paths, and whether their name is written out in the glob.
    paths: Arc<BTreeMap<PathBuf, bool>>,
    errors: Vec<(PathBuf, io::Error)>,
}

/// One folder as it was listed.
#[derive(Debug, Default)]
struct Folder {
    changed: Option<(i64, i64)>,
    /// It changed just before: what happened within the same tick of the kernel's clock does not show in the time.
    again: bool,
    /// It is to be listed whatever its time of change says.
    stale: bool,
    entries: Vec<(OsString, FileType)>,
    used: bool,
}

impl Listing {
    /// A listing that knows nothing yet.
    pub(crate) fn new(patterns: Patterns, given: Option<Arc<Given>>) -> Self {
        Listing {
            patterns,
            given,
            folders: HashMap::new(),
            listed: None,
            looked: Duration::ZERO,
            paths: Arc::default(),
            errors: Vec::new(),
        }
    }

    /// The files that another part names, if they do not come from globs.
    pub(crate) fn given(&self) -> Option<&Arc<Given>> {
        self.given.as_ref()
    }

    /// At the next look all is to be listed.
    pub(crate) fn list_again(&mut self) {
        self.listed = None;
    }

    /// Whether `path` is one of those that are to be read.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        match &self.given {
            Some(given) => given.paths().contains_key(path),
            None => self.patterns.matches(path),
        }
    }

    /// Whether `path` is one of those that are not to be read.
    pub(crate) fn leaves_out(&self, path: &Path) -> bool {
        match &self.given {
            // Of containers the engine may pack what it has rotated.
            Some(given) => is_packed(path) || given.refuses(path),
            None => self.patterns.leaves_out(path),
        }
    }

    /// Whether what an earlier run read of `path` is still wanted.
    pub(crate) fn still_wants(&self, path: &Path) -> bool {
        match &self.given {
            // What nobody names any longer is gone: that is found out, and counted.
            Some(given) => !given.refuses(path),
            None => self.patterns.matches(path),
        }
    }

    /// Whether whoever names files says that `path` is there no longer.
    pub(crate) fn is_gone(&self, path: &Path) -> bool {
        self.given.as_ref().is_some_and(|given| !given.paths().contains_key(path))
    }

    /// The paths that matched when [`Listing::refresh`] last looked; true for those written out in the config.
    pub(crate) fn paths(&self) -> Arc<BTreeMap<PathBuf, bool>> {
        self.given.as_ref().map_or_else(|| self.paths.clone(), |given| given.paths())
    }

    /// Folders that could not be listed.
    pub(crate) fn errors(&self) -> &[(PathBuf, io::Error)] {
        &self.errors
    }

    /// The folders that were listed.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.keys().map(PathBuf::as_path)
    }

    /// How long times of change are left alone.
    fn pause(&self) -> Duration {
        Duration::from_millis(self.folders.len() as u64 * 1000 / FOLDERS_PER_SECOND)
    }

    /// Whether [`Listing::refresh`] would look at no folder now, as it just did.
    pub(crate) fn is_put_off(&self, now: Duration) -> bool {
        self.listed.is_some_and(|at| now < at + BELIEVED) && now < self.looked + self.pause()
    }

    /// Brings the paths up to date, at the monotonic time `now`. Says whether anything was listed.
    pub(crate) fn refresh(&mut self, now: Duration) -> bool {
        let due = self.listed.is_none_or(|at| now >= at + BELIEVED);
        if self.given.is_some() {
            self.listed = if due { Some(now) } else { self.listed };
            return due;
        }
        if !due {
            if now < self.looked + self.pause() {
                return false;
            }
            self.looked = now;
            if !self.folders.iter().any(|(path, folder)| folder.again || changed(path) != folder.changed) {
                return false;
            }
        } else {
            self.listed = Some(now);
        }
        self.list_all(due);
        true
    }

    fn list_all(&mut self, everything: bool) {
        for folder in self.folders.values_mut() {
            folder.used = false;
            folder.stale |= everything;
        }
        let mut walk = Walk { folders: &mut self.folders, paths: BTreeMap::new(), errors: Vec::new() };
        for pattern in self.patterns.includes() {
            walk.below(&pattern.base, &pattern.parts, 0);
        }
        let mut paths = walk.paths;
        self.errors = walk.errors;
        paths.retain(|path, _| !self.patterns.leaves_out(path));
        self.paths = Arc::new(paths);
        self.folders.retain(|_, folder| folder.used);
    }
}

struct Walk<'a> {
    folders: &'a mut HashMap<PathBuf, Folder>,
    paths: BTreeMap<PathBuf, bool>,
    errors: Vec<(PathBuf, io::Error)>,
}

impl Walk<'_> {
    fn below(&mut self, folder: &Path, parts: &[Part], depth: usize) {
        let [part, rest @ ..] = parts else { return };
        if depth > MAX_DEPTH {
            return;
        }
        match part {
            Part::Name(name) if rest.is_empty() => {
                self.paths.insert(folder.join(name), true);
            }
            Part::Name(name) => self.below(&folder.join(name), rest, depth + 1),
            Part::AnyFolders => {
                self.below(folder, rest, depth);
                for (name, kind) in self.entries(folder) {
                    // Links to folders are not followed here: they may lead round in a circle.
                    if kind.is_dir() {
                        self.below(&folder.join(name), parts, depth + 1);
                    }
                }
            }
            Part::Like(_) => {
                for (name, kind) in self.entries(folder) {
                    if !part.fits(&name) {
                        continue;
                    }
                    let path = folder.join(name);
                    if !rest.is_empty() && (kind.is_dir() || kind.is_symlink()) {
                        self.below(&path, rest, depth + 1);
                    } else if rest.is_empty() && !kind.is_dir() {
                        self.paths.entry(path).or_insert(false);
                    }
                }
            }
        }
    }

    fn entries(&mut self, path: &Path) -> Vec<(OsString, FileType)> {
        let folder = self.folders.entry(path.to_owned()).or_default();
        let changed = changed(path);
        if !folder.used && (folder.again || folder.stale || changed != folder.changed) {
            folder.stale = false;
            folder.again = changed != folder.changed;
            folder.changed = changed;
            match list(path) {
                Ok(entries) => folder.entries = entries,
                Err(e) => {
                    folder.entries.clear();
                    // A folder that is not there yet, or a file where a folder might be, is nothing to speak of.
                    if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                        self.errors.push((path.to_owned(), e));
                    }
                }
            }
        }
        folder.used = true;
        folder.entries.clone()
    }
}

fn changed(path: &Path) -> Option<(i64, i64)> {
    std::fs::metadata(path).ok().map(|meta| (meta.mtime(), meta.mtime_nsec()))
}

fn list(path: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    std::fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name(), entry.file_type()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn listing(root: &Path, globs: &[&str]) -> Listing {
        let globs: Vec<_> = globs.iter().map(|glob| format!("{}/{glob}", root.display())).collect();
        Listing::new(Patterns::new(&globs, &[]).unwrap(), None)
    }

    fn names(listing: &Listing, root: &Path) -> Vec<String> {
        listing.paths().keys().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn what_comes_and_goes_is_seen_at_the_next_look() {
        let root = tempfile::tempdir().unwrap();
        let mut listing = listing(root.path(), &["**/*.log", "app/now"]);
        assert!(listing.refresh(Duration::ZERO));
        assert_eq!(names(&listing, root.path()), ["app/now"]);
        fs::create_dir_all(root.path().join("app/deep")).unwrap();
        fs::write(root.path().join("app/deep/a.log"), "").unwrap();
        fs::write(root.path().join("b.log"), "").unwrap();
        fs::write(root.path().join("c.txt"), "").unwrap();
        assert!(listing.refresh(Duration::from_secs(1)));
        assert_eq!(names(&listing, root.path()), ["app/deep/a.log", "app/now", "b.log"]);
        fs::remove_file(root.path().join("b.log")).unwrap();
        assert!(listing.refresh(Duration::from_secs(2)));
        assert_eq!(names(&listing, root.path()), ["app/deep/a.log", "app/now"]);
    }

    #[test]
    fn nothing_is_listed_while_nothing_changes() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.log"), "").unwrap();
        let mut listing = listing(root.path(), &["*.log"]);
        let looks = (0..6).map(|second| listing.refresh(Duration::from_secs(second)));
        assert_eq!(looks.collect::<Vec<_>>(), [true, true, false, false, false, false]);
        assert!(listing.refresh(Duration::from_secs(10)), "a listing is believed for ten seconds");
    }

    #[test]
    fn links_in_a_circle_end() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("self")).unwrap();
        fs::write(root.path().join("a.log"), "").unwrap();
        let mut listing = listing(root.path(), &["**/*.log", "*/a.log"]);
        listing.refresh(Duration::ZERO);
        assert_eq!(names(&listing, root.path()), ["a.log", "self/a.log"]);
    }
}
