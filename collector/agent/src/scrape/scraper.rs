//! The task that scrapes one target at its times.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::failed::Failed;
use super::fetch::{Client, Page};
use super::job::Job;
use super::page::Reader;
use super::relay::Relay;
use super::room::Room;
use super::state::{Scrape, State};
use super::target::Target;
use super::times::Times;
use crate::metrics::Writer;
use crate::metrics::cardinality::Counter;
use crate::status::{Failure, JobPlace, Place, Stage, TargetStatus, lock};

/// What all scrapers share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where samples go.
    pub writer: Arc<Writer>,
    /// The one clock.
    pub clock: Clock,
    /// How many pages are read at once: reading one keeps a CPU busy.
    pub readers: Arc<Semaphore>,
    /// Where series are shown for who prefers to pull.
    pub relay: Arc<Relay>,
    /// What pages may take up before they are read.
    pub room: Arc<Room>,
}

/// Why the targets of a job are not asked at all, while that is so.
pub type Refusal = Arc<Mutex<Option<String>>>;

/// Scrapes one target.
pub struct Scraper {
    /// The job it is of.
    pub job: Arc<Job>,
    /// The target.
    pub target: Arc<Target>,
    /// What it is asked with.
    pub client: Arc<Client>,
    /// What all scrapers share.
    pub shared: Shared,
    /// Where it is shown.
    pub status: Place<TargetStatus>,
    /// Where its job counts.
    pub place: Arc<JobPlace>,
    /// Where its series are counted.
    pub counter: Arc<Counter>,
    /// Why it is not asked.
    pub refusal: Refusal,
}

impl Scraper {
    /// Scrapes until `stop`. Gives back what was kept, for the target's next scraper or to be ended.
    pub async fn run(self, mut state: Box<State>, stop: CancellationToken) -> Box<State> {
        let mut times = Times::new(&self.target);
        loop {
            let (due_ms, wait) = times.next(self.shared.clock.now_ms());
            tokio::select! {
                () = stop.cancelled() => return state,
                () = tokio::time::sleep(wait) => {}
            }
            let (at_ms, started) =
                (times.stamp(due_ms, self.shared.clock.now_ms()), self.shared.clock.monotonic());
            let page = tokio::select! {
                () = stop.cancelled() => return state,
                page = self.fetch() => page,
            };
            // What was fetched is read to its end, so that nothing else writes these series meanwhile.
            state = self.read(page, state, at_ms, started).await;
        }
    }

    async fn fetch(&self) -> Result<Page, Failed> {
        let refused = lock(&self.refusal).clone();
        match refused {
            Some(why) => Err(Failed::at(Stage::TargetLimit)(why)),
            None => self.client.get(&self.target.url, self.target.timeout, &self.shared.room).await,
        }
    }

    async fn read(
        &self,
        page: Result<Page, Failed>,
        mut state: Box<State>,
        at_ms: i64,
        started: Duration,
    ) -> Box<State> {
        // The semaphore is never closed.
        let _reader = self.shared.readers.acquire().await.ok();
        let (job, target, writer) = (self.job.clone(), self.target.clone(), self.shared.writer.clone());
        let (clock, counter) = (self.shared.clock.clone(), self.counter.clone());
        let relay = self.job.relay.then(|| self.shared.relay.clone());
        let reading = spawn_blocking(move || {
            state.count_in(&counter);
            state.relay(relay.as_ref());
            let reader = Reader { job: &job, target: &target, writer: &writer, now_ms: at_ms };
            let scrape = state.take(page, &reader);
            let took = clock.monotonic().saturating_sub(started);
            state.report(&scrape, took, &reader);
            (state, scrape, took)
        });
        match reading.await {
            Ok((state, scrape, took)) => {
                self.show(at_ms, took, scrape);
                state
            }
            // The panic was logged; what was known of the series went with it.
            Err(_) => {
                tracing::error!(target = %self.target.url, "reading a page panicked");
                Box::default()
            }
        }
    }

    fn show(&self, now_ms: i64, took: Duration, scrape: Scrape) {
        lock(&self.place.counts).add(&scrape, took);
        let mut status = lock(&self.status);
        status.up = Some(scrape.failed.is_none());
        status.last_scrape_ms = now_ms;
        status.duration_s = took.as_secs_f64();
        status.samples = scrape.read.scraped;
        status.kept = scrape.read.kept;
        status.series = scrape.series;
        status.folded = scrape.folded;
        status.bytes = scrape.bytes;
        status.scrapes += 1;
        status.warnings = warnings(&scrape);
        status.failures += u64::from(scrape.failed.is_some());
        match scrape.failed {
            Some(Failed { text, .. }) => {
                let text = shortened(text);
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

/// The most bytes of an error that are kept: it may quote a page, which may be anything.
const ERROR_BYTES: usize = 400;

fn shortened(mut error: String) -> String {
    if error.len() > ERROR_BYTES {
        error.truncate(error.floor_char_boundary(ERROR_BYTES));
        error.push('…');
        error.shrink_to_fit();
    }
    error
}

fn warnings(scrape: &Scrape) -> Vec<String> {
    let read = &scrape.read;
    let counted = [
        (read.duplicates, "samples left out: their series have one of this time, or a later one, already"),
        (read.ahead, "samples left out: their times are more than ten minutes ahead"),
        (
            read.exemplars_left_out,
            "exemplars left out: their labels are longer than 128 characters, or one of a native histogram has no time",
        ),
        (
            read.histograms_left_out,
            "classic histograms not made native ones: their buckets, count and sum contradict each other",
        ),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, what)| format!("{what} ({count})")).chain(scrape.warnings.iter().cloned()).collect()
}
