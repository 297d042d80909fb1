//! The texts that configuration is read from, and places in them.

use std::ops::Range;
use std::path::PathBuf;

/// One text: a file, a `--set` argument, or what is built in.
#[derive(Debug)]
pub struct Source {
    /// What errors call it: the file's path, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// What relative paths in it start from; empty: the current folder.
    pub dir: PathBuf,
    /// Byte ranges that no error may show.
    pub hidden: Vec<Range<usize>>,
}

impl Source {
    /// A text that has nothing to hide yet.
    pub fn new(name: impl Into<String>, text: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        Source { name: name.into(), text: text.into(), dir: dir.into(), hidden: Vec::new() }
    }

    /// Line and column, both from 1, columns in characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |nl| nl + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The line that holds byte `at`, without its end, and where it starts.
    pub fn line(&self, at: usize) -> (usize, &str) {
        let at = at.min(self.text.len());
        let start = self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |nl| nl + 1);
        let line = self.text.get(start..).unwrap_or("");
        (start, line.lines().next().unwrap_or(""))
    }
}

/// A range of bytes in one of several sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Index of the source.
    pub source: u32,
    /// Its first byte.
    pub start: u32,
    /// Behind its last byte.
    pub end: u32,
}

impl Span {
    /// The range in its source.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}
