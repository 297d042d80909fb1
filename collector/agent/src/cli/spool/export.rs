//! `taffrail spool export`: prints what a log holds.

use std::borrow::Cow;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use clap::{Args, ValueEnum};
use taffrail_core::Histogram;
use taffrail_spool::{CursorFile, Inspect, Record, SegmentId, inspect};
use taffrail_wire::loki;

use super::line::{self, Format};
use super::progress::Progress;
use super::selector::Selector;
use super::{Place, in_use, time};
use crate::cli::{USAGE, print};
use crate::metrics::record::{Decoder, Exemplar, Numbered, Table, Visit};

/// `taffrail spool export`
#[derive(Args, Debug)]
pub(super) struct Export {
    /// What to print
    what: What,
    #[command(flatten)]
    place: Place,
    /// Only these series or streams: 'up{job="app"}', '{job=~"a.*"}'
    #[arg(long = "match", value_name = "SELECTOR", value_parser = Selector::read)]
    selector: Option<Selector>,
    /// From this time on: 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, 90m
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    from: Option<i64>,
    /// Up to this time
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    to: Option<i64>,
    /// Only what this output has yet to get: prometheus, or prometheus/NAME
    #[arg(long, value_name = "OUTPUT")]
    pending: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The samples of the metrics' log
    Metrics,
    /// The lines of the logs' logs, those of marked streams last: what an output was late for
    Logs,
}

impl Export {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let folders: &[&str] = match (self.what, self.format) {
            (What::Metrics, Format::Text) | (What::Logs, Format::Openmetrics) => {
                print::err("samples are printed as json or openmetrics, log lines as json or text");
                return Ok(ExitCode::from(USAGE));
            }
            (What::Metrics, _) => &["metrics"],
            (What::Logs, _) => &["logs", "logs-kept"],
        };
        let data_dir = match self.place.data_dir() {
            Ok(dir) => dir,
            Err(code) => return Ok(code),
        };
        let mut printer = Printer::new(self, BufWriter::with_capacity(1 << 16, io::stdout().lock()));
        let (mut sound, used) = (true, in_use(&data_dir).is_some());
        for (number, folder) in folders.iter().enumerate() {
            let dir = data_dir.join("spool").join(folder);
            if number > 0 && !dir.exists() {
                // An older taffrail had one.
                continue;
            }
            let found = inspect(&dir, used, &mut printer)
                .with_context(|| format!("is {} the data_dir of a taffrail?", data_dir.display()))?;
            if let Some(output) = printer.nobody {
                let names: Vec<&str> = found.cursors.iter().map(|cursor| cursor.name.as_str()).collect();
                anyhow::bail!("no output `{output}` reads this log; there are: {}", names.join(", "));
            }
            sound &= found.is_sound();
        }
        let Written { bad, left_out, histograms } = printer.finish()?;
        if histograms > 0 {
            print::err(&format!("{histograms} native histograms are left out: no line can hold one"));
        }
        if left_out > 0 {
            print::err(&format!("{left_out} ends of series are left out: OpenMetrics has no word for them"));
        }
        if bad > 0 || !sound {
            print::err("some of the log is damaged and was left out: `taffrail spool check` says what");
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What was not written.
#[derive(Debug, Default)]
struct Written {
    /// Records that cannot be decoded.
    bad: u64,
    /// Staleness markers.
    left_out: u64,
    histograms: u64,
}

/// Prints what it is shown.
struct Printer<'a, W: Write> {
    options: &'a Export,
    progress: Progress,
    decoder: Decoder<SegmentId>,
    /// Records before this position are behind the output that is asked for.
    first: u64,
    /// That there is no such output.
    nobody: Option<&'a str>,
    out: Out<'a, W>,
    bad: u64,
}

/// Where lines go.
struct Out<'a, W> {
    options: &'a Export,
    to: W,
    /// The record is read for what it defines only.
    mute: bool,
    left_out: u64,
    histograms: u64,
    failed: Option<io::Error>,
    /// What stands before the values of the segment's series, once one was met: nothing where it is not asked for.
    heads: Vec<Option<Option<Rc<str>>>>,
}

impl<'a, W: Write> Printer<'a, W> {
    fn new(options: &'a Export, to: W) -> Self {
        Printer {
            options,
            progress: Progress::new("read".to_owned()),
            decoder: Decoder::default(),
            first: 0,
            nobody: None,
            out: Out {
                options,
                to,
                mute: false,
                left_out: 0,
                histograms: 0,
                failed: None,
                heads: Vec::new(),
            },
            bad: 0,
        }
    }

