//! `host.subjects`: each subject with the options that it has, which are the exporter's to list.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use taffrail_core::Pattern;
use taffrail_host::options::{self, OptionKind, SubjectOption};
use taffrail_host::{HostConfig, SUBJECTS};

use super::defaults;
use super::field::{Field, FieldSeed, OneOf, OneOfSeed};
use super::scalar::{Interval, Regex};

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

/// The keys of the subject `name` that others do not have, with their JSON schemas.
pub fn keys_of(name: &str) -> Map<String, Value> {
    let mut config = HostConfig::default();
    let mut keys = Map::new();
    for option in options::of(name) {
        let pattern = |pattern: &Option<Pattern>| pattern.as_ref().map(|pattern| json!(pattern.as_str()));
        let (kind, defaults) = match &option.kind {
            OptionKind::Filter(at) | OptionKind::Include(at) => {
                let filter = at(&mut config);
                (REGEX, vec![pattern(&filter.include), pattern(&filter.exclude)])
            }
            OptionKind::Pattern(at) => (REGEX, vec![pattern(at(&mut config))]),
            OptionKind::Flag(at) => (FLAG, vec![Some(json!(*at(&mut config)))]),
            OptionKind::Number(_, at) => (NUMBER, vec![Some(json!(*at(&mut config)))]),
        };
        for ((place, key), default) in option.keys.iter().enumerate().zip(defaults) {
            let mut schema: Map<String, Value> =
                kind.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            if let OptionKind::Number(bounds, _) = &option.kind {
                schema.insert("minimum".to_owned(), json!(bounds.start()));
                schema.insert("maximum".to_owned(), json!(bounds.end()));
            }
            schema.insert("description".to_owned(), meaning(option, place).into());
            schema.extend(default.map(|default| ("default".to_owned(), default)));
            keys.insert((*key).to_owned(), schema.into());
        }
    }
    keys
}

/// JSON schemas of what options take.
const REGEX: &[(&str, &str)] = &[("type", "string"), ("format", "re2")];
const FLAG: &[(&str, &str)] = &[("type", "boolean")];
const NUMBER: &[(&str, &str)] = &[("type", "integer")];

/// What the key at `place` does.
fn meaning(option: &SubjectOption, place: usize) -> String {
    match (&option.kind, place) {
        (OptionKind::Filter(_), 0) => format!("Only these {}.", option.about),
        (OptionKind::Filter(_), _) => format!("Not these {}.", option.about),
        _ => option.about.to_owned(),
    }
}

impl JsonSchema for Subjects {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Subjects".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        for about in SUBJECTS {
            let mut of_subject = common();
            of_subject.extend(keys_of(about.name));
            let long = json!({
                "type": "object", "properties": of_subject, "additionalProperties": false
            });
            properties.insert(
                about.name.to_owned(),
                json!({ "description": about.description, "anyOf": [{"type": "boolean"}, long] }),
            );
        }
        json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
    }
}

/// The keys that every subject has, with their JSON schemas.
pub fn common() -> Map<String, Value> {
    let texts = [
        (INTERVAL, "How often it is collected. Default: as often as the host.", None),
        (
            BUDGET,
            "How long a run may take before the others are served without it. A subject that takes longer runs more \
             seldom by itself, up to eight times its interval, until it is quick again.",
            Some(defaults::BUDGET),
        ),
    ];
    let mut keys = Map::new();
    for (key, text, default) in texts {
        let mut schema = Interval::json_schema(&mut SchemaGenerator::default()).to_value();
        schema["description"] = text.into();
        if let Some(default) = default {
            schema["default"] = default.into();
        }
        keys.insert(key.to_owned(), schema);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, load_text};

    /// The host's settings with `value` for `key` of `subject`.
    fn with(subject: &str, key: &str, value: &str) -> HostConfig {
        let text = format!("host: {{subjects: {{{subject}: {{{key}: {value}}}}}}}\n");
        let config = load_text(Source::new("t.yml", text.as_str(), ""), &[], &|_| None);
        config.unwrap_or_else(|errors| panic!("{text}{errors}")).host.unwrap().config
    }

    #[test]
    fn every_option_reaches_its_field() {
        for option in options::OPTIONS {
            for (place, key) in option.keys.iter().enumerate() {
                let at_default = &mut HostConfig::default();
                let found = |pattern: &Option<Pattern>| pattern.as_ref().map(|p| p.as_str().to_owned());
                match &option.kind {
                    OptionKind::Filter(at) | OptionKind::Include(at) => {
                        let filter = at(&mut with(option.subject, key, "^x$")).clone();
                        let set = if place == 0 { &filter.include } else { &filter.exclude };
                        assert_eq!(found(set).as_deref(), Some("^x$"), "{option:?}");
                        if place == 0 && option.keys.len() > 1 {
                            assert_eq!(filter.exclude, None, "what is named is wanted: {option:?}");
                        } else {
                            assert_eq!(
                                filter.include.is_some(),
                                place == 0 || at(at_default).include.is_some()
                            );
                        }
                    }
                    OptionKind::Pattern(at) => {
                        let set = found(at(&mut with(option.subject, key, "^x$")));
                        assert_eq!(set.as_deref(), Some("^x$"), "{option:?}");
                    }
                    OptionKind::Number(bounds, at) => {
                        let set = *at(&mut with(option.subject, key, &bounds.end().to_string()));
                        assert_eq!(set, *bounds.end(), "{option:?}");
                        assert_ne!(set, *at(at_default), "{option:?}");
                    }
                    OptionKind::Flag(at) => {
                        let other = !*at(at_default);
                        let set = *at(&mut with(option.subject, key, &other.to_string()));
                        assert_eq!(set, other, "{option:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_subject_is_turned_on_and_off_and_given_its_time() {
        for about in SUBJECTS {
            let text = |setting: &str| format!("host: {{subjects: {{{}: {setting}}}}}\n", about.name);
            let schedule = |setting: &str| {
                let config = load_text(Source::new("t.yml", text(setting), ""), &[], &|_| None).unwrap();
                config.host.unwrap().config.schedule(about.name)
            };
            assert!(!schedule("false").on && schedule("true").on && schedule("{}").on && schedule("").on);
            let timed = schedule("{interval: 2m, budget: 700ms}");
            assert!(timed.on);
            assert_eq!(timed.interval.map(|interval| interval.as_secs()), Some(120));
            assert_eq!(timed.budget.as_millis(), 700);
        }
    }
}
