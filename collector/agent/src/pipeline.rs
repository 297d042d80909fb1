//! The pipeline: it alone creates the parts, and owns the order in which they start, reload and stop.
//!
//! Start: logs, then outputs (so that nothing is appended that no cursor sees), then the processor, exporters, sources.
//! Stop: exporters and sources first, then the processor, then the logs are closed and outputs drain until the grace
//! period ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taffrail_core::{Clock, Exporter};
use taffrail_spool::{Cursor, Log, Start};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::component::{Key, plan};
use crate::config::{Config, Host, LogSource, LokiOutput, PrometheusOutput};
use crate::logs::{Chunk, Notes, Processor, Stages};
use crate::measures::Measures;
use crate::metrics::{Identity, Pages, Writer};
use crate::outputs::{Delivery, Loki, Prometheus, deliver};
use crate::own::Own;
use crate::page::{Live, Tail};
use crate::schedule::{ExporterTask, Settings};
use crate::sources;
use crate::status::{Board, LogStatus, OutputStatus, SourceStatus, lock};

/// Chunks that wait for the processor; with 256 KiB each, 2 MiB at most. When it is full, sources wait.
const CHUNKS_WAITING: usize = 8;
/// How long a source that is stopped waits for what it has read to be settled: until the log on disk has what a dead
/// output has not (two seconds after it was read, looked at every second), so that it is not read and sent again.
const FILES_SETTLE: Duration = Duration::from_secs(4);
/// How often lags and sizes are brought to the board.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

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
    /// What stages count.
    pub measures: Arc<Measures>,
    /// The log of metrics.
    pub metrics: Arc<dyn Log>,
    /// The log of log entries.
    pub logs: Arc<dyn Log>,
    /// Where sources keep their state.
    pub state: PathBuf,
}

/// What a component is made from; a reload restarts those whose make has changed.
#[derive(Clone, Debug, PartialEq)]
enum Make {
    Host(Box<Host>, Identity),
    Own(Duration, Identity),
    Files(LogSource, String),
    Prometheus(PrometheusOutput),
    Loki(LokiOutput),
}

/// A component that runs.
struct Running {
    make: Make,
    part: Part,
}

enum Part {
    Exporter { stop: CancellationToken, end: Arc<AtomicBool>, task: JoinHandle<()> },
    Files(sources::files::Running),
    Output { leave: CancellationToken, task: JoinHandle<()> },
}

/// All parts, running.
pub struct Pipeline {
    shared: Shared,
    writer: Arc<Writer>,
    notes: Notes,
    chunks: mpsc::Sender<Chunk>,
    pause: watch::Receiver<bool>,
    running: BTreeMap<Key, Running>,
    processor: (CancellationToken, JoinHandle<()>),
    housekeeping: JoinHandle<()>,
}

impl Pipeline {
    /// Starts all that `config` wants.
    pub async fn start(config: &Config, instance: &str, shared: Shared) -> anyhow::Result<Self> {
        let writer = Arc::new(Writer::new(shared.metrics.clone()));
        let (notes, notes_source) = Notes::new(instance, shared.clock.clone());
        let (chunks, queue) = mpsc::channel(CHUNKS_WAITING);
        let stop = CancellationToken::new();
        let (pauses, pause) = watch::channel(false);
        let Shared { logs, tail, measures, .. } = shared.clone();
        let processor = Processor::new(logs, tail, measures, pauses);
        let processor = tokio::spawn(processor.run(queue, notes_source, stop.clone()));
        let housekeeping = tokio::spawn(housekeeping(shared.clone()));
        let processor = (stop, processor);
        let mut pipeline = Pipeline {
            shared,
            writer,
            notes,
            chunks,
            pause,
            running: BTreeMap::new(),
            processor,
            housekeeping,
        };
        pipeline.apply(config, instance).await?;
        Ok(pipeline)
    }

