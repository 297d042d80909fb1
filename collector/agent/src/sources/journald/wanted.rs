//! What the configuration wants: which fields of entries, and which entries.

use std::collections::HashMap;

use taffrail_wire::loki::label_name;

use crate::config::{Journald, WhichEntries};
use crate::sources::like::like;

/// A field that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The text.
    Message,
    Priority,
    Facility,
    /// The unit that wrote it, of the system or of a user.
    SystemUnit,
    UserUnit,
    /// The unit that it is about, as systemd says, or a privileged process.
    Unit,
    ObjectUnit,
    Pid,
    Uid,
    Identifier,
    /// Goes along under the name of this number.
    More(u16),
}

/// Fields with a meaning of their own, and those that go along as they are.
const MEANING: [(&str, Key); 10] = [
    ("MESSAGE", Key::Message),
    ("PRIORITY", Key::Priority),
    ("SYSLOG_FACILITY", Key::Facility),
    ("_SYSTEMD_UNIT", Key::SystemUnit),
    ("_SYSTEMD_USER_UNIT", Key::UserUnit),
    ("UNIT", Key::Unit),
    ("OBJECT_SYSTEMD_UNIT", Key::ObjectUnit),
    ("_PID", Key::Pid),
    ("_UID", Key::Uid),
    ("SYSLOG_IDENTIFIER", Key::Identifier),
];
const ALONG: [(&str, &str); 7] = [
    ("_TRANSPORT", "transport"),
    ("_BOOT_ID", "boot_id"),
    ("_HOSTNAME", "hostname"),
    ("_COMM", "comm"),
    ("MESSAGE_ID", "message_id"),
    ("CONTAINER_NAME", "container_name"),
    ("CONTAINER_ID", "container_id"),
];

/// What is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    keys: HashMap<Vec<u8>, Key>,
    names: Vec<String>,
    /// `FIELD=value`, by the number of the bit.
    terms: HashMap<Vec<u8>, u64>,
    include: Choice,
    exclude: Choice,
    /// Entries that are less urgent are left out.
    priority: Option<u8>,
    /// The longest text.
    pub(super) max_message: usize,
}

#[derive(Debug)]
struct Choice {
    units: Vec<String>,
    /// Each fits when all of its terms do.
    matches: Vec<u64>,
}

impl Wanted {
    pub(super) fn new(config: &Journald) -> Self {
        let mut keys: HashMap<Vec<u8>, Key> =
            MEANING.iter().map(|(name, key)| (name.as_bytes().to_vec(), *key)).collect();
        let more = config.fields.iter().map(|field| {
            let name = label_name(&field.trim_start_matches('_').to_lowercase()).into_owned();
            (field.clone(), name)
        });
        let along = ALONG.iter().map(|(field, name)| ((*field).to_owned(), (*name).to_owned()));
        let mut names = Vec::new();
        for (field, name) in along.chain(more) {
            let number = names.len() as u16;
            keys.entry(field.into_bytes()).or_insert_with(|| {
                names.push(name);
                Key::More(number)
            });
        }
        let mut terms: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut choice = |which: &WhichEntries| {
            let mut bits = |all: &Vec<(String, String)>| {
                all.iter().fold(0, |bits, (field, value)| {
                    // The configuration has no more terms than there are bits.
                    let bit = 1_u64.wrapping_shl(terms.len() as u32);
                    bits | *terms.entry(format!("{field}={value}").into_bytes()).or_insert(bit)
                })
            };
            Choice { units: which.units.clone(), matches: which.matches.iter().map(&mut bits).collect() }
        };
        let (include, exclude) = (choice(&config.include), choice(&config.exclude));
        let (priority, max_message) = (config.priority, config.max_line_bytes);
        Wanted { keys, names, terms, include, exclude, priority, max_message }
    }

    /// The meaning of a field's name.
    pub(super) fn key(&self, name: &[u8]) -> Option<Key> {
        self.keys.get(name).copied()
    }

    /// The name under which a field goes along.
    pub(super) fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("", String::as_str)
    }

    /// The bits of a field with its value.
    pub(super) fn terms(&self, field: &[u8]) -> u64 {
        if self.terms.is_empty() { 0 } else { self.terms.get(field).copied().unwrap_or(0) }
    }

    /// Whether an entry is wanted that is of these units, fits these terms, and is so urgent.
    pub(super) fn wants(&self, units: &[&str], terms: u64, priority: Option<u8>) -> bool {
        if self.priority.zip(priority).is_some_and(|(most, it)| it > most) {
            return false;
        }
        (self.include.is_empty() || self.include.fits(units, terms)) && !self.exclude.fits(units, terms)
    }
}

impl Choice {
    fn is_empty(&self) -> bool {
        self.units.is_empty() && self.matches.is_empty()
    }

    fn fits(&self, units: &[&str], terms: u64) -> bool {
        let named = |unit: &&str| self.units.iter().any(|like_it| like(like_it.as_bytes(), unit.as_bytes()));
        self.matches.iter().any(|bits| terms & bits == *bits) || units.iter().any(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Start;

    fn which(units: &[&str], matches: &[&[(&str, &str)]]) -> WhichEntries {
        let term = |(field, value): &(&str, &str)| ((*field).to_owned(), (*value).to_owned());
        WhichEntries {
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            matches: matches.iter().map(|terms| terms.iter().map(term).collect()).collect(),
        }
    }

    fn wanted(include: WhichEntries, exclude: WhichEntries) -> Wanted {
        Wanted::new(&Journald {
            paths: Vec::new(),
            start: Start::Beginning,
            max_age: std::time::Duration::ZERO,
            include,
            exclude,
            priority: Some(4),
            fields: vec!["CODE_FILE".to_owned(), "_CMDLINE".to_owned(), "MESSAGE".to_owned()],
            max_line_bytes: 1024,
        })
    }

    #[test]
    fn all_terms_of_a_match_and_any_match_or_unit() {
        let both: &[(&str, &str)] = &[("A", "1"), ("B", "2")];
        let choice = wanted(which(&["shop-*"], &[both, &[("C", "3")]]), which(&[], &[&[("D", "4")]]));
        let bits = |fields: &[&str]| fields.iter().fold(0, |bits, it| bits | choice.terms(it.as_bytes()));
        let wants = |units: &[&str], fields: &[&str]| choice.wants(units, bits(fields), Some(4));
        assert!(wants(&[], &["A=1", "B=2", "X=5"]) && wants(&[], &["C=3"]));
        assert!(!wants(&[], &["A=1", "B=3"]) && !wants(&[], &[]) && !wants(&["web.service"], &["B=2"]));
        assert!(wants(&["user@1.service", "shop-web.service"], &[]));
        assert!(!wants(&["shop-web.service"], &["D=4"]));
        assert!(!choice.wants(&["shop-web.service"], 0, Some(5)), "less urgent");
        assert!(choice.wants(&["shop-web.service"], 0, None), "nobody knows how urgent");
        assert!(wanted(which(&[], &[]), which(&[], &[])).wants(&[], 0, Some(0)));
    }

    #[test]
    fn further_fields_go_along_under_names_that_loki_takes() {
        let wanted = wanted(which(&[], &[]), which(&[], &[]));
        let name = |field: &str| match wanted.key(field.as_bytes()) {
            Some(Key::More(number)) => wanted.name(number).to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(name("CODE_FILE"), "code_file");
        assert_eq!(name("_CMDLINE"), "cmdline");
        assert_eq!(name("_TRANSPORT"), "transport");
        assert_eq!(name("MESSAGE"), "Some(Message)");
        assert_eq!(name("OTHER"), "None");
    }
}
