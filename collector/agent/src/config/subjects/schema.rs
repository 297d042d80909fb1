//! What the JSON schema and the reference tell of subjects and their options.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use taffrail_core::Pattern;
use taffrail_host::options::{self, OptionKind, SubjectOption};
use taffrail_host::{HostConfig, SUBJECTS};

use super::{BUDGET, INTERVAL, Subjects};
use crate::config::defaults;
use crate::config::scalar::Interval;

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
            OptionKind::Text(at) => (TEXT, vec![at(&mut config).as_ref().map(|text| json!(text))]),
            OptionKind::Words(words, at) => {
                let on = words.iter().zip(at(&mut config)).filter(|(_, on)| **on);
                (WORDS, vec![Some(on.map(|(word, _)| json!(word)).collect())])
            }
            OptionKind::Number(_, at) => (NUMBER, vec![Some(json!(*at(&mut config)))]),
        };
        for ((place, key), default) in option.keys.iter().enumerate().zip(defaults) {
            let mut schema: Map<String, Value> =
                kind.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            if let OptionKind::Number(bounds, _) = &option.kind {
                schema.insert("minimum".to_owned(), json!(bounds.start()));
                schema.insert("maximum".to_owned(), json!(bounds.end()));
            }
            if let OptionKind::Words(words, _) = &option.kind {
                schema.insert("items".to_owned(), json!({ "type": "string", "enum": words }));
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
const TEXT: &[(&str, &str)] = &[("type", "string")];
const WORDS: &[(&str, &str)] = &[("type", "array")];
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
