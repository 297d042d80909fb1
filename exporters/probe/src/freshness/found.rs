//! What a look found: how many matches, how large, and the newest of them.

/// What matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many.
    pub matches: u64,
    /// The bytes of all of them.
    pub bytes: u64,
    /// The newest.
    pub newest: Option<Newest>,
}

/// The newest match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Its path or key.
    pub name: String,
    /// When it was last written, in milliseconds since 1970-01-01 UTC.
    pub modified_ms: i64,
    /// Its size.
    pub bytes: u64,
}

impl Found {
    /// Adds a match.
    pub fn add(&mut self, name: &str, modified_ms: i64, bytes: u64) {
        self.matches += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.newest.as_ref().is_none_or(|newest| newest.modified_ms < modified_ms) {
            self.newest = Some(Newest { name: name.to_owned(), modified_ms, bytes });
        }
    }
}
