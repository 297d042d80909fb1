//! What the page and the API show of scrape jobs and their targets.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Serialize, Serializer};
use taffrail_wire::relabel::Labels;

use super::{Failure, Place, lock};

/// Labels, shown as an object.
#[derive(Clone, Debug, Default)]
pub struct LabelMap(pub Labels);

impl Serialize for LabelMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// How a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Its last page could not be had, or was bad.
    Down,
    /// It was not asked yet.
    Unknown,
    /// Its last page was good.
    Up,
}

/// One target of a scrape job.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TargetStatus {
    /// What is asked.
    pub url: String,
    /// Labels of its series.
    pub labels: LabelMap,
    /// Labels before relabelling.
    pub discovered: LabelMap,
    /// How often it is asked, in seconds.
    pub interval_s: f64,
    /// Whether its last page was good; nothing before the first.
    pub up: Option<bool>,
    /// When the last scrape began, in Unix milliseconds; 0 before the first.
    pub last_scrape_ms: i64,
    /// How long that took, in seconds.
    pub duration_s: f64,
    /// Samples on that page.
    pub samples: u64,
    /// Those that `metric_relabel_configs` left.
    pub kept: u64,
    /// Series that are known.
    pub series: usize,
    /// Series of its page that are folded into others.
    pub folded: usize,
    /// The page's size in bytes, not compressed.
    pub bytes: usize,
    /// Scrapes since the start.
    pub scrapes: u64,
    /// Those that failed.
    pub failures: u64,
    /// Why it is down, while it is.
    pub error: Option<Failure>,
    /// What is odd about the page, though it is taken.
    pub warnings: Vec<String>,
}

impl TargetStatus {
    /// How it is.
    pub fn state(&self) -> TargetState {
        match self.up {
            None => TargetState::Unknown,
            Some(true) => TargetState::Up,
            Some(false) => TargetState::Down,
        }
    }
}

/// How far a scrape came that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The job has more targets than `target_limit`: none was asked.
    TargetLimit,
    /// There was no whole page in time.
    Timeout,
    /// There was no room for the page in time: pages of other targets took up all of it.
    Room,
    /// There was no page: no connection, another status than 200, an answer that broke off.
    Fetch,
    /// The page was too large, or not compressed as it said.
    Body,
    /// Its `Content-Type` is of no format that is read.
    Format,
    /// Its text does not read, or a series broke a limit.
    Page,
    /// It has more samples than `sample_limit`.
    SampleLimit,
}

impl Stage {
    /// Its name in metrics and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Stage::TargetLimit => "target_limit",
            Stage::Timeout => "timeout",
            Stage::Room => "room",
            Stage::Fetch => "fetch",
            Stage::Body => "body",
            Stage::Format => "format",
            Stage::Page => "page",
            Stage::SampleLimit => "sample_limit",
        }
    }
}

/// What the scrapes of a job came to since it was started, over all of its targets, those that are gone included.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Scrapes.
    pub scrapes: u64,
    /// Those that failed, by how far they came.
    pub failures: BTreeMap<Stage, u64>,
    /// Seconds that all of them took, from asking to the end of reading.
    pub seconds: f64,
    /// Bytes of pages, not compressed.
    pub bytes: u64,
    /// Samples on pages.
    pub samples: u64,
    /// Those that `metric_relabel_configs` left.
    pub kept: u64,
    /// Those whose series were new on the page.
    pub added: u64,
    /// Left out as their series had a sample of the same or a later time.
    pub not_newer: u64,
    /// Left out as their times were more than ten minutes ahead.
    pub ahead: u64,
}

/// One scrape job.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// What is wrong with its discovery, as far as anything is.
    pub problems: Vec<String>,
    /// Targets whose last page was good.
    pub up: usize,
    /// Targets whose last page could not be had, or was bad.
    pub down: usize,
    /// Targets that were not asked yet.
    pub unknown: usize,
    /// One that is down, and why.
    #[serde(skip)]
    pub example: Option<String>,
    /// Series of its targets' pages that are folded into others.
    pub folded: usize,
    /// How many targets relabelling dropped.
    pub dropped: usize,
    /// What its scrapes came to.
    pub counts: Counts,
    /// Labels, before relabelling, of some of the dropped ones.
    pub dropped_labels: Vec<LabelMap>,
    /// Its targets.
    pub targets: Vec<TargetStatus>,
}

/// A job's place on the board: what it says itself, and what its targets do.
#[derive(Debug, Default)]
pub struct JobPlace {
    /// The job; nothing in it is of its targets.
    pub job: Mutex<JobStatus>,
    /// What its scrapes came to.
    pub counts: Mutex<Counts>,
    /// The targets' own places.
    pub targets: Mutex<Vec<Place<TargetStatus>>>,
}

impl JobPlace {
    /// The place of the job `name`.
    pub fn new(name: &str) -> Self {
        let status = JobStatus { name: name.to_owned(), ..JobStatus::default() };
        JobPlace { job: Mutex::new(status), ..JobPlace::default() }
    }

    /// The job without its targets' labels, and without the targets.
    pub fn summary(&self) -> JobStatus {
        let mut status = {
            let job = lock(&self.job);
            JobStatus {
                name: job.name.clone(),
                problems: job.problems.clone(),
                dropped: job.dropped,
                ..JobStatus::default()
            }
        };
        for target in lock(&self.targets).iter() {
            let target = lock(target);
            status.folded += target.folded;
            match target.state() {
                TargetState::Up => status.up += 1,
                TargetState::Unknown => status.unknown += 1,
                TargetState::Down => {
                    status.down += 1;
                    let why = target.error.as_ref().map_or("", |error| &error.text);
                    status.example.get_or_insert_with(|| format!("{}: {why}", target.url));
                }
            }
        }
        status.counts = lock(&self.counts).clone();
        status
    }

    /// The job with all there is to say of its targets.
    pub fn whole(&self) -> JobStatus {
        let targets = lock(&self.targets).iter().map(|place| lock(place).clone()).collect();
        let dropped_labels = lock(&self.job).dropped_labels.clone();
        JobStatus { targets, dropped_labels, ..self.summary() }
    }
}
