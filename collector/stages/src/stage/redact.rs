//! The stage `redact`: the entry without credentials, and without what names a person.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Outcome, level};
use crate::entry::Entry;
use crate::redact::{Block, Error, Outcome as Redacted, Redactor, Settings};

/// The most names of metadata of which the last value is remembered, and the longest value.
const MAX_CLEAN: usize = 16;
const MAX_CLEAN_BYTES: usize = 512;
/// The most streams of which it is known that they are within a private key.
const MAX_OPEN: usize = 1000;

/// Redacts the line and all that was made of it.
#[derive(Clone, Debug)]
pub struct RedactStage {
    settings: Settings,
    redactor: Arc<Redactor>,
    /// No stage comes behind it, so that fields do not leave.
    last: bool,
}

impl PartialEq for RedactStage {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings && self.last == other.last
    }
}

/// Which streams are within a private key, and how often each rule found something.
#[derive(Debug, Default)]
pub(crate) struct State {
    open: Mutex<HashMap<u64, Block>>,
    /// How many are in `open`: while none is, nothing is locked.
    open_count: AtomicU64,
    found: Mutex<Vec<u64>>,
    /// The last value of each name of metadata that had nothing in it: those of a container are the same line by line.
    clean: Mutex<Vec<(String, String)>>,
}

impl RedactStage {
    /// Redacts as the settings say.
    ///
    /// # Errors
    ///
    /// As [`Redactor::new`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let redactor = Arc::new(Redactor::new(&settings)?);
        Ok(Self { settings, redactor, last: false })
    }

    /// As the last of all stages: fields are not looked at, since nothing makes more of them.
    pub fn last(self) -> Self {
        Self { last: true, ..self }
    }

    pub(super) fn apply(&self, state: &State, entry: &mut Entry<'_>) -> Outcome {
        let known_open = state.open_count.load(Ordering::Relaxed) > 0;
        let mut block = if known_open {
            state.open().get(&entry.stream).copied().unwrap_or_default()
        } else {
            Block::default()
        };
        let was_open = block.is_open();
        let outcome = self.redactor.redact(&entry.line, &mut block);
        if was_open || block.is_open() {
            state.keep(entry.stream, block);
        }
        if !self.settle(state, outcome, |text| entry.line = text.into()) {
            return Outcome::Drop;
        }
        // What was taken out of the line before.
        let fields = entry.fields.values_mut().filter(|_| !self.last);
        for (name, value) in fields.chain(entry.labels.values_mut()) {
            let outcome = self.redactor.redact_named(name, value);
            if !self.settle(state, outcome, |text| *value = text.into()) {
                return Outcome::Drop;
            }
        }
        // But for one of our own words, which holds nothing of the line.
        for (name, value) in entry.metadata.values_mut().filter(|(name, value)| !level::is_found(name, value))
        {
            if state.is_clean(name, value) {
                continue;
            }
            let outcome = self.redactor.redact_named(name, value);
            if outcome == Redacted::Clean {
                state.keep_clean(name, value);
            } else if !self.settle(state, outcome, |text| *value = text.into()) {
                return Outcome::Drop;
            }
        }
        Outcome::Keep
    }

    /// Counts what was found; false where the entry must not go on.
    fn settle(&self, state: &State, outcome: Redacted, change: impl FnOnce(String)) -> bool {
        match outcome {
            Redacted::Clean => true,
            Redacted::Changed(text, counts) => {
                for (rule, count) in counts {
                    state.count(rule, count.into());
                }
                change(text);
                true
            }
            Redacted::Drop(rule) => {
                state.count(rule, 1);
                false
            }
        }
    }

    /// How often each rule found something since this was last asked, by its name; nothing of those that did not.
    pub(crate) fn take_found<'s>(&'s self, state: &State) -> Vec<(&'s str, u64)> {
        let found = std::mem::take(&mut *state.found.lock().unwrap_or_else(PoisonError::into_inner));
        let named = found.into_iter().enumerate().filter(|(_, count)| *count > 0);
        named.map(|(rule, count)| (self.redactor.name(rule), count)).collect()
    }
}

