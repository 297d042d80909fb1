//! What is shown of one target: the lines of its last page, written once and kept while their series are there.

use std::sync::Arc;

use taffrail_core::sample::STALE_NAN;
use taffrail_core::text::number;
use taffrail_wire::relabel::Names;
use taffrail_wire::remote_write::MetricKind;

use crate::metrics::record::Exemplar;
use crate::scrape::series::{Index, Series};
use crate::scrape::taken::{More, Sample, Taken};

/// Families that may be known beyond two for every line.
const SPARE: usize = 64;

/// The lines of a page, and their order.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// By series.
    lines: Vec<Option<Line>>,
    /// As on the page, so that the parts of a histogram stand together.
    order: Vec<Index>,
    families: Vec<Arc<Family>>,
    page: u64,
}

/// One series, and its last sample.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) family: Arc<Family>,
    /// The metric's name.
    pub(super) name: Box<str>,
    /// Name and labels, as they are written.
    pub(super) head: Box<str>,
    /// The same where names have characters that not all readers understand.
    pub(super) plain: Option<Box<str>>,
    pub(super) value: f64,
    /// The sample's time, where the target says one.
    pub(super) ts_ms: Option<i64>,
    /// The last exemplar, as it is written.
    pub(super) exemplar: Option<Box<str>>,
    /// The page that had it last.
    page: u64,
}

/// What the target's page says of a family.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) name: Box<str>,
    pub(super) kind: MetricKind,
    pub(super) help: Box<str>,
    pub(super) unit: Box<str>,
}

impl Line {
    pub(super) fn new(family: Arc<Family>, name: &str, head: &str, value: f64) -> Self {
        let (name, head) = (name.into(), head.into());
        Line { family, name, head, plain: None, value, ts_ms: None, exemplar: None, page: 0 }
    }
}

impl Shown {
    /// Shows what a page holds, and nothing else.
    pub(super) fn show(&mut self, taken: &Taken, series: &Series) {
        self.page += 1;
        self.order.clear();
        let (mut again, mut more) = (&taken.again[..], &taken.more[..]);
        for (at, sample) in taken.samples.iter().enumerate() {
            let before = again.iter().take_while(|(of, _)| *of as usize <= at).count();
            again[..before].iter().for_each(|(_, index)| self.keep(*index));
            again = &again[before..];
            let own = more.iter().take_while(|(of, _)| *of as usize == at).count();
            self.set(sample, &more[..own], series);
            more = &more[own..];
        }
        again.iter().for_each(|(_, index)| self.keep(*index));
        let page = self.page;
        self.forget(|_, line| line.page == page);
    }

    /// Shows nothing. What belongs to series that are remembered is remembered too: the next page has them again.
    pub(super) fn hide(&mut self, series: &Series) {
        self.order = Vec::new();
        self.forget(|index, _| series.is_known(index));
    }

    /// Gives all lines to `each`, in the page's order.
    pub(super) fn visit<'s>(&'s self, each: impl FnMut(&'s Line)) {
        self.order.iter().filter_map(|index| self.lines.get(*index as usize)?.as_ref()).for_each(each);
    }

    fn forget(&mut self, stays: impl Fn(Index, &Line) -> bool) {
        for (index, place) in self.lines.iter_mut().enumerate() {
            if place.as_ref().is_some_and(|line| !stays(index as Index, line)) {
                *place = None;
            }
        }
        if self.families.len() > 2 * self.order.len() + SPARE {
            self.families.retain(|family| Arc::strong_count(family) > 1);
        }
    }

    /// A series has the sample of the page before.
    fn keep(&mut self, index: Index) {
        if let Some(Some(line)) = self.lines.get_mut(index as usize)
            && line.page != self.page
        {
            line.page = self.page;
            self.order.push(index);
        }
    }

    fn set(&mut self, sample: &Sample, more: &[(u32, More)], series: &Series) {
        let at = sample.series as usize;
        // Text has no words for native histograms.
        if more.iter().any(|(_, more)| matches!(more, More::Histogram(_)))
            || sample.value.to_bits() == STALE_NAN
        {
            return;
        }
        if self.lines.len() <= at {
            self.lines.resize_with(at + 1, || None);
        }
        if self.lines[at].is_none() {
            self.lines[at] = self.line(sample.series, series);
        }
        let Some(line) = &mut self.lines[at] else { return };
        line.value = sample.value;
        line.ts_ms = sample.own.then_some(sample.ts_ms);
        if let Some((_, More::Exemplar(exemplar))) = more.last() {
            line.exemplar = Some(written(exemplar));
        }
        if line.page != self.page {
            line.page = self.page;
            self.order.push(sample.series);
        }
    }

