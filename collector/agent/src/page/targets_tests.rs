use std::sync::{Arc, Mutex};

use taffrail_core::Clock;

use super::*;
use crate::component::Key;
use crate::page::Tail;
use crate::status::{Board, Failure, lock};

fn state() -> PageState {
    let clock = Clock::manual(1_767_225_600_000_000_000);
    let tail = Arc::new(Tail::new(clock.clone()));
    PageState {
        live: Arc::default(),
        tail,
        board: Arc::new(Board::default()),
        cardinality: Arc::default(),
        clock,
    }
}

fn target(url: &str, instance: &str, up: Option<bool>) -> TargetStatus {
    let error = (up == Some(false)).then(|| Failure { at_ms: 1, text: "connection refused".into() });
    let labels = LabelMap([("instance", instance)].into_iter().collect());
    TargetStatus { url: url.into(), labels, up, error, ..TargetStatus::default() }
}

fn filled() -> PageState {
    let page = state();
    let app = page.board.job(Key::new("scrape", "app"));
    let all = [
        target("http://b:1/", "b", Some(true)),
        target("http://a:1/", "a", Some(false)),
        target("http://c:1/", "c", None),
    ];
    *lock(&app.targets) = all.into_iter().map(|status| Arc::new(Mutex::new(status))).collect();
    {
        let mut job = lock(&app.job);
        job.dropped = 7;
        job.dropped_labels = vec![LabelMap([("__address__", "gone:1")].into_iter().collect())];
    }
    let db = page.board.job(Key::new("scrape", "db"));
    *lock(&db.targets) = vec![Arc::new(Mutex::new(target("http://d:1/", "d", Some(true))))];
    page
}

fn ask(page: &PageState, query: &[(&str, &str)]) -> Result<serde_json::Value, String> {
    let parameters = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    read(page, &parameters).map(|found| serde_json::to_value(found).unwrap())
}

fn urls(found: &serde_json::Value) -> String {
    let urls: Vec<_> =
        found["targets"].as_array().unwrap().iter().map(|t| t["url"].as_str().unwrap()).collect();
    urls.join(" ")
}

#[test]
fn what_is_down_comes_first_and_all_jobs_are_summed_up() {
    let found = ask(&filled(), &[]).unwrap();
    assert_eq!(urls(&found), "http://a:1/ http://c:1/ http://b:1/ http://d:1/");
    let job = &found["jobs"][0];
    assert_eq!(
        (&job["name"], &job["up"], &job["down"], &job["unknown"]),
        (&"app".into(), &1.into(), &1.into(), &1.into())
    );
    assert_eq!(job["dropped"], 7);
    assert_eq!(found["dropped"][0]["discovered"]["__address__"], "gone:1");
    assert_eq!(found["targets"][0]["state"], "down");
}

#[test]
fn every_parameter_narrows_it_down() {
    let page = filled();
    for (query, expected) in [
        (&[("state", "down")][..], "http://a:1/"),
        (&[("state", "up")], "http://b:1/ http://d:1/"),
        (&[("state", "unknown")], "http://c:1/"),
        (&[("state", "dropped")], ""),
        (&[("job", "db")], "http://d:1/"),
        (&[("job", "none")], ""),
        (&[("filter", "REFUSED")], "http://a:1/"),
        (&[("filter", "app -refused"), ("state", "up")], "http://b:1/"),
        (&[("limit", "1")], "http://a:1/"),
    ] {
        assert_eq!(urls(&ask(&page, query).unwrap()), expected, "{query:?}");
    }
    let one = ask(&page, &[("limit", "1")]).unwrap();
    assert_eq!(
        (&one["matched"], one["jobs"].as_array().unwrap().len()),
        (&4.into(), 2),
        "what is cut off is counted"
    );
    assert_eq!(ask(&page, &[("state", "active")]).unwrap()["matched_dropped"], 0);
    assert!(ask(&page, &[("state", "bad")]).unwrap_err().contains("expected active, up, down"));
}
