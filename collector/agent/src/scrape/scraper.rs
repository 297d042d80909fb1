//! The task that scrapes one target at its times.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_wire::page::{Protocol, format_of};
use taffrail_wire::remote_write::MetricKind;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::fetch::{Client, Page};
use super::job::Job;
use super::page::{Read, Reader};
use super::sample_labels::of_report;
use super::series::{Sample, Series};
use super::target::Target;
use crate::metrics::Writer;
use crate::metrics::record::Family;
use crate::status::{Failure, Place, TargetStatus, lock};

/// What all scrapers share.
#[derive(Clone)]
pub struct Shared {
    /// Where samples go.
    pub writer: Arc<Writer>,
    /// The one clock.
    pub clock: Clock,
    /// How many pages are read at once: reading one keeps a CPU busy.
    pub readers: Arc<Semaphore>,
}

/// Scrapes one target.
pub struct Scraper {
    job: Arc<Job>,
    target: Arc<Target>,
    client: Arc<Client>,
    shared: Shared,
    status: Place<TargetStatus>,
    state: Option<Box<State>>,
}

/// What is kept from page to page; it goes to the thread that reads the page, and comes back.
#[derive(Debug, Default)]
struct State {
    series: Series,
    reports: Series,
    samples: Vec<Sample>,
}

/// The most samples for which room is kept until the next page.
const ROOM: usize = 4096;

/// How a scrape went.
struct Scrape {
    read: Read,
    added: u64,
    bytes: usize,
    series: usize,
}

impl Scraper {
    /// A scraper of `target`, which nothing has been asked yet.
    pub fn new(
        job: Arc<Job>,
        target: Arc<Target>,
        client: Arc<Client>,
        shared: Shared,
        status: Place<TargetStatus>,
    ) -> Self {
        Scraper { job, target, client, shared, status, state: None }
    }

    /// Scrapes until `stop`. With `end`, its series are then marked as ended.
    pub async fn run(mut self, stop: CancellationToken, end: impl FnOnce() -> bool) {
        let clock = self.shared.clock.clone();
        let phase = phase(&self.target);
        loop {
            let wait = until_next(clock.now_ms(), self.target.interval, phase);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.scrape() => {}
            }
        }
        if end()
            && let Some(mut state) = self.state.take()
        {
            let writer = self.shared.writer.clone();
            let now_ms = clock.now_ms();
            let ending = spawn_blocking(move || {
                state.series.end(now_ms, &writer);
                state.reports.end(now_ms, &writer);
            });
            let _ = ending.await;
        }
    }

    async fn scrape(&mut self) {
        let clock = &self.shared.clock;
        let (now_ms, started) = (clock.now_ms(), clock.monotonic());
        let page = self.client.get(&self.target.url, self.target.timeout).await;
        // The semaphore is never closed.
        let _reader = self.shared.readers.acquire().await.ok();
        let mut state = self.state.take().unwrap_or_default();
        let (job, target, writer) = (self.job.clone(), self.target.clone(), self.shared.writer.clone());
        let clock = clock.clone();
        let reading = spawn_blocking(move || {
            let reader = Reader { job: &job, target: &target, writer: &writer, now_ms };
            let scrape = state.take(page, &reader);
            let took = clock.monotonic().saturating_sub(started);
            state.report(&scrape, took, &reader);
            (state, scrape, took)
        });
        match reading.await {
            Ok((state, scrape, took)) => {
                self.show(now_ms, took, scrape);
                self.state = Some(state);
            }
            // The panic was logged; what was known of the series went with it.
            Err(_) => tracing::error!(target = %self.target.url, "reading a page panicked"),
        }
    }

    fn show(&self, now_ms: i64, took: Duration, scrape: Scrape) {
        let mut status = lock(&self.status);
        status.up = Some(scrape.read.error.is_none());
        status.last_scrape_ms = now_ms;
        status.duration_s = took.as_secs_f64();
        status.samples = scrape.read.scraped;
        status.series = scrape.series;
        status.bytes = scrape.bytes;
        status.scrapes += 1;
        status.warnings = warnings(&scrape.read);
        status.failures += u64::from(scrape.read.error.is_some());
        match scrape.read.error {
            Some(text) => {
                if status.error.is_none() {
                    tracing::warn!(job = %self.job.name, target = %self.target.url, "cannot be scraped: {text}");
                }
                status.error = Some(Failure { at_ms: now_ms, text });
            }
            None => {
                if status.error.take().is_some() {
                    tracing::info!(job = %self.job.name, target = %self.target.url, "is scraped again");
                }
            }
        }
    }
}

