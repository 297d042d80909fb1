//! `host.subjects`: each subject with the options that it has, which are the exporter's to list.

pub mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use taffrail_host::options::{self, OptionKind, SubjectOption};
use taffrail_host::{HostConfig, SUBJECTS};

use super::de::nearest;
use super::field::{Field, FieldSeed, OneOf, OneOfSeed};
use super::scalar::{Interval, Regex, Text};

/// Subjects by name, as written.
#[derive(Debug, Default)]
pub struct Subjects(pub BTreeMap<String, Field<OneOf<bool, Subject>>>);

/// One subject.
#[derive(Debug, Default)]
pub struct Subject {
    /// How often it is collected.
    pub interval: Field<Interval>,
    /// How long a run may take.
    pub budget: Field<Interval>,
    /// Its options by key.
    pub options: BTreeMap<&'static str, Given>,
}

/// The value of an option.
#[derive(Debug)]
pub enum Given {
    /// A regular expression.
    Regex(Field<Regex>),
    /// True or false.
    Flag(Field<bool>),
    /// A whole number within its bounds.
    Number(Field<usize>),
    /// A text.
    Text(Field<Text>),
    /// Which of the option's words are named.
    Words(Field<Vec<Field<usize>>>),
}

const INTERVAL: &str = "interval";
const BUDGET: &str = "budget";

/// The keys of each subject, as the reader wants them: for as long as the process lives.
static KEYS: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let keys = |subject| {
        let own = options::of(subject).flat_map(|option| option.keys).copied();
        [INTERVAL, BUDGET].into_iter().chain(own).collect()
    };
    SUBJECTS.iter().map(|about| (about.name, keys(about.name))).collect()
});

impl<'de> Deserialize<'de> for Subjects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SubjectsVisitor)
    }
}

struct SubjectsVisitor;

impl<'de> Visitor<'de> for SubjectsVisitor {
    type Value = Subjects;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of subjects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Subjects, A::Error> {
        let mut subjects = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let setting = match KEYS.get_key_value(name.as_str()) {
                Some((known, keys)) => {
                    map.next_value_seed(FieldSeed(OneOfSeed::new(SubjectSeed { name: known, keys })))?
                }
                // That there is no such subject is said later, and not what is wrong in it.
                None => map.next_value_seed(FieldSeed(OneOfSeed::new(Nothing)))?,
            };
            subjects.insert(name, setting);
        }
        Ok(Subjects(subjects))
    }
}

/// Reads what is written of a subject that does not exist.
struct Nothing;

impl<'de> DeserializeSeed<'de> for Nothing {
    type Value = Subject;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Subject, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Subject::default())
    }
}

