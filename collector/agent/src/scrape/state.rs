//! What is kept of a target from page to page.

use std::sync::Arc;
use std::time::Duration;

use taffrail_wire::page::{Format, Report, check, format_of};
use taffrail_wire::remote_write::MetricKind;

use super::failed::Failed;
use super::fetch::Page;
use super::page::{Read, Reader};
use super::relay::{self, Relay};
use super::sample_labels::of_report;
use super::series::Series;
use super::taken::{Sample, Taken};
use crate::metrics::Writer;
use crate::metrics::cardinality::Counter;
use crate::metrics::record::Family;
use crate::status::{Counts, Stage};

/// A target's series, and those about it. It goes to the thread that reads a page, and to the target's next scraper.
#[derive(Debug, Default)]
pub struct State {
    series: Series,
    reports: Series,
    taken: Taken,
    /// What the specifications have against the page that was looked at last.
    warnings: Vec<String>,
    /// Good pages until the next is looked at.
    unlooked: u32,
    /// Its place on the relay's page, if it is relayed.
    relayed: Option<relay::Place>,
}

/// Of the good pages, the first and then one of so many is looked at for what the specifications have against it.
const LOOK_EVERY: u32 = 240;
/// Larger pages are not looked at: it takes time and memory.
const LOOK_BYTES: usize = 4 << 20;

/// How a scrape went.
#[derive(Debug, Default)]
pub struct Scrape {
    /// What the page held.
    pub read: Read,
    /// Why there is no good page, if there is none.
    pub failed: Option<Failed>,
    /// The page's size in bytes, not compressed.
    pub bytes: usize,
    /// Series that are known after it.
    pub series: usize,
    /// Lines that are folded.
    pub folded: usize,
    /// What the specifications have against pages of the target.
    pub warnings: Vec<String>,
}

/// What is known of the series about a target.
struct About {
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    value: f64,
}

impl State {
    /// Series that begin are counted there, and always the same.
    pub fn count_in(&mut self, counter: &Arc<Counter>) {
        self.series.count_in(counter);
        self.reports.count_in(counter);
    }

    /// It is relayed from now on, or not any more.
    pub fn relay(&mut self, relay: Option<&Arc<Relay>>) {
        match relay {
            Some(relay) => drop(self.relayed.get_or_insert_with(|| relay.place())),
            None => self.relayed = None,
        }
    }

    /// Takes in a page, or ends all series if there is none, or a bad one.
    pub fn take(&mut self, page: Result<Page, Failed>, reader: &Reader<'_>) -> Scrape {
        let mut scrape = Scrape::default();
        scrape.failed = self.read(page, reader, &mut scrape).err();
        if scrape.failed.is_none() {
            if !reader.job.fold.is_empty() {
                self.series.add_up(&mut self.taken, reader.now_ms);
            }
            self.series.accept(&self.taken, reader.now_ms, reader.writer);
        } else {
            self.series.reject(reader.now_ms, reader.writer);
        }
        if let Some(place) = &self.relayed {
            let taken = scrape.failed.is_none().then_some(&self.taken);
            place.show_page(taken, &self.series, reader.now_ms, reader.target.interval);
        }
        scrape.series = self.series.count();
        scrape.folded = self.series.folds().count();
        scrape.warnings.clone_from(&self.warnings);
        self.taken.clear();
        scrape
    }

    fn read(
        &mut self,
        page: Result<Page, Failed>,
        reader: &Reader<'_>,
        scrape: &mut Scrape,
    ) -> Result<(), Failed> {
        let page = page?;
        let content_type = page.content_type.clone();
        let (text, _held) = page.text(reader.job.limits.body_bytes)?;
        // Nothing is nothing in all formats.
        let format = match text.is_empty() {
            true => Format::Text,
            false => {
                format_of(&content_type, reader.job.formats.fallback).map_err(Failed::at(Stage::Format))?
            }
        };
        scrape.bytes = text.len();
        scrape.read = reader.read(&text, format, &mut self.series, &mut self.taken);
        if scrape.read.error.is_none() {
            self.look(&text, format);
        }
        let stage = if scrape.read.over_limit { Stage::SampleLimit } else { Stage::Page };
        scrape.read.error.take().map_or(Ok(()), |text| Err(Failed { stage, text }))
    }

