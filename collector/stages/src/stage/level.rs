//! The stage `level`: the level that an entry names, as structured metadata `detected_level`.

use super::Outcome;
use crate::entry::Entry;
use crate::level::{self, Level};

/// The structured metadata that holds it: what Loki calls it.
pub const NAME: &str = "detected_level";

/// Finds the level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LevelStage {
    /// The field that holds it; none: where programs write it in a line.
    pub source: Option<String>,
}

impl LevelStage {
    pub(super) fn apply(&self, entry: &mut Entry<'_>) -> Outcome {
        let found = match &self.source {
            None => level::detect(entry.line.as_bytes()),
            Some(name) => entry.fields.get(name).and_then(|word| Level::from_word(word.trim().as_bytes())),
        };
        match found {
            Some(level) => entry.metadata.set(NAME, level.as_str()),
            None => entry.remark(|| "no level was found".to_owned()),
        }
        Outcome::Keep
    }
}

/// Whether structured metadata of this name and value is what this stage writes.
pub(super) fn is_found(name: &str, value: &str) -> bool {
    name == NAME && Level::ALL.iter().any(|level| level.as_str() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_writes_is_known_again() {
        for level in Level::ALL {
            assert!(is_found(NAME, level.as_str()));
            assert!(!is_found("level", level.as_str()));
        }
        assert!(!is_found(NAME, "hunter2"));
    }

    #[test]
    fn from_the_line_or_from_a_field() {
        let run = |source: Option<&str>, line: &'static str| {
            let mut entry = Entry { line: line.into(), ..Entry::default() };
            entry.fields.set("l", "Warning ");
            LevelStage { source: source.map(str::to_owned) }.apply(&mut entry);
            entry.metadata.get(NAME).map(ToString::to_string)
        };
        assert_eq!(run(None, "level=error x").as_deref(), Some("error"));
        assert_eq!(run(None, "plain"), None);
        assert_eq!(run(Some("l"), "level=error x").as_deref(), Some("warn"));
        assert_eq!(run(Some("none"), "level=error x"), None);
    }
}
