//! What a container says itself of its logs: the labels `taffrail.…`.

use taffrail_container::inventory::Container;
use taffrail_stages::Stage;
use taffrail_stages::stage::{Json, Logfmt};

/// Settings of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// It is not to be read.
    pub(super) off: bool,
    /// The label `service_name` of its streams.
    pub(super) service: Option<String>,
    /// How its lines are written.
    pub(super) format: Option<Lines>,
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
                (key, _) if key.starts_with("logs.") => {
                    wrong.push(format!(
                        "its label `{name}` is not known; known are `taffrail.logs`, `taffrail.logs.format` and \
                         `taffrail.service`"
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

    /// Adds what the container asks for to the stages of the source.
    pub(super) fn stages(&self, stages: &[Stage]) -> Vec<Stage> {
        let mut stages = stages.to_vec();
        let stage = match self.format {
            None => return stages,
            Some(Lines::Json) => Stage::Json(Json::default()),
            Some(Lines::Logfmt) => Stage::Logfmt(Logfmt::default()),
        };
        // Behind the level, which looks at the line itself, and before all that may ask for fields.
        let at = stages.iter().take_while(|stage| matches!(stage, Stage::Level(_))).count();
        stages.insert(at, stage);
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("taffrail.scrape", "x"),
            ("taffrail.service", "shop"),
            ("traefik.enable", "true"),
        ]);
        let expected = Settings { off: false, service: Some("shop".into()), format: Some(Lines::Json) };
        assert_eq!((settings, wrong), (expected, vec![]));
        assert!(of(&[("taffrail.logs", "off")]).0.off);
    }

    #[test]
    fn a_wrong_label_is_told_of_and_changes_nothing() {
        let (settings, wrong) = of(&[
            ("taffrail.logs", "of"),
            ("taffrail.logs.format", "xml"),
            ("taffrail.logs.multilin", "java"),
        ]);
        assert_eq!(settings, Settings::default());
        assert_eq!(
            wrong,
            [
                "its label `taffrail.logs` is `of`, and should be `off` or `on`; it counts as not there",
                "its label `taffrail.logs.format` is `xml`, and should be `plain`, `json` or `logfmt`; it counts as \
                 not there",
                "its label `taffrail.logs.multilin` is not known; known are `taffrail.logs`, `taffrail.logs.format` \
                 and `taffrail.service`",
            ]
        );
    }

    #[test]
    fn the_format_comes_behind_the_level() {
        let level = Stage::Level(taffrail_stages::stage::LevelStage::default());
        let decolorize = Stage::Decolorize;
        let settings = Settings { format: Some(Lines::Logfmt), ..Settings::default() };
        let stages = settings.stages(&[level.clone(), decolorize.clone()]);
        assert_eq!(stages, [level, Stage::Logfmt(Logfmt::default()), decolorize]);
    }
}
