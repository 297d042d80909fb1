//! The pipeline: it alone creates the parts, and owns the order in which they start, reload and stop.
//!
//! Start: logs, then outputs (so that nothing is appended that no cursor sees), then the processor, exporters, sources.
//! Stop: exporters and sources first, then the processor, then the logs are closed and outputs drain until the grace
//! period ends.

mod archive;
mod budgets;
mod containers;
mod housekeeping;
mod make;
mod outputs;
mod part;
mod process;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taffrail_core::{Clock, Exporter};
use taffrail_spool::Log;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::housekeeping::{housekeeping, remaining};
use self::make::{Make, wanted};
use self::outputs::{start_loki, start_output};
use self::part::{Part, stop_one};
use self::process::process;
use crate::component::{Key, plan};
use crate::config::{Config, defaults};
use crate::contain::keep_running;
use crate::engines::Engines;
use crate::logs::{Chunk, Logs, Missing, Notes};
use crate::measures::Measures;
use crate::metrics::{Cardinality, Identity, Pages, Writer};
use crate::outputs::Prometheus;
use crate::own::Own;
use crate::page::{Live, Tail};
use crate::probe;
use crate::schedule::{ExporterTask, Settings};
use crate::scrape::{self, Job, JobTask};
use crate::sources::door::Sockets;
use crate::status::Board;

/// Chunks that wait for the processor; with 256 KiB each, 2 MiB at most. When it is full, sources wait.
const CHUNKS_WAITING: usize = 8;
/// How long a source that is stopped waits for what it has read to be settled: until the log on disk has what a dead
/// output has not (two seconds after it was read, looked at every second), so that it is not read and sent again.
const SETTLE: Duration = Duration::from_secs(4);
/// Times are milliseconds, and a frame may be one ahead of the clock.
const NEXT_TIME: Duration = Duration::from_millis(2);

/// What is shared by all parts, and lives as long as the process.
#[derive(Clone)]
pub struct Shared {
    /// The one clock.
    pub clock: Clock,
    /// The board.
    pub board: Arc<Board>,
    /// The page's last hour.
    pub live: Arc<Live>,
    /// The page's log tail.
    pub tail: Arc<Tail>,
    /// The pull pages.
    pub pages: Arc<Pages>,
    /// `/metrics/scraped`.
    pub relay: Arc<scrape::Relay>,
    /// `/probe`.
    pub probe: Arc<probe::Endpoint>,
    /// What stages count.
    pub measures: Arc<Measures>,
    /// The log of metrics.
    pub metrics: Arc<dyn Log>,
    /// The logs of log entries.
    pub logs: Logs,
    /// What they gave up, and has to be told.
    pub missing: Arc<Missing>,
    /// Where sources keep their state.
    pub state: PathBuf,
}

/// A component that runs.
struct Running {
    make: Make,
    part: Part,
}

/// All parts, running.
pub struct Pipeline {
    shared: Shared,
    writer: Arc<Writer>,
    notes: Notes,
    engines: Engines,
    chunks: mpsc::Sender<Chunk>,
    pause: watch::Receiver<bool>,
    /// Those of sources that others send to; they stay open while a reload restarts their source.
    sockets: Arc<Sockets>,
    /// How many scraped pages are read at once.
    readers: Arc<Semaphore>,
    running: BTreeMap<Key, Running>,
    processor: (CancellationToken, JoinHandle<()>),
    housekeeping: JoinHandle<()>,
    /// What tells in streams what is missing in them.
    teller: (CancellationToken, JoinHandle<()>),
}

impl Pipeline {
    /// Starts all that `config` wants. What does not start is said and left out; the rest runs.
    pub async fn start(config: &Config, instance: &str, shared: Shared) -> anyhow::Result<Self> {
        let writer = Arc::new(Writer::new(shared.metrics.clone()));
        let (notes, notes_source) = Notes::new(shared.clock.clone());
        let (chunks, queue) = mpsc::channel(CHUNKS_WAITING);
        let (pauses, pause) = watch::channel(false);
        let stop = CancellationToken::new();
        let processor = process(shared.clone(), queue, (notes_source, notes.clone()), pauses, stop.clone());
        let looked_at = (shared.clone(), writer.cardinality().clone(), notes.clone());
        let housekeeping = tokio::spawn(keep_running("housekeeping".into(), move || {
            let (shared, cardinality, notes) = looked_at.clone();
            housekeeping(shared, cardinality, notes)
        }));
        let processor = (stop, processor);
        let told = CancellationToken::new();
        let (missing, to, stop) = (shared.missing.clone(), (chunks.clone(), notes.clone()), told.clone());
        let teller = tokio::spawn(async move { missing.tell(to.0, to.1, stop).await });
        let teller = (told, teller);
        let (running, sockets) = (BTreeMap::new(), Arc::default());
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let readers = Arc::new(Semaphore::new(cpus));
        let mut pipeline = Pipeline {
            shared,
            writer,
            notes,
            engines: Engines::default(),
            chunks,
            pause,
            sockets,
            readers,
            running,
            processor,
            housekeeping,
            teller,
        };
        for problem in pipeline.apply(config, instance).await? {
            error!("{problem}");
        }
        Ok(pipeline)
    }

