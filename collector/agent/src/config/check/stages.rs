//! `logs.stages`: each does one thing, and what it is told makes sense.

use taffrail_stages::path::Path;
use taffrail_stages::pattern::Pattern;
use taffrail_stages::redact::Settings;
use taffrail_stages::stage::{
    Condition, Json, Label, Labels, LevelStage, Limit, Logfmt, Metadata, OnFailure, Output, PatternStage,
    RedactStage, Regex, Sampling, Stage, TemplateStage, Timestamp,
};
use taffrail_stages::template::Template;
use taffrail_stages::timeformat::{Format, Zone};

use super::Checker;
use super::logs::RESERVED;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{Origin, Text};
use crate::config::source::Span;
use crate::config::written::{LogSource, stages as written};

/// The most stages of a source.
const MOST: usize = 100;

impl Checker<'_> {
    /// The stages of a source behind those of its preset, and those that are there by default.
    pub(super) fn stages(&mut self, source: &LogSource, preset: Vec<Stage>) -> Vec<Stage> {
        let mut stages = preset;
        if let Some((at, list)) = source.stages.good() {
            if list.len() > MOST {
                self.fault(at, format!("{} stages are too many", list.len()), format!("at most {MOST}"));
            }
            stages
                .extend(list.iter().filter_map(Field::good).filter_map(|(at, stage)| self.stage(at, stage)));
        }
        if source.errors.get() == Some(&true) && !stages.iter().any(|stage| matches!(stage, Stage::Errors(_)))
        {
            // As the line was written: the others may take apart what tells errors from each other.
            let at = source.errors.span().unwrap_or_default();
            stages.splice(0..0, self.errors(at, None));
        }
        let level = source.level.get().copied().unwrap_or(true);
        if level && !stages.iter().any(|stage| matches!(stage, Stage::Level(_))) {
            // Before all others: they may take the level out of the line.
            stages.insert(0, Stage::Level(LevelStage::default()));
        }
        let redact = source.redact.get().copied().unwrap_or(true);
        if redact && !stages.iter().any(|stage| matches!(stage, Stage::Redact(_))) {
            // Behind all others, so that nothing leaves that they make of the line.
            stages
                .extend(RedactStage::new(Settings::default()).ok().map(|stage| Stage::Redact(stage.last())));
        }
        stages
    }

    fn stage(&mut self, at: Span, stage: &written::Stage) -> Option<Stage> {
        let kinds = [
            stage.json.span(),
            stage.logfmt.span(),
            stage.regex.span(),
            stage.pattern.span(),
            stage.timestamp.span(),
            stage.labels.span(),
            stage.structured_metadata.span(),
            stage.trace_context.span(),
            stage.level.span(),
            stage.template.span(),
            stage.output.span(),
            stage.decolorize.span(),
            stage.redact.span(),
            stage.drop.span(),
            stage.keep.span(),
            stage.sampling.span(),
            stage.limit.span(),
            stage.multiline.span(),
            stage.meter.span(),
            stage.metrics.span(),
            stage.errors.span(),
        ];
        let mut kinds: Vec<Span> = kinds.into_iter().flatten().collect();
        kinds.sort_by_key(|span| span.start);
        match kinds.as_slice() {
            // A key that is not there was said already.
            [] if self.said(at) => return None,
            [] => {
                self.fault(
                    at,
                    "the stage does not say what to do",
                    "add `drop: {expression: REGEX}`, or another stage",
                );
                return None;
            }
            [_] => {}
            [_, second, ..] => {
                self.fault(
                    *second,
                    "a stage does one thing, and this is a second one",
                    "begin a new item of the list with it: `- …`",
                );
                return None;
            }
        }
        if let Some((_, json)) = stage.json.good() {
            return self.json(json);
        }
        if let Some((_, logfmt)) = stage.logfmt.good() {
            return Some(logfmt_stage(logfmt));
        }
        if let Some((at, regex)) = stage.regex.good() {
            let (expression_at, expression) =
                self.needed(at, &regex.expression, "expression: (?P<name>…)")?;
            let made = Regex::new(text(&regex.source), expression.0.clone());
            return self.made(expression_at, made).map(Stage::Regex);
        }
        if let Some((at, pattern)) = stage.pattern.good() {
            let (expression_at, expression) =
                self.needed(at, &pattern.expression, "expression: \"<name> <_>\"")?;
            let pattern_made = self.made(expression_at, Pattern::parse(&expression.0))?;
            return Some(Stage::Pattern(PatternStage {
                source: text(&pattern.source),
                pattern: pattern_made,
            }));
        }
        if let Some((at, timestamp)) = stage.timestamp.good() {
            return self.timestamp(at, timestamp);
        }
        if let Some((at, labels)) = stage.labels.good() {
            return self.label_stage(at, labels);
        }
        if let Some((at, metadata)) = stage.structured_metadata.good() {
            if metadata.is_empty() {
                self.fault(at, "`structured_metadata` names no field", "add NAME: FIELD");
            }
            let pairs = metadata.iter().filter_map(|(name, origin)| Some((&name.0, origin.get()?.as_ref())));
            return Some(Stage::Metadata(Metadata {
                metadata: pairs.map(|(name, origin)| named(name, origin)).collect(),
            }));
        }
        if let Some((at, template)) = stage.template.good() {
            let (template_at, written) = self.needed(at, &template.template, "template: \"{{ .field }}\"")?;
            let made = self.made(template_at, Template::parse(&written.0))?;
            return Some(Stage::Template(TemplateStage { source: text(&template.source), template: made }));
        }
        if let Some((at, output)) = stage.output.good() {
            let (_, source) = self.needed(at, &output.source, "source: FIELD")?;
            return Some(Stage::Output(Output { source: source.0.clone() }));
        }
        self.simple(stage)
    }

    /// The stages that choose among entries, and those without keys.
    fn simple(&mut self, stage: &written::Stage) -> Option<Stage> {
        if let Some((at, sampling)) = stage.sampling.good() {
            let (rate_at, rate) = self.needed(at, &sampling.rate, "rate: 0.1")?;
            return self.made(rate_at, Sampling::new(text(&sampling.source), *rate)).map(Stage::Sampling);
        }
        if let Some((at, limit)) = stage.limit.good() {
            let (rate_at, rate) = self.needed(at, &limit.rate, "rate: 100")?;
            if let Some((at, false)) = limit.drop.good().map(|(at, drop)| (at, *drop)) {
                self.fault(
                    at,
                    "`limit` does not wait",
                    "remove the key: what is over the limit is left out, and counted",
                );
            }
            let made = Limit::new(*rate, limit.burst.get().copied(), text(&limit.by));
            return self.made(rate_at, made).map(Stage::Limit);
        }
        if let Some((at, condition)) = stage.drop.good() {
            return self.condition(at, "drop", condition).map(Stage::Drop);
        }
        if let Some((at, condition)) = stage.keep.good() {
            return self.condition(at, "keep", condition).map(Stage::Keep);
        }
        if let Some((at, metrics)) = stage.meter.good() {
            return self.meter(at, metrics);
        }
        if let Some((at, metrics)) = stage.metrics.good() {
            return self.promtail_metrics(at, metrics);
        }
        if let Some((at, errors)) = stage.errors.good() {
            return self.errors(at, text(&errors.version));
        }
        if let Some((at, redact)) = stage.redact.good() {
            return self.redact(at, redact);
        }
        if let Some((_, level)) = stage.level.good() {
            return Some(Stage::Level(LevelStage { source: text(&level.source) }));
        }
        if stage.trace_context.get().is_some() {
            return Some(Stage::TraceContext);
        }
        stage.decolorize.get().map(|_| Stage::Decolorize)
    }

    fn json(&mut self, json: &written::Json) -> Option<Stage> {
        let mut expressions = Vec::new();
        for (name, origin) in json.expressions.get().into_iter().flatten() {
            let Some((at, origin)) = origin.good() else { continue };
            // An empty one is the member of that name, dots and all.
            let path = match origin.as_ref().filter(|origin| !origin.0.is_empty()) {
                Some(origin) => Path::parse(&origin.0),
                None => Ok(Path::member(&name.0)),
            };
            expressions.extend(self.made(at, path).map(|path| (name.0.clone(), path)));
        }
        let drop_malformed = json.drop_malformed.get().copied().unwrap_or(false);
        Some(Stage::Json(Json { source: text(&json.source), expressions, drop_malformed }))
    }

    fn timestamp(&mut self, at: Span, written: &written::Timestamp) -> Option<Stage> {
        let source = self.needed(at, &written.source, "source: FIELD");
        let (format_at, format) = self.needed(at, &written.format, "format: RFC3339")?;
        let mut formats: Vec<Format> = self.made(format_at, Format::parse(&format.0)).into_iter().collect();
        for (at, format) in written.fallback_formats.get().into_iter().flatten().filter_map(Field::good) {
            formats.extend(self.made(at, Format::parse(&format.0)));
        }
        if let (Some(_), Some(at)) = (written.timezone.get(), written.location.span()) {
            self.fault(at, "`location` and `timezone` are the same", "keep one of them");
        }
        let zone = match written.timezone.good().or(written.location.good()) {
            Some((at, zone)) => self.made(at, Zone::parse(&zone.0))?,
            None => Zone::default(),
        };
        let on_failure = match written.action_on_failure.get() {
            None | Some(written::OnFailure::Fudge) => OnFailure::Fudge,
            Some(written::OnFailure::Skip) => OnFailure::Skip,
        };
        let (_, source) = source?;
        Some(Stage::Timestamp(Timestamp { source: Some(source.0.clone()), formats, zone, on_failure }))
    }

    fn label_stage(&mut self, at: Span, written: &LabelMap) -> Option<Stage> {
        if written.is_empty() {
            self.fault(at, "`labels` names no label", "add NAME: FIELD");
        }
        let mut labels = Vec::new();
        for (name, label) in written {
            let Some((at, label)) = label.good() else { continue };
            if let Some((_, help)) = RESERVED.iter().find(|(reserved, _)| *reserved == name.0) {
                self.fault(at, format!("the label `{}` cannot be set here", name.0), *help);
            }
            let (origin, values) = match label {
                OneOf::Short(origin) => (origin.0.clone(), Vec::new()),
                OneOf::Long(long) => {
                    let values = long.values.get().into_iter().flatten().filter_map(Field::get);
                    (text(&long.source).unwrap_or_default(), values.map(|value| value.0.clone()).collect())
                }
            };
            let (name, source) = named(&name.0, Some(&Origin(origin)));
            labels.push(Label { name, source, values });
        }
        Some(Stage::Labels(Labels { labels }))
    }

    fn condition(&mut self, at: Span, name: &str, written: &written::Condition) -> Option<Condition> {
        let condition = Condition {
            source: text(&written.source),
            expression: written.expression.get().map(|expression| expression.0.clone()),
            value: written.value.get().map(|value| value.0.clone()),
            longer_than: written.longer_than.get().map(|size| size.0),
            older_than_ns: written
                .older_than
                .get()
                .map(|age| i64::try_from(age.0.as_nanos()).unwrap_or(i64::MAX)),
        };
        let bad = [
            written.source.span(),
            written.expression.span(),
            written.value.span(),
            written.longer_than.span(),
            written.older_than.span(),
        ];
        if bad.iter().all(Option::is_none) {
            self.fault(at, format!("`{name}` names no lines"), "add `expression: REGEX`");
            return None;
        }
        Some(condition)
    }

    /// Whether something within this place is known to be wrong.
    pub(super) fn said(&self, at: Span) -> bool {
        let within = |span: Span| span.source == at.source && (at.start..at.end).contains(&span.start);
        self.faults.iter().any(|fault| fault.span.is_some_and(within))
    }

    /// The value of a key that has to be there.
    pub(super) fn needed<'f, T>(
        &mut self,
        at: Span,
        field: &'f Field<T>,
        example: &str,
    ) -> Option<(Span, &'f T)> {
        if matches!(field, Field::Absent) {
            let key = example.split(':').next().unwrap_or(example);
            self.fault(at, format!("`{key}` is missing"), format!("add {example}"));
        }
        field.good()
    }

    /// What was made of a text; an error has what would be right behind a line feed.
    pub(super) fn made<T>(&mut self, at: Span, made: Result<T, String>) -> Option<T> {
        made.map_err(|error| {
            let (what, help) = error.split_once('\n').unwrap_or((&error, "see docs/guides/stages.md"));
            self.fault(at, what, help);
        })
        .ok()
    }
}

type LabelMap =
    std::collections::BTreeMap<crate::config::scalar::LabelName, Field<OneOf<Origin, written::Label>>>;

fn logfmt_stage(written: &written::Logfmt) -> Stage {
    let pairs = written.mapping.get().into_iter().flatten();
    let pairs = pairs.filter_map(|(name, origin)| Some(named(&name.0, origin.get()?.as_ref())));
    Stage::Logfmt(Logfmt { source: text(&written.source), mapping: pairs.collect() })
}

fn text(field: &Field<Text>) -> Option<String> {
    field.get().map(|text| text.0.clone())
}

/// A name with where its value comes from: from what has the same name, where nothing is said.
fn named(name: &str, origin: Option<&Origin>) -> (String, String) {
    let origin = origin.map(|origin| origin.0.as_str()).filter(|origin| !origin.is_empty());
    (name.to_owned(), origin.unwrap_or(name).to_owned())
}
