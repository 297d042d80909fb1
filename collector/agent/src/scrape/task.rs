//! The task of one job: it hears discovery, and keeps a scraper for each target.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use taffrail_core::Clock;
use taffrail_wire::relabel::Labels;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::discovery::refresh::{Finder, refresh};
use super::fetch::Client;
use super::job::{Discovery, Job};
use super::left::{Left, Memory, Orphans};
use super::scraper::{Refusal, Scraper, Shared};
use super::state::State;
use super::target::{Found, Target};
use super::watch::{News, watch_files};
use crate::contain::keep_running;
use crate::metrics::cardinality::Counter;
use crate::status::{JobPlace, LabelMap, Place, TargetStatus, lock};

/// Of the targets that relabelling dropped, this many are shown where the job does not say.
const SHOWN: usize = 100;

/// Scrapes the targets of one job.
pub struct JobTask {
    job: Arc<Job>,
    client: Arc<Client>,
    shared: Shared,
    place: Arc<JobPlace>,
    /// Where its series are counted.
    counter: Arc<Counter>,
    /// What each discovery has found; nothing before it has looked.
    found: Vec<Option<News>>,
    memories: Vec<Memory>,
    finders: Vec<Option<Arc<Finder>>>,
    running: BTreeMap<Target, Running>,
    /// States without a scraper: their targets are found again, or are gone.
    orphans: Orphans,
    refusal: Refusal,
}

/// A target's scraper.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Box<State>>,
    status: Place<TargetStatus>,
}

impl JobTask {
    /// The task of `job`; nothing is asked before [`JobTask::run`]. With what its predecessor `left`, targets that stay
    /// go on without an end.
    pub fn new(job: Job, shared: Shared, place: Arc<JobPlace>, left: Left) -> Result<Self, String> {
        let client = Arc::new(client(&job, &shared.clock)?);
        let finders = finders(&job, &shared.clock)?.into_iter().map(|finder| finder.map(Arc::new)).collect();
        let Left { orphans, memories: mut before } = left;
        let memory = |d: &Discovery| before.remove(&d.place()).unwrap_or_else(|| Memory::new(d));
        let memories = job.discovery.iter().map(memory).collect();
        let found = vec![None; job.discovery.len()];
        let counter = shared.writer.cardinality().job(&job.name);
        counter.set_budget(job.series_budget);
        let (job, running, refusal) = (Arc::new(job), BTreeMap::new(), Refusal::default());
        Ok(JobTask {
            job,
            client,
            shared,
            place,
            counter,
            found,
            memories,
            finders,
            running,
            orphans,
            refusal,
        })
    }

