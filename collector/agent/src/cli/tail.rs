//! `taffrail tail`: passes lines through the stages of a log source, and shows what would leave.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use taffrail_core::Clock;
use taffrail_stages::explain::{Change, Step};
use taffrail_stages::format::{Format, Record, Records};
use taffrail_stages::multiline::Entries;
use taffrail_stages::times::Times;
use taffrail_stages::{Entry, Fate, Stages, Time, timeformat};

use super::{ConfigOptions, USAGE, print, refuse};
use crate::config::{LogSource, Reads};
use crate::logs::lines;

/// The most bytes that are read.
const MOST: u64 = 16 << 20;

/// `taffrail tail`
#[derive(Args, Debug)]
pub struct Tail {
    #[command(flatten)]
    config: ConfigOptions,
    /// The log source whose stages are meant; needed where there are several
    #[arg(short, long, value_name = "NAME")]
    source: Option<String>,
    /// Show what each stage did
    #[arg(short, long)]
    explain: bool,
    /// As JSON, an object for each line
    #[arg(long)]
    json: bool,
    /// A line to pass through; repeatable
    #[arg(short, long, value_name = "TEXT", conflicts_with = "file")]
    line: Vec<String>,
    /// A file with lines; without it and --line, lines are read from standard input
    file: Option<PathBuf>,
}

