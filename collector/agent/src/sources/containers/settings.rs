//! What a container says itself of its logs: the labels `taffrail.…`.

use taffrail_container::inventory::Container;
use taffrail_stages::multiline::{Join, Preset, Rule};
use taffrail_stages::stage::{Json, Logfmt};
use taffrail_stages::{Stage, Stages};

use crate::config::LogSource;
use crate::logs::chunk::MAX_BYTES;

/// Settings of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// It is not to be read.
    pub(super) off: bool,
    /// The label `service_name` of its streams.
    pub(super) service: Option<String>,
    /// How its lines are written.
    pub(super) format: Option<Lines>,
    /// In what language entries of several lines are written.
    pub(super) multiline: Option<Preset>,
    /// Whether its lines are the last to go where the log on disk is full.
    pub(super) keep: Option<bool>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lines {
    /// As JSON objects.
    Json,
    /// As `key=value` pairs.
    Logfmt,
}

/// What all labels that this is about begin with.
const PREFIX: &str = "taffrail.";

impl Settings {
    /// Those of `container`, and what is wrong with its labels, in words. A label that is wrong counts as not there.
    pub(super) fn of(container: &Container) -> (Settings, Vec<String>) {
        let (mut settings, mut wrong) = (Settings::default(), Vec::new());
        for (name, value) in container.labels.range(PREFIX.to_owned()..) {
            let Some(key) = name.strip_prefix(PREFIX) else { break };
            let value = value.trim();
            let right = match (key, value) {
                ("logs", "off" | "false") => {
                    settings.off = true;
                    continue;
                }
                ("logs", "on" | "true") | ("logs.format", "plain") => continue,
                ("logs", _) => "`off` or `on`",
                ("service", "") => "the service's name",
                ("service", _) => {
                    settings.service = Some(value.to_owned());
                    continue;
                }
                ("logs.format", "json" | "logfmt") => {
                    settings.format = Some(if value == "json" { Lines::Json } else { Lines::Logfmt });
                    continue;
                }
                ("logs.format", _) => "`plain`, `json` or `logfmt`",
                ("logs.multiline", name) => {
                    settings.multiline = Preset::ALL.into_iter().find(|preset| preset.name() == name);
                    if settings.multiline.is_some() {
                        continue;
                    }
                    "`java`, `python`, `go`, `rust`, `node` or `dotnet`"
                }
                ("logs.keep", "true" | "false") => {
                    settings.keep = Some(value == "true");
                    continue;
                }
                ("logs.keep", _) => "`true` or `false`",
                (key, _) if key.starts_with("logs.") => {
                    wrong.push(format!(
                        "its label `{name}` is not known; known are `taffrail.logs`, `taffrail.logs.format`, \
                         `taffrail.logs.keep`, `taffrail.logs.multiline` and `taffrail.service`"
                    ));
                    continue;
                }
                // Somebody else's.
                _ => continue,
            };
            wrong.push(format!(
                "its label `{name}` is `{value}`, and should be {right}; it counts as not there"
            ));
        }
        (settings, wrong)
    }

    /// The stages of the source, whose lines have `max_line` bytes at most, with what the container asks for.
    pub(super) fn stages(&self, source: &LogSource, max_line: usize) -> Stages {
        let mut stages = source.stages.clone();
        let stage = match self.format {
            None => None,
            Some(Lines::Json) => Some(Stage::Json(Json::default())),
            Some(Lines::Logfmt) => Some(Stage::Logfmt(Logfmt::default())),
        };
        // Behind the level, which looks at the line itself, and before all that may ask for fields.
        let at = stages.iter().take_while(|stage| matches!(stage, Stage::Level(_))).count();
        stages.splice(at..at, stage);
        let join =
            |preset| Join { max_bytes: max_line.min(MAX_BYTES - 1), ..Join::new(Rule::Preset(preset)) };
        Stages::new(stages).joining(self.multiline.map(join).or_else(|| source.multiline.clone()))
    }
}

#[cfg(test)]
mod tests {
    use taffrail_stages::Entry;
    use taffrail_stages::format::Format;
    use taffrail_stages::stage::LevelStage;

    use super::*;
    use crate::config::{Files, Reads, Start};

    fn of(labels: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::of(&Container { labels, ..Container::default() })
    }

    #[test]
    fn labels_that_say_something() {
        let (settings, wrong) = of(&[
            ("a", "b"),
            ("taffrail.logs", "on"),
            ("taffrail.logs.format", "json"),
            ("taffrail.logs.keep", "true"),
            ("taffrail.logs.multiline", "java"),
            ("taffrail.scrape", "x"),
            ("taffrail.service", "shop"),
            ("traefik.enable", "true"),
        ]);
        let (service, format) = (Some("shop".into()), Some(Lines::Json));
        let (multiline, keep) = (Some(Preset::Java), Some(true));
        let expected = Settings { off: false, service, format, multiline, keep };
        assert_eq!((settings, wrong), (expected, vec![]));
        assert!(of(&[("taffrail.logs", "off")]).0.off);
    }

    #[test]
    fn a_wrong_label_is_told_of_and_changes_nothing() {
        let (settings, wrong) = of(&[
            ("taffrail.logs", "of"),
            ("taffrail.logs.format", "xml"),
            ("taffrail.logs.keep", "yes"),
            ("taffrail.logs.multilin", "java"),
        ]);
        assert_eq!(settings, Settings::default());
        assert_eq!(
            wrong,
            [
                "its label `taffrail.logs` is `of`, and should be `off` or `on`; it counts as not there",
                "its label `taffrail.logs.format` is `xml`, and should be `plain`, `json` or `logfmt`; it counts as \
                 not there",
                "its label `taffrail.logs.keep` is `yes`, and should be `true` or `false`; it counts as not there",
                "its label `taffrail.logs.multilin` is not known; known are `taffrail.logs`, `taffrail.logs.format`, \
                 `taffrail.logs.keep`, `taffrail.logs.multiline` and `taffrail.service`",
            ]
        );
    }

    #[test]
    fn what_a_container_asks_for_is_laid_over_the_source() {
        let source = |stages, multiline| LogSource {
            name: "a".into(),
            labels: [].into(),
            reads: Reads::Files(Files {
                include: vec![],
                exclude: vec![],
                start: Start::End,
                positions_from: None,
                format: Format::Docker,
                max_line_bytes: 1000,
            }),
            multiline,
            stages,
            keep: false,
        };
        let level = Stage::Level(LevelStage::default());
        let settings = Settings { format: Some(Lines::Logfmt), ..Settings::default() };
        let stages = settings.stages(&source(vec![level, Stage::Decolorize], None), 1000);
        let mut entry = Entry::default();
        entry.begin("level=warn a=b".into(), 1, 1);
        let (_, steps) = stages.explain(&mut entry);
        assert_eq!(
            steps.iter().map(|step| step.stage).collect::<Vec<_>>(),
            ["level", "logfmt", "decolorize"]
        );
        let go = Join::new(Rule::Preset(Preset::Go));
        let of_source = Settings::default().stages(&source(vec![], Some(go.clone())), 1000);
        assert_eq!(of_source.join(), Some(&go));
        let java = Settings { multiline: Some(Preset::Java), ..Settings::default() };
        let join = java.stages(&source(vec![], Some(go)), 1000);
        let join = join.join().unwrap();
        assert_eq!((&join.rule, join.max_bytes), (&Rule::Preset(Preset::Java), 1000));
    }
}
