//! The Prometheus text format 0.0.4 and OpenMetrics 1.0, written.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use crate::metric::{Kind, unit_of};
use crate::sample::{Collected, FamilyInfo, SeriesDef};

/// Which of the two is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Format {
    /// The value of the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a scraper's `Accept` header asks for: OpenMetrics 1.0 when it is named, else the text format.
    pub fn negotiate(accept: &str) -> Self {
        let wanted =
            accept.split(',').map(str::trim).find(|part| part.starts_with("application/openmetrics-text"));
        match wanted {
            Some(part) if part.contains("version=0.0.1") => Format::Prometheus,
            Some(_) => Format::OpenMetrics,
            None => Format::Prometheus,
        }
    }
}

/// A page being written: a family, then its samples, and so on.
#[derive(Debug)]
pub struct Page {
    format: Format,
    bytes: Vec<u8>,
}

impl Page {
    /// An empty page.
    pub fn new(format: Format) -> Self {
        Page { format, bytes: Vec::with_capacity(64 << 10) }
    }

    /// Begins a family. All its samples follow; a family is begun once on a page.
    pub fn family(&mut self, family: &FamilyInfo) {
        let name = self.family_name(family);
        let kind = match (self.format, family.kind) {
            (Format::Prometheus, kind) => kind.as_str(),
            (Format::OpenMetrics, Kind::Untyped) => "unknown",
            // OpenMetrics knows no counter whose samples do not end in _total.
            (Format::OpenMetrics, Kind::Counter) if !family.name.ends_with("_total") => "unknown",
            (Format::OpenMetrics, kind) => kind.as_str(),
        };
        self.line(&[b"# HELP ", name.as_bytes(), b" "]);
        escape(&mut self.bytes, &family.help, self.format == Format::OpenMetrics);
        self.line(&[b"\n# TYPE ", name.as_bytes(), b" ", kind.as_bytes(), b"\n"]);
        if self.format == Format::OpenMetrics
            && let Some(unit) = unit_of(name).filter(|unit| name.ends_with(unit))
        {
            self.line(&[b"# UNIT ", name.as_bytes(), b" ", unit.as_bytes(), b"\n"]);
        }
    }

    /// One sample of the family begun last. `ts_ms` is written only if given.
    pub fn sample(&mut self, def: &SeriesDef, value: f64, ts_ms: Option<i64>) {
        self.sample_with(def, &[], value, ts_ms);
    }

    /// The same, with those of `more` labels that the series does not have itself.
    pub fn sample_with(
        &mut self,
        def: &SeriesDef,
        more: &[(String, String)],
        value: f64,
        ts_ms: Option<i64>,
    ) {
        self.head(def, more);
        number(&mut self.bytes, value);
        if let Some(ts_ms) = ts_ms {
            self.timestamp(ts_ms);
        }
        self.bytes.push(b'\n');
    }

    /// A sample's line up to its value, which [`number`] writes.
    pub fn head(&mut self, def: &SeriesDef, more: &[(String, String)]) {
        self.line(&[def.family.name.as_bytes(), def.suffix.as_bytes()]);
        let mut open = b"{".as_slice();
        let own = def.labels.iter().map(|(name, value)| (&**name, &**value));
        let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let more = more.filter(|(name, _)| !def.labels.iter().any(|(known, _)| known == name));
        for (name, value) in own.chain(more) {
            self.line(&[open, name.as_bytes(), b"=\""]);
            escape(&mut self.bytes, value, true);
            self.bytes.push(b'"');
            open = b",";
        }
        if open == b"," {
            self.bytes.push(b'}');
        }
        self.bytes.push(b' ');
    }

    /// Adds a stretch of what another page of the same format holds.
    pub fn append(&mut self, other: &Page, range: Range<usize>) {
        self.bytes.extend_from_slice(&other.bytes[range]);
    }

    /// How many bytes it has so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The whole page.
    pub fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.bytes.extend_from_slice(b"# EOF\n");
        }
        self.bytes
    }

    /// OpenMetrics names a counter's family without `_total`.
    fn family_name<'a>(&self, family: &'a FamilyInfo) -> &'a str {
        match (self.format, family.kind) {
            (Format::OpenMetrics, Kind::Counter) => {
                family.name.strip_suffix("_total").unwrap_or(&family.name)
            }
            _ => &family.name,
        }
    }

    fn timestamp(&mut self, ts_ms: i64) {
        // Writing to a vector cannot fail.
        let _ = match self.format {
            Format::Prometheus => write!(self.bytes, " {ts_ms}"),
            Format::OpenMetrics => {
                let (s, ms) = (ts_ms.div_euclid(1000), ts_ms.rem_euclid(1000));
                write!(self.bytes, " {s}.{ms:03}")
            }
        };
    }

    fn line(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }
}

/// Writes `text` with `\`, line feed and, where asked, `"` escaped.
fn escape(bytes: &mut Vec<u8>, text: &str, quotes: bool) {
    let special = |b: u8| b == b'\\' || b == b'\n' || (quotes && b == b'"');
    if !text.bytes().any(special) {
        // Nearly every label value and help text.
        bytes.extend_from_slice(text.as_bytes());
        return;
    }
    for b in text.bytes() {
        match b {
            b'\n' => bytes.extend_from_slice(b"\\n"),
            _ if special(b) => bytes.extend_from_slice(&[b'\\', b]),
            _ => bytes.push(b),
        }
    }
}

