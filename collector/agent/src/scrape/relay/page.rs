//! The relay's page: families are brought together from all targets, each with its type and help text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use taffrail_core::text::{Format, number};
use taffrail_wire::relabel::Names;
use taffrail_wire::remote_write::MetricKind;

use super::shown::{Line, quoted, underscored};

/// A page that is put together.
pub(super) struct Page {
    format: Format,
    utf8: bool,
    groups: BTreeMap<String, Group>,
}

/// A family on the page.
struct Group {
    kind: MetricKind,
    help: String,
    unit: String,
    lines: Vec<u8>,
}

impl Page {
    pub(super) fn new(format: Format, utf8: bool) -> Self {
        Page { format, utf8, groups: BTreeMap::new() }
    }

    /// Adds a line to its family.
    pub(super) fn add(&mut self, line: &Line) {
        let (format, utf8) = (self.format, self.utf8);
        let head = line.plain.as_deref().filter(|_| !utf8).unwrap_or(&line.head);
        let lines = &mut self.group(line).lines;
        lines.extend_from_slice(head.as_bytes());
        lines.push(b' ');
        number(lines, line.value);
        // Writing to a vector cannot fail.
        if let Some(ts_ms) = line.ts_ms {
            let (s, ms) = (ts_ms.div_euclid(1000), ts_ms.rem_euclid(1000));
            let _ = match format {
                Format::Prometheus => write!(lines, " {ts_ms}"),
                Format::OpenMetrics => write!(lines, " {s}.{ms:03}"),
            };
        }
        if let Some(exemplar) = &line.exemplar
            && format == Format::OpenMetrics
            && (line.name.ends_with("_total") || line.name.ends_with("_bucket"))
        {
            let _ = write!(lines, " # {exemplar}");
        }
        lines.push(b'\n');
    }

    /// The family that a line stands under. Of targets that say different types, the first is right; what cannot be
    /// under that stands alone, without a type.
    fn group(&mut self, line: &Line) -> &mut Group {
        let (mut name, mut kind) = family_of(line, self.format);
        if self.groups.get(&*name).is_some_and(|known| known.kind != kind) && *name != *line.name {
            (name, kind) = (Cow::Borrowed(&*line.name), MetricKind::Unknown);
        }
        let group = self.groups.entry(name.into_owned()).or_insert_with(|| Group {
            kind,
            help: String::new(),
            unit: String::new(),
            lines: Vec::new(),
        });
        if group.help.is_empty() && group.kind == line.family.kind {
            group.help = line.family.help.to_string();
        }
        if group.unit.is_empty() && group.kind == line.family.kind {
            group.unit = line.family.unit.to_string();
        }
        group
    }

    /// The whole page.
    pub(super) fn finish(self) -> Vec<u8> {
        let Page { format, utf8, groups } = self;
        let open = format == Format::OpenMetrics;
        let mut page = Vec::with_capacity(groups.values().map(|group| group.lines.len() + 200).sum());
        for (key, group) in &groups {
            // OpenMetrics calls a counter's family by its name without `_total`, unless another has that name.
            let short = key
                .strip_suffix("_total")
                .filter(|short| open && group.kind == MetricKind::Counter && !groups.contains_key(*short));
            let kind = match (open, group.kind) {
                (true, MetricKind::Counter) if short.is_none() => "unknown",
                (open, kind) => word(kind, open),
            };
            let name = short.unwrap_or(key);
            let name = match (Names::Legacy.accept_metric(name), utf8) {
                (true, _) => name.to_owned(),
                (false, true) => quoted(name),
                (false, false) => underscored(name),
            };
            if !group.help.is_empty() {
                page.extend_from_slice(format!("# HELP {name} {}\n", escaped(&group.help, open)).as_bytes());
            }
            page.extend_from_slice(format!("# TYPE {name} {kind}\n").as_bytes());
            if open && !group.unit.is_empty() && name.ends_with(&format!("_{}", group.unit)) {
                page.extend_from_slice(format!("# UNIT {name} {}\n", group.unit).as_bytes());
            }
            page.extend_from_slice(&group.lines);
        }
        if open {
            page.extend_from_slice(b"# EOF\n");
        }
        page
    }
}

/// The family that a line belongs to, under the name of its samples where that is one, and its type. A series whose name
/// is not of its family, as relabelling has changed it, is one of its own.
fn family_of(line: &Line, format: Format) -> (Cow<'_, str>, MetricKind) {
    let family = &line.family;
    let own = |kind| (Cow::Borrowed(&*line.name), kind);
    let base = match family.kind {
        MetricKind::Counter => family.name.strip_suffix("_total").unwrap_or(&family.name),
        _ => &*family.name,
    };
    let Some(suffix) = line.name.strip_prefix(base) else { return own(MetricKind::Unknown) };
    let open = format == Format::OpenMetrics;
    match (family.kind, suffix) {
        (MetricKind::Counter, "_total") => own(MetricKind::Counter),
        (MetricKind::Counter, "_created") if open => (format!("{base}_total").into(), MetricKind::Counter),
        // The text format has counters of any name.
        (MetricKind::Counter, "") => own(if open { MetricKind::Unknown } else { MetricKind::Counter }),
        (MetricKind::Histogram, "_bucket" | "_sum" | "_count") => (base.into(), MetricKind::Histogram),
        (MetricKind::Summary, "" | "_sum" | "_count") => (base.into(), MetricKind::Summary),
        (kind @ (MetricKind::Histogram | MetricKind::Summary), "_created") if open => (base.into(), kind),
        (MetricKind::GaugeHistogram, "_bucket" | "_gsum" | "_gcount") if open => {
            (base.into(), MetricKind::GaugeHistogram)
        }
        (MetricKind::Info, "_info") if open => (base.into(), MetricKind::Info),
        (MetricKind::StateSet, "") if open => own(MetricKind::StateSet),
        (MetricKind::Gauge | MetricKind::StateSet, "") | (MetricKind::Info, "_info") => {
            own(MetricKind::Gauge)
        }
        // When something began: the text format has no place for it in the family.
        (_, "_created") => own(MetricKind::Gauge),
        _ => own(MetricKind::Unknown),
    }
}

fn word(kind: MetricKind, open: bool) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        MetricKind::Summary => "summary",
        MetricKind::GaugeHistogram if open => "gaugehistogram",
        MetricKind::Info if open => "info",
        MetricKind::StateSet if open => "stateset",
        _ if open => "unknown",
        _ => "untyped",
    }
}

/// A help text in one line.
fn escaped(help: &str, quotes: bool) -> String {
    let help = help.replace('\\', r"\\").replace('\n', r"\n");
    if quotes { help.replace('"', "\\\"") } else { help }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
