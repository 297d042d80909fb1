//! `taffrail run`: from a valid config to a running pipeline, and back to nothing left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use taffrail_core::Clock;
use taffrail_spool::{DirLock, DiskLog, DiskOptions, Loss, WriteMode};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::{Config, Errors};
use crate::logs::{Logs, Missing};
use crate::measures::Measures;
use crate::metrics::Pages;
use crate::own::OwnPage;
use crate::page::{Live, PageState, Tail};
use crate::pipeline::{Pipeline, Shared};
use crate::probe::Endpoint;
use crate::server::{self, Allowed, Control, Reload, State};
use crate::status::{Board, Failure, lock};
use crate::telemetry::{self, Levels};
use crate::watch::{self, Watched};

/// Reads and checks the config anew.
pub type Load = Box<dyn Fn() -> Result<Config, Errors> + Send + Sync>;

/// What `taffrail run` was asked for.
pub struct Options {
    /// The config file, if one was named.
    pub path: Option<PathBuf>,
    /// Reads it again, for a reload.
    pub load: Load,
    /// Mark all series as ended when stopping: this machine leaves for good.
    pub leaving: bool,
}

/// Runs `config` until SIGTERM or SIGINT.
pub fn run(config: Config, options: Options) -> anyhow::Result<()> {
    let levels = telemetry::start(&config.log)?;
    raise_open_files();
    let _lock = DirLock::acquire(&config.data_dir)?;
    // One thread is enough: what computes, blocks or writes to the disk has threads of its own, and every further one
    // is woken for nothing each time there is something to do.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(8)
        .thread_name("taffrail")
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let ended = runtime.block_on(Process::run(options, config, levels));
    // Threads that hang in a dead mount must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// The running process.
struct Process {
    options: Options,
    config: Config,
    levels: Levels,
    shared: Shared,
    pipeline: Pipeline,
    server: Server,
    reloads: mpsc::Receiver<Reload>,
    control: Control,
    watching: Option<(Watched, tokio::task::JoinHandle<()>)>,
}

/// The present socket and what stops it.
struct Server {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    allowed: Allowed,
}

impl Process {
    async fn run(options: Options, config: Config, levels: Levels) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        // The socket comes first: an address that is taken must be said before anything is collected.
        let listener = server::listen(config.listen).await?;
        let clock = Clock::system();
        let instance = instance(&config)?;
        let shared = shared(&config, clock.clone())?;
        show(&shared, &options, &instance, clock.now_ms());
        let pipeline = Pipeline::start(&config, &instance, shared.clone()).await?;
        let (requests, reloads) = mpsc::channel(1);
        let control = Control(requests);
        let server = Server::start(listener, &config, &shared, &pipeline, &control);
        let watching = None;
        let mut process =
            Process { options, config, levels, shared, pipeline, server, reloads, control, watching };
        process.watch();
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Asked::End(name) => {
                        info!("{name}: stopping, outputs may drain for {:?}", process.config.grace);
                        break;
                    }
                    // What comes of it is said in the log and on the page.
                    Asked::Reload => drop(process.reload().await),
                },
                Some(answer) = process.reloads.recv() => {
                    let _ = answer.send(process.reload().await);
                }
            }
        }
        process.stop().await;
        Ok(())
    }

    /// Takes the config anew. A config that is not valid changes nothing.
    async fn reload(&mut self) -> Result<(), String> {
        let result = self.try_reload().await;
        let now_ms = self.shared.clock.now_ms();
        let mut process = lock(&self.shared.board.process);
        let text = match result {
            Ok(problems) => {
                process.config_loaded_ms = now_ms;
                if problems.is_empty() {
                    info!("the config was reloaded");
                    process.config_error = None;
                    return Ok(());
                }
                format!("reloaded, but not everything runs: {}", problems.join("; "))
            }
            Err(error) => format!("not reloaded, the old config goes on: {error:#}"),
        };
        error!("{text}");
        process.config_error = Some(Failure { at_ms: now_ms, text: text.clone() });
        Err(text)
    }

    /// An error means that nothing was changed; else what does not run is told.
    async fn try_reload(&mut self) -> anyhow::Result<Vec<String>> {
        let config = (self.options.load)()?;
        if config.data_dir != self.config.data_dir {
            anyhow::bail!(
                "data_dir cannot be changed while running: restart, and move what is in it if it is to stay"
            );
        }
        if config.spool_size != self.config.spool_size {
            anyhow::bail!("spool_size cannot be changed while running: restart; what is held stays");
        }
        let instance = instance(&config)?;
        // The new socket is opened before the old one is closed, and before anything else is changed.
        let listener = match config.listen == self.config.listen {
            true => None,
            false => Some(server::listen(config.listen).await?),
        };
        self.levels.set(&config.log)?;
        let problems = self.pipeline.apply(&config, &instance).await?;
        self.server.allowed.set_names([&instance]);
        lock(&self.shared.board.process).instance = instance;
        if let Some(listener) = listener {
            let new = Server::start(listener, &config, &self.shared, &self.pipeline, &self.control);
            std::mem::replace(&mut self.server, new).stop.cancel();
        }
        self.config = config;
        self.watch();
        Ok(problems)
    }

    /// Reloads when the config file changes, while that is asked for.
    fn watch(&mut self) {
        let patterns = self.config.more_files.clone();
        let path = self.options.path.clone().filter(|_| self.config.watch);
        let wanted = path.map(|path| Watched { path, patterns });
        if self.watching.as_ref().map(|(watched, _)| watched) == wanted.as_ref() {
            return;
        }
        if let Some((_, watching)) = self.watching.take() {
            watching.abort();
        }
        self.watching = wanted
            .map(|watched| (watched.clone(), tokio::spawn(watch::watch(watched, self.control.clone()))));
    }

    async fn stop(self) {
        let Config { prometheus, loki, archives, .. } = &self.config;
        let delivers = !(prometheus.is_empty() && loki.is_empty() && archives.is_empty());
        let left = self.pipeline.stop(self.config.grace, self.options.leaving).await;
        self.server.stop.cancel();
        // Pages that are open are let go after a moment: a browser keeps its connection for minutes.
        let _ = tokio::time::timeout(Duration::from_millis(200), self.server.task).await;
        match left.is_empty() && delivers {
            true => info!("stopped, everything was delivered"),
            false => info!("stopped"),
        }
    }
}

