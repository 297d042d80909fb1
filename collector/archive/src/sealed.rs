//! Windows that are sealed: what is to be stored, kept on disk until it is.
//!
//! Between the first object that is stored and the cursor that has moved, a kill must not make objects of other
//! boundaries: they would hold some entries twice, under other names. So the list of objects is saved before the first is
//! stored, and after a kill the same files are stored again under the same names.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taffrail_spool::{Durability, Loaded, Position, Record, StateFile};

/// A window that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Its first record.
    pub from: Position,
    /// The record behind its last.
    pub upto: Position,
    /// When its last record was appended, milliseconds since 1970 UTC.
    pub upto_ms: i64,
    /// What is to be stored.
    pub objects: Vec<Object>,
    /// Whether all of it is.
    pub stored: bool,
}

/// A file that is to become an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its key in the store.
    pub key: String,
    /// The file's name in the folder of windows.
    pub file: String,
    /// The file's size.
    pub bytes: u64,
    /// How many entries it holds.
    pub entries: u64,
}

impl Sealed {
    /// Whether a record is in it. The time tells records of this log from those of one that was begun anew, whose numbers
    /// are the same ones again.
    pub fn holds(&self, record: &Record) -> bool {
        record.position < self.upto && record.appended_ms <= self.upto_ms
    }
}

/// What a process before this one has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A window, to be stored or stored already.
    Window(Sealed),
    /// A window of which this is not there any more: its records have to be read again.
    Lost(String),
}

/// The folder of an output's windows.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    state: StateFile,
}

impl Staging {
    /// Opens the folder, made if it is not there.
    ///
    /// # Errors
    /// When the folder can be neither made nor read.
    pub fn open(dir: &Path) -> io::Result<(Self, Found)> {
        DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
        let mut staging = Staging { dir: dir.to_owned(), state: StateFile::new(dir.join("window")) };
        let found = staging.look();
        let kept: Vec<&str> = match &found {
            Found::Window(sealed) => sealed.objects.iter().map(|object| object.file.as_str()).collect(),
            _ => Vec::new(),
        };
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            // Of windows that were open, or are stored.
            if name.to_str().is_some_and(|name| name.ends_with(".part") && !kept.contains(&name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok((staging, found))
    }

    fn look(&mut self) -> Found {
        let bytes = match self.state.load() {
            Loaded::Empty => return Found::Nothing,
            Loaded::Unreadable { problem } => return Found::Lost(problem),
            Loaded::Found { bytes, .. } => bytes,
        };
        let sealed: Sealed = match serde_json::from_slice(&bytes) {
            Ok(sealed) => sealed,
            Err(error) => return Found::Lost(format!("its list cannot be read: {error}")),
        };
        if !sealed.stored {
            for object in &sealed.objects {
                let path = self.dir.join(&object.file);
                match fs::metadata(&path) {
                    Ok(found) if found.len() == object.bytes => {}
                    Ok(_) => return Found::Lost(format!("{} has another size", path.display())),
                    Err(error) => return Found::Lost(format!("{}: {error}", path.display())),
                }
            }
        }
        Found::Window(sealed)
    }

    /// Where its files stand.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Saves a window's list; when it returns, that survives a power cut.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn save(&mut self, sealed: &Sealed) -> io::Result<()> {
        let bytes = serde_json::to_vec(sealed)?;
        self.state.save(&bytes, Durability::PowerCut).map_err(io::Error::other)
    }

    /// Removes the files of a window that is stored.
    pub fn clear(&self, sealed: &Sealed) {
        for object in &sealed.objects {
            // What stays is removed at the next start.
            let _ = fs::remove_file(self.dir.join(&object.file));
        }
    }
}
