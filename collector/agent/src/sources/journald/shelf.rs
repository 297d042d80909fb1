//! Cursors on disk: one for each sequence of numbers, in two generations.

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
    /// What was written before is not wanted where there is no cursor, in microseconds since 1970.
    pub(super) from_us: u64,
    /// The cursors, as journalctl writes them.
    cursors: Vec<String>,
}

impl Saved {
    pub(super) fn new(from_us: u64, cursors: impl Iterator<Item = Cursor>) -> Self {
        let mut cursors: Vec<String> = cursors.map(|cursor| cursor.to_string()).collect();
        cursors.sort_unstable();
        Saved { version: VERSION, from_us, cursors }
    }

    /// The cursors.
    pub(super) fn cursors(&self) -> impl Iterator<Item = Cursor> {
        // All of them can be read: that was looked at when they were loaded.
        self.cursors.iter().filter_map(|text| Cursor::parse(text))
    }
}

/// Where it is kept.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    file: StateFile,
}

impl Shelf {
    /// Reads what is in `folder`; nothing there is `None`.
    ///
    /// # Errors
    /// In words, with what to do, when there are cursors that cannot be read.
    pub(super) fn open(folder: &Path) -> Result<(Shelf, Option<Saved>), String> {
        let held = |problem: &str| {
            format!(
                "the cursors in {} cannot be read: {problem}. The journal is not read, so that no entry is skipped or \
                 sent twice. Repair that, or move the files `cursors.*` away to begin as `start` says",
                folder.display()
            )
        };
        std::fs::create_dir_all(folder).map_err(|error| held(&error.to_string()))?;
        let mut file = StateFile::new(folder.join("cursors"));
        let saved = match file.load() {
            Loaded::Empty => None,
            Loaded::Unreadable { problem } => return Err(held(&problem)),
            Loaded::Found { bytes, .. } => {
                let saved: Saved =
                    serde_json::from_slice(&bytes).map_err(|error| held(&error.to_string()))?;
                if saved.version > VERSION {
                    let version = saved.version;
                    return Err(held(&format!("they are of version {version}, from a later taffrail")));
                }
                if let Some(bad) = saved.cursors.iter().find(|text| Cursor::parse(text).is_none()) {
                    return Err(held(&format!("`{bad}` is no cursor")));
                }
                Some(saved)
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
                "cannot save the cursors in {}, so a crash would send entries again: {error}",
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
        let (mut shelf, saved) = Shelf::open(folder.path()).unwrap();
        assert_eq!(saved, None);
        let saved = Saved::new(7, [Cursor { seqnum: 5, ..Cursor::default() }].into_iter());
        shelf.save(&saved).unwrap();
        shelf.save(&saved).unwrap();
        assert_eq!(Shelf::open(folder.path()).unwrap().1, Some(saved.clone()));
        shelf.save(&Saved { cursors: vec!["x".to_owned()], ..saved.clone() }).unwrap();
        assert!(Shelf::open(folder.path()).unwrap_err().contains("`x` is no cursor"));
        shelf.save(&Saved { version: VERSION + 1, ..saved }).unwrap();
        assert!(Shelf::open(folder.path()).unwrap_err().contains("from a later taffrail"));
        for generation in ["cursors.0", "cursors.1"] {
            fs::write(folder.path().join(generation), "garbage").unwrap();
        }
        let why = Shelf::open(folder.path()).unwrap_err();
        assert!(why.contains("cannot be read") && why.contains("move the files"), "{why}");
    }
}
