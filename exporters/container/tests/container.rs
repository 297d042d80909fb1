//! The container exporter on fixtures of every layout, and the inventory on engines that behave badly.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "container/golden.rs"]
mod golden;
#[path = "container/hostile.rs"]
mod hostile;
#[path = "container/inventory.rs"]
mod inventory;
#[path = "container/names.rs"]
mod names;
#[path = "container/proxy.rs"]
mod proxy;
#[path = "container/socket.rs"]
mod socket;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_container::inventory::{self as stock, Address, Engine, Inventory, State};
use taffrail_container::{ContainerConfig, subjects};
use taffrail_core::subject::Run;
use taffrail_core::{Clock, CollectError, Collected, Note, Out, Subject};
use tokio_util::sync::CancellationToken;

/// An inventory that is kept, until it is dropped.
struct Kept {
    inventory: Inventory,
    notes: Arc<Mutex<Vec<Note>>>,
    stop: CancellationToken,
}

impl Kept {
    fn of(engine: Address) -> Self {
        let config = ContainerConfig { engine: Some(engine), ..ContainerConfig::default() };
        let notes: Arc<Mutex<Vec<Note>>> = Arc::default();
        let (sink, stop) = (notes.clone(), CancellationToken::new());
        let (inventory, keeper) =
            stock::new(&config, &Clock::system(), move |note| sink.lock().unwrap().push(note));
        let stopped = stop.clone();
        tokio::spawn(async move { keeper.run(stopped).await });
        Kept { inventory, notes, stop }
    }

    /// Waits until the state is as `wanted`, and returns it.
    async fn wait(&self, what: &str, wanted: impl Fn(&State) -> bool) -> Arc<State> {
        let mut watch = self.inventory.watch();
        let state = tokio::time::timeout(SOON, watch.wait_for(|state| wanted(state))).await;
        match state {
            Ok(state) => state.unwrap().clone(),
            Err(_) => panic!("{what}: {:?}", self.inventory.state()),
        }
    }

    async fn connected(&self) -> Arc<State> {
        self.wait("it connects", |state| matches!(state.engine, Engine::Connected(_))).await
    }

    fn events(&self) -> Vec<&'static str> {
        self.notes.lock().unwrap().iter().map(|note| note.event).collect()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Long enough for a machine that does ten other things.
const SOON: Duration = Duration::from_secs(20);

/// The subject of this name.
fn subject(config: &ContainerConfig, inventory: &Inventory, clock: &Clock, name: &str) -> Subject {
    subjects(config, inventory, clock).into_iter().find(|subject| subject.name == name).unwrap()
}

/// One run of a subject, with the samples that `out` knows from the runs before.
fn run(subject: &mut Subject, out: &mut Out) -> (Collected, Result<(), CollectError>) {
    let Run::Blocking(collect) = &mut subject.run else { panic!("{} does not block", subject.name) };
    out.begin(0);
    let result = collect(out);
    (out.finish(), result)
}
