//! `/api/v1/targets`: every target of every scrape job, filtered, what is down first.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::PageState;
use super::api::{Parameters, answer, known, number, text};
use super::filter::Filter;
use crate::status::{Counts, JobStatus, LabelMap, TargetState, TargetStatus};

/// Targets given when `limit` is not.
const LIMIT: usize = 200;
/// The most that `limit` may be.
const MOST: usize = 100_000;

#[derive(Serialize)]
struct Targets {
    now_ms: i64,
    jobs: Vec<Job>,
    matched: usize,
    targets: Vec<Target>,
    matched_dropped: usize,
    dropped: Vec<Dropped>,
}

#[derive(Serialize)]
struct Job {
    name: String,
    up: usize,
    down: usize,
    unknown: usize,
    dropped: usize,
    problems: Vec<String>,
    counts: Counts,
}

#[derive(Serialize)]
struct Target {
    job: String,
    state: TargetState,
    #[serde(flatten)]
    status: TargetStatus,
}

#[derive(Serialize)]
struct Dropped {
    job: String,
    discovered: LabelMap,
}

/// What is asked for.
struct Wanted<'a> {
    state: &'a str,
    job: &'a str,
    filter: Filter,
    limit: usize,
}

const STATES: [&str; 6] = ["", "active", "up", "down", "unknown", "dropped"];

/// `GET /api/v1/targets?state=STATE&job=NAME&filter=WORDS&limit=N`
pub(super) async fn targets(State(page): State<PageState>, parameters: Parameters) -> Response {
    answer(known(parameters, &["state", "job", "filter", "limit"]).and_then(|p| read(&page, &p)))
}

fn read(page: &PageState, parameters: &HashMap<String, String>) -> Result<Targets, String> {
    let state = text(parameters, "state")?;
    if !STATES.contains(&state) {
        return Err(format!("state={state:?}: expected {}", STATES[1..].join(", ")));
    }
    let wanted = Wanted {
        state,
        job: text(parameters, "job")?,
        filter: Filter::parse(text(parameters, "filter")?),
        limit: number(parameters, "limit", LIMIT, MOST)?,
    };
    let mut found = Targets {
        now_ms: page.clock.now_ms(),
        jobs: Vec::new(),
        matched: 0,
        targets: Vec::new(),
        matched_dropped: 0,
        dropped: Vec::new(),
    };
    for place in page.board.jobs() {
        let summary = place.summary();
        if wanted.job.is_empty() || wanted.job == summary.name {
            wanted.take(place.whole(), &mut found);
        }
        let JobStatus { name, up, down, unknown, dropped, problems, counts, .. } = summary;
        found.jobs.push(Job { name, up, down, unknown, dropped, problems, counts });
    }
    found.matched = found.targets.len();
    found.matched_dropped = found.dropped.len();
    // What is down comes first; within a state, jobs and addresses stay where they are from one answer to the next.
    found.targets.sort_by(|a, b| {
        (a.state, &a.job, &a.status.url, &a.status.labels.0).cmp(&(
            b.state,
            &b.job,
            &b.status.url,
            &b.status.labels.0,
        ))
    });
    found.targets.truncate(wanted.limit);
    found.dropped.truncate(wanted.limit);
    Ok(found)
}

impl Wanted<'_> {
    fn take(&self, job: JobStatus, found: &mut Targets) {
        for status in job.targets {
            let state = status.state();
            let in_state = match self.state {
                "" | "active" => true,
                "up" => state == TargetState::Up,
                "down" => state == TargetState::Down,
                "unknown" => state == TargetState::Unknown,
                _ => false,
            };
            let words = || {
                let error = status.error.as_ref().map_or("", |error| &error.text);
                format!("{} {} {} {error}", job.name, status.url, status.labels.0)
            };
            if in_state && self.filter.passes(&words()) {
                found.targets.push(Target { job: job.name.clone(), state, status });
            }
        }
        if !matches!(self.state, "" | "dropped") {
            return;
        }
        for discovered in job.dropped_labels {
            if self.filter.passes(&format!("{} {}", job.name, discovered.0)) {
                found.dropped.push(Dropped { job: job.name.clone(), discovered });
            }
        }
    }
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