    /// Looks now and then at what the specifications say of a good page.
    fn look(&mut self, page: &[u8], format: Format) {
        if page.len() > LOOK_BYTES {
            return;
        }
        let Some(left) = self.unlooked.checked_sub(1) else {
            self.unlooked = LOOK_EVERY - 1;
            let Report { warnings, more, .. } = check(page, format);
            self.warnings =
                warnings.iter().map(|warning| format!("{}: {}", warning.place, warning.fault)).collect();
            if more > 0 {
                self.warnings.push(format!("and {more} more of these kinds"));
            }
            return;
        };
        self.unlooked = left;
    }

    /// Writes what is known of the scrape itself.
    pub fn report(&mut self, scrape: &Scrape, took: Duration, reader: &Reader<'_>) {
        self.reports.begin();
        self.taken.clear();
        for report in reports(scrape, took) {
            let index = self.reports.find_name(report.name).unwrap_or_else(|key| {
                let About { name, help, unit, .. } = report;
                let family = Family { name, kind: MetricKind::Gauge, help, unit };
                let labels = of_report(name, &reader.target.labels, reader.job);
                self.reports.insert(key, Some(&labels), family, reader.writer)
            });
            let Some(series) = index else { continue };
            self.reports.see(series, reader.now_ms, report.value);
            // A page that has an `up` of its own has said it for this time: two would be one too many.
            if scrape.failed.is_some() || !self.series.has(&self.reports, series) {
                self.taken.samples.push(Sample {
                    series,
                    ts_ms: reader.now_ms,
                    value: report.value,
                    tracked: true,
                    own: false,
                });
            }
        }
        self.reports.accept(&self.taken, reader.now_ms, reader.writer);
        if let Some(place) = &self.relayed {
            place.show_reports(&self.taken, &self.reports);
        }
        self.taken.clear();
    }

    /// Marks all series as ended: the target is gone.
    pub fn end(&mut self, now_ms: i64, writer: &Writer) {
        self.series.end(now_ms, writer);
        self.reports.end(now_ms, writer);
        self.relayed = None;
    }

    /// Prepares for other rules. Series that they make again go on, others end with the next good page.
    pub fn forget_lines(&mut self) {
        self.series.forget_lines();
        self.reports.forget_lines();
    }
}

impl Counts {
    /// Adds one scrape, which took so long.
    pub fn add(&mut self, scrape: &Scrape, took: Duration) {
        let read = &scrape.read;
        self.scrapes += 1;
        if let Some(failed) = &scrape.failed {
            *self.failures.entry(failed.stage).or_default() += 1;
        }
        self.seconds += took.as_secs_f64();
        self.bytes += scrape.bytes as u64;
        self.samples += read.scraped;
        self.kept += read.kept;
        self.added += read.added;
        self.not_newer += read.duplicates;
        self.ahead += read.ahead;
    }
}

fn reports(scrape: &Scrape, took: Duration) -> [About; 5] {
    let read = &scrape.read;
    let up = f64::from(u8::from(scrape.failed.is_none()));
    let report = |name, unit, help, value| About { name, help, unit, value };
    [
        report("up", "", "Whether the last scrape of the target succeeded (1) or not (0).", up),
        report(
            "scrape_duration_seconds",
            "seconds",
            "How long the last scrape of the target took.",
            took.as_secs_f64(),
        ),
        report(
            "scrape_samples_scraped",
            "",
            "Samples on the target's last page, as far as it was read.",
            read.scraped as f64,
        ),
        report(
            "scrape_samples_post_metric_relabeling",
            "",
            "Samples of the target's last page that metric_relabel_configs left.",
            read.kept as f64,
        ),
        report(
            "scrape_series_added",
            "",
            "Series on the target's last page that were not known before.",
            read.added as f64,
        ),
    ]
}