    /// Writes the end.
    fn finish(mut self) -> anyhow::Result<Written> {
        if self.options.format == Format::Openmetrics {
            self.out.write("# EOF\n");
        }
        let failed = self.out.failed.or(self.out.to.flush().err());
        match failed.filter(|error| error.kind() != ErrorKind::BrokenPipe) {
            Some(error) => Err(error).context("cannot write to standard output"),
            None => {
                Ok(Written { bad: self.bad, left_out: self.out.left_out, histograms: self.out.histograms })
            }
        }
    }
}

impl<W: Write> Inspect for Printer<'_, W> {
    fn cursors(&mut self, cursors: &[CursorFile]) {
        let Some(output) = &self.options.pending else { return };
        match cursors.iter().find(|cursor| cursor.name == *output) {
            Some(cursor) => self.first = cursor.committed,
            None => self.nobody = Some(output),
        }
    }

    fn progress(&mut self, done: u64, total: u64) {
        self.progress.show(done, total);
    }

    fn record(&mut self, record: &Record, _path: &Path, _at: u64) -> bool {
        if self.nobody.is_some() {
            return false;
        }
        self.out.mute = record.position < self.first;
        let read = match self.options.what {
            What::Metrics => self.decoder.read(record.segment, &record.bytes, &mut self.out).is_ok(),
            What::Logs => self.out.entries(&record.bytes).is_some(),
        };
        self.bad += u64::from(!read);
        self.out.failed.is_none()
    }
}

impl<W: Write> Out<'_, W> {
    fn write(&mut self, line: &str) {
        if self.failed.is_none() {
            self.failed = self.to.write_all(line.as_bytes()).err();
        }
    }

    fn wants(&self, ms: i64) -> bool {
        !self.mute
            && self.options.from.is_none_or(|from| ms >= from)
            && self.options.to.is_none_or(|to| ms <= to)
    }

    fn selects(&self, labels: &[(&str, &str)]) -> bool {
        let value = |name: &str| labels.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        self.options.selector.as_ref().is_none_or(|selector| selector.matches(value))
    }

    /// Writes the entries of a record; nothing if it cannot be decoded.
    fn entries(&mut self, record: &[u8]) -> Option<()> {
        for stream in loki::streams(record) {
            let stream = stream.ok()?;
            let labels = loki::parse_label_set(stream.labels)?;
            let labels: Vec<(&str, &str)> = labels.iter().map(pair).collect();
            if !self.selects(&labels) {
                continue;
            }
            for entry in stream.entries() {
                let entry = entry.ok()?;
                if self.wants(entry.ts_ns.div_euclid(1_000_000)) {
                    let metadata: Vec<(&str, &str)> = entry.metadata().collect::<Result<_, _>>().ok()?;
                    let line = line::entry(self.options.format, &labels, entry.ts_ns, entry.line, &metadata);
                    self.write(&line);
                }
            }
        }
        Some(())
    }
}

fn pair<'a>((name, value): &'a (Cow<'_, str>, Cow<'_, str>)) -> (&'a str, &'a str) {
    (name, value)
}

impl<W: Write> Out<'_, W> {
    /// What stands before the values of a series; nothing where it is not asked for.
    fn head(&mut self, series: Numbered<'_>) -> Option<Rc<str>> {
        let at = series.number as usize;
        if self.heads.len() <= at {
            self.heads.resize(at + 1, None);
        }
        if let Some(known) = &self.heads[at] {
            return known.clone();
        }
        let labels: Vec<(&str, &str)> = series.labels().collect();
        let head: Option<Rc<str>> =
            self.selects(&labels).then(|| line::head(self.options.format, &labels).into());
        self.heads[at] = Some(head.clone());
        head
    }
}

impl<W: Write> Visit for Out<'_, W> {
    fn segment(&mut self, _table: &Arc<Mutex<Table>>) {
        self.heads.clear();
    }

    fn sample(&mut self, series: Numbered<'_>, ts_ms: i64, value: f64) {
        if !self.wants(ts_ms) {
            return;
        }
        let Some(head) = self.head(series) else { return };
        match line::sample(self.options.format, &head, ts_ms, value) {
            Some(line) => self.write(&line),
            None => self.left_out += 1,
        }
    }

    fn start(&mut self, _series: Numbered<'_>, _start_ms: i64) {}

    fn histogram(&mut self, series: Numbered<'_>, ts_ms: i64, _histogram: Histogram) {
        if self.wants(ts_ms) && self.head(series).is_some() {
            self.histograms += 1;
        }
    }

    fn exemplar(&mut self, _exemplar: Exemplar) {}
}
