//! `/api/v1/cardinality`: how many series there are, by job, metric and label.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::PageState;
use super::api::{Parameters, answer, known, number, text};
use crate::metrics::budget::Excess;
use crate::metrics::cardinality::JobSeries;
use crate::status::lock;

/// Metrics, and labels, given of each job when `limit` is not.
const LIMIT: usize = 10;
/// The most that `limit` may be.
const MOST: usize = 1000;

#[derive(Serialize)]
struct Series {
    now_ms: i64,
    series: usize,
    budget: usize,
    over_budget: Vec<Excess>,
    jobs: Vec<JobSeries>,
}

/// `GET /api/v1/cardinality?job=NAME&limit=N`
pub(super) async fn cardinality(State(page): State<PageState>, parameters: Parameters) -> Response {
    answer(known(parameters, &["job", "limit"]).and_then(|p| read(&page, &p)))
}

fn read(page: &PageState, parameters: &HashMap<String, String>) -> Result<Series, String> {
    let (job, limit) = (text(parameters, "job")?, number(parameters, "limit", LIMIT, MOST)?);
    let mut jobs = page.cardinality.jobs(limit);
    let series = jobs.iter().map(|job| job.series).sum();
    jobs.retain(|of| job.is_empty() || of.job == job);
    Ok(Series {
        now_ms: page.clock.now_ms(),
        series,
        budget: page.cardinality.budget(),
        over_budget: lock(&page.board.over_budget).clone(),
        jobs,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use taffrail_core::Clock;

    use super::*;
    use crate::metrics::Cardinality;
    use crate::metrics::interner::Interner;
    use crate::page::Tail;

    fn ask(page: &PageState, query: &[(&str, &str)]) -> Result<serde_json::Value, String> {
        let parameters =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(page, &parameters).map(|found| serde_json::to_value(found).unwrap())
    }

    #[test]
    fn jobs_metrics_and_labels_are_told_as_far_as_is_asked() {
        let clock = Clock::manual(1_767_225_600_000_000_000);
        let interner: Arc<Mutex<Interner>> = Arc::default();
        let cardinality = Arc::new(Cardinality::new(interner.clone()));
        let tail = Arc::new(Tail::new(clock.clone()));
        let mut held = Vec::new();
        for (job, metrics) in [("app", 3), ("db", 5)] {
            let counter = cardinality.job(job);
            for at in 0..metrics {
                let (name, value) = (format!("m{at}"), at.to_string());
                let labels = [("__name__", &*name), ("x", &*value)];
                let key = lock(&interner).key(labels.into_iter());
                counter.add(&key);
                held.push((counter.clone(), key));
            }
        }
        let page = PageState { live: Arc::default(), tail, board: Arc::default(), cardinality, clock };
        let all = ask(&page, &[("limit", "2")]).unwrap();
        assert_eq!((&all["series"], &all["budget"]), (&8.into(), &500_000.into()));
        assert_eq!((&all["jobs"][0]["job"], &all["jobs"][0]["series"]), (&"db".into(), &5.into()));
        assert_eq!(all["jobs"][0]["top_metrics"].as_array().unwrap().len(), 2);
        assert_eq!(all["jobs"][0]["top_labels"][0]["label"], "x");
        let one = ask(&page, &[("job", "app")]).unwrap();
        assert_eq!((one["jobs"].as_array().unwrap().len(), &one["series"]), (1, &8.into()));
        assert!(ask(&page, &[("limit", "1001")]).unwrap_err().contains("from 0 to 1000"));
    }
}
