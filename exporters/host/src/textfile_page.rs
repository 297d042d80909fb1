//! One file of the subject `textfile`, read strictly: it is left out as a whole when anything in it is wrong, since a page
//! that is half right was half written. The format is the Prometheus text format without times.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use taffrail_core::Kind;
use taffrail_wire::page::{Entry, Format, Options, Parser, Place, Sample};
use taffrail_wire::remote_write::MetricKind;

/// What a file holds.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// In the order in which they begin.
    pub families: Vec<Family>,
}

/// One family of a file.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// The line where it begins.
    pub line: usize,
    /// Its type; untyped if the file says none.
    pub kind: Kind,
    /// Its help text, if the file has one.
    pub help: Option<String>,
    /// Its series, in the file's order.
    pub series: Vec<Series>,
}

/// Labels sorted by name.
pub type Labels = Box<[(Box<str>, Box<str>)]>;

/// One series and its value.
#[derive(Debug, PartialEq)]
pub struct Series {
    /// What its name has behind the family's: `_bucket`, `_sum`, `_count` or nothing.
    pub suffix: &'static str,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// Where it stands.
    pub line: usize,
}

/// Why a file is left out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Wrong {
    /// Where, counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Reads a whole file.
pub fn parse(bytes: &[u8]) -> Result<Page, Wrong> {
    if bytes.last().is_some_and(|last| *last != b'\n') {
        let line = memchr::memchr_iter(b'\n', bytes).count() + 1;
        let what =
            "the file does not end in a line feed: it is half written; write another name, then rename it";
        return Err(Wrong { line, what: what.into() });
    }
    let mut reader = Reader::default();
    let mut entries = Parser::new(bytes, Format::Text, Options::default());
    let (mut line, mut counted) = (1, 0);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|error| {
            let line = if let Place::Line { line, .. } = error.place { line } else { 0 };
            Wrong { line, what: error.what.to_string() }
        })?;
        line += memchr::memchr_iter(b'\n', &bytes[counted..entries.offset()]).count();
        counted = entries.offset();
        reader.take(entry, line).map_err(|what| Wrong { line, what })?;
    }
    Ok(Page { families: reader.families.into_iter().filter(|family| !family.series.is_empty()).collect() })
}

#[derive(Default)]
struct Reader {
    families: Vec<Family>,
    places: HashMap<String, usize>,
    /// Families whose type the file said.
    typed: HashSet<usize>,
    seen: HashSet<(usize, &'static str, Labels)>,
}

impl Reader {
    fn take(&mut self, entry: Entry<'_>, line: usize) -> Result<(), String> {
        match entry {
            Entry::Type { family, kind } => self.take_type(&family, kind, line),
            Entry::Help { family: name, text: help } => {
                let place = self.place(&name, line)?;
                if self.families[place].help.replace(help.into_owned()).is_some() {
                    return Err(format!("a second HELP of {name}"));
                }
                Ok(())
            }
            Entry::Sample(sample) => self.take_sample(&sample, line),
            // The text format has no more than comments beside these.
            Entry::Unit { .. } | Entry::Histogram(_) | Entry::Comment(_) | Entry::Eof => Ok(()),
        }
    }

    fn take_type(&mut self, name: &str, kind: MetricKind, line: usize) -> Result<(), String> {
        let kind = match kind {
            MetricKind::Counter => Kind::Counter,
            MetricKind::Gauge => Kind::Gauge,
            MetricKind::Histogram => Kind::Histogram,
            MetricKind::Summary => Kind::Summary,
            MetricKind::Unknown => Kind::Untyped,
            _ => {
                return Err(
                    "a type of OpenMetrics: it is one of counter, gauge, histogram, summary, untyped".into(),
                );
            }
        };
        let place = self.place(name, line)?;
        if !self.typed.insert(place) {
            return Err(format!("a second TYPE of {name}"));
        }
        if !self.families[place].series.is_empty() {
            return Err(format!("the TYPE of {name} comes behind its first sample"));
        }
        self.families[place].kind = kind;
        Ok(())
    }

    fn take_sample(&mut self, sample: &Sample<'_>, line: usize) -> Result<(), String> {
        if sample.ts_ms.is_some() {
            return Err(
                "a time behind the value: a file is read again and again, its values have no time".into()
            );
        }
        let mut name = Cow::Borrowed("");
        let mut labels = Vec::new();
        for (label, value) in sample.series.labels() {
            if label == "__name__" {
                name = value;
                continue;
            }
            if !is_name(&label, false) || label.starts_with("__") {
                return Err(format!("{label:?} is no label's name: letters, digits and _, not __ first"));
            }
            // An empty label is none.
            if !value.is_empty() {
                labels.push((Box::from(&*label), Box::from(&*value)));
            }
        }
        let (place, suffix) = self.family_of(&name, line)?;
        let labels = tidy(labels)?;
        check_part(&self.families[place], suffix, &labels)?;
        if !self.seen.insert((place, suffix, labels.clone())) {
            return Err(format!("the series {name}{{{}}} stands twice", shown(&labels)));
        }
        self.families[place].series.push(Series { suffix, labels, value: sample.value, line });
        Ok(())
    }

    /// The family that a sample belongs to, and what is behind the family's name in the sample's.
    fn family_of(&mut self, name: &str, line: usize) -> Result<(usize, &'static str), String> {
        for suffix in ["_bucket", "_sum", "_count"] {
            let Some(&place) = name.strip_suffix(suffix).and_then(|base| self.places.get(base)) else {
                continue;
            };
            match self.families[place].kind {
                Kind::Histogram => return Ok((place, suffix)),
                Kind::Summary if suffix != "_bucket" => return Ok((place, suffix)),
                _ => {}
            }
        }
        Ok((self.place(name, line)?, ""))
    }

