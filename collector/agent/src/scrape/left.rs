//! What a job leaves: the states of its targets, for the job that takes its place, or to be ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use taffrail_core::Clock;
use taffrail_wire::relabel::Labels;
use tokio::task::spawn_blocking;

use super::discovery::refresh::Known;
use super::job::{Discovery, Job};
use super::state::State;
use super::target::Target;
use super::watch::Files;
use crate::metrics::Writer;

/// What a job leaves when it stops.
#[derive(Debug, Default)]
pub struct Left {
    /// The states of its targets.
    pub(super) orphans: Orphans,
    /// What discoveries knew, by where they ask: what cannot be found out now stays as it was known.
    pub(super) memories: BTreeMap<String, Memory>,
}

/// What a discovery knows.
#[derive(Clone, Debug)]
pub(super) enum Memory {
    /// All that there is, from the beginning.
    Fixed,
    /// What files held.
    Files(Arc<Mutex<Files>>),
    /// What a service said.
    Service(Arc<Mutex<Known>>),
}

impl Memory {
    /// That of `discovery`, which knows nothing yet.
    pub(super) fn new(discovery: &Discovery) -> Self {
        match discovery {
            Discovery::Static(_) => Memory::Fixed,
            Discovery::Files { .. } => Memory::Files(Arc::default()),
            Discovery::Http(_) | Discovery::Dns(_) | Discovery::Docker(_) => Memory::Service(Arc::default()),
        }
    }
}

impl Left {
    /// Marks all series as ended.
    pub async fn end(self, clock: &Clock, writer: &Arc<Writer>) {
        self.orphans.end(clock, writer).await;
    }
}

/// States without a scraper, by the labels of their targets: who has the same labels has the same series.
#[derive(Debug, Default)]
pub(super) struct Orphans(BTreeMap<Labels, Vec<Orphan>>);

#[derive(Debug)]
struct Orphan {
    url: String,
    job: Arc<Job>,
    state: Box<State>,
}

impl Orphans {
    pub(super) fn add(&mut self, target: Target, job: Arc<Job>, state: Box<State>) {
        self.0.entry(target.labels).or_default().push(Orphan { url: target.url, job, state });
    }

    /// The state for `target` of `job`: that of a target with its labels, of its URL if there are several. An empty one
    /// if there is none.
    pub(super) fn adopt(&mut self, target: &Target, job: &Job) -> Box<State> {
        let Some(same) = self.0.get_mut(&target.labels) else { return Box::default() };
        let at = same.iter().position(|orphan| orphan.url == target.url).unwrap_or(0);
        let Orphan { job: before, mut state, .. } = same.swap_remove(at);
        if same.is_empty() {
            self.0.remove(&target.labels);
        }
        if !before.reads_alike(job) {
            state.forget_lines();
        }
        state
    }

    /// Marks the series of all as ended: their targets are gone.
    pub(super) async fn end(self, clock: &Clock, writer: &Arc<Writer>) {
        if self.0.is_empty() {
            return;
        }
        let (clock, writer) = (clock.clone(), writer.clone());
        let ending = spawn_blocking(move || {
            let now_ms = clock.now_ms();
            self.0.into_values().flatten().for_each(|mut orphan| orphan.state.end(now_ms, &writer));
        });
        // A panic in it was logged.
        let _ = ending.await;
    }
}
