//! Cursors on disk: all of them in two generations, saved once a second while they move.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taffrail_spool::{Durability, Loaded, StateFile};

use super::cursor::Cursor;

/// The version of the format.
const VERSION: u32 = 1;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    version: u32,
    /// When this source read for the first time, in Unix nanoseconds.
    pub(super) began_ns: i64,
    /// The cursors, by container id.
    pub(super) cursors: BTreeMap<String, Cursor>,
}

/// Where it is kept.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    file: StateFile,
}

impl Shelf {
    /// Reads what is in `folder`; without anything there, this source begins at `now_ns`.
    ///
    /// # Errors
    /// In words, with what to do, when there are cursors that cannot be read.
    pub(super) fn open(folder: &Path, now_ns: i64) -> Result<(Shelf, Saved), String> {
        let held = |problem: &str| {
            format!(
                "the cursors in {} cannot be read: {problem}. Containers whose log is no file are not read, so that no \
                 line is skipped or sent twice. Repair that, or move the files `cursors.*` away to begin as `start` \
                 says",
                folder.display()
            )
        };
        std::fs::create_dir_all(folder).map_err(|error| held(&error.to_string()))?;
        let mut file = StateFile::new(folder.join("cursors"));
        let saved = match file.load() {
            Loaded::Empty => Saved { version: VERSION, began_ns: now_ns, cursors: BTreeMap::new() },
            Loaded::Unreadable { problem } => return Err(held(&problem)),
            Loaded::Found { bytes, .. } => {
                let saved: Saved =
                    serde_json::from_slice(&bytes).map_err(|error| held(&error.to_string()))?;
                if saved.version > VERSION {
                    let version = saved.version;
                    return Err(held(&format!("they are of version {version}, from a later taffrail")));
                }
                saved
            }
        };
        Ok((Shelf { folder: folder.to_owned(), file }, saved))
    }

    /// Saves all cursors.
    ///
    /// # Errors
    /// In words; what was saved before is still there.
    pub(super) fn save(&mut self, saved: &Saved) -> Result<(), String> {
        let said = |error: String| {
            format!(
                "cannot save the cursors in {}, so a crash would send lines again: {error}",
                self.folder.display()
            )
        };
        let bytes = serde_json::to_vec(saved).map_err(|error| said(error.to_string()))?;
        self.file.save(&bytes, Durability::PowerCut).map_err(|error| said(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn cursors_are_found_again_and_never_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let (mut shelf, mut saved) = Shelf::open(folder.path(), 7).unwrap();
        assert_eq!((saved.began_ns, saved.cursors.len()), (7, 0));
        saved.cursors.insert("a".into(), Cursor::new(5));
        shelf.save(&saved).unwrap();
        shelf.save(&saved).unwrap();
        assert_eq!(Shelf::open(folder.path(), 99).unwrap().1, saved);
        for generation in ["cursors.0", "cursors.1"] {
            fs::write(folder.path().join(generation), "garbage").unwrap();
        }
        let why = Shelf::open(folder.path(), 99).unwrap_err();
        assert!(why.contains("cannot be read") && why.contains("move the files"), "{why}");
    }

    #[test]
    fn cursors_of_a_later_version_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (mut shelf, saved) = Shelf::open(folder.path(), 7).unwrap();
        shelf.save(&Saved { version: VERSION + 1, ..saved }).unwrap();
        assert!(Shelf::open(folder.path(), 9).unwrap_err().contains("from a later taffrail"));
    }
}