    /// Makes what runs equal to what `config` wants; what is equal already is not touched. An error means that nothing
    /// was changed. What it returns are the parts that could not be started though the config is right, in words.
    pub async fn apply(&mut self, config: &Config, instance: &str) -> anyhow::Result<Vec<String>> {
        let wanted = wanted(config, instance);
        let present: BTreeMap<Key, Make> =
            self.running.iter().map(|(k, r)| (k.clone(), r.make.clone())).collect();
        let plan = plan(&present, &wanted);
        for (_, make) in plan.change.iter().chain(&plan.start) {
            make.check(&self.shared.clock)?;
        }
        self.notes.set_labels(instance, &config.labels);
        self.shared.probe.set(config.probes.as_ref());
        self.cardinality().set_budget(config.series_budget);
        self.shared.relay.turn(config.scrape.iter().any(|job| job.relay));
        self.shared.board.room.resize(config.scrape_memory);
        let leaving: Vec<&Key> = plan.stop.iter().chain(plan.change.iter().map(|(key, _)| key)).collect();
        let mut old: Vec<_> = leaving.into_iter().filter_map(|key| self.running.remove_entry(key)).collect();
        // Sources first: outputs still settle what they have read, which else would be read and sent again; and
        // exporters, which are quick to stop, are not away while a source waits for that.
        old.sort_by_key(|(_, running)| running.make.order());
        let mut left = BTreeMap::new();
        while let Some(order) = old.last().map(|(_, running)| running.make.order()) {
            let from = old.partition_point(|(_, running)| running.make.order() < order);
            left.extend(self.stop_all(old.split_off(from), true, SETTLE).await);
        }
        for key in &plan.stop {
            if let Some(left) = left.remove(key) {
                left.end(&self.shared.clock, &self.writer).await;
            }
        }
        if !plan.change.is_empty() {
            // What an exporter told last and what the one in its place tells first must not have the same time.
            tokio::time::sleep(NEXT_TIME).await;
        }
        let mut new: Vec<(Key, &Make)> = plan.change.into_iter().chain(plan.start).collect();
        new.sort_by_key(|(_, make)| make.order());
        let mut problems = Vec::new();
        for (key, make) in new {
            match self.start_one(&key, make, left.remove(&key).unwrap_or_default()).await {
                Ok(part) => drop(self.running.insert(key, Running { make: make.clone(), part })),
                Err(error) => {
                    self.shared.board.remove(&key);
                    problems.push(format!("{key} does not run: {error:#}"));
                }
            }
        }
        self.sockets.keep(config.logs.iter().flat_map(|source| source.reads.listens()));
        Ok(problems)
    }