impl Tail {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let config = match self.config.load() {
            Ok(config) => config,
            Err(errors) => return Ok(refuse(&errors)),
        };
        let source = match (&self.source, config.logs.as_slice()) {
            (None, [one]) => Some(one),
            (None, _) => None,
            (Some(name), all) => all.iter().find(|source| source.name == *name),
        };
        let Some(source) = source else {
            let names: Vec<&str> = config.logs.iter().map(|source| source.name.as_str()).collect();
            print::err(&match (&self.source, names.as_slice()) {
                (_, []) => "The configuration has no `logs`: name one that has, with --config.".to_owned(),
                (None, names) => format!("Which log source? Add --source with one of {}.", names.join(", ")),
                (Some(name), names) => {
                    format!("There is no log source `{name}`: the configuration has {}.", names.join(", "))
                }
            });
            return Ok(ExitCode::from(USAGE));
        };
        let text = self.text()?;
        let passed = pass(source, &text, Clock::system().now_ns());
        if self.json {
            let mut out = String::new();
            for line in &passed {
                let _ = writeln!(out, "{}", line.json(self.explain));
            }
            print::out(&out)?;
        } else {
            print::out(&passed.iter().map(|line| line.text(self.explain)).collect::<String>())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn text(&self) -> anyhow::Result<Vec<u8>> {
        if !self.line.is_empty() {
            return Ok(self.line.join("\n").into_bytes());
        }
        let mut text = Vec::new();
        match &self.file {
            Some(path) => {
                let file = std::fs::File::open(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                file.take(MOST).read_to_end(&mut text)
            }
            None => std::io::stdin().lock().take(MOST).read_to_end(&mut text),
        }
        .context("the lines cannot be read")?;
        Ok(text)
    }
}

/// What became of a line.
#[derive(Debug)]
pub struct Passed {
    line: String,
    steps: Vec<Step>,
    /// What leaves; else the stage that left it out.
    left: Result<Left, &'static str>,
}

#[derive(Debug)]
struct Left {
    line: String,
    labels: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
    /// Where the line said it.
    ts_ns: Option<i64>,
}

/// Passes the lines of `text` through the stages of a source, as if they were read at `read_ns`.
pub fn pass(source: &LogSource, text: &[u8], read_ns: i64) -> Vec<Passed> {
    let stages = Stages::new(source.stages.clone()).joining(source.multiline.clone());
    let mut times = Times::of_new_stream();
    let mut all = Vec::new();
    if text.is_empty() {
        return all;
    }
    let format = match &source.reads {
        Reads::Files(files) => files.format,
        Reads::Containers(_) => Format::Docker,
        Reads::Journald(_) | Reads::Push(_) | Reads::Syslog(_) | Reads::Stdin(_) => Format::Plain,
    };
    let records = Records::new(format, lines(text), read_ns);
    for Record { line, stream, time, read_ns, .. } in Entries::new(stages.join(), records) {
        let mut entry = Entry::default();
        let before = line.to_string();
        entry.begin(line, read_ns, stream.map_or(0, |stream| 1 + stream as u64));
        entry.time = time;
        let (fate, mut steps) = stages.explain(&mut entry);
        if stages.join().is_some() {
            let count = before.split('\n').count();
            let remark =
                if count == 1 { "one line".to_owned() } else { format!("{count} lines are one entry") };
            steps.insert(0, Step { stage: "multiline", changes: Vec::new(), remarks: vec![remark] });
        }
        let left = match fate {
            Fate::Dropped(stage) => Err(stage),
            Fate::Kept => {
                let said = stream.map(|stream| ("stream", stream.as_str()));
                let pairs = |more: Option<(&str, &str)>, pairs: &taffrail_stages::Fields<'_>| {
                    let all = more.into_iter().chain(pairs.iter());
                    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
                };
                let ts_ns = times.place(entry.time, read_ns);
                Ok(Left {
                    labels: pairs(said, &entry.labels),
                    metadata: pairs(None, &entry.metadata),
                    ts_ns: (entry.time != Time::Read).then_some(ts_ns),
                    line: entry.line.into_owned(),
                })
            }
        };
        all.push(Passed { line: before, steps, left });
    }
    all
}

impl Passed {
    /// For people: what leaves, and, if asked, what each stage did.
    pub fn text(&self, explain: bool) -> String {
        let mut out = String::new();
        // Writing to a text cannot fail.
        if explain {
            let _ = writeln!(out, "{}", shown(&self.line));
            for step in &self.steps {
                let did = step.changes.iter().map(change).chain(step.remarks.iter().cloned());
                let mut name = step.stage;
                for what in did {
                    let _ = writeln!(out, "  {name:19} {}", printable(&what));
                    name = "";
                }
                if !name.is_empty() && !self.dropped_by(step) {
                    let _ = writeln!(out, "  {name:19} nothing");
                }
            }
        }
        match &self.left {
            Err(stage) if explain => {
                let _ = writeln!(out, "  {stage:19} leaves it out");
            }
            Err(_) => return out,
            Ok(left) => {
                let arrow = if explain { "=> " } else { "" };
                let _ = writeln!(out, "{arrow}{}", shown(&left.line));
                let pairs = |pairs: &[(String, String)]| {
                    pairs
                        .iter()
                        .map(|(name, value)| format!("{name}={value:?}"))
                        .collect::<Vec<_>>()
                        .join(" ")
                };
                for (what, value) in [
                    ("labels", pairs(&left.labels)),
                    ("metadata", pairs(&left.metadata)),
                    ("time", left.ts_ns.map(timeformat::show).unwrap_or_default()),
                ] {
                    if !value.is_empty() {
                        let _ = writeln!(out, "   {what:8} {value}");
                    }
                }
            }
        }
        if explain {
            out.push('\n');
        }
        out
    }

    fn dropped_by(&self, step: &Step) -> bool {
        self.left.is_err() && self.steps.last().is_some_and(|last| std::ptr::eq(last, step))
    }

