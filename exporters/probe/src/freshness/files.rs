//! Files and folders on disk that match a glob.
//!
//! Names are taken apart by folder, so that only folders that can hold a match are listed. A folder that matches is one
//! match: as new as the newest file in it, and as large as all of them; below `**`, only files match. Symbolic links are followed to files and to
//! folders that match, not within those.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use globset::{GlobBuilder, GlobMatcher};

use super::found::Found;

/// The most entries of folders that one look reads.
const MAX_ENTRIES: usize = 200_000;
/// How deep folders are followed.
const MAX_DEPTH: usize = 64;

/// Why files cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// It does not begin with a slash.
    #[error("`{0}` is not an absolute path: begin it with `/`")]
    Relative(String),
    /// It is malformed.
    #[error("the glob `{glob}` cannot be read: {why}")]
    Malformed {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        why: String,
    },
    /// A folder or file cannot be read, though it is there.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There are more than can be looked at.
    #[error("`{0}` makes this look at more than {1} files: name a smaller folder")]
    TooMany(String, usize),
}

/// A glob, taken apart.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    base: PathBuf,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Name(String),
    Like(GlobMatcher),
    AnyFolders,
}

/// Two are equal when their texts are.
impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Glob {
    /// Reads `*`, `?`, `[a-z]`, `{a,b}` within a name, and `**` for any number of folders. A slash at the end stands
    /// for all that is in the folder.
    pub fn new(text: &str) -> Result<Self, FilesError> {
        let Some(rest) = text.strip_prefix('/') else { return Err(FilesError::Relative(text.to_owned())) };
        let mut parts = Vec::new();
        for name in rest.split('/').filter(|name| !name.is_empty()) {
            parts.push(match name {
                "**" => Part::AnyFolders,
                name if name.contains(['*', '?', '[', '{', '\\']) => {
                    let malformed = |e: globset::Error| FilesError::Malformed {
                        glob: text.to_owned(),
                        why: e.kind().to_string(),
                    };
                    Part::Like(GlobBuilder::new(name).build().map_err(malformed)?.compile_matcher())
                }
                name => Part::Name(name.to_owned()),
            });
        }
        if text.ends_with('/') || matches!(parts.last(), Some(Part::AnyFolders)) {
            let all = GlobBuilder::new("*").build().map(|glob| glob.compile_matcher());
            parts.extend(all.map(Part::Like));
        }
        let literal = parts.iter().take_while(|part| matches!(part, Part::Name(_))).count();
        let mut base = PathBuf::from("/");
        for part in parts.drain(..literal) {
            if let Part::Name(name) = part {
                base.push(name);
            }
        }
        Ok(Glob { text: text.to_owned(), base, parts })
    }

    /// Looks at what matches now. What goes away meanwhile is not there.
    pub fn look(&self) -> Result<Found, FilesError> {
        let mut found = Found::default();
        let mut look = Look { glob: self, tell: Tell::Found(&mut found), entries: 0 };
        look.walk(&self.base, &self.parts, 0)?;
        Ok(found)
    }

    /// The paths that match now, sorted; more than `most` are refused.
    pub fn paths(&self, most: usize) -> Result<Vec<PathBuf>, FilesError> {
        let mut paths = Vec::new();
        let mut look = Look { glob: self, tell: Tell::Paths(&mut paths, most), entries: 0 };
        look.walk(&self.base, &self.parts, 0)?;
        paths.sort();
        Ok(paths)
    }
}

/// Whom a look tells of each match.
enum Tell<'a> {
    Found(&'a mut Found),
    Paths(&'a mut Vec<PathBuf>, usize),
}

/// What a file or folder is.
struct Entry {
    modified_ms: i64,
    bytes: u64,
    folder: bool,
}

struct Look<'a> {
    glob: &'a Glob,
    tell: Tell<'a>,
    entries: usize,
}

