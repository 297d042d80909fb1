//! Presets: how the lines of a well-known program are taken apart, joined and measured.

mod access;
mod celery;
mod postgres;
mod redis;

use std::sync::Arc;

use taffrail_core::Pattern;

use crate::multiline::{Join, Rule};
use crate::stage::{
    Action, Kind, Metadata, Meter, MeterLabel, Metric, OnFailure, Regex, Stage, TemplateStage, Timestamp,
};
use crate::template::Template;
use crate::timeformat::{Format, Zone};

/// A program whose logs are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// PostgreSQL's server log, with a `log_line_prefix` that begins `%m [%p] `.
    Postgres,
    /// nginx' access log, in the format `combined`, with or without `$request_time` behind it.
    Nginx,
    /// Apache's access log, in the formats `common` and `combined`, with or without `%D` behind it.
    Apache,
    /// Traefik's access log, in its common format and in JSON.
    Traefik,
    /// Redis' and Valkey's log.
    Redis,
    /// The log of Celery's workers.
    Celery,
}

/// What a preset is made of.
#[derive(Debug)]
pub struct Preset {
    /// How lines are joined.
    pub join: Option<Join>,
    /// What they pass through.
    pub stages: Vec<Stage>,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Postgres, Self::Nginx, Self::Apache, Self::Traefik, Self::Redis, Self::Celery];

    /// How its lines are understood. An error is a defect here, and says which.
    pub fn preset(self) -> Result<Preset, String> {
        match self {
            Self::Postgres => postgres::preset(),
            Self::Nginx => access::nginx(),
            Self::Apache => access::apache(),
            Self::Traefik => access::traefik(),
            Self::Redis => redis::preset(),
            Self::Celery => celery::preset(),
        }
    }
}

/// The upper bounds of durations in seconds.
const SECONDS: [f64; 13] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| error.to_string())
}

fn first_line(text: &str) -> Result<Option<Join>, String> {
    Ok(Some(Join::new(Rule::FirstLine(pattern(text)?))))
}

/// Fields from a field, or from the line.
fn regex(source: Option<&str>, expression: &str) -> Result<Stage, String> {
    Regex::new(source.map(str::to_owned), pattern(expression)?).map(Stage::Regex)
}

/// A field made of others.
fn template(field: &str, text: &str) -> Result<Stage, String> {
    Ok(Stage::Template(TemplateStage { source: Some(field.to_owned()), template: Template::parse(text)? }))
}

/// The entry's time, from the field `time`; where it is not there, the time of reading.
fn time(formats: &[&str]) -> Result<Stage, String> {
    let formats = formats.iter().map(|format| Format::parse(format)).collect::<Result<_, _>>()?;
    let (zone, on_failure) = (Zone::default(), OnFailure::Skip);
    Ok(Stage::Timestamp(Timestamp { source: Some("time".to_owned()), formats, zone, on_failure }))
}

fn metadata(names: &[&str]) -> Stage {
    let metadata = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    Stage::Metadata(Metadata { metadata })
}

fn meter(metrics: impl IntoIterator<Item = Metric>) -> Stage {
    Stage::Meter(Meter { metrics: metrics.into_iter().map(Arc::new).collect() })
}

fn label(name: &str, values: &[&str]) -> MeterLabel {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    MeterLabel { name: name.to_owned(), source: name.to_owned(), values }
}

fn counter(name: &str, help: &str, source: &str, labels: Vec<MeterLabel>) -> Metric {
    Metric {
        name: name.to_owned(),
        help: help.to_owned(),
        kind: Kind::Counter,
        action: Action::Inc,
        source: Some(source.to_owned()),
        value: None,
        scale: 1.0,
        labels,
        labels_of_entry: false,
        max_idle: None,
    }
}

/// Of durations in the field `took`: seconds, or with their unit.
fn durations(name: &str, help: &str, labels: Vec<MeterLabel>) -> Metric {
    let kind = Kind::Histogram(SECONDS.to_vec());
    Metric { kind, action: Action::Set, ..counter(name, help, "took", labels) }
}

#[cfg(test)]
mod tests;
