//! Globs over whole paths, taken apart by folder, so that only folders that can hold a match are ever listed.
//!
//! `*`, `?`, `[a-z]` and `{a,b}` match within one name, `**` as a name of its own matches any number of folders, none
//! included. A backslash takes the meaning from the character behind it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// The most globs that `{…}` around folders may stand for.
const MAX_EXPANDED: usize = 64;

/// Files of these kinds hold no lines until they are unpacked; they are left out.
const PACKED: [&str; 7] = ["gz", "xz", "zst", "bz2", "lz4", "zip", "Z"];

/// Whether the file `path` is packed, by its name.
pub(super) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|ext| PACKED.iter().any(|packed| ext == *packed))
}

/// Why a glob cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// It does not begin with a slash.
    #[error("the glob `{0}` is not absolute: begin it with `/`")]
    Relative(String),
    /// It names no file.
    #[error("the glob `{0}` names a folder: to read the files in it, write `{0}*.log`")]
    Folder(String),
    /// It is malformed.
    #[error("the glob `{glob}` cannot be read: {source}")]
    Malformed {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// `{…}` in it stands for too many.
    #[error("the glob `{0}` stands for more than {MAX_EXPANDED} globs: write it as several")]
    TooMany(String),
}

/// Which files a source reads.
#[derive(Clone, Debug)]
pub struct Patterns {
    includes: Vec<Pattern>,
    excludes: GlobSet,
}

/// One glob that is included.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The folder that it is below.
    pub(super) base: PathBuf,
    /// What follows the folder, name by name; the last one is the file's.
    pub(super) parts: Vec<Part>,
}

/// One name of a glob.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// This name.
    Name(OsString),
    /// Names like this.
    Like(GlobMatcher),
    /// `**`
    AnyFolders,
}

impl Part {
    /// Whether `name` fits.
    pub(super) fn fits(&self, name: &OsStr) -> bool {
        match self {
            Part::Name(own) => own == name,
            Part::Like(glob) => glob.is_match(Path::new(name)),
            Part::AnyFolders => true,
        }
    }
}

impl Patterns {
    /// Reads globs of files to read, and of those to leave out of them.
    ///
    /// # Errors
    /// The first glob that is relative, names a folder, or cannot be read.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, GlobError> {
        let mut includes = Vec::new();
        for glob in include {
            // Malformed ones are refused as they were written, not in one of the forms they stand for.
            build(glob, glob)?;
            for one in expand(glob)? {
                includes.push(Pattern::new(glob, &one)?);
            }
        }
        let mut excludes = GlobSetBuilder::new();
        for glob in exclude {
            if !glob.starts_with('/') {
                return Err(GlobError::Relative(glob.clone()));
            }
            excludes.add(build(glob, glob)?);
        }
        let excludes =
            excludes.build().map_err(|source| GlobError::Malformed { glob: exclude.join("`, `"), source })?;
        Ok(Patterns { includes, excludes })
    }

    /// The globs that are included.
    pub(super) fn includes(&self) -> &[Pattern] {
        &self.includes
    }

    /// Whether `path` is left out although a glob includes it.
    pub(super) fn leaves_out(&self, path: &Path) -> bool {
        is_packed(path) || self.excludes.is_match(path)
    }

    /// Whether the file `path` is to be read, by its name alone.
    pub fn matches(&self, path: &Path) -> bool {
        !self.leaves_out(path) && self.includes.iter().any(|pattern| pattern.matches(path))
    }
}

impl Pattern {
    fn new(written: &str, glob: &str) -> Result<Self, GlobError> {
        let names = glob.strip_prefix('/').ok_or_else(|| GlobError::Relative(written.to_owned()))?;
        if names.is_empty() || names.ends_with('/') || names.ends_with("/**") || names == "**" {
            return Err(GlobError::Folder(written.trim_end_matches("**").to_owned()));
        }
        let mut pattern = Pattern { base: PathBuf::from("/"), parts: Vec::new() };
        let names: Vec<&str> = names.split('/').filter(|name| !name.is_empty()).collect();
        for (at, name) in names.iter().enumerate() {
            let literal = !name.contains(['*', '?', '[', '{', '\\']);
            if literal && pattern.parts.is_empty() && at + 1 < names.len() {
                pattern.base.push(name);
            } else if literal {
                pattern.parts.push(Part::Name(name.into()));
            } else if *name == "**" {
                pattern.parts.push(Part::AnyFolders);
            } else {
                pattern.parts.push(Part::Like(build(written, name)?.compile_matcher()));
            }
        }
        Ok(pattern)
    }

    fn matches(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.base) else { return false };
        let names: Vec<&OsStr> = below.iter().collect();
        fit(&self.parts, &names)
    }
}