    /// Stops everything: sources and exporters, then outputs as soon as they are empty, at the latest after `grace`.
    /// With `leaving`, all series are marked as ended first. Returns what is left, in words.
    pub async fn stop(mut self, grace: Duration, leaving: bool) -> Vec<String> {
        let clock = self.shared.clock.clone();
        let by = clock.monotonic() + grace;
        let left = || by.saturating_sub(clock.monotonic());
        let all = std::mem::take(&mut self.running);
        let (outputs, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, r)| r.make.order() == 0);
        let jobs = self.stop_all(rest, leaving, SETTLE.min(left())).await;
        if leaving {
            for job in jobs.into_values() {
                job.end(&clock, &self.writer).await;
            }
        }
        let (stop, teller) = &mut self.teller;
        stop.cancel();
        if tokio::time::timeout(left(), teller).await.is_err() {
            warn!("some streams were not told what is missing in them");
        }
        let (stop, processor) = &mut self.processor;
        stop.cancel();
        if tokio::time::timeout(left(), processor).await.is_err() {
            warn!("log entries that were read are not batched yet; their sources read them again");
        }
        self.shared.metrics.close();
        self.shared.logs.both().iter().for_each(|log| log.close());
        for (_, running) in outputs {
            let Part::Output { leave, mut task } = running.part else { continue };
            if tokio::time::timeout(left(), &mut task).await.is_err() {
                leave.cancel();
                let _ = task.await;
            }
        }
        self.housekeeping.abort();
        remaining(&self.shared)
    }

    /// Starts a component; `left` is what the one before it left, if it scrapes.
    async fn start_one(&self, key: &Key, make: &Make, left: scrape::Left) -> anyhow::Result<Part> {
        let clock = &self.shared.clock;
        match make {
            Make::Host(host, identity) => {
                for problem in taffrail_host::problems(&host.config) {
                    warn!("{}: {}", problem.what, problem.text);
                }
                let (host, interval) = (host.clone(), host.interval);
                let exporter = move || taffrail_host::exporter(&host.config, &host.job);
                Ok(self.start_exporter(key, exporter, interval, identity.clone()))
            }
            Make::Containers(containers, identity) => Ok(self.start_containers(key, containers, identity)),
            Make::Postgres(servers, interval, identity) => {
                let (servers, clock) = (servers.clone(), clock.clone());
                let exporter = move || taffrail_postgres::exporter(&servers, defaults::POSTGRES_JOB, &clock);
                Ok(self.start_exporter(key, exporter, *interval, identity.clone()))
            }
            Make::Probes(probes, identity, host) => {
                let (probes, interval) = (probes.clone(), probes.interval);
                let (host, clock) = (host.clone(), clock.clone());
                let exporter = move || probe::exporter(&probes, &host, &clock);
                Ok(self.start_exporter(key, exporter, interval, identity.clone()))
            }
            Make::PgBouncer(poolers, interval, identity) => {
                let poolers = poolers.clone();
                let exporter = move || taffrail_pgbouncer::exporter(&poolers, defaults::PGBOUNCER_JOB);
                Ok(self.start_exporter(key, exporter, *interval, identity.clone()))
            }
            Make::Redis(servers, interval, identity) => {
                let (servers, clock) = (servers.clone(), clock.clone());
                let exporter = move || taffrail_redis::exporter(&servers, defaults::REDIS_JOB, &clock);
                Ok(self.start_exporter(key, exporter, *interval, identity.clone()))
            }
            Make::Own(interval, identity) => {
                let own = self.own();
                Ok(self.start_exporter(key, move || own.exporter(), *interval, identity.clone()))
            }
            Make::Scrape(job) => self.start_scrape(key, job, left),
            Make::Source(source, instance) => self.start_source(key, source, instance).await,
            Make::Prometheus(config, own) => {
                let (make, own, clock) = (config.clone(), own.clone(), clock.clone());
                let output = move || Prometheus::new(&make, &own, clock.clone());
                start_output(&self.shared, key, &config.receiver.url, output)
            }
            Make::Archive(config, instance) => self.start_archive(key, config, instance),
            Make::Loki(config) => start_loki(&self.shared, &self.notes, key, config),
        }
    }

    /// The own metrics' source.
    pub fn own(&self) -> Own {
        Own {
            board: self.shared.board.clone(),
            measures: self.shared.measures.clone(),
            notes: self.notes.clone(),
            cardinality: self.cardinality().clone(),
            clock: self.shared.clock.clone(),
        }
    }

    /// Where series are counted.
    pub fn cardinality(&self) -> &Arc<Cardinality> {
        self.writer.cardinality()
    }

    fn start_exporter(
        &self,
        key: &Key,
        exporter: impl Fn() -> Exporter + Send + 'static,
        interval: Duration,
        identity: Identity,
    ) -> Part {
        let settings = Settings {
            identity,
            interval,
            clock: self.shared.clock.clone(),
            writer: self.writer.clone(),
            live: self.shared.live.clone(),
            pages: self.shared.pages.clone(),
            board: self.shared.board.clone(),
            notes: self.notes.clone(),
        };
        let (stop, end) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (stopped, ends) = (stop.clone(), end.clone());
        let task = keep_running(key.to_string(), move || {
            let ends = ends.clone();
            let task = ExporterTask::new(exporter(), settings.clone());
            task.run(stopped.clone(), move || ends.load(Ordering::SeqCst))
        });
        Part::Exporter { stop, end, task: tokio::spawn(task) }
    }

    fn start_scrape(&self, key: &Key, job: &Job, left: scrape::Left) -> anyhow::Result<Part> {
        let shared = scrape::Shared {
            writer: self.writer.clone(),
            clock: self.shared.clock.clone(),
            readers: self.readers.clone(),
            relay: self.shared.relay.clone(),
            room: self.shared.board.room.clone(),
        };
        let stop = CancellationToken::new();
        let place = self.shared.board.job(key.clone());
        let task = JobTask::new(job.clone(), shared, place, left).map_err(anyhow::Error::msg)?;
        let task = tokio::spawn(task.run(stop.clone()));
        Ok(Part::Scrape { stop, task })
    }

    /// Stops components side by side. With `ended`, exporters mark their series as ended. What jobs leave is given back.
    async fn stop_all(
        &self,
        running: Vec<(Key, Running)>,
        ended: bool,
        to_settle: Duration,
    ) -> BTreeMap<Key, scrape::Left> {
        let mut stopping = JoinSet::new();
        for (key, running) in running {
            self.shared.board.remove(&key);
            stopping.spawn(stop_one(key, running.part, ended, to_settle));
        }
        stopping.join_all().await.into_iter().flatten().collect()
    }
}