/// Reads a subject with the keys that it has.
struct SubjectSeed {
    name: &'static str,
    keys: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for SubjectSeed {
    type Value = Subject;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Subject, D::Error> {
        deserializer.deserialize_struct("Subject", self.keys, self)
    }
}

impl<'de> Visitor<'de> for SubjectSeed {
    type Value = Subject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a mapping with the settings of `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Subject, A::Error> {
        let mut subject = Subject::default();
        while let Some(key) = map.next_key::<String>()? {
            let option = options::of(self.name).find_map(|option| {
                let key = option.keys.iter().find(|known| **known == key)?;
                Some((*key, &option.kind))
            });
            match (key.as_str(), option) {
                (INTERVAL, _) => subject.interval = map.next_value()?,
                (BUDGET, _) => subject.budget = map.next_value()?,
                (_, Some((key, kind))) => {
                    let given = match kind {
                        OptionKind::Filter(_) | OptionKind::Include(_) | OptionKind::Pattern(_) => {
                            Given::Regex(map.next_value()?)
                        }
                        OptionKind::Flag(_) => Given::Flag(map.next_value()?),
                        OptionKind::Text(_) => Given::Text(map.next_value()?),
                        OptionKind::Words(words, _) => {
                            Given::Words(map.next_value_seed(FieldSeed(Words(words)))?)
                        }
                        OptionKind::Number(bounds, _) => {
                            Given::Number(map.next_value_seed(FieldSeed(Number(bounds)))?)
                        }
                    };
                    subject.options.insert(key, given);
                }
                // The reader knows the keys, and has refused any other.
                (_, None) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(subject)
    }
}

/// Reads a whole number within bounds.
struct Number(&'static RangeInclusive<usize>);

impl<'de> DeserializeSeed<'de> for Number {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.parse::<usize>().ok().filter(|number| self.0.contains(number));
        let (least, most) = (self.0.start(), self.0.end());
        number
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a whole number from {least} to {most}")))
    }
}

/// Reads a list of words, as their places among those that there are.
struct Words(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Words {
    type Value = Vec<Field<usize>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Words {
    type Value = Vec<Field<usize>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut places = Vec::new();
        while let Some(place) = items.next_element_seed(FieldSeed(Word(self.0)))? {
            places.push(place);
        }
        Ok(places)
    }
}

/// Reads one of some words.
struct Word(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Word {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        let text = String::deserialize(deserializer)?;
        self.0.iter().position(|word| *word == text).ok_or_else(|| {
            let guess = nearest(&text, self.0.iter().copied());
            let guess = guess.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
            D::Error::custom(format!(
                "`{text}` is none of the words{guess}\nvalid here: {}",
                self.0.join(", ")
            ))
        })
    }
}

impl Subject {
    /// Lays its options over `config`.
    pub fn apply(&self, name: &str, config: &mut HostConfig) {
        for option in options::of(name) {
            self.apply_one(option, config);
        }
    }

    fn apply_one(&self, option: &SubjectOption, config: &mut HostConfig) {
        let regex = |place: usize| match option.keys.get(place).and_then(|key| self.options.get(key)) {
            Some(Given::Regex(field)) => field.get().map(|regex| regex.0.clone()),
            _ => None,
        };
        match &option.kind {
            OptionKind::Filter(at) => {
                let filter = at(config);
                match (regex(0), regex(1)) {
                    (None, None) => {}
                    // Who names what to include wants just that: what is excluded by default comes back.
                    (Some(include), exclude) => (filter.include, filter.exclude) = (Some(include), exclude),
                    (None, exclude) => filter.exclude = exclude,
                }
            }
            OptionKind::Include(at) => {
                if let Some(include) = regex(0) {
                    at(config).include = Some(include);
                }
            }
            OptionKind::Pattern(at) => {
                if let Some(pattern) = regex(0) {
                    *at(config) = Some(pattern);
                }
            }
            OptionKind::Flag(at) => {
                if let Some(Given::Flag(Field::Good(_, on))) = self.options.get(option.keys[0]) {
                    *at(config) = *on;
                }
            }
            OptionKind::Text(at) => {
                if let Some(Given::Text(Field::Good(_, text))) = self.options.get(option.keys[0]) {
                    *at(config) = Some(text.0.clone());
                }
            }
            OptionKind::Words(_, at) => {
                if let Some(Given::Words(Field::Good(_, places))) = self.options.get(option.keys[0]) {
                    let named = |place| places.iter().any(|named| named.get() == Some(&place));
                    at(config).iter_mut().enumerate().for_each(|(place, on)| *on = named(place));
                }
            }
            OptionKind::Number(_, at) => {
                if let Some(Given::Number(Field::Good(_, number))) = self.options.get(option.keys[0]) {
                    *at(config) = *number;
                }
            }
        }
    }
}

/// Of a key that is unknown below `host.subjects`: which subjects have it, if any has.
pub fn elsewhere(path: &str) -> Option<String> {
    let (subject, key) = path.strip_prefix("host.subjects.")?.split_once('.')?;
    let others = options::OPTIONS.iter().filter(|option| option.keys.contains(&key));
    let others: Vec<&str> = others.map(|option| option.subject).collect();
    let others = (!others.is_empty()).then(|| others.join(", "))?;
    Some(format!("the subject `{subject}` has no `{key}`: it belongs to {others}"))
}

#[cfg(test)]
mod tests;