    fn place(&mut self, name: &str, line: usize) -> Result<usize, String> {
        if let Some(&place) = self.places.get(name) {
            return Ok(place);
        }
        if !is_name(name, true) {
            return Err(format!("{name:?} is no metric's name: letters, digits, _ and :, no digit first"));
        }
        let place = self.families.len();
        self.families.push(Family {
            name: name.to_owned(),
            line,
            kind: Kind::Untyped,
            help: None,
            series: Vec::new(),
        });
        self.places.insert(name.to_owned(), place);
        Ok(place)
    }
}

/// Labels, for a message.
fn shown(labels: &Labels) -> String {
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    pairs.join(",")
}

/// Sorts labels by name. `job` and `instance` are this program's to give: the file's get `exported_` before them, as
/// they would when node_exporter is scraped.
fn tidy(mut labels: Vec<(Box<str>, Box<str>)>) -> Result<Labels, String> {
    for taken in ["job", "instance"] {
        let Some(at) = labels.iter().position(|(name, _)| &**name == taken) else { continue };
        let mut name = format!("exported_{taken}");
        while labels.iter().any(|(other, _)| **other == *name) {
            name.insert_str(0, "exported_");
        }
        labels[at].0 = name.into();
    }
    labels.sort_unstable();
    match labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(format!("the label {} stands twice in one series", pair[0].0)),
        None => Ok(labels.into()),
    }
}

/// Whether a series has what its part of a histogram or summary needs.
fn check_part(family: &Family, suffix: &str, labels: &Labels) -> Result<(), String> {
    let number = |label: &str| {
        let value = labels.iter().find(|(name, _)| &**name == label).map(|(_, value)| value);
        value.is_some_and(|value| value.parse::<f64>().is_ok())
    };
    let name = &family.name;
    match (family.kind, suffix) {
        (Kind::Histogram, "") => {
            Err(format!("{name} is a histogram: it has {name}_bucket, _sum and _count only"))
        }
        (Kind::Histogram, "_bucket") if !number("le") => {
            Err(format!("{name}_bucket needs a label le with a number"))
        }
        (Kind::Summary, "") if !number("quantile") => {
            Err(format!("{name} is a summary: it needs a label quantile with a number"))
        }
        _ => Ok(()),
    }
}

/// Whether `name` is a name as all Prometheus versions know it.
fn is_name(name: &str, colons: bool) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    name.chars().all(allowed) && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| (Box::from(*name), Box::from(*value))).collect()
    }

    #[test]
    fn families_with_all_that_belongs_to_them() {
        let text = "# HELP backup_seconds How long.\n# TYPE backup_seconds histogram\n\
            backup_seconds_bucket{le=\"1\"} 2\nbackup_seconds_bucket{le=\"+Inf\"} 3\nbackup_seconds_count 3\n\
            free{z=\"1\",a=\"2\",job=\"x\",empty=\"\"} 4.5\nlonely_count 1\n";
        let page = parse(text.as_bytes()).unwrap();
        let names: Vec<_> =
            page.families.iter().map(|f| (&*f.name, f.kind, f.line, f.series.len())).collect();
        let expected = [
            ("backup_seconds", Kind::Histogram, 1, 3),
            ("free", Kind::Untyped, 6, 1),
            ("lonely_count", Kind::Untyped, 7, 1),
        ];
        assert_eq!(names, expected);
        assert_eq!(page.families[0].help.as_deref(), Some("How long."));
        let bucket = &page.families[0].series[1];
        assert_eq!((bucket.suffix, &bucket.labels), ("_bucket", &labels(&[("le", "+Inf")])));
        assert_eq!(
            page.families[1].series[0].labels,
            labels(&[("a", "2"), ("exported_job", "x"), ("z", "1")])
        );
        assert_eq!(parse(b"").unwrap(), Page::default());
        assert_eq!(parse(b"# HELP nothing Nothing.\n").unwrap(), Page::default());
    }

    #[test]
    fn what_is_wrong_is_an_error_with_its_line() {
        for (text, line, what) in [
            ("a 1\nb 2", 2, "half written"),
            ("a 1\nb\n", 2, "value"),
            ("a 1 1700000000000\n", 1, "no time"),
            ("a 1\na 2\n", 2, "the series a{} stands twice"),
            ("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n", 2, "stands twice"),
            ("a{x=\"1\",x=\"2\"} 1\n", 1, "the label x stands twice"),
            ("# TYPE a gauge\n# TYPE a counter\na 1\n", 2, "a second TYPE of a"),
            ("# HELP a x\n# HELP a y\na 1\n", 2, "a second HELP of a"),
            ("a 1\n# TYPE a gauge\n", 2, "behind its first sample"),
            ("# TYPE a stateset\na 1\n", 1, "an unknown type"),
            ("# TYPE a histogram\na 1\n", 2, "a is a histogram"),
            ("# TYPE a histogram\na_bucket 1\n", 2, "a label le"),
            ("# TYPE a summary\na 1\n", 2, "a label quantile"),
            ("{\"my.name\"} 1\n", 1, "no metric's name"),
            ("a{\"my.label\"=\"x\"} 1\n", 1, "no label's name"),
            ("a{__x=\"y\"} 1\n", 1, "no label's name"),
            ("a{x=\"\u{fffd}\n", 1, "closed"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.what.contains(what), "{text:?}: {error}");
        }
        assert!(parse(b"a{x=\"\xff\"} 1\n").is_err());
    }
}
