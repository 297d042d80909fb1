//! The task of one job: it hears discovery, and keeps a scraper for each target.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::discovery;
use super::fetch::Client;
use super::job::{Discovery, Job};
use super::scraper::{Scraper, Shared};
use super::target::{Found, Group, Target};
use crate::contain::keep_running;
use crate::status::{JobPlace, Place, TargetStatus, lock};

/// How often files are looked at for a change.
const LOOK: Duration = Duration::from_secs(2);
/// Of the targets that relabelling dropped, this many are shown where the job does not say.
const SHOWN: usize = 100;

/// What one discovery has found, by its place in the job.
type News = (usize, Result<Vec<Group>, String>);

/// Scrapes the targets of one job.
pub struct JobTask {
    job: Arc<Job>,
    client: Arc<Client>,
    shared: Shared,
    place: Arc<JobPlace>,
    found: Vec<Vec<Group>>,
    problems: Vec<Option<String>>,
    running: BTreeMap<Target, Running>,
}

/// A target's scraper.
struct Running {
    stop: CancellationToken,
    end: Arc<AtomicBool>,
    task: JoinHandle<()>,
    status: Place<TargetStatus>,
}

impl JobTask {
    /// The task of `job`; nothing is asked before [`JobTask::run`].
    pub fn new(job: Job, shared: Shared, place: Arc<JobPlace>) -> Result<Self, String> {
        let client = Arc::new(client(&job)?);
        let (found, problems) = (vec![Vec::new(); job.discovery.len()], vec![None; job.discovery.len()]);
        Ok(JobTask { job: Arc::new(job), client, shared, place, found, problems, running: BTreeMap::new() })
    }

    /// Scrapes until `stop`. With `end`, all series are then marked as ended.
    pub async fn run(mut self, stop: CancellationToken, end: impl FnOnce() -> bool) {
        let (news, mut hear) = mpsc::channel::<News>(16);
        let mut discoveries = JoinSet::new();
        for (at, discovery) in self.job.discovery.iter().enumerate() {
            match discovery {
                Discovery::Static(groups) => self.found[at].clone_from(groups),
                Discovery::Files { files, .. } => {
                    discoveries.spawn(watch_files(at, files.clone(), news.clone()));
                }
            }
        }
        self.sync();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some((at, found)) = hear.recv() => {
                    match found {
                        Ok(groups) => {
                            self.problems[at] = None;
                            self.found[at] = groups;
                        }
                        Err(problem) => {
                            warn!(job = %self.job.name, "discovery: {problem}");
                            self.problems[at] = Some(problem);
                        }
                    }
                    self.sync();
                }
            }
        }
        discoveries.shutdown().await;
        let all = std::mem::take(&mut self.running);
        let ends = end();
        let mut stopping = JoinSet::new();
        for (_, running) in all {
            stopping.spawn(running.leave(ends));
        }
        stopping.join_all().await;
    }

    /// Makes what is scraped equal to what is found. What is equal goes on undisturbed.
    fn sync(&mut self) {
        let (mut wanted, mut dropped, mut problems) = (BTreeMap::new(), Vec::new(), Vec::new());
        for group in self.found.iter().flatten() {
            for target in &group.targets {
                let Found { discovered, target } = Found::new(&self.job, target, &group.labels);
                match target {
                    Ok(Some(target)) => drop(wanted.entry(target).or_insert(discovered)),
                    Ok(None) => dropped.push(discovered),
                    Err(problem) => problems.push(format!("{}: {problem}", group.source)),
                }
            }
        }
        let limit = self.job.target_limit;
        if limit > 0 && wanted.len() > limit {
            let found = wanted.len();
            problems.push(format!("target_limit ({limit}) exceeded: {found} targets found, none is scraped"));
            wanted.clear();
        }
        let gone: Vec<Target> = self.running.keys().filter(|t| !wanted.contains_key(*t)).cloned().collect();
        for target in gone {
            if let Some(running) = self.running.remove(&target) {
                info!(job = %self.job.name, target = %target.url, "is not scraped any more");
                tokio::spawn(running.leave(true));
            }
        }
        for (target, discovered) in wanted {
            if !self.running.contains_key(&target) {
                let running = self.start(&target, discovered.to_string());
                self.running.insert(target, running);
            }
        }
        self.show(&dropped, problems);
    }

    fn start(&self, target: &Target, discovered: String) -> Running {
        let status = Arc::new(std::sync::Mutex::new(TargetStatus {
            url: target.url.clone(),
            labels: target.labels.to_string(),
            discovered,
            interval_s: target.interval.as_secs_f64(),
            ..TargetStatus::default()
        }));
        let (stop, end) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (job, client, shared) = (self.job.clone(), self.client.clone(), self.shared.clone());
        let (target, place, stopped, ends) =
            (Arc::new(target.clone()), status.clone(), stop.clone(), end.clone());
        let task = keep_running(format!("scrape of {}", target.url), move || {
            let ends = ends.clone();
            let scraper =
                Scraper::new(job.clone(), target.clone(), client.clone(), shared.clone(), place.clone());
            scraper.run(stopped.clone(), move || ends.load(Ordering::SeqCst))
        });
        Running { stop, end, task: tokio::spawn(task), status }
    }

    fn show(&self, dropped: &[taffrail_wire::relabel::Labels], problems: Vec<String>) {
        let shown = match self.job.keep_dropped_targets {
            0 => SHOWN,
            some => some,
        };
        let mut job = lock(&self.place.job);
        job.dropped = dropped.len();
        job.dropped_labels = dropped.iter().take(shown).map(ToString::to_string).collect();
        job.problems = self.problems.iter().flatten().cloned().chain(problems).collect();
        *lock(&self.place.targets) = self.running.values().map(|running| running.status.clone()).collect();
    }
}

