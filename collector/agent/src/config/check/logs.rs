//! `logs`: sources with names of their own and something to read.

use std::collections::BTreeMap;

use taffrail_stages::format::Format;

use super::{Checker, doors, journald, multiline};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Glob, Size};
use crate::config::source::Span;
use crate::config::valid::{Containers, Files, Host, LogSource, Reads, Start, Stdin};
use crate::config::written;

/// Labels that a log source sets itself.
pub(super) const RESERVED: [(&str, &str); 2] =
    [("instance", "use the top-level `hostname` to change it"), ("filename", "it is the file's name")];

/// The same, where lines stand in records.
const RESERVED_IN_RECORDS: [(&str, &str); 3] =
    [RESERVED[0], RESERVED[1], ("stream", "with this `format` the records say it")];

/// The same, for containers.
const RESERVED_OF_CONTAINERS: [(&str, &str); 5] = [
    RESERVED[0],
    ("stream", "the engine says it"),
    ("container", "it is the container's name"),
    ("compose_project", "Docker Compose says it"),
    ("compose_service", "Docker Compose says it"),
];

/// The bounds of `max_line_bytes`.
const LINE: std::ops::RangeInclusive<usize> = 1 << 10..=1 << 20;

impl Checker<'_> {
    pub(super) fn logs(
        &mut self,
        field: &Field<Vec<Field<written::LogSource>>>,
        containers: Option<&Containers>,
        host: Option<&Host>,
    ) -> Vec<LogSource> {
        let (mut sources, mut names) = (Vec::new(), Vec::new());
        for (at, source) in field.get().into_iter().flatten().filter_map(Field::good) {
            let reads = self.reads(at, source, (containers, host));
            let kind = reads.as_ref().map_or("files", Reads::kind);
            let name = source.name.get().map_or(kind, |name| &name.0).to_owned();
            self.unique("log sources", &name, source.name.span().or(Some(at)), &mut names);
            let reserved: &[_] = match &reads {
                Some(Reads::Files(files)) if files.format != Format::Plain => &RESERVED_IN_RECORDS,
                Some(Reads::Containers(_)) => &RESERVED_OF_CONTAINERS,
                Some(Reads::Journald(_)) => &journald::RESERVED,
                Some(Reads::Files(_)) | None => &RESERVED,
                Some(Reads::Push(_) | Reads::Syslog(_) | Reads::Stdin(_)) => &doors::RESERVED,
            };
            let labels = self.labels(&source.labels, reserved);
            let Some(reads) = reads else { continue };
            let (join, before) = self.preset(source).map_or_else(Default::default, |it| (it.join, it.stages));
            let join = join.map(|join| multiline::within(join, &reads));
            let (multiline, stages) = (self.multiline(source, &reads).or(join), self.stages(source, before));
            let keep = matches!(source.when_full.get(), Some(written::WhenFull::Keep));
            let labels = with_job(labels, &name);
            let valid = LogSource { labels, name, reads, multiline, stages, keep };
            self.one_door_each(at, &valid, &sources);
            sources.push(valid);
        }
        sources
    }

    /// What the source reads: one thing.
    fn reads(
        &mut self,
        source: Span,
        written: &written::LogSource,
        sections: (Option<&Containers>, Option<&Host>),
    ) -> Option<Reads> {
        let kinds = [
            ("files", written.files.span()),
            ("containers", written.containers.span()),
            ("journald", written.journald.span()),
            ("push", written.push.span()),
            ("syslog", written.syslog.span()),
            ("stdin", written.stdin.span()),
        ];
        let mut given = kinds.iter().filter_map(|(kind, at)| at.map(|at| (*kind, at)));
        let Some((kind, _)) = given.next() else {
            self.fault(
                source,
                "the log source does not say what to read",
                "add `files: {include: [/var/log/*.log]}`, or `containers: {}`",
            );
            return None;
        };
        if let Some((other, at)) = given.next() {
            let what = format!("the log source reads `{kind}` already");
            self.fault(at, what, format!("make `{other}` a source of its own: `- {other}: …`"));
            return None;
        }
        if let Some((_, containers)) = written.containers.good() {
            return Some(Reads::Containers(self.container_logs(containers, sections)));
        }
        if let Some((_, journald)) = written.journald.good() {
            return Some(Reads::Journald(self.journald(journald, sections.1)));
        }
        if let Some((at, push)) = written.push.good() {
            return self.push(at, push).map(Reads::Push);
        }
        if let Some((at, syslog)) = written.syslog.good() {
            return self.syslog(at, syslog).map(Reads::Syslog);
        }
        if let Some((_, stdin)) = written.stdin.good() {
            return Some(Reads::Stdin(Stdin { max_line: self.max_line(&stdin.max_line_bytes) }));
        }
        let files = written.files.good().and_then(|(at, files)| self.files(at, files));
        files.map(Reads::Files)
    }

    /// The longest line.
    pub(super) fn max_line(&mut self, field: &Field<Size>) -> usize {
        let Size(default) = Size::parse(defaults::MAX_LINE).unwrap_or(Size(*LINE.end()));
        let max = field.get().map_or(default, |size| size.0);
        if let Some(at) = field.span().filter(|_| !LINE.contains(&max)) {
            self.fault(at, format!("{max} bytes are out of bounds"), "between 1KiB and 1MiB");
        }
        max
    }

    fn files(&mut self, at: Span, files: &written::Files) -> Option<Files> {
        let include = globs(&files.include);
        let given = files.include.get().is_some_and(|list| !list.is_empty());
        if !given && !matches!(files.include, Field::Bad(_)) {
            self.fault(
                files.include.span().unwrap_or(at),
                "`include` names no files",
                "write include: [/var/log/*.log]",
            );
        }
        let max_line_bytes = self.max_line(&files.max_line_bytes);
        let start = start(&files.start);
        let format = match files.format.get() {
            None | Some(written::LineFormat::Plain) => Format::Plain,
            Some(written::LineFormat::Docker) => Format::Docker,
            Some(written::LineFormat::Cri) => Format::Cri,
        };
        let positions_from = files.positions_from.good().map(|(at, path)| {
            if !path.0.is_absolute() {
                self.fault(at, format!("`{}` is a relative path", path.0.display()), "write the whole path");
            }
            path.0.clone()
        });
        let exclude = globs(&files.exclude);
        Some(Files { include, exclude, start, positions_from, format, max_line_bytes })
    }
}

pub(super) fn start(field: &Field<written::Start>) -> Start {
    match field.get() {
        None | Some(written::Start::Backfill) => Start::Backfill,
        Some(written::Start::Beginning) => Start::Beginning,
        Some(written::Start::End) => Start::End,
    }
}

fn globs(field: &Field<Vec<Field<Glob>>>) -> Vec<String> {
    field.get().into_iter().flatten().filter_map(Field::get).map(|glob| glob.0.clone()).collect()
}

fn with_job(mut labels: BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    labels.entry("job".to_owned()).or_insert_with(|| name.to_owned());
    labels
}
