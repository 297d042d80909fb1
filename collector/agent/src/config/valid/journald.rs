//! `logs`, of the journal, valid.

use std::path::PathBuf;
use std::time::Duration;

use super::Start;

/// The journal of systemd.
#[derive(Clone, Debug, PartialEq)]
pub struct Journald {
    /// The folders that it may be in.
    pub paths: Vec<PathBuf>,
    /// Where reading starts when there is no cursor.
    pub start: Start,
    /// With [`Start::Backfill`]: how old an entry may be.
    pub max_age: Duration,
    /// Only these entries, where any are named.
    pub include: WhichEntries,
    /// Not these.
    pub exclude: WhichEntries,
    /// Only what is at least so urgent: 0 to 7, the most urgent first.
    pub priority: Option<u8>,
    /// Further fields that go along.
    pub fields: Vec<String>,
    /// A longer message is cut here, with a mark, in bytes.
    pub max_line_bytes: usize,
}

/// Some entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WhichEntries {
    /// By unit, with its suffix; `*` stands for anything, `?` for one character.
    pub units: Vec<String>,
    /// By fields and their values: each of these fits when all in it do. 64 in all, at most.
    pub matches: Vec<Vec<(String, String)>>,
}