impl Running {
    async fn leave(self, end: bool) {
        self.end.store(end, Ordering::SeqCst);
        self.stop.cancel();
        let _ = self.task.await;
    }
}

/// What a job's targets are asked with. An error is one of the config.
pub fn client(job: &Job) -> Result<Client, String> {
    Client::new(
        job,
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    )
}

/// Says what files of targets hold, at once and whenever one changes. A file that cannot be read keeps the groups it
/// had: half a file must not end the targets of the whole one.
async fn watch_files(at: usize, patterns: Vec<String>, news: mpsc::Sender<News>) {
    let mut files = Files::default();
    loop {
        let patterns = patterns.clone();
        let looking = spawn_blocking(move || {
            let found = files.look(&patterns);
            (files, found)
        });
        let Ok((back, found)) = looking.await else { return };
        files = back;
        if let Some(found) = found
            && news.send((at, found)).await.is_err()
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What tells a file's state from another.
type State = Option<(SystemTime, u64)>;

#[derive(Default)]
struct Files {
    known: BTreeMap<PathBuf, (State, Vec<Group>)>,
    looked: bool,
}

impl Files {
    /// What is found now, if that is not what was found before.
    fn look(&mut self, patterns: &[String]) -> Option<Result<Vec<Group>, String>> {
        let paths: Vec<PathBuf> = patterns.iter().flat_map(|pattern| discovery::matching(pattern)).collect();
        let before = self.known.len();
        self.known.retain(|path, _| paths.contains(path));
        let mut changed = !std::mem::replace(&mut self.looked, true) || self.known.len() != before;
        let mut problem = None;
        for path in paths {
            let state = std::fs::metadata(&path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
            let known = self.known.entry(path.clone()).or_default();
            if known.0 == state && state.is_some() {
                continue;
            }
            changed = true;
            known.0 = state;
            match discovery::read_file(&path) {
                Ok(groups) => known.1 = groups,
                Err(error) => problem = Some(error),
            }
        }
        if !changed {
            return None;
        }
        match problem {
            Some(problem) => Some(Err(problem)),
            None => Some(Ok(self.known.values().flat_map(|(_, groups)| groups.clone()).collect())),
        }
    }
}