    /// Makes what runs equal to what `config` wants; what is equal already is not touched.
    pub async fn apply(&mut self, config: &Config, instance: &str) -> anyhow::Result<()> {
        let wanted = wanted(config, instance);
        let present: BTreeMap<Key, Make> =
            self.running.iter().map(|(k, r)| (k.clone(), r.make.clone())).collect();
        let plan = plan(&present, &wanted);
        // Whatever can be refused is refused before anything is touched.
        for (_, make) in plan.change.iter().chain(&plan.start) {
            check(make, &self.shared.clock)?;
        }
        let old = plan.stop.iter().chain(plan.change.iter().map(|(key, _)| key));
        let mut old: Vec<(&Key, Running)> =
            old.filter_map(|key| Some((key, self.running.remove(key)?))).collect();
        // Sources first: outputs still settle what they have read, which else would be read and sent again; and
        // exporters, which are quick to stop, are not away while a source waits for that.
        old.sort_by_key(|(_, running)| std::cmp::Reverse(running.make.order()));
        for (key, running) in old {
            self.stop_one(key, running, true, FILES_SETTLE).await;
        }
        let mut new: Vec<(Key, &Make)> = plan.change.into_iter().chain(plan.start).collect();
        new.sort_by_key(|(_, make)| make.order());
        for (key, make) in new {
            let part = self.start_one(&key, make)?;
            self.running.insert(key, Running { make: make.clone(), part });
        }
        Ok(())
    }

    /// Stops everything: sources and exporters, then outputs as soon as they are empty, at the latest after `grace`.
    /// With `leaving`, all series are marked as ended first. Returns what is left, in words.
    pub async fn stop(mut self, grace: Duration, leaving: bool) -> Vec<String> {
        let clock = self.shared.clock.clone();
        let by = clock.monotonic() + grace;
        let left = || by.saturating_sub(clock.monotonic());
        let all = std::mem::take(&mut self.running);
        let (outputs, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, r)| r.make.order() == 0);
        for (key, running) in rest {
            self.stop_one(&key, running, leaving, FILES_SETTLE.min(left())).await;
        }
        let (stop, processor) = self.processor;
        stop.cancel();
        if tokio::time::timeout(left(), processor).await.is_err() {
            warn!("log entries that were read are not batched yet; their sources read them again");
        }
        self.shared.metrics.close();
        self.shared.logs.close();
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

    fn start_one(&self, key: &Key, make: &Make) -> anyhow::Result<Part> {
        let Shared { clock, board, .. } = &self.shared;
        match make {
            Make::Host(host, identity) => {
                let exporter = taffrail_host::exporter(&host.config, &host.job);
                Ok(self.start_exporter(exporter, host.interval, identity.clone()))
            }
            Make::Own(interval, identity) => {
                let own = self.own();
                Ok(self.start_exporter(own.exporter(), *interval, identity.clone()))
            }
            Make::Files(source, instance) => {
                let status = SourceStatus { name: source.name.clone(), kind: "files", ..Default::default() };
                let context = sources::Context {
                    clock: clock.clone(),
                    instance: instance.clone(),
                    stages: Arc::new(Stages::new(&source.stages)),
                    chunks: self.chunks.clone(),
                    pause: self.pause.clone(),
                    state: self.shared.state.join("sources").join(&source.name),
                    status: board.source(key.clone(), status),
                };
                Ok(Part::Files(sources::files::start(source, context)?))
            }
            Make::Prometheus(config) => {
                let output = || Prometheus::new(config, clock.clone());
                Ok(self.start_output(key, &config.receiver.url, &self.shared.metrics, output)?)
            }
            Make::Loki(config) => {
                let output = || Loki::new(config, clock.clone());
                Ok(self.start_output(key, &config.receiver.url, &self.shared.logs, output)?)
            }
        }
    }

    /// The own metrics' source.
    pub fn own(&self) -> Own {
        Own {
            board: self.shared.board.clone(),
            measures: self.shared.measures.clone(),
            notes: self.notes.clone(),
            clock: self.shared.clock.clone(),
        }
    }

    fn start_exporter(&self, exporter: Exporter, interval: Duration, identity: Identity) -> Part {
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
        let task = ExporterTask::new(exporter, settings).run(stopped, move || ends.load(Ordering::SeqCst));
        Part::Exporter { stop, end, task: tokio::spawn(task) }
    }

    fn start_output<D: Delivery + 'static, E: std::error::Error + Send + Sync + 'static>(
        &self,
        key: &Key,
        url: &http::Uri,
        log: &Arc<dyn Log>,
        output: impl Fn() -> Result<D, E>,
    ) -> anyhow::Result<Part> {
        let url = format!(
            "{}://{}{}",
            url.scheme_str().unwrap_or("http"),
            url.authority().map_or("", |a| a.as_str()),
            url.path()
        );
        let status = OutputStatus { kind: key.kind, name: key.name.clone(), url, ..Default::default() };
        let status = self.shared.board.output(key.clone(), status);
        let cursor: Cursor = log.cursor(&key.to_string(), Start::Newest)?;
        let leave = CancellationToken::new();
        let task = tokio::spawn(deliver(output()?, cursor, status, self.shared.clock.clone(), leave.clone()));
        Ok(Part::Output { leave, task })
    }

