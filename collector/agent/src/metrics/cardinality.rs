//! How many series there are, by job, metric and label: counted where a series begins and where it ends, so that samples
//! cost nothing more.

mod tally;
mod top;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use self::tally::Tally;
use super::interner::{Interner, Key};
use crate::status::lock;

pub use top::{Cause, JobSeries, LabelValues, MetricSeries};

/// The series of all jobs.
#[derive(Debug)]
pub struct Cardinality {
    interner: Arc<Mutex<Interner>>,
    jobs: Mutex<BTreeMap<String, Arc<Counter>>>,
    budget: AtomicUsize,
}

/// The series of one job. Several may count in it: its targets, or several exporters of one job.
pub struct Counter {
    tally: Mutex<Tally>,
    budget: AtomicUsize,
}

/// How many series a job has.
#[derive(Clone, Debug)]
pub struct Size {
    /// The job.
    pub job: String,
    /// Its series.
    pub series: usize,
    /// How many it should have at most; 0 is no budget.
    pub budget: usize,
}

/// How many series a job should have at most, where nothing else is said.
pub const JOB_BUDGET: usize = 50_000;
/// How many all jobs should have at most, where nothing else is said.
pub const BUDGET: usize = 500_000;

impl Cardinality {
    /// Nothing is counted yet; `interner` makes the keys of all series.
    pub fn new(interner: Arc<Mutex<Interner>>) -> Self {
        Cardinality { interner, jobs: Mutex::default(), budget: AtomicUsize::new(BUDGET) }
    }

    /// Where the series of `job` are counted.
    pub fn job(&self, job: &str) -> Arc<Counter> {
        lock(&self.jobs).entry(job.to_owned()).or_default().clone()
    }

    /// How many series all jobs should have at most; 0 is no budget.
    pub fn set_budget(&self, series: usize) {
        self.budget.store(series, Ordering::Relaxed);
    }

    /// The same, as it was set.
    pub fn budget(&self) -> usize {
        self.budget.load(Ordering::Relaxed)
    }

    /// How many series each job has. Jobs that are gone are forgotten.
    pub fn sizes(&self) -> Vec<Size> {
        let mut jobs = lock(&self.jobs);
        jobs.retain(|_, counter| Arc::strong_count(counter) > 1 || counter.series() > 0);
        let size = |(job, counter): (&String, &Arc<Counter>)| Size {
            job: job.clone(),
            series: counter.series(),
            budget: counter.budget.load(Ordering::Relaxed),
        };
        jobs.iter().map(size).collect()
    }

    /// All jobs, each with so many metrics and labels, those with the most series first.
    pub fn jobs(&self, limit: usize) -> Vec<JobSeries> {
        let counters: Vec<(String, Arc<Counter>)> =
            lock(&self.jobs).iter().map(|(job, counter)| (job.clone(), counter.clone())).collect();
        let told = |(job, counter): (String, Arc<Counter>)| counter.told(job, limit, &self.interner);
        let mut all: Vec<JobSeries> = counters.into_iter().map(told).collect();
        all.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.job.cmp(&b.job)));
        all
    }
}

impl Counter {
    /// A series begins; its key is held.
    pub fn add(&self, key: &Key) {
        lock(&self.tally).add(key);
    }

    /// A series ends that was added; its key is held still.
    pub fn remove(&self, key: &Key) {
        lock(&self.tally).remove(key);
    }

    /// How many series the job should have at most; 0 is no budget.
    pub fn set_budget(&self, series: usize) {
        self.budget.store(series, Ordering::Relaxed);
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        lock(&self.tally).series
    }

    fn told(&self, job: String, limit: usize, interner: &Mutex<Interner>) -> JobSeries {
        // In this order, as others hold the interner while they count.
        let interner = lock(interner);
        let tally = lock(&self.tally);
        JobSeries {
            job,
            series: tally.series,
            budget: self.budget.load(Ordering::Relaxed),
            metrics: tally.metrics(),
            series_beyond: tally.beyond,
            top_metrics: tally.top(limit, &interner),
            top_labels: tally.top_labels(limit, &interner),
        }
    }
}

impl Default for Cardinality {
    fn default() -> Self {
        Cardinality::new(Arc::default())
    }
}

impl Default for Counter {
    fn default() -> Self {
        Counter { tally: Mutex::default(), budget: AtomicUsize::new(JOB_BUDGET) }
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").field("series", &self.series()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "cardinality_tests.rs"]
mod tests;
