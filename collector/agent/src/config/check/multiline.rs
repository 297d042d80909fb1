//! `logs.multiline`: which lines belong together.

use std::time::Duration;

use taffrail_stages::multiline::{Join, Preset, Rule};

use super::Checker;
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::Interval;
use crate::config::valid::Reads;
use crate::config::written::LogSource;
use crate::config::written::multiline::Language;
use crate::logs::chunk::MAX_BYTES;

/// The most lines that an entry may have: no chunk holds more.
const MOST_LINES: u64 = 10_000;
/// How long the rest of an entry may be waited for: what follows it waits too.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

impl Checker<'_> {
    /// How the lines of a source are joined: as it says itself, or as promtail's stage of that name does.
    pub(super) fn multiline(&mut self, source: &LogSource, reads: &Reads) -> Option<Join> {
        let stages = source.stages.get().into_iter().flatten().filter_map(Field::get);
        let mut in_stages = stages.enumerate().filter(|(_, stage)| stage.multiline.span().is_some());
        let stage = in_stages.next().map(|(place, stage)| (place, &stage.multiline));
        let more = in_stages.next().and_then(|(_, stage)| stage.multiline.span());
        if let Some(at) = stage.filter(|(place, _)| *place > 0).and_then(|(_, field)| field.span()).or(more) {
            let help = "make it the first stage, once, or write `multiline` beside `stages`";
            self.fault(at, "lines are joined before all other stages", help);
        }
        if let (Some(at), Some(_)) = (stage.and_then(|(_, field)| field.span()), source.multiline.span()) {
            self.fault(at, "`multiline` stands beside `stages` already", "keep one of them");
        }
        if matches!(reads, Reads::Journald(_) | Reads::Push(_) | Reads::Syslog(_)) {
            if let Some(at) = source.multiline.span().or(stage.and_then(|(_, field)| field.span())) {
                let what = format!("lines that come by `{}` are not joined", reads.kind());
                self.fault(at, what, "remove the key, and join them where they are sent");
            }
            return None;
        }
        let join = match (source.multiline.good(), stage.and_then(|(_, field)| field.good())) {
            (None, None) => return None,
            (Some((_, OneOf::Short(language))), _) => Join::new(Rule::Preset(preset(*language))),
            (Some((at, OneOf::Long(written))), _) => {
                if let (Some(_), Some(at)) = (written.first_line.get(), written.language.span()) {
                    self.fault(at, "`first_line` says what begins an entry already", "keep one of them");
                }
                let rule = match (written.first_line.get(), written.language.get()) {
                    (Some(first), _) => Rule::FirstLine(first.0.clone()),
                    (None, Some(language)) => Rule::Preset(preset(*language)),
                    (None, None) => {
                        self.needed(at, &written.first_line, "first_line: '^\\d{4}-'");
                        return None;
                    }
                };
                self.bounded(rule, &written.max_lines, &written.max_wait)
            }
            (None, Some((at, stage))) => {
                let (_, first) = self.needed(at, &stage.firstline, "firstline: '^\\d{4}-'")?;
                self.bounded(Rule::FirstLine(first.0.clone()), &stage.max_lines, &stage.max_wait_time)
            }
        };
        Some(within(join, reads))
    }

    fn bounded(&mut self, rule: Rule, lines: &Field<u64>, wait: &Field<Interval>) -> Join {
        let max_lines = lines.get().copied().unwrap_or(defaults::MULTILINE_LINES);
        if let Some(at) = lines.span().filter(|_| !(1..=MOST_LINES).contains(&max_lines)) {
            self.fault(
                at,
                format!("{max_lines} lines are out of bounds"),
                format!("between 1 and {MOST_LINES}"),
            );
        }
        let wait = self.duration(wait, defaults::MULTILINE_WAIT, &WAIT);
        let max_wait_ns = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
        Join { max_lines: max_lines as usize, max_wait_ns, ..Join::new(rule) }
    }
}

/// An entry is no longer than a line may be.
pub(super) fn within(join: Join, reads: &Reads) -> Join {
    let max_line = match reads {
        Reads::Files(files) => files.max_line_bytes,
        Reads::Containers(containers) => containers.max_line_bytes,
        Reads::Stdin(stdin) => stdin.max_line,
        Reads::Journald(_) | Reads::Push(_) | Reads::Syslog(_) => MAX_BYTES,
    };
    Join { max_bytes: max_line.min(MAX_BYTES - 1), ..join }
}

fn preset(language: Language) -> Preset {
    match language {
        Language::Java => Preset::Java,
        Language::Python => Preset::Python,
        Language::Go => Preset::Go,
        Language::Rust => Preset::Rust,
        Language::Node => Preset::Node,
        Language::Dotnet => Preset::Dotnet,
    }
}
