//! Keeping the inventory: list, then follow the events; start again when the engine went away.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::answer::{self, Told};
use super::client::{Client, EngineError};
use super::container::{Container, Health};
use super::event::{Event, What};
use super::services::Services;
use super::{EVENTS, EVENTS_WAITING, Engine, Keeper, LIST, State};
use crate::walk::MAX_CONTAINERS;

/// How long one container may take to be told of: the engine may hold its lock for long, and others wait.
const INSPECT_TIMEOUT: Duration = Duration::from_secs(3);
/// So many containers in a row that are not told of mean that the engine is away.
const LATE_IN_A_ROW: u32 = 3;
/// How often the list is compared, whatever the events said.
const AGAIN: Duration = Duration::from_secs(300);
/// First and longest pause before the engine is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// The longest line of events.
const MAX_LINE: usize = 1 << 20;

/// What outlives one connection.
#[derive(Default)]
struct Memory {
    services: Services,
    late: u32,
}

impl Keeper {
    /// Keeps the inventory until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&self) {
        let mut memory = Memory::default();
        let mut pause = PAUSES.0;
        let mut told = String::new();
        loop {
            let Some(address) = self.place.find() else {
                self.set_engine(Engine::None);
                sleep(PAUSES.1).await;
                continue;
            };
            let client = Client::new(address);
            let error = match self.session(&client, &mut memory).await {
                Ok(never) => match never {},
                Err(error) => error.to_string(),
            };
            let was_connected = matches!(self.state.borrow().engine, Engine::Connected(_));
            if was_connected {
                pause = PAUSES.0;
            }
            if was_connected || told != error {
                warn!("containers keep the names they have, new ones get none: the engine is away: {error}");
                told.clone_from(&error);
            }
            self.set_engine(Engine::Away(error));
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Follows one connection until it breaks.
    async fn session(
        &self,
        client: &Client,
        memory: &mut Memory,
    ) -> Result<std::convert::Infallible, EngineError> {
        let version = answer::version("/version", &client.get("/version").await?)?;
        // First the events, then the list: what happens in between is told twice rather than not at all.
        let mut lines = Lines::new(client.follow(EVENTS).await?);
        self.resync(client, memory).await?;
        info!(engine = %client.address(), version = version.version, api = version.api, "follows the engine's events");
        self.set_engine(Engine::Connected(version));
        let mut again = interval(AGAIN);
        again.reset();
        let mut waiting = VecDeque::new();
        loop {
            tokio::select! {
                line = lines.next() => waiting.extend(self.hear(&line?)?),
                _ = again.tick() => self.resync(client, memory).await?,
            }
            // While the engine is asked about one, others are heard of already: it may take its time.
            while let Some(told) = waiting.pop_front() {
                let mut taken = pin!(self.take(client, memory, told));
                loop {
                    tokio::select! {
                        taken = &mut taken => break taken?,
                        line = lines.next(), if waiting.len() < EVENTS_WAITING => waiting.extend(self.hear(&line?)?),
                    }
                }
            }
        }
    }

    /// What a line tells; of a container that is new, listeners hear at once.
    fn hear(&self, line: &[u8]) -> Result<Option<Told>, EngineError> {
        let told = answer::event(line)?;
        let new = |told: &&Told| {
            matches!(told.action.as_str(), "create" | "start")
                && !self.state.borrow().containers.contains_key(&*told.id)
        };
        if let Some(told) = told.as_ref().filter(new) {
            // Nobody may listen, which is no error.
            let _ = self.hints.send(from_attributes(told));
        }
        Ok(told)
    }

    /// Compares with the engine's list: learns what is new or has changed, forgets what is gone.
    async fn resync(&self, client: &Client, memory: &mut Memory) -> Result<(), EngineError> {
        let mut list = answer::list(LIST, &client.get(LIST).await?)?;
        list.truncate(MAX_CONTAINERS);
        let mut there = HashSet::new();
        for (id, _) in list {
            // Told again though known: it may have been started again meanwhile.
            if let Some(container) = self.inspect(client, memory, &id).await? {
                self.deployed(memory, &container);
            }
            there.insert(id);
        }
        let now = self.clock.monotonic();
        self.change(|state| {
            state.containers.retain(|id, _| there.contains(&**id));
            let State { containers, counts, .. } = state;
            let names: HashSet<&str> = containers.values().map(|container| container.name.as_str()).collect();
            counts.forget(now, |name| names.contains(name));
            counts.forget_ids(|id| containers.contains_key(id));
        });
        memory.services.forget(self.state.borrow().containers.values().map(|container| &**container));
        Ok(())
    }

    /// Asks for one container and puts it in its place. None when the engine does not know it, or does not answer.
    async fn inspect(
        &self,
        client: &Client,
        memory: &mut Memory,
        id: &str,
    ) -> Result<Option<Arc<Container>>, EngineError> {
        // What goes into the path must not reach another one.
        if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let path = format!("/containers/{id}/json");
        let answer = client.clone().within(INSPECT_TIMEOUT).get(&path).await;
        let container = match answer {
            Ok(body) => answer::container(&path, &body),
            Err(error) => Err(error),
        };
        match container {
            Ok(container) => {
                memory.late = 0;
                let container = Arc::new(container);
                self.change(|state| drop(state.containers.insert(id.into(), container.clone())));
                Ok(Some(container))
            }
            Err(EngineError::Status { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(
                error @ (EngineError::Late { .. } | EngineError::Status { .. } | EngineError::Json { .. }),
            ) => {
                memory.late += 1;
                if memory.late >= LATE_IN_A_ROW {
                    memory.late = 0;
                    return Err(error);
                }
                debug!(%error, "a container was not told of");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in an event.
    async fn take(&self, client: &Client, memory: &mut Memory, told: Told) -> Result<(), EngineError> {
        let before = self.state.borrow().containers.get(&*told.id).cloned();
        let (action, _) = told.action.split_once(':').unwrap_or((&told.action, ""));
        let action = action.to_owned();
        if matches!(action.as_str(), "destroy" | "remove") {
            let container = before.unwrap_or_else(|| from_attributes(&told));
            self.post(What::Destroy, container);
            self.change(|state| drop(state.containers.remove(&*told.id)));
            return Ok(());
        }
        let now = self.inspect(client, memory, &told.id).await?;
        let container = now.or_else(|| before.clone()).unwrap_or_else(|| from_attributes(&told));
        match action.as_str() {
            "start" => {
                self.post(What::Start, container.clone());
                self.deployed(memory, &container);
            }
            "die" | "died" => {
                let code = told.attributes.get("exitCode").and_then(|code| code.parse().ok());
                self.post(What::Die(code), container);
            }
            "oom" => self.post(What::Oom, container),
            "health_status" => {
                let health = health(&told).or(container.health);
                if let Some(health) = health.filter(|health| before.and_then(|b| b.health) != Some(*health)) {
                    self.post(What::Health(health), container);
                }
            }
            // `create`, `rename` and `update` change what is known, and are no news.
            _ => {}
        }
        Ok(())
    }

    fn deployed(&self, memory: &mut Memory, container: &Arc<Container>) {
        if container.running
            && let Some(from) = memory.services.started(container)
        {
            self.post(What::Deployment { from }, container.clone());
        }
    }

    /// Counts an event and tells everybody.
    fn post(&self, what: What, container: Arc<Container>) {
        let now = self.clock.monotonic();
        let id: Arc<str> = container.id.as_str().into();
        self.change(|state| state.counts.add(&container.name, &id, &what, now));
        let event = Event { what, container };
        (self.notes)(event.note());
        // Nobody may listen, which is no error.
        let _ = self.events.send(event);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(|state| change(Arc::make_mut(state)));
    }

    fn set_engine(&self, engine: Engine) {
        self.state.send_if_modified(|state| {
            let differs = state.engine != engine;
            if differs {
                Arc::make_mut(state).engine = engine;
            }
            differs
        });
    }
}

/// `health_status: healthy`; Podman has the word beside it.
fn health(told: &Told) -> Option<Health> {
    let behind = told.action.split_once(':').map(|(_, word)| word.trim());
    behind.or_else(|| told.attributes.get("health_status").map(String::as_str)).and_then(Health::parse)
}

/// What an event alone tells of a container: one that is gone already.
fn from_attributes(told: &Told) -> Arc<Container> {
    let attribute = |name: &str| told.attributes.get(name).cloned().unwrap_or_default();
    Arc::new(Container {
        id: told.id.clone(),
        name: attribute("name"),
        image: attribute("image"),
        labels: told.attributes.clone(),
        ..Container::default()
    })
}

/// Lines of an answer that goes on.
struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// How much of the buffer was looked at and has no end of a line.
    looked: usize,
}

impl Lines {
    fn new(body: Incoming) -> Self {
        Lines { body, buffer: Vec::new(), looked: 0 }
    }

    /// The next line. What was read stays when this is dropped.
    async fn next(&mut self) -> Result<Vec<u8>, EngineError> {
        let broken = |what: String| EngineError::Broken { path: "/events".to_owned(), what };
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.looked..]) {
                let rest = self.buffer.split_off(self.looked + at + 1);
                self.looked = 0;
                let line = std::mem::replace(&mut self.buffer, rest);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(line);
            }
            self.looked = self.buffer.len();
            if self.looked > MAX_LINE {
                return Err(broken(format!("a line is longer than {MAX_LINE} bytes")));
            }
            match self.body.frame().await {
                None => return Err(broken("the engine has ended the stream".to_owned())),
                Some(Err(error)) => return Err(broken(error.to_string())),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
