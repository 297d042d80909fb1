//! The task of the source: sees to it that every container that is wanted is read in its way.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_container::inventory::{Container, Engine as Answers, State};
use taffrail_core::Note;
use taffrail_core::note::Level;
use taffrail_stages::Stages;
use taffrail_stages::format::Format;
use taffrail_stages::multiline::Preset;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::choice;
use super::cursor::Cursor;
use super::follow::{Ask, Follower, Target};
use super::seats::Seats;
use super::settings::{Lines, Settings};
use super::shelf::{Saved, Shelf};
use super::way::{self, Way};
use super::who;
use crate::config::{ContainerLogs, LogSource, Start};
use crate::engines::Engine;
use crate::logs::Shape;
use crate::sources::Context;
use crate::sources::files::{Feed, Given};
use crate::status::{Failure, SourceStatus};

/// How often is shown how it goes, and cursors are saved.
const EVERY: Duration = Duration::from_secs(1);
/// How long a container of which only an event told is believed to be there.
const BELIEVED: Duration = Duration::from_secs(10);
/// `start: backfill`, where the engine is asked: so much of what a container wrote before.
const BACKFILL_NS: i64 = 3600 * 1_000_000_000;

/// A container, and how it is read.
#[derive(Debug)]
pub(super) struct Known {
    container: Arc<Container>,
    way: Way,
    /// When an event told of it, monotonic, as long as the engine has not said more.
    hinted: Option<Duration>,
}

/// The source, as one task sees it.
pub(super) struct Task {
    pub(super) name: String,
    source: LogSource,
    /// The stages for containers that ask for something of their own.
    made: HashMap<(Option<Lines>, Option<Preset>), Arc<Stages>>,
    config: ContainerLogs,
    pub(super) context: Context,
    pub(super) engine: Arc<Engine>,
    given: Arc<Given>,
    pub(super) by_file: Arc<Mutex<SourceStatus>>,
    ask: Arc<Ask>,
    /// The container that this process is in.
    own: Option<String>,
    /// Where the engine keeps its data.
    data: Option<PathBuf>,
    pub(super) known: HashMap<Arc<str>, Known>,
    pub(super) followers: HashMap<Arc<str>, Follower>,
    pub(super) tasks: JoinSet<()>,
    pub(super) shelf: Option<Shelf>,
    pub(super) saved: Option<Saved>,
    /// Why there is no shelf.
    pub(super) held: Option<String>,
    pub(super) hold_until: Duration,
    pub(super) save_failing: bool,
    /// Lines and bytes of containers that are gone.
    pub(super) past: (u64, u64),
    /// Some container's file could be read, so others can as well.
    files_are_readable: bool,
    /// The engine has named all containers once.
    pub(super) begun: bool,
    pub(super) failure: Option<Failure>,
}

impl Known {
    pub(super) fn is_held(&self) -> bool {
        self.way == Way::Held
    }
}

impl Task {
    pub(super) fn new(
        (source, config): (&LogSource, &ContainerLogs),
        context: Context,
        engine: Arc<Engine>,
        given: Arc<Given>,
        by_file: Arc<Mutex<SourceStatus>>,
    ) -> Self {
        let ask = Ask {
            inventory: engine.inventory().clone(),
            seats: Seats::default(),
            chunks: context.chunks.clone(),
            pause: context.pause.clone(),
            clock: context.clock.clone(),
            shape: Shape::new(Format::Cri, config.max_line_bytes),
            stop: CancellationToken::new(),
        };
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Task {
            name: source.name.clone(),
            source: source.clone(),
            made: HashMap::new(),
            config: config.clone(),
            context,
            engine,
            given,
            by_file,
            ask: Arc::new(ask),
            own: who::own(&mounts).map(str::to_owned),
            data: None,
            known: HashMap::new(),
            followers: HashMap::new(),
            tasks: JoinSet::new(),
            shelf: None,
            saved: None,
            held: None,
            hold_until: Duration::ZERO,
            save_failing: false,
            past: (0, 0),
            files_are_readable: false,
            begun: false,
            failure: None,
        }
    }