impl State {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Block>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, stream: u64, block: Block) {
        let mut open = self.open();
        if !block.is_open() {
            open.remove(&stream);
        } else if open.len() < MAX_OPEN || open.contains_key(&stream) {
            open.insert(stream, block);
        }
        self.open_count.store(open.len() as u64, Ordering::Relaxed);
    }

    fn clean(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.clean.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the name had this very value last, and nothing was found in it.
    fn is_clean(&self, name: &str, value: &str) -> bool {
        self.clean().iter().any(|(known, clean)| known == name && clean == value)
    }

    fn keep_clean(&self, name: &str, value: &str) {
        if value.len() > MAX_CLEAN_BYTES {
            return;
        }
        let mut clean = self.clean();
        let room = clean.len() < MAX_CLEAN;
        match clean.iter_mut().find(|(known, _)| known == name) {
            Some((_, last)) => {
                last.clear();
                last.push_str(value);
            }
            None if room => clean.push((name.to_owned(), value.to_owned())),
            None => {}
        }
    }

    fn count(&self, rule: usize, count: u64) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() <= rule {
            found.resize(rule + 1, 0);
        }
        found[rule] += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Action, Kind};

    fn of(kinds: &[(Kind, Action)]) -> (RedactStage, State) {
        let settings = Settings { kinds: kinds.to_vec(), ..Settings::default() };
        (RedactStage::new(settings).unwrap(), State::default())
    }

    #[test]
    fn the_line_and_what_was_made_of_it() {
        let (stage, state) = of(&[(Kind::Email, Action::Replace)]);
        let mut entry = Entry { line: "from a@b.com".into(), ..Entry::default() };
        entry.fields.set("user", "a@b.com");
        entry.metadata.set("user", "a@b.com");
        assert_eq!(stage.apply(&state, &mut entry), Outcome::Keep);
        assert_eq!(entry.line, "from [redacted:email]");
        assert_eq!(entry.fields.get("user").unwrap(), "[redacted:email]");
        assert_eq!(entry.metadata.get("user").unwrap(), "[redacted:email]");
        assert_eq!(stage.take_found(&state), [("email", 3)]);
    }

    #[test]
    fn a_value_whose_name_says_that_it_is_secret() {
        let (stage, state) = of(&[(Kind::Password, Action::Replace)]);
        let mut entry = Entry { line: "signed in".into(), ..Entry::default() };
        for (name, value) in [
            ("db_password", "two words"),
            ("api_key", "[redacted:password]"),
            ("max_tokens", "4096"),
            ("pwd", "/srv"),
        ] {
            entry.metadata.set(name, value);
        }
        assert_eq!(stage.apply(&state, &mut entry), Outcome::Keep);
        let values: Vec<_> = entry.metadata.values_mut().map(|(_, value)| value.to_string()).collect();
        assert_eq!(values, ["[redacted:password]", "[redacted:password]", "4096", "/srv"]);
        assert_eq!(stage.take_found(&state), [("password", 1)]);
    }

    #[test]
    fn what_was_clean_before_is_so_only_while_it_is_the_same() {
        let (stage, state) = of(&[(Kind::Password, Action::Replace), (Kind::Email, Action::Replace)]);
        let run = |name: &'static str, value: &'static str| {
            let mut entry = Entry { line: "x".into(), ..Entry::default() };
            entry.metadata.set(name, value);
            assert_eq!(stage.apply(&state, &mut entry), Outcome::Keep);
            entry.metadata.get(name).unwrap().to_string()
        };
        for _ in 0..2 {
            assert_eq!(run("image", "shop:1"), "shop:1");
            assert_eq!(run("user", "ada"), "ada");
            assert_eq!(run("user", "a@b.com"), "[redacted:email]");
            assert_eq!(run("image", "a@b.com"), "[redacted:email]");
            // What is nothing under one name may be a secret under another.
            assert_eq!(run("api_key", "shop:1"), "[redacted:password]");
            assert_eq!(run("level", "error"), "error");
        }
        let names: Vec<String> = (0..2 * MAX_CLEAN).map(|n| format!("name{n}")).collect();
        for name in &names {
            assert!(!state.is_clean(name, "v"));
            state.keep_clean(name, "v");
        }
        assert_eq!(state.clean().len(), MAX_CLEAN);
    }

    #[test]
    fn a_key_over_lines_is_followed_by_stream() {
        let (stage, state) = of(&[(Kind::PrivateKey, Action::Replace)]);
        let mut lines = Vec::new();
        for (stream, line) in [
            (1, "-----BEGIN PRIVATE KEY-----"),
            (2, "MHcCAQEEIIrYSSNQFaA2"),
            (1, "MHcCAQEEIIrYSSNQFaA2"),
            (1, "-----END PRIVATE KEY-----"),
            (1, "MHcCAQEEIIrYSSNQFaA2"),
        ] {
            let mut entry = Entry { line: line.into(), stream, ..Entry::default() };
            stage.apply(&state, &mut entry);
            lines.push(entry.line.starts_with("[redacted"));
        }
        assert_eq!(lines, [true, false, true, false, false]);
        assert_eq!(state.open_count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_line_that_must_not_go_on() {
        let (stage, state) = of(&[(Kind::Card, Action::Drop)]);
        let mut entry = Entry { line: "card 4111111111111111".into(), ..Entry::default() };
        assert_eq!(stage.apply(&state, &mut entry), Outcome::Drop);
        assert_eq!(stage.take_found(&state), [("card", 1)]);
    }
}