impl Server {
    fn start(
        listener: TcpListener,
        config: &Config,
        shared: &Shared,
        pipeline: &Pipeline,
        control: &Control,
    ) -> Self {
        let Shared { live, tail, board, clock, pages, probe, relay, .. } = shared.clone();
        let own = Arc::new(OwnPage::new(pipeline.own()));
        let state = State {
            pages,
            relay,
            own,
            probe,
            board: board.clone(),
            clock: clock.clone(),
            control: control.clone(),
        };
        let cardinality = pipeline.cardinality().clone();
        let page = crate::page::routes(PageState { live, tail, board, cardinality, clock });
        // The host's own name is how people on the same network reach it.
        let instance = lock(&shared.board.process).instance.clone();
        let allowed = Allowed::new(config.listen, [instance], "hostname");
        let router = server::guard(server::router(state).merge(page), allowed.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(server::serve(listener, router, stop.clone()));
        Server { stop, task, allowed }
    }
}

/// What a signal asks for.
enum Asked {
    End(&'static str),
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals cannot be received");
        Ok(Signals {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End("SIGTERM"),
            _ = self.interrupt.recv() => Asked::End("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

/// Files that are followed or read again and again stay open; the usual soft limit of 1,024 is for programs that use
/// `select(2)`.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        warn!(%error, current = limit.current, "the limit of open files cannot be raised");
    }
}

fn instance(config: &Config) -> anyhow::Result<String> {
    match &config.hostname {
        Some(name) => Ok(name.clone()),
        None => {
            let host = config.host.as_ref().map(|host| host.config.clone()).unwrap_or_default();
            Ok(taffrail_host::host_name(&host)?)
        }
    }
}

/// Opens the logs and makes what is shared.
fn shared(config: &Config, clock: Clock) -> anyhow::Result<Shared> {
    let folder = config.data_dir.join("spool");
    // A tenth of a large disk is no shortage: there, four times what a log may hold is room enough for others.
    let most = 4 << 30;
    let (max_bytes, memory_bytes) = (config.spool_size, 1 << 20);
    let options = DiskOptions { max_bytes, memory_bytes, min_free_most: most, ..DiskOptions::default() };
    // Samples cannot be read again, so they are written at once. Lines are still in their files, so only what an output
    // is late for is written.
    let late = WriteMode::OnLag { bytes: 1 << 20, age: Duration::from_secs(2) };
    // Every segment defines anew all series that it has: with many of them, small ones would hold little else.
    let of_metrics = DiskOptions { segment_bytes: 64 << 20, ..options };
    let metrics = DiskLog::open(&folder.join("metrics"), of_metrics, clock.clone())?;
    let of_logs = DiskOptions { write: late, ..options };
    let missing = Arc::new(Missing::new(clock.clone()));
    let log = |name, keep| {
        let missing = missing.clone();
        let tell = move |loss: &Loss| missing.take(keep, loss);
        DiskLog::open_telling(&folder.join(name), of_logs, clock.clone(), tell)
    };
    let (others, kept) = (log("logs", false)?, log("logs-kept", true)?);
    kept.outranks(&others);
    Ok(Shared {
        board: Arc::new(Board::default()),
        live: Arc::new(Live::default()),
        tail: Arc::new(Tail::default()),
        pages: Arc::new(Pages::default()),
        relay: Arc::default(),
        probe: Arc::new(Endpoint::new(clock.clone())),
        measures: Arc::new(Measures::default()),
        metrics: Arc::new(metrics),
        logs: Logs { others: Arc::new(others), kept: Arc::new(kept) },
        missing,
        state: config.data_dir.clone(),
        clock,
    })
}

fn show(shared: &Shared, options: &Options, instance: &str, now_ms: i64) {
    let mut process = lock(&shared.board.process);
    process.instance = instance.to_owned();
    process.version = env!("CARGO_PKG_VERSION");
    process.started_ms = now_ms;
    process.config_loaded_ms = now_ms;
    process.config = options.path.as_deref().map(Path::display).map(|path| path.to_string());
}