    /// Runs until `stop` says how long to wait for what is not settled, or is dropped. Says how many bytes are left.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<Duration>) -> u64 {
        let inventory = self.engine.inventory().clone();
        let (mut state, mut hints) = (inventory.watch(), inventory.hints());
        state.mark_changed();
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let by = loop {
            tokio::select! {
                biased;
                by = &mut stop => break by.unwrap_or_default(),
                // Those that were missed are in the state.
                hint = hints.recv() => if let Ok(container) = hint { self.hinted(&container) },
                Ok(()) = state.changed() => {
                    let now = state.borrow_and_update().clone();
                    self.sync(&now).await;
                }
                _ = every.tick() => {
                    self.keep().await;
                    if self.held.is_none() && self.known.values().any(Known::is_held) {
                        self.known.retain(|_, known| !known.is_held());
                        state.mark_changed();
                    }
                }
            }
        };
        self.ask.stop.cancel();
        let all_settled = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(by, all_settled).await;
        self.keep().await;
        self.followers.values().map(|follower| follower.progress().unsettled_bytes).sum()
    }

    /// An event tells of a container that the engine was not asked about yet.
    fn hinted(&mut self, container: &Arc<Container>) {
        let id: Arc<str> = container.id.as_str().into();
        if !self.files_are_readable || self.known.contains_key(&id) || !self.is_wanted(container) {
            return;
        }
        // Whether its driver writes files is not told. If it does, this one is read from its first moment.
        let Some(path) = self.data.as_ref().map(|data| way::guess(&self.config.rootfs, data, &id)) else {
            return;
        };
        let feed = self.feed(container);
        self.given.read(&path, feed);
        let known = Known {
            container: container.clone(),
            way: Way::File(path),
            hinted: Some(self.context.clock.monotonic()),
        };
        self.known.insert(id, known);
    }

    /// Compares with what the engine says.
    async fn sync(&mut self, state: &State) {
        let connected = matches!(state.engine, Answers::Connected(_));
        if !self.begun && !connected {
            return;
        }
        if self.data.is_none() && connected {
            self.data = self.engine.inventory().data_root().await;
        }
        if !self.begun {
            self.open_shelf().await;
        }
        for (id, container) in &state.containers {
            if self.known.get(id).is_none_or(|known| !Arc::ptr_eq(&known.container, container)) {
                self.take(id, container).await;
            }
        }
        let now = self.context.clock.monotonic();
        let gone = self.known.iter().filter(|(id, known)| {
            let believed = known.hinted.is_some_and(|at| now < at + BELIEVED);
            !believed && !state.containers.contains_key(*id)
        });
        for id in gone.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.let_go(&id);
        }
        if !self.begun {
            self.begun = true;
            // Of those that went while nobody looked nothing is left to be asked for.
            if let Some(saved) = &mut self.saved {
                saved.cursors.retain(|id, _| state.containers.contains_key(id.as_str()));
            }
            self.given.begin();
        }
    }

    /// Something new is known of a container.
    async fn take(&mut self, id: &Arc<str>, container: &Arc<Container>) {
        let before = self.known.remove(id);
        let way = match before {
            Some(Known { way, hinted: None, .. }) if way != Way::Later => way,
            before => {
                let guessed = match before {
                    Some(Known { way: Way::File(path), .. }) => Some(path),
                    _ => None,
                };
                let way = self.decide(container, guessed.as_ref()).await;
                if let Some(guessed) = guessed.filter(|path| way != Way::File(path.clone())) {
                    self.given.forget(&guessed);
                }
                way
            }
        };
        match &way {
            Way::File(path) => {
                let feed = self.feed(container);
                self.given.read(path, feed);
            }
            Way::Ask => {
                let target = Target { container: container.clone(), feed: self.feed(container) };
                match self.followers.get(id) {
                    Some(follower) => follower.tell(Some(target)),
                    None => self.follow(id, target),
                }
            }
            Way::Not => {
                if let Some(path) = way::file(&self.config.rootfs, self.data.as_deref(), container) {
                    self.given.refuse(&path);
                }
            }
            Way::Later | Way::Held => {}
        }
        self.known.insert(id.clone(), Known { container: container.clone(), way, hinted: None });
    }

    /// How a container is read: this is settled once, so that nothing is read in two ways. `guessed` is a file that is looked
    /// for already, and may have been found and be gone again.
    async fn decide(&mut self, container: &Container, guessed: Option<&PathBuf>) -> Way {
        let (_, wrong) = Settings::of(container);
        for what in wrong {
            self.complain_of_label(container, &what);
        }
        if !self.is_wanted(container) {
            return Way::Not;
        }
        let asked = if self.saved.is_some() { Way::Ask } else { Way::Held };
        if self.saved.as_ref().is_some_and(|saved| saved.cursors.contains_key(&container.id)) {
            return asked;
        }
        match way::file(&self.config.rootfs, self.data.as_deref(), container) {
            Some(path) if guessed == Some(&path) => Way::File(path),
            Some(path) if way::is_readable(&path).await => {
                self.files_are_readable = true;
                Way::File(path)
            }
            _ if container.started.is_none() => Way::Later,
            _ => asked,
        }
    }

    fn is_wanted(&self, container: &Container) -> bool {
        let own = self.own.as_ref() == Some(&container.id) || container.pid == Some(std::process::id());
        !own && !Settings::of(container).0.off && choice::wants(&self.config, container)
    }

    fn follow(&mut self, id: &Arc<str>, target: Target) {
        let Some(saved) = &mut self.saved else { return };
        let now_ns = self.context.clock.now_ns();
        let cursor = *saved.cursors.entry(id.to_string()).or_insert_with(|| {
            let made_ns = target.container.created.map_or(0, |seconds| (seconds * 1e9) as i64);
            Cursor::new(match self.config.start {
                _ if made_ns >= saved.began_ns => 0,
                Start::Beginning => 0,
                Start::Backfill => now_ns - BACKFILL_NS,
                Start::End => now_ns,
            })
        });
        let (follower, reads) = Follower::start(self.ask.clone(), target, cursor);
        self.followers.insert(id.clone(), follower);
        self.tasks.spawn(reads);
    }

    /// A container is gone.
    fn let_go(&mut self, id: &Arc<str>) {
        match self.known.remove(id) {
            Some(Known { way: Way::File(path), .. }) => self.given.forget(&path),
            Some(Known { way: Way::Not, container, .. }) => {
                if let Some(path) = way::file(&self.config.rootfs, self.data.as_deref(), &container) {
                    self.given.forget(&path);
                }
            }
            Some(Known { way: Way::Ask, .. }) => {
                if let Some(follower) = self.followers.get(id) {
                    follower.tell(None);
                }
            }
            _ => {}
        }
    }

    /// What its entries carry, and what they pass through.
    fn feed(&mut self, container: &Container) -> Feed {
        let (settings, _) = Settings::of(container);
        let stages = match (settings.format, settings.multiline) {
            (None, None) => self.context.stages.clone(),
            asked => {
                let max_line = self.config.max_line_bytes;
                let stages = || Arc::new(settings.stages(&self.source, max_line));
                self.made.entry(asked).or_insert_with(stages).clone()
            }
        };
        let labels = who::labels(&self.source.labels, &self.context.instance, container, &settings);
        let keep = settings.keep.unwrap_or(self.context.keep);
        Feed { labels, metadata: who::metadata(container), stages, keep }
    }

    fn complain_of_label(&mut self, container: &Container, what: &str) {
        let text = format!("container {}: {what}", container.name);
        let facts = vec![("source", self.name.clone()), ("container", container.name.clone())];
        self.context.notes.send(Note {
            level: Level::Warn,
            event: "container_label",
            text: text.clone(),
            facts,
        });
        self.complain(text);
    }

    /// Says what went wrong, in the log and in the status.
    pub(super) fn complain(&mut self, text: String) {
        tracing::warn!(source = self.name, "{text}");
        self.failure = Some(Failure { at_ms: self.context.clock.now_ms(), text });
    }
}