/// The largest whole number below which every whole number is one of its own.
const WHOLE: f64 = (1u64 << 53) as f64;

/// Writes a value in the shortest form that reads back as the same.
pub fn number(bytes: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    // Writing to a vector cannot fail.
    let _ = if value.is_nan() {
        bytes.write_all(b"NaN")
    } else if value.is_infinite() {
        bytes.write_all(if value > 0.0 { b"+Inf" } else { b"-Inf" })
    } else if magnitude < WHOLE && value.fract() == 0.0 && (value != 0.0 || value.is_sign_positive()) {
        // Most values count something, and whole numbers are written in a third of the time.
        write!(bytes, "{}", value as i64)
    } else if magnitude != 0.0 && !(1e-6..1e18).contains(&magnitude) {
        write!(bytes, "{value:e}")
    } else {
        write!(bytes, "{value}")
    };
}

/// The page of one run that was all new: families sorted by name, series in the order written.
pub fn page(collected: &Collected, format: Format) -> Vec<u8> {
    let mut families: BTreeMap<&str, (&Arc<FamilyInfo>, Vec<usize>)> = BTreeMap::new();
    for (at, (_, def)) in collected.new.iter().enumerate() {
        families.entry(&def.family.name).or_insert((&def.family, Vec::new())).1.push(at);
    }
    let values: BTreeMap<_, _> =
        collected.samples.iter().map(|sample| (sample.series, sample.value)).collect();
    let mut page = Page::new(format);
    for (family, series) in families.into_values() {
        page.family(family);
        for (reference, def) in series.into_iter().map(|at| &collected.new[at]) {
            page.sample(def, values.get(reference).map_or(0.0, |value| value.to_f64()), None);
        }
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;
    use std::sync::Arc;

    fn family(name: &str, kind: Kind) -> Arc<FamilyInfo> {
        Arc::new(FamilyInfo { name: name.into(), kind, help: Cow::Borrowed("Says \"a\\b\".\nTwice.") })
    }

    fn page(
        format: Format,
        family: &Arc<FamilyInfo>,
        labels: &[(&'static str, &str)],
        value: f64,
        ts: Option<i64>,
    ) -> String {
        let mut page = Page::new(format);
        page.family(family);
        let labels = labels.iter().map(|(n, v)| (Cow::Borrowed(*n), Box::from(*v))).collect();
        page.sample(&SeriesDef { family: family.clone(), suffix: "", labels }, value, ts);
        String::from_utf8(page.finish()).unwrap()
    }

    #[test]
    fn prometheus_text() {
        let text = page(
            Format::Prometheus,
            &family("a_seconds_total", Kind::Counter),
            &[("x", "a\"\\\n"), ("y", "")],
            1.5,
            Some(7),
        );
        assert_eq!(
            text,
            "# HELP a_seconds_total Says \"a\\\\b\".\\nTwice.\n# TYPE a_seconds_total counter\n\
             a_seconds_total{x=\"a\\\"\\\\\\n\",y=\"\"} 1.5 7\n"
        );
    }

    #[test]
    fn openmetrics() {
        let text = page(Format::OpenMetrics, &family("a_seconds_total", Kind::Counter), &[], 1.0, Some(-1));
        assert_eq!(
            text,
            "# HELP a_seconds Says \\\"a\\\\b\\\".\\nTwice.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
             a_seconds_total 1 -1.999\n# EOF\n"
        );
        let text = page(Format::OpenMetrics, &family("a", Kind::Counter), &[], 1.0, None);
        assert!(text.contains("# TYPE a unknown\n"));
    }

    #[test]
    fn the_parts_of_a_histogram_stand_under_its_name() {
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let mut page = Page::new(format);
            let family = family("a_seconds", Kind::Histogram);
            page.family(&family);
            page.sample(&SeriesDef { family, suffix: "_count", labels: [].into() }, 3.0, None);
            let text = String::from_utf8(page.finish()).unwrap();
            assert!(text.contains("# TYPE a_seconds histogram\n"), "{text}");
            assert!(text.contains("\na_seconds_count 3\n"), "{text}");
        }
    }

    #[test]
    fn numbers_read_back_as_they_were() {
        for value in
            [0.0, -0.0, 1.0, 0.1, 1e-7, -3.25e-300, 1e18, 123456789012345680.0, f64::MAX, f64::MIN_POSITIVE]
        {
            let mut bytes = Vec::new();
            number(&mut bytes, value);
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.len() < 30, "{text}");
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
        }
        let mut bytes = Vec::new();
        [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].iter().for_each(|v| number(&mut bytes, *v));
        assert_eq!(bytes, b"+Inf-InfNaN");
    }

    #[test]
    fn the_accept_header_chooses() {
        let prometheus_3 =
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.3";
        assert_eq!(Format::negotiate(prometheus_3), Format::OpenMetrics);
        assert_eq!(Format::negotiate("application/openmetrics-text;version=0.0.1"), Format::Prometheus);
        assert_eq!(Format::negotiate("*/*"), Format::Prometheus);
    }
}
