//! The files of one cgroup: read one after the other into its statistics.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use taffrail_core::CollectError;

use crate::folder::Folder;
use crate::hugetlb::{self, HugeFile};
use crate::layout::Layout;
use crate::scan::Malformed;
use crate::source::{self, Pace, Source};
use crate::stats::{Limits, Stats};

/// The files of a cgroup that are read.
#[derive(Debug)]
pub struct Files {
    /// The cgroup's folder in the tree of each controller; in version 2 one.
    folders: Vec<Folder>,
    files: Vec<Listed>,
    /// What the settings said when they were read last.
    limits: Option<Limits>,
}

/// One file.
#[derive(Debug)]
struct Listed {
    what: What,
    /// Its folder's place.
    folder: usize,
    /// Readings for which it is not looked for again.
    rest: u8,
    /// Whether it was not there when it was looked for last.
    missing: bool,
}

/// Which file, and what reads it.
#[derive(Debug)]
enum What {
    /// One that every kernel with its controller has.
    Table(&'static Source),
    /// One for each size of huge pages of the machine.
    Huge(HugeFile),
}

impl What {
    fn name(&self) -> &str {
        match self {
            What::Table(source) => source.file,
            What::Huge(file) => &file.name,
        }
    }

    fn controller(&self) -> &'static str {
        match self {
            What::Table(source) => source.controller,
            What::Huge(_) => "hugetlb",
        }
    }

    fn pace(&self) -> Pace {
        match self {
            What::Table(source) => source.pace,
            What::Huge(_) => Pace::Each,
        }
    }

    fn read(&self, bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
        match self {
            What::Table(source) => (source.read)(bytes, stats),
            What::Huge(file) => file.read(bytes, stats),
        }
    }
}

/// What is read of a cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What dashboards ask for.
    Default,
    /// All that is told, on a machine with huge pages of these sizes.
    Full(Vec<Arc<str>>),
}

/// Readings between two looks for a file that is not there, or that tells of no device: which controllers a cgroup has
/// changes seldom, and most containers never touch a disk, or only through one of several policies.
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
    /// Those of the cgroup at `path`.
    pub fn new(layout: &Layout, path: &str, detail: &Detail) -> Self {
        let mut folders: Vec<Folder> = Vec::new();
        let v2 = matches!(layout, Layout::V2(_));
        let (full, sizes) = match detail {
            Detail::Default => (false, [].as_slice()),
            Detail::Full(sizes) => (true, sizes.as_slice()),
        };
        let table = source::table(v2).iter().filter(|source| full || !source.full).map(What::Table);
        let files = table.chain(hugetlb::files(sizes, v2).into_iter().map(What::Huge)).map(|what| {
            let path = layout.folder(what.controller(), path);
            let known = folders.iter().position(|folder| *folder.path() == path);
            let folder = known.unwrap_or_else(|| {
                folders.push(Folder::new(path));
                folders.len() - 1
            });
            Listed { what, folder, rest: 0, missing: false }
        });
        let files = files.collect();
        Files { folders, files, limits: None }
    }

    /// The place of the folder at `path`, if it is one of these.
    pub fn place(&self, path: &Path) -> Option<usize> {
        self.folders.iter().position(|folder| folder.path() == path)
    }

    /// The folder at a place.
    pub fn folder(&mut self, place: usize) -> Option<&mut Folder> {
        self.folders.get_mut(place)
    }

    /// Reads all, and settings where they were never read or are asked for. None when the cgroup is gone.
    pub fn read(&mut self, settings: bool, buffer: &mut Vec<u8>) -> Option<Reading> {
        let mut reading = Reading::default();
        let mut found = false;
        let known = self.limits.take().filter(|_| !settings);
        for file in &mut self.files {
            let told = known.as_ref().is_some_and(|limits| match file.what.pace() {
                Pace::Setting => true,
                Pace::Quota => limits.cpu_quota.is_none(),
                Pace::Each | Pace::Devices => false,
            });
            if told {
                continue;
            }
            if file.rest > 0 {
                file.rest -= 1;
                continue;
            }
            let folder = &mut self.folders[file.folder];
            let path = |folder: &Folder| folder.path().join(file.what.name());
            match folder.read(file.what.name(), true, buffer) {
                Ok(len) => {
                    (found, file.missing) = (true, false);
                    if file.what.pace() == Pace::Devices && !buffer[..len].contains(&b':') {
                        file.rest = REST;
                    }
                    if let Err(error) = file.what.read(&buffer[..len], &mut reading.stats) {
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
        if let Some(limits) = known {
            reading.stats.limits = limits;
        }
        // After trouble the settings are read again in the next reading: they may be what could not be read.
        self.limits = Some(reading.stats.limits.clone()).filter(|_| reading.trouble.is_none());
        (found || reading.trouble.is_some()).then_some(reading)
    }
}

/// Whether an error only says that the cgroup, or this file of it, is not there: it was removed, or the kernel has
/// switched off what it is about.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NODEV, Errno::SRCH, Errno::OPNOTSUPP, Errno::NOTDIR];
    gone.iter().any(|errno| Some(errno.raw_os_error()) == error.raw_os_error())
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