    /// Scrapes until `stop`. Gives back what it knew; no series was ended.
    pub async fn run(mut self, stop: CancellationToken) -> Left {
        let (news, mut hear) = mpsc::channel::<News>(16);
        let mut discoveries = JoinSet::new();
        for (at, discovery) in self.job.discovery.iter().enumerate() {
            match (discovery, &self.memories[at], &self.finders[at]) {
                (Discovery::Static(groups), ..) => {
                    self.found[at] = Some(News { at, groups: groups.clone(), problems: Vec::new() });
                }
                (Discovery::Files { files }, Memory::Files(known), _) => {
                    discoveries.spawn(watch_files(at, files.clone(), known.clone(), news.clone()));
                }
                (_, Memory::Service(known), Some(finder)) => {
                    discoveries.spawn(refresh(at, finder.clone(), known.clone(), news.clone()));
                }
                // A memory is made for its discovery, so there is no such pair.
                _ => {}
            }
        }
        self.sync().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(found) = hear.recv() => {
                    for problem in &found.problems {
                        warn!(job = %self.job.name, "discovery: {problem}");
                    }
                    let at = found.at;
                    self.found[at] = Some(found);
                    self.sync().await;
                }
            }
        }
        discoveries.shutdown().await;
        let all = std::mem::take(&mut self.running);
        self.leave(all).await;
        let memories = self.job.discovery.iter().map(Discovery::place).zip(self.memories).collect();
        Left { orphans: self.orphans, memories }
    }

    /// Makes what is scraped equal to what is found. What is equal goes on undisturbed.
    async fn sync(&mut self) {
        let (mut wanted, mut dropped, mut problems) = (BTreeMap::new(), Vec::new(), Vec::new());
        for group in self.found.iter().flatten().flat_map(|news| &news.groups) {
            for target in &group.targets {
                let Found { discovered, target } = Found::new(&self.job, target, &group.labels);
                match target {
                    // Of several that are the same target, the last is shown, as Prometheus does.
                    Ok(Some(target)) => drop(wanted.insert(target, discovered)),
                    Ok(None) => dropped.push(discovered),
                    Err(problem) => problems.push(format!("{}: {problem}", group.source)),
                }
            }
        }
        let (limit, found) = (self.job.target_limit, wanted.len());
        let refused = (limit > 0 && found > limit)
            .then(|| format!("target_limit ({limit}) exceeded: {found} targets found, so none is scraped"));
        problems.extend(refused.clone());
        *lock(&self.refusal) = refused;
        let gone: BTreeMap<_, _> =
            self.running.extract_if(.., |target, _| !wanted.contains_key(target)).collect();
        for target in gone.keys() {
            info!(job = %self.job.name, target = %target.url, "is not scraped any more");
        }
        self.leave(gone).await;
        for (target, discovered) in wanted {
            if let Some(running) = self.running.get(&target) {
                lock(&running.status).discovered = LabelMap(discovered);
            } else {
                let state = self.orphans.adopt(&target, &self.job);
                let running = self.start(&target, discovered, state);
                self.running.insert(target, running);
            }
        }
        if self.found.iter().all(Option::is_some) {
            let orphans = std::mem::take(&mut self.orphans);
            orphans.end(&self.shared.clock, &self.shared.writer).await;
        }
        self.show(&dropped, problems);
    }

    /// Stops scrapers; what they knew is kept for others of the same series.
    async fn leave(&mut self, gone: BTreeMap<Target, Running>) {
        gone.values().for_each(|running| running.stop.cancel());
        for (target, running) in gone {
            if let Ok(state) = running.task.await {
                self.orphans.add(target, self.job.clone(), state);
            }
        }
    }

    fn start(&self, target: &Target, discovered: Labels, state: Box<State>) -> Running {
        let status = Arc::new(Mutex::new(TargetStatus {
            url: target.url.clone(),
            labels: LabelMap(target.labels.clone()),
            discovered: LabelMap(discovered),
            interval_s: target.interval.as_secs_f64(),
            ..TargetStatus::default()
        }));
        let stop = CancellationToken::new();
        let (job, client, shared) = (self.job.clone(), self.client.clone(), self.shared.clone());
        let (target, place, stopped) = (Arc::new(target.clone()), status.clone(), stop.clone());
        let (refusal, counts, counter) = (self.refusal.clone(), self.place.clone(), self.counter.clone());
        let mut state = Some(state);
        let task = keep_running(format!("scrape of {}", target.url), move || {
            let scraper = Scraper {
                job: job.clone(),
                target: target.clone(),
                client: client.clone(),
                shared: shared.clone(),
                status: place.clone(),
                place: counts.clone(),
                counter: counter.clone(),
                refusal: refusal.clone(),
            };
            scraper.run(state.take().unwrap_or_default(), stopped.clone())
        });
        Running { stop, task: tokio::spawn(task), status }
    }

    fn show(&self, dropped: &[Labels], problems: Vec<String>) {
        let shown = match self.job.keep_dropped_targets {
            0 => SHOWN,
            some => some,
        };
        let of_discovery = self.found.iter().flatten().flat_map(|news| news.problems.clone());
        let mut job = lock(&self.place.job);
        job.dropped = dropped.len();
        job.dropped_labels = dropped.iter().take(shown).cloned().map(LabelMap).collect();
        job.problems = of_discovery.chain(problems).collect();
        *lock(&self.place.targets) = self.running.values().map(|running| running.status.clone()).collect();
    }
}

/// Whether all that `job` needs can be made. An error is one of the config.
pub fn check(job: &Job, clock: &Clock) -> Result<(), String> {
    client(job, clock)?;
    finders(job, clock).map(drop)
}

fn finders(job: &Job, clock: &Clock) -> Result<Vec<Option<Finder>>, String> {
    job.discovery.iter().map(|discovery| Finder::new(discovery, clock)).collect()
}

/// What a job's targets are asked with.
fn client(job: &Job, clock: &Clock) -> Result<Client, String> {
    Client::new(job, &job.formats.accept, clock)
}