    /// Stops a part; a source waits for `settle` until what it has read is settled.
    async fn stop_one(&self, key: &Key, running: Running, ended: bool, settle: Duration) {
        match running.part {
            Part::Exporter { stop, end, task } => {
                end.store(ended, Ordering::SeqCst);
                stop.cancel();
                let _ = task.await;
                // Its successor's first values must not carry the time of the markers that end its own.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Part::Files(files) => {
                let left = files.stop(settle).await;
                info!(source = %key, "{left}");
            }
            Part::Output { leave, task } => {
                leave.cancel();
                let _ = task.await;
            }
        }
        self.shared.board.remove(key);
    }
}

impl Make {
    /// Outputs start first. A reload stops in the opposite order.
    fn order(&self) -> u8 {
        match self {
            Make::Prometheus(_) | Make::Loki(_) => 0,
            Make::Host(..) | Make::Own(..) => 1,
            Make::Files(..) => 2,
        }
    }
}

fn wanted(config: &Config, instance: &str) -> BTreeMap<Key, Make> {
    let identity = |job: &str| Identity::new(job, instance, &config.labels);
    let mut wanted = BTreeMap::new();
    if let Some(host) = &config.host {
        wanted.insert(Key::new("exporter", "host"), Make::Host(Box::new(host.clone()), identity(&host.job)));
    }
    if config.own_metrics {
        wanted.insert(Key::new("exporter", "taffrail"), Make::Own(config.interval, identity("taffrail")));
    }
    for source in &config.logs {
        let mut source = source.clone();
        for (name, value) in &config.labels {
            source.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        wanted.insert(Key::new("source", &source.name), Make::Files(source, instance.to_owned()));
    }
    for output in &config.prometheus {
        wanted.insert(Key::new("prometheus", &output.receiver.name), Make::Prometheus(output.clone()));
    }
    for output in &config.loki {
        wanted.insert(Key::new("loki", &output.receiver.name), Make::Loki(output.clone()));
    }
    wanted
}

/// Makes what can fail, and throws it away.
fn check(make: &Make, clock: &Clock) -> anyhow::Result<()> {
    match make {
        Make::Prometheus(config) => drop(Prometheus::new(config, clock.clone())?),
        Make::Loki(config) => drop(Loki::new(config, clock.clone())?),
        Make::Host(..) | Make::Own(..) | Make::Files(..) => {}
    }
    Ok(())
}

/// Brings sizes and lags of the logs to the board.
async fn housekeeping(shared: Shared) {
    let logs = [("metrics", &shared.metrics), ("logs", &shared.logs)];
    let places = logs.map(|(name, log)| {
        let status = LogStatus { name, ..Default::default() };
        (log, shared.board.log(Key::new("log", name), status))
    });
    loop {
        for (log, place) in &places {
            let stats = log.stats();
            let mut status = lock(place);
            status.bytes = stats.held.bytes;
            status.max_bytes = stats.capacity_bytes;
            status.records = stats.appended.records;
            let dropped = [
                ("full", stats.dropped_full),
                ("age", stats.dropped_age),
                ("disk", stats.dropped_disk),
                ("too_large", stats.dropped_too_large),
                ("torn", stats.torn),
                ("corrupt", stats.corrupt),
            ];
            status.dropped =
                dropped.into_iter().map(|(reason, tally)| (reason.to_owned(), tally.records)).collect();
            for cursor in &stats.cursors {
                shared.board.lag(&cursor.name, cursor.lag.records, cursor.lag_age.as_secs_f64());
            }
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

/// What the outputs have not delivered, by log and cursor.
fn remaining(shared: &Shared) -> Vec<String> {
    let mut left = Vec::new();
    for (name, log) in [("metrics", &shared.metrics), ("logs", &shared.logs)] {
        for cursor in log.stats().cursors.iter().filter(|cursor| cursor.lag.records > 0) {
            left.push(format!(
                "{name} for {}: {} records, {} bytes",
                cursor.name, cursor.lag.records, cursor.lag.bytes
            ));
        }
    }
    if !left.is_empty() {
        error!("not delivered: {}", left.join("; "));
    }
    left
}
