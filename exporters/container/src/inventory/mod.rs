//! The inventory: every container of this machine, as the engine's API tells. It is filled by one task, which lists the
//! containers and then follows the engine's events; who wants to know looks at the newest [`State`], or listens to
//! [`Event`]s. When the engine is away, what was known stays.

mod answer;
pub mod client;
mod container;
mod counts;
mod event;
mod follow;
mod services;
pub mod sizes;
mod time;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use taffrail_core::{Clock, Note};
use tokio::sync::{broadcast, watch};

pub use answer::Version;
pub use client::{Address, Client, EngineError};
pub use container::{Container, Health};
pub use counts::Counts;
pub use event::{Event, What};

use crate::config::ContainerConfig;

/// The path under which events are asked for; those of health checks that run (`exec_…`) are not, they are many.
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22create%22%2C\
    %22start%22%2C%22die%22%2C%22died%22%2C%22oom%22%2C%22destroy%22%2C%22remove%22%2C%22rename%22%2C%22update%22%2C\
    %22health_status%22%5D%7D";
/// The list of all containers.
const LIST: &str = "/containers/json?all=1";

/// Events that wait for one listener; who is slower than that is told how many it missed.
const EVENTS_WAITING: usize = 1024;

/// The usual places of an engine's socket, below the host's root directory.
const SOCKETS: [&str; 3] = ["run/docker.sock", "var/run/docker.sock", "run/podman/podman.sock"];

/// Whether the engine answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// It has not been asked yet.
    #[default]
    Unknown,
    /// It answers; what is known is of now.
    Connected(Version),
    /// It does not; what is known is of before.
    Away(String),
    /// There is none in the usual places, and none was named.
    None,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Whether the engine answers.
    pub engine: Engine,
    /// The containers by id, those that ended included.
    pub containers: HashMap<Arc<str>, Arc<Container>>,
    /// How often what has happened.
    pub counts: Counts,
}

/// Where to look at the containers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inventory {
    state: watch::Receiver<Arc<State>>,
    events: broadcast::Sender<Event>,
    hints: broadcast::Sender<Arc<Container>>,
    place: Place,
}

/// Fills an inventory. It is run by one task.
pub struct Keeper {
    state: watch::Sender<Arc<State>>,
    events: broadcast::Sender<Event>,
    hints: broadcast::Sender<Arc<Container>>,
    notes: Box<dyn Fn(Note) + Send + Sync>,
    place: Place,
    clock: Clock,
}

/// An inventory, empty, and what fills it. `notes` takes what happens, for people; it must not wait.
pub fn new(
    config: &ContainerConfig,
    clock: &Clock,
    notes: impl Fn(Note) + Send + Sync + 'static,
) -> (Inventory, Keeper) {
    let (sender, state) = watch::channel(Arc::default());
    let (events, _) = broadcast::channel(EVENTS_WAITING);
    let (hints, _) = broadcast::channel(EVENTS_WAITING);
    let place = Place { named: config.engine.clone(), rootfs: config.rootfs.clone() };
    let inventory = Inventory { state, events: events.clone(), hints: hints.clone(), place: place.clone() };
    let keeper = Keeper { state: sender, events, hints, notes: Box::new(notes), place, clock: clock.clone() };
    (inventory, keeper)
}

impl Inventory {
    /// What is known now.
    pub fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    /// What is known, with a way to wait for the next change.
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.state.clone()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Containers that are new, from now on, as far as an event alone tells of them: id, name, image and labels. The engine
    /// is asked for the rest, but it may be busy, and the container gone again before it answers.
    pub fn hints(&self) -> broadcast::Receiver<Arc<Container>> {
        self.hints.subscribe()
    }

    /// The folder in which the engine keeps its data.
    pub async fn data_root(&self) -> Option<PathBuf> {
        sizes::data_root(&self.client()?).await.ok()
    }

    /// A client of the engine, if one is in its place.
    pub fn client(&self) -> Option<Client> {
        self.place.find().map(Client::new)
    }
}

/// Where an engine is looked for.
#[derive(Clone, Debug)]
struct Place {
    named: Option<Address>,
    rootfs: PathBuf,
}

impl Place {
    fn find(&self) -> Option<Address> {
        let usual = || {
            let paths = SOCKETS.iter().map(|socket| self.rootfs.join(socket));
            paths.chain([Path::new("/var/run/docker.sock").to_path_buf()]).find(|path| path.exists())
        };
        match &self.named {
            Some(Address::Nowhere) => None,
            Some(named) => Some(named.clone()),
            None => usual().map(Address::Unix),
        }
    }
}