impl Look<'_> {
    fn walk(&mut self, path: &Path, parts: &[Part], depth: usize) -> Result<(), FilesError> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        let Some((part, rest)) = parts.split_first() else { return self.matched(path) };
        match part {
            Part::Name(name) => self.walk(&path.join(name), rest, depth + 1),
            Part::Like(glob) => {
                for (name, _) in self.list(path)? {
                    // As in a shell, a star does not stand for a dot at the beginning.
                    let hidden = name.starts_with('.') && !glob.glob().glob().starts_with('.');
                    if !hidden && glob.is_match(&name) {
                        self.walk(&path.join(&name), rest, depth + 1)?;
                    }
                }
                Ok(())
            }
            Part::AnyFolders => {
                self.walk(path, rest, depth + 1)?;
                for (name, folder) in self.list(path)? {
                    if folder && !name.starts_with('.') {
                        self.walk(&path.join(&name), parts, depth + 1)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn matched(&mut self, path: &Path) -> Result<(), FilesError> {
        if let Tell::Paths(paths, most) = &mut self.tell {
            if paths.len() == *most {
                return Err(FilesError::TooMany(self.glob.text.clone(), *most));
            }
            paths.push(path.to_owned());
            return Ok(());
        }
        let Some(entry) = stat(path)? else { return Ok(()) };
        let (mut modified_ms, mut bytes) = (entry.modified_ms, entry.bytes);
        if entry.folder {
            // Below `**` what is in a folder is a match itself, and would be counted twice.
            if self.glob.parts.iter().any(|part| matches!(part, Part::AnyFolders)) {
                return Ok(());
            }
            (modified_ms, bytes) = self.inside(path, 0)?.unwrap_or((entry.modified_ms, 0));
        }
        if let Tell::Found(found) = &mut self.tell {
            found.add(&path.to_string_lossy(), modified_ms, bytes);
        }
        Ok(())
    }

    /// The newest time and all bytes of the files in a folder, if there are any.
    fn inside(&mut self, path: &Path, depth: usize) -> Result<Option<(i64, u64)>, FilesError> {
        let mut sum: Option<(i64, u64)> = None;
        for (name, folder) in self.list(path)? {
            let path = path.join(&name);
            let one = match folder {
                true if depth < MAX_DEPTH => self.inside(&path, depth + 1)?,
                true => None,
                false => stat(&path)?.filter(|e| !e.folder).map(|e| (e.modified_ms, e.bytes)),
            };
            if let Some((modified_ms, bytes)) = one {
                let (newest, all) = sum.unwrap_or((modified_ms, 0));
                sum = Some((newest.max(modified_ms), all + bytes));
            }
        }
        Ok(sum)
    }

    /// The names in a folder, and whether each is a folder; nothing where there is none.
    fn list(&mut self, path: &Path) -> Result<Vec<(String, bool)>, FilesError> {
        let failed = |source| FilesError::Read { path: path.to_owned(), source };
        let entries = match fs::read_dir(path) {
            Err(error) if absent(&error) => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(FilesError::TooMany(self.glob.text.clone(), MAX_ENTRIES));
            }
            // A name that is no text cannot be meant by one.
            if let Ok(name) = entry.file_name().into_string() {
                names.push((name, entry.file_type().is_ok_and(|kind| kind.is_dir())));
            }
        }
        Ok(names)
    }
}

fn stat(path: &Path) -> Result<Option<Entry>, FilesError> {
    match fs::metadata(path) {
        Err(error) if absent(&error) => Ok(None),
        Err(source) => Err(FilesError::Read { path: path.to_owned(), source }),
        Ok(data) => Ok(Some(Entry {
            modified_ms: data.modified().map_or(0, unix_ms),
            bytes: data.len(),
            folder: data.is_dir(),
        })),
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Milliseconds since 1970, negative before.
pub fn unix_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn file(path: &Path, bytes: usize, unix: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![0; bytes]).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(unix)).unwrap();
    }

    fn look(dir: &Path, glob: &str) -> Found {
        Glob::new(&format!("{}/{glob}", dir.display())).unwrap().look().unwrap()
    }

    #[test]
    fn the_newest_match_is_found_with_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        file(&dir.join("db-1.dump"), 10, 1000);
        file(&dir.join("db-2.dump"), 20, 2000);
        file(&dir.join("db-3.part"), 40, 3000);
        file(&dir.join(".db-4.dump"), 40, 4000);
        let found = look(dir, "db-*.dump");
        assert_eq!((found.matches, found.bytes), (2, 30));
        let newest = found.newest.unwrap();
        assert_eq!((newest.modified_ms, newest.bytes), (2_000_000, 20));
        assert!(newest.name.ends_with("db-2.dump"));
        assert_eq!(look(dir, "db-[13].*").matches, 2);
        assert_eq!(look(dir, "db-1.dump").matches, 1);
        assert_eq!(look(dir, "nothing*").matches, 0);
        assert_eq!(look(dir, "nothing/below/*").matches, 0);
        assert_eq!(look(dir, "db-1.dump/below").matches, 0, "a file is no folder");
    }

    #[test]
    fn a_folder_is_one_match_as_new_and_as_large_as_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        file(&dir.join("2026-01-01/base/a"), 1, 1000);
        file(&dir.join("2026-01-02/base/a"), 2, 2000);
        file(&dir.join("2026-01-02/wal/.b"), 4, 2500);
        let found = look(dir, "2026-*");
        assert_eq!((found.matches, found.bytes), (2, 7));
        assert_eq!(found.newest.map(|n| (n.modified_ms, n.bytes)), Some((2_500_000, 6)));
        assert_eq!(look(dir, "").matches, 2, "what is in it");
        assert_eq!(look(dir, "**/a").matches, 2);
        let all = look(dir, "**");
        assert_eq!((all.matches, all.bytes), (2, 3), "files, none twice, none hidden");
    }

    #[test]
    fn globs_that_cannot_be_meant_are_refused() {
        assert!(matches!(Glob::new("backup/*"), Err(FilesError::Relative(_))));
        let error = Glob::new("/backup/[").unwrap_err().to_string();
        assert!(error.starts_with("the glob `/backup/[` cannot be read: unclosed"), "{error}");
    }
}
