//! What the specifications have against a page that Prometheus lets pass: for the people who write the target.
//!
//! This is no part of a scrape, where every line would pay for it, but a second look at a page that is worth one: the
//! first of a target, say, and one now and then. It remembers hashes of families and series, up to a bound, and no
//! bytes of the page.

mod families;
mod fault;
mod groups;
mod lines;
#[cfg(test)]
mod tests;

use super::hash::Hasher;
use super::{Entry, Form, Format, Options, PageError, Parser, Place, Sample};

pub use fault::Fault;

/// The most warnings that are kept of a page.
pub const MOST_WARNINGS: usize = 20;
/// The most warnings of one kind that are kept.
const MOST_OF_A_KIND: usize = 3;
/// The most families, and the most series, that are remembered. Behind them, what comes twice is not seen.
const MOST_REMEMBERED: usize = 1 << 20;

/// One thing that is against a specification.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// Where: the line on which it is, or where the line begins.
    pub place: Place,
    /// What it is, and what would be right.
    pub fault: Fault,
}

/// What was found on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The first warnings of each kind, in the page's order.
    pub warnings: Vec<Warning>,
    /// How many more there were.
    pub more: u64,
    /// Why the page is refused, if it is; what follows was not looked at.
    pub error: Option<PageError>,
}

/// Looks at a whole page.
pub fn check(page: &[u8], format: Format) -> Report {
    let options = Options { native: true, classic_too: true, convert_classic: false, created: false };
    let mut parser = Parser::new(page, format, options);
    let mut checker = Checker::new(format);
    if format == Format::Text {
        checker.faults.extend(lines::of_page(page));
    }
    let mut left_out = 0;
    // What belongs to the page as a whole is at its beginning.
    checker.note(|| parser.place_of(0));
    while let Some(entry) = parser.next() {
        if parser.exemplars_left_out() > left_out {
            left_out = parser.exemplars_left_out();
            checker.faults.push(Fault::ExemplarLeftOut);
        }
        match entry {
            Ok(entry) => checker.entry(&entry, page, parser.offset()),
            Err(error) => checker.report.error = Some(error),
        }
        checker.note(|| parser.place());
    }
    checker.groups.finish(&mut checker.faults);
    checker.note(|| parser.place_of(page.len().saturating_sub(1)));
    checker.report.warnings.sort_by_key(|warning| match warning.place {
        Place::Line { line, column } => (line, column),
        Place::Byte(byte) => (byte, 0),
    });
    checker.report
}

struct Checker {
    format: Format,
    hasher: Hasher,
    families: families::Families,
    groups: groups::Groups,
    faults: Vec<Fault>,
    report: Report,
}

impl Checker {
    fn new(format: Format) -> Self {
        Checker {
            format,
            hasher: Hasher::new(),
            families: families::Families::default(),
            groups: groups::Groups::default(),
            faults: Vec::new(),
            report: Report::default(),
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, page: &[u8], start: usize) {
        let faults = &mut self.faults;
        match entry {
            Entry::Type { family, kind } => {
                self.groups.finish(faults);
                self.families.typed(&self.hasher, family, *kind, faults);
            }
            Entry::Help { family, .. } => {
                self.families.helped(&self.hasher, family, faults);
                if self.format == Format::Text {
                    faults.extend(lines::of_help(page, start));
                }
            }
            Entry::Sample(sample) => self.sample(sample, page, start),
            Entry::Histogram(sample) => {
                let name = sample.series.name();
                self.families.sample(&self.hasher, &name, faults);
                self.families.series(&self.hasher, &sample.series, sample.ts_ms, faults);
                let mut histogram = sample.histogram.clone();
                let limited = histogram.limit(taffrail_core::histogram::FINEST, usize::MAX);
                if let Err(error) = limited.and_then(|()| histogram.validate()) {
                    faults.push(Fault::Histogram { name: fault::short(&name), error });
                }
            }
            Entry::Unit { .. } | Entry::Comment(_) | Entry::Eof => {}
        }
    }

    fn sample(&mut self, sample: &Sample<'_>, page: &[u8], start: usize) {
        let faults = &mut self.faults;
        if let (Form::Text(series), Format::Text) = (&sample.series.0, self.format) {
            lines::of_sample(page, start, series.bytes, faults);
        }
        let labels: Vec<_> = sample.series.labels().collect();
        let name = labels.iter().find(|(name, _)| name == "__name__").map_or("", |(_, value)| value);
        let kind = self.families.sample(&self.hasher, name, faults);
        self.families.series(&self.hasher, &sample.series, sample.ts_ms, faults);
        families::fits(self.format, kind, &labels, sample, faults);
        self.groups.sample(kind, &labels, sample.value, faults);
    }

    /// Makes warnings of the faults that were found, at a place.
    fn note(&mut self, place: impl Fn() -> Place) {
        for fault in self.faults.drain(..) {
            let kind = std::mem::discriminant(&fault);
            let warnings = &mut self.report.warnings;
            let alike = warnings.iter().filter(|known| std::mem::discriminant(&known.fault) == kind).count();
            if alike < MOST_OF_A_KIND && warnings.len() < MOST_WARNINGS {
                warnings.push(Warning { place: place(), fault });
            } else {
                self.report.more += 1;
            }
        }
    }
}
