//! Removes what must not leave the machine: credentials, unless turned off, and what names a person, where asked.
//!
//! A text is searched for the few words and signs that such things begin with; each candidate is then checked by the
//! rules of its kind (a card's check digit, an IBAN's remainder, the charset of a token). What is found is replaced with
//! `[redacted:kind]`, or with `[redacted:kind#…]` where the letters are a keyed hash, so that the same person stays the
//! same; or the whole line is dropped. Redacting twice changes nothing.

mod block;
mod candidates;
mod keys;
mod mark;
mod numbers;
mod people;
mod settings;
mod tokens;

pub use block::Block;
pub use settings::{Action, Error, Key, Kind, Pattern, Settings};

use mark::Marker;

/// How often a changed text is looked at again. One look more than the first is enough for all that was ever seen: a
/// pattern of the user's own could find something new beside a mark each time.
const PASSES: usize = 6;

/// Something found in a text: the bytes `start..end` are of the kind with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub start: usize,
    pub end: usize,
    /// The place in [`Kind::ALL`], own patterns behind.
    pub rule: usize,
}

impl Found {
    fn of(kind: Kind, start: usize, end: usize) -> Self {
        Self { start, end, rule: kind as usize }
    }
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing found: the text is as it was.
    Clean,
    /// The text without what was found, and how often which rule found something; see [`Redactor::name`].
    Changed(String, Vec<(usize, u32)>),
    /// The line must not go on, says the rule with this number.
    Drop(usize),
}

/// Finds and replaces, as set up.
#[derive(Debug)]
pub struct Redactor {
    actions: Vec<Option<Action>>,
    names: Vec<String>,
    patterns: Vec<regex::Regex>,
    marker: Marker,
    words: bool,
    at_signs: bool,
    digits: bool,
}

impl Redactor {
    /// Redacts as the settings say.
    ///
    /// # Errors
    ///
    /// A pattern that is no regular expression, that matches the empty text or would need too much memory; a hash
    /// without a key.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let patterns = settings.patterns.iter().map(Pattern::compile).collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<String> = Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
        names.extend(settings.patterns.iter().map(|pattern| pattern.name.clone()));
        let mut actions: Vec<Option<Action>> = Kind::ALL
            .iter()
            .map(|kind| settings.kinds.iter().rev().find(|(k, _)| k == kind).map(|(_, a)| *a))
            .collect();
        actions.extend(settings.patterns.iter().map(|pattern| Some(pattern.action)));
        if actions.contains(&Some(Action::Hash)) && settings.key.bytes().is_empty() {
            return Err(Error::NoKey);
        }
        let on = |kinds: &[Kind]| kinds.iter().any(|kind| actions[*kind as usize].is_some());
        Ok(Self {
            words: on(&[Kind::Jwt, Kind::Authorization, Kind::CloudKey, Kind::PrivateKey, Kind::Password]),
            at_signs: on(&[Kind::Email, Kind::Password]),
            digits: on(&[Kind::Card, Kind::Iban, Kind::Phone, Kind::Ip]),
            marker: Marker::new(settings.key.bytes()),
            actions,
            names,
            patterns,
        })
    }

    /// The name of the rule with this number, as it stands in marks: `email`, `password`, or the pattern's own.
    pub fn name(&self, rule: usize) -> &str {
        self.names.get(rule).map_or("", String::as_str)
    }

    /// Redacts one entry. `block` is the state of its stream: a private key may go over many entries.
    pub fn redact(&self, text: &str, block: &mut Block) -> Outcome {
        let mut found = self.find(text, block);
        if found.is_empty() {
            return Outcome::Clean;
        }
        let mut counts: Vec<(usize, u32)> = Vec::new();
        let mut text = std::borrow::Cow::Borrowed(text);
        for _ in 0..PASSES {
            if let Some(drop) = found.iter().find(|found| self.actions[found.rule] == Some(Action::Drop)) {
                return Outcome::Drop(drop.rule);
            }
            for found in &found {
                match counts.iter_mut().find(|(rule, _)| *rule == found.rule) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((found.rule, 1)),
                }
            }
            text = std::borrow::Cow::Owned(self.replace(&text, &found));
            // Only the first look moves the block: the second sees marks where lines of a key were.
            found = self.find(&text, &mut Block::default());
            if found.is_empty() {
                break;
            }
        }
        Outcome::Changed(text.into_owned(), counts)
    }

    /// Redacts a value that stands apart from its name, as a field of a line that was parsed does: where the name says
    /// that the value is secret, all of it is.
    pub fn redact_named(&self, name: &str, value: &str) -> Outcome {
        let rule = Kind::Password as usize;
        let Some(action) = self.actions[rule].filter(|_| keys::is_secret(name, value)) else {
            return self.redact(value, &mut Block::default());
        };
        if action == Action::Drop {
            return Outcome::Drop(rule);
        }
        let all = Found { start: 0, end: value.len(), rule };
        Outcome::Changed(self.replace(value, &[all]), vec![(rule, 1)])
    }

    /// All that is found in a text, in order, without overlaps.
    fn find(&self, text: &str, block: &mut Block) -> Vec<Found> {
        let mut found = Vec::new();
        let bytes = text.as_bytes();
        if self.actions[Kind::PrivateKey as usize].is_some() && block.is_open() {
            block.go_on(bytes, &mut found);
        }
        if self.words {
            candidates::find(bytes, &self.actions, block, &mut found);
        }
        if self.at_signs {
            people::find(bytes, &self.actions, &mut found);
        }
        if self.digits {
            numbers::find(bytes, &self.actions, &mut found);
        }
        for (number, pattern) in self.patterns.iter().enumerate() {
            let rule = Kind::ALL.len() + number;
            found.extend(pattern.find_iter(text).filter(|hit| !hit.is_empty()).map(|hit| Found {
                start: hit.start(),
                end: hit.end(),
                rule,
            }));
        }
        if !found.is_empty() {
            mark::tidy(text, &mut found);
        }
        found
    }

    fn replace(&self, text: &str, found: &[Found]) -> String {
        let mut out = String::with_capacity(text.len() + 32);
        let mut from = 0;
        for hit in found {
            out.push_str(&text[from..hit.start]);
            let what = &text[hit.start..hit.end];
            let hash = self.actions[hit.rule] == Some(Action::Hash);
            self.marker.write(&mut out, hit.rule, self.name(hit.rule), what, hash);
            from = hit.end;
        }
        out.push_str(&text[from..]);
        out
    }
}

#[cfg(test)]
mod tests;