    /// For programs.
    fn json(&self, explain: bool) -> serde_json::Value {
        let map = |pairs: &[(String, String)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect::<serde_json::Map<_, _>>()
        };
        let mut json = serde_json::json!({ "read": self.line });
        match &self.left {
            Err(stage) => json["left_out_by"] = (*stage).into(),
            Ok(left) => {
                json["line"] = left.line.clone().into();
                json["labels"] = map(&left.labels).into();
                json["metadata"] = map(&left.metadata).into();
                json["time"] = left.ts_ns.map(timeformat::show).into();
            }
        }
        if explain {
            let steps = self.steps.iter().map(|step| {
                let did: Vec<String> = step.changes.iter().map(change).collect();
                serde_json::json!({ "stage": step.stage, "did": did, "remarks": step.remarks })
            });
            json["stages"] = steps.collect::<Vec<_>>().into();
        }
        json
    }
}

/// The lines of an entry, those behind the first one marked.
fn shown(entry: &str) -> String {
    entry.split('\n').map(printable).collect::<Vec<_>>().join("\n | ")
}

/// The text without what a terminal obeys.
fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\t';
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

fn change(change: &Change) -> String {
    let pair = |what: &str, name: &str, value: &Option<String>| match value {
        Some(value) => format!("{what} {name}={value:?}"),
        None => format!("{what} {name} is gone"),
    };
    match change {
        Change::Line(line) => format!("line {}", printable(line)),
        Change::Time(ns) => format!("time {}", timeformat::show(*ns)),
        Change::Field(name, value) => pair("field", name, value),
        Change::Label(name, value) => pair("label", name, value),
        Change::Metadata(name, value) => pair("metadata", name, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, load_text};

    fn passed(stages: &str, line: &str, explain: bool) -> String {
        let text = format!("logs: [{{files: {{include: [/a]}}, stages: {stages}}}]\n");
        let config = load_text(Source::new("t.yml", &text, ""), &[], &|_| None).unwrap();
        pass(&config.logs[0], line.as_bytes(), 0).iter().map(|line| line.text(explain)).collect()
    }

    #[test]
    fn every_stage_says_what_it_did() {
        let stages = "[{json: {}}, {labels: {level: ''}}, {drop: {source: level, value: debug}}, {output: {source: msg}}]";
        assert_eq!(
            passed(stages, "{\"level\":\"info\",\"msg\":\"up\"}\nplain\n{\"level\":\"debug\"}", true),
            "{\"level\":\"info\",\"msg\":\"up\"}\n  \
               level               metadata detected_level=\"info\"\n  \
               json                field level=\"info\"\n                      field msg=\"up\"\n  \
               labels              label level=\"info\"\n  \
               drop                nothing\n  \
               output              line up\n  \
               redact              nothing\n\
             => up\n   labels   level=\"info\"\n   metadata detected_level=\"info\"\n\n\
             plain\n  \
               level               no level was found\n  \
               json                not JSON at byte 0\n  \
               labels              there is no field `level`\n  \
               drop                nothing\n  \
               output              there is no field `msg`\n  \
               redact              nothing\n\
             => plain\n\n\
             {\"level\":\"debug\"}\n  \
               level               metadata detected_level=\"debug\"\n  \
               json                field level=\"debug\"\n  \
               labels              label level=\"debug\"\n  \
               drop                leaves it out\n\n"
        );
    }

    #[test]
    fn records_are_read_as_the_source_reads_them() {
        let text = "logs: [{files: {include: [/a], format: cri}, level: false}]\n";
        let config = load_text(Source::new("t.yml", text, ""), &[], &|_| None).unwrap();
        let lines = b"2026-11-21T15:00:00Z stderr P a\n2026-11-21T15:00:00Z stderr F b\n";
        let shown: String =
            pass(&config.logs[0], lines, i64::MAX / 2).iter().map(|line| line.text(false)).collect();
        assert_eq!(shown, "ab\n   labels   stream=\"stderr\"\n   time     2026-11-21T15:00:00Z\n");
    }

    #[test]
    fn without_explanations_only_what_leaves_is_shown() {
        let stages =
            "[{keep: {expression: a}}, {timestamp: {source: none, format: Unix, action_on_failure: skip}}]";
        assert_eq!(passed(stages, "a\nb\n", false), "a\n");
        assert_eq!(passed("[]", "", false), "");
        assert_eq!(passed("[]", "\x1b[2J\0\tx", false), "\\u{1b}[2J\\u{0}\tx\n");
    }
}