fn warnings(read: &Read) -> Vec<String> {
    let counted = [
        (read.duplicates, "samples left out: their series have one of this time, or a later one, already"),
        (read.ahead, "samples left out: their times are more than ten minutes ahead"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, what)| format!("{count} {what}")).collect()
}

impl State {
    /// Takes in a page, or ends all series if there is none, or a bad one.
    fn take(&mut self, page: Result<Page, String>, reader: &Reader<'_>) -> Scrape {
        let limit = reader.job.limits.body_bytes;
        let text = page.and_then(|page| {
            let format = format_of(&page.content_type, Some(Protocol::PrometheusText0_0_4));
            Ok((page.text(limit)?, format.map_err(|error| error.to_string())?))
        });
        let mut scrape = Scrape { read: Read::default(), added: 0, bytes: 0, series: 0 };
        match text {
            Ok((text, format)) => {
                scrape.bytes = text.len();
                scrape.read = reader.read(&text, format, &mut self.series, &mut self.samples);
            }
            Err(error) => scrape.read.error = Some(error),
        }
        if scrape.read.error.is_none() {
            scrape.added = self.series.accept(&self.samples, reader.now_ms, reader.writer);
        } else {
            self.series.end(reader.now_ms, reader.writer);
        }
        scrape.series = self.series.count();
        self.samples.clear();
        self.samples.shrink_to(ROOM);
        scrape
    }

    /// Writes what is known of the scrape itself.
    fn report(&mut self, scrape: &Scrape, took: Duration, reader: &Reader<'_>) {
        let up = f64::from(u8::from(scrape.read.error.is_none()));
        let reports = [
            ("up", up),
            ("scrape_duration_seconds", took.as_secs_f64()),
            ("scrape_samples_scraped", scrape.read.scraped as f64),
            ("scrape_samples_post_metric_relabeling", scrape.read.kept as f64),
            ("scrape_series_added", scrape.added as f64),
        ];
        self.reports.begin();
        self.samples.clear();
        for (name, value) in reports {
            let index = self.reports.find_name(name).unwrap_or_else(|key| {
                let family = Family { name, kind: MetricKind::Gauge, help: "", unit: "" };
                let labels = of_report(name, &reader.target.labels, reader.job);
                self.reports.insert(key, Some(&labels), family, reader.writer)
            });
            if let Some(series) = index {
                self.reports.see(series, reader.now_ms);
                self.samples.push(Sample { series, ts_ms: reader.now_ms, value, tracked: true });
            }
        }
        self.reports.accept(&self.samples, reader.now_ms, reader.writer);
        self.samples.clear();
    }
}

/// Where in its interval a target is scraped: targets are spread over it, and each keeps its place over restarts.
fn phase(target: &Target) -> u64 {
    let mut hasher = DefaultHasher::new();
    target.labels.hash(&mut hasher);
    target.url.hash(&mut hasher);
    hasher.finish()
}

/// How long until the next time that is `phase` into an interval.
fn until_next(now_ms: i64, interval: Duration, phase: u64) -> Duration {
    let every = (interval.as_millis() as i64).max(1);
    let shift = (phase % every as u64) as i64;
    Duration::from_millis((every - (now_ms - shift).rem_euclid(every)) as u64)
}