    fn line(&mut self, index: Index, series: &Series) -> Option<Line> {
        let (family, labels) = series.shown(index)?;
        let name: Box<str> = labels.get("__name__").into();
        // Without these, whoever pulls would add its own: that it has none, a page says by an empty value.
        let missing = ["instance", "job"].into_iter().filter(|name| labels.get(name).is_empty());
        let missing: Vec<(&str, &str)> = missing.map(|name| (name, "")).collect();
        let pairs = || {
            let own = labels.iter().filter(|(name, _)| *name != "__name__");
            own.chain(missing.iter().copied())
        };
        let understood =
            Names::Legacy.accept_metric(&name) && pairs().all(|(name, _)| Names::Legacy.accept(name));
        let plain = (!understood).then(|| {
            let pairs: Vec<(String, &str)> =
                pairs().map(|(name, value)| (underscored(name), value)).collect();
            head(&underscored(&name), pairs.iter().map(|(name, value)| (name.as_str(), *value)))
        });
        let head = if understood { head(&name, pairs()) } else { quoted_head(&name, pairs()) };
        let family = Family {
            name: family.name.into(),
            kind: family.kind,
            help: family.help.into(),
            unit: family.unit.into(),
        };
        // A page's series come family by family: the last one is nearly always it.
        let family = match self.families.iter().rfind(|known| ***known == family) {
            Some(known) => known.clone(),
            None => {
                self.families.push(Arc::new(family));
                self.families.last()?.clone()
            }
        };
        Some(Line { plain, ..Line::new(family, &name, &head, 0.0) })
    }
}

/// `name{label="value",…}`
fn head<'a>(name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Box<str> {
    let mut text = name.to_owned();
    braced(&mut text, labels.map(|(name, value)| (name.to_owned(), value)), "");
    text.into()
}

/// `{"name","label"="value",…}`
fn quoted_head<'a>(name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Box<str> {
    let mut text = String::new();
    let quoted = |name: &str| if Names::Legacy.accept(name) { name.to_owned() } else { quoted(name) };
    braced(&mut text, labels.map(|(name, value)| (quoted(name), value)), &self::quoted(name));
    text.into()
}

fn braced<'a>(text: &mut String, labels: impl Iterator<Item = (String, &'a str)>, first: &str) {
    let mut sign = '{';
    if !first.is_empty() {
        text.push(sign);
        text.push_str(first);
        sign = ',';
    }
    for (name, value) in labels {
        text.push(sign);
        text.push_str(&name);
        text.push('=');
        text.push_str(&quoted(value));
        sign = ',';
    }
    if sign == ',' {
        text.push('}');
    }
}

/// In quotation marks.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '"' | '\\' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// As Prometheus writes names for readers that understand letters, digits and `_` alone.
pub(super) fn underscored(name: &str) -> String {
    let valid = |(at, c): (usize, char)| {
        c.is_ascii_alphabetic() || c == '_' || c == ':' || (at > 0 && c.is_ascii_digit())
    };
    name.chars().enumerate().map(|(at, c)| if valid((at, c)) { c } else { '_' }).collect()
}

fn written(exemplar: &Exemplar) -> Box<str> {
    let name = |name: &str| if Names::Legacy.accept(name) { name.to_owned() } else { quoted(name) };
    let labels = exemplar.labels.iter().map(|(of, value)| (name(of), &**value));
    let mut text = String::new();
    braced(&mut text, labels, "");
    let labels = if text.is_empty() { "{}" } else { &text };
    let mut value = Vec::new();
    number(&mut value, exemplar.value);
    let (s, ms) = (exemplar.ts_ms.div_euclid(1000), exemplar.ts_ms.rem_euclid(1000));
    format!("{labels} {} {s}.{ms:03}", String::from_utf8_lossy(&value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        let labels = [("le", "1.0"), ("path", "a\"b\\c\n")];
        assert_eq!(&*head("a_total", labels.into_iter()), r#"a_total{le="1.0",path="a\"b\\c\n"}"#);
        assert_eq!(&*head("a", [].into_iter()), "a");
        assert_eq!(
            &*quoted_head("a.b", [("c.d", "e"), ("f", "g")].into_iter()),
            r#"{"a.b","c.d"="e",f="g"}"#
        );
        assert_eq!(&*quoted_head("a.b", [].into_iter()), r#"{"a.b"}"#);
        assert_eq!(underscored("1a.b:ü"), "_a_b:_");
    }
}
