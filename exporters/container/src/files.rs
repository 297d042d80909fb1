//! The files of one cgroup: read one after the other into its statistics.

use std::io;
use std::path::Path;

use rustix::io::Errno;
use taffrail_core::CollectError;

use crate::folder::Folder;
use crate::layout::Layout;
use crate::source::{self, Source};
use crate::stats::Stats;

/// The files of a cgroup that are read.
#[derive(Debug)]
pub struct Files {
    /// The cgroup's folder in the tree of each controller; in version 2 one.
    folders: Vec<Folder>,
    files: Vec<Listed>,
}

/// One file.
#[derive(Debug)]
struct Listed {
    source: &'static Source,
    /// Its folder's place.
    folder: usize,
    /// Readings for which it is not looked for again.
    rest: u8,
    /// Whether it was not there when it was looked for last.
    missing: bool,
}

/// Readings between two looks for a file that is not there: which controllers a cgroup has changes seldom.
const REST: u8 = 3;

/// What a reading of all files gives.
#[derive(Debug, Default)]
pub struct Reading {
    /// What they say.
    pub stats: Stats,
    /// The first that could not be read or understood.
    pub trouble: Option<CollectError>,
}

impl Files {
    /// Those of the cgroup at `path`, with all details or only what dashboards ask for.
    pub fn new(layout: &Layout, path: &str, full: bool) -> Self {
        let mut folders: Vec<Folder> = Vec::new();
        let table = source::table(matches!(layout, Layout::V2(_))).iter();
        let files = table.filter(|source| full || !source.full).map(|source| {
            let path = layout.folder(source.controller, path);
            let known = folders.iter().position(|folder| *folder.path() == path);
            let folder = known.unwrap_or_else(|| {
                folders.push(Folder::new(path));
                folders.len() - 1
            });
            Listed { source, folder, rest: 0, missing: false }
        });
        let files = files.collect();
        Files { folders, files }
    }

    /// The place of the folder at `path`, if it is one of these.
    pub fn place(&self, path: &Path) -> Option<usize> {
        self.folders.iter().position(|folder| folder.path() == path)
    }

    /// The folder at a place.
    pub fn folder(&mut self, place: usize) -> Option<&mut Folder> {
        self.folders.get_mut(place)
    }

    /// Reads all. None when the cgroup is gone.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Option<Reading> {
        let mut reading = Reading::default();
        let mut found = false;
        for file in &mut self.files {
            if file.rest > 0 {
                file.rest -= 1;
                continue;
            }
            let folder = &mut self.folders[file.folder];
            let path = |folder: &Folder| folder.path().join(file.source.file);
            match folder.read(file.source.file, true, buffer) {
                Ok(len) => {
                    (found, file.missing) = (true, false);
                    if let Err(error) = (file.source.read)(&buffer[..len], &mut reading.stats) {
                        let what = error.to_string();
                        reading.trouble.get_or_insert(CollectError::Parse { path: path(folder), what });
                    }
                }
                Err(error) if is_gone(&error) => {
                    // The first time it may just be on its way.
                    file.rest = if file.missing { REST } else { 0 };
                    file.missing = true;
                }
                Err(source) => {
                    reading.trouble.get_or_insert(CollectError::Read { path: path(folder), source });
                }
            }
        }
        (found || reading.trouble.is_some()).then_some(reading)
    }
}

/// Whether an error only says that the cgroup, or this file of it, is not there: it was removed, or the kernel has
/// switched off what it is about.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NODEV, Errno::SRCH, Errno::OPNOTSUPP, Errno::NOTDIR];
    gone.iter().any(|errno| Some(errno.raw_os_error()) == error.raw_os_error())
}