fn fit(parts: &[Part], names: &[&OsStr]) -> bool {
    match (parts, names) {
        ([], []) => true,
        ([Part::AnyFolders, rest @ ..], _) => {
            fit(rest, names) || names.split_first().is_some_and(|(_, below)| fit(parts, below))
        }
        ([part, parts @ ..], [name, names @ ..]) => part.fits(name) && fit(parts, names),
        _ => false,
    }
}

fn build(written: &str, glob: &str) -> Result<Glob, GlobError> {
    GlobBuilder::new(glob)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|source| GlobError::Malformed { glob: written.to_owned(), source })
}

/// Takes `{…}` that holds a slash apart into one glob for each alternative.
fn expand(glob: &str) -> Result<Vec<String>, GlobError> {
    let mut done = Vec::new();
    let mut todo = vec![glob.to_owned()];
    while let Some(glob_now) = todo.pop() {
        match alternatives(&glob_now) {
            Some((before, inner, after)) => {
                todo.extend(inner.iter().rev().map(|one| format!("{before}{one}{after}")));
            }
            None => done.push(glob_now),
        }
        if done.len() + todo.len() > MAX_EXPANDED {
            return Err(GlobError::TooMany(glob.to_owned()));
        }
    }
    Ok(done)
}

/// The first outermost `{…}` that holds a slash: what is before it, its alternatives, what is behind it.
fn alternatives(glob: &str) -> Option<(&str, Vec<&str>, &str)> {
    let (mut depth, mut open, mut commas) = (0, 0, Vec::new());
    let (mut escaped, mut class) = (false, false);
    for (at, byte) in glob.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b']' => class = false,
            _ if class => {}
            b'[' => class = true,
            b'{' => {
                if depth == 0 {
                    (open, commas) = (at, vec![at]);
                }
                depth += 1;
            }
            b',' if depth == 1 => commas.push(at),
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 && glob[open..at].contains('/') {
                    commas.push(at);
                    let inner = commas.windows(2).map(|pair| &glob[pair[0] + 1..pair[1]]).collect();
                    return Some((&glob[..open], inner, &glob[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Result<Patterns, GlobError> {
        let own = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        Patterns::new(&own(include), &own(exclude))
    }

    fn matched(include: &str, paths: &[&str]) -> Vec<bool> {
        let patterns = patterns(&[include], &[]).unwrap();
        paths.iter().map(|path| patterns.matches(Path::new(path))).collect()
    }

    #[test]
    fn a_star_stays_within_its_folder() {
        let paths = ["/var/log/a.log", "/var/log/b/a.log", "/var/log/a.txt", "/var/log/.log"];
        assert_eq!(matched("/var/log/*.log", &paths), [true, false, false, true]);
        assert_eq!(matched("/var/*/?.log", &paths), [true, false, false, false]);
    }

    #[test]
    fn two_stars_are_any_number_of_folders() {
        let paths = ["/var/log/a.log", "/var/log/b/a.log", "/var/log/b/c/a.log", "/var/a.log"];
        assert_eq!(matched("/var/log/**/*.log", &paths), [true, true, true, false]);
        assert_eq!(matched("/**/c/*.log", &paths), [false, false, true, false]);
    }

    #[test]
    fn alternatives_may_hold_slashes() {
        let paths = ["/var/log/a.log", "/srv/x/log/a.err", "/srv/log/a.log"];
        assert_eq!(matched("/{var,srv/x}/log/*.{log,err}", &paths), [true, true, false]);
        assert_eq!(
            matched(r"/{var,srv}/log/\{a\}.log", &["/var/log/{a}.log", "/var/log/a.log"]),
            [true, false]
        );
        assert_eq!(expand("/a/[{/}]/{b,c}").unwrap(), ["/a/[{/}]/{b,c}"]);
    }

    #[test]
    fn what_is_excluded_or_packed_is_left_out() {
        let patterns = patterns(&["/var/log/**/*"], &["/var/log/journal/**", "/var/log/*.old"]).unwrap();
        let read = |path: &str| patterns.matches(Path::new(path));
        assert!(read("/var/log/syslog") && read("/var/log/a/b.old"));
        assert!(!read("/var/log/journal/a/b") && !read("/var/log/b.old") && !read("/var/log/syslog.2.gz"));
    }

    #[test]
    fn a_bad_glob_is_refused_with_what_would_be_right() {
        let said = |glob: &str| patterns(&[glob], &[]).unwrap_err().to_string();
        assert_eq!(said("log/*.log"), "the glob `log/*.log` is not absolute: begin it with `/`");
        assert_eq!(
            said("/var/log/"),
            "the glob `/var/log/` names a folder: to read the files in it, write `/var/log/*.log`"
        );
        assert_eq!(said("/var/log/**"), said("/var/log/"));
        assert!(said("/var/log/[a").starts_with("the glob `/var/log/[a` cannot be read: "));
        assert!(said(&format!("/{}", "{a/b,c}/".repeat(7) + "x")).contains("more than 64 globs"));
        assert!(patterns(&["/a"], &["b"]).is_err());
    }
}
