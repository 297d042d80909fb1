//! How many series there are, told of the running process: a label that explodes is named once, and nothing is dropped.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use taffrail_tests::{Answer, Prometheus, Receiver, Taffrail, Version, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);
const TEXT: &str = "text/plain; version=0.0.4";

/// A page with a series for each user.
fn page(users: usize) -> Answer {
    let hits: String =
        (0..users).map(|user| format!("hits_total{{code=\"200\",user=\"u{user}\"}} {user}\n")).collect();
    let text = format!("# TYPE hits_total counter\n{hits}# TYPE queue gauge\nqueue 3\n");
    Answer::text(200, &text).with_header("content-type", TEXT)
}

fn ask(taffrail: &Taffrail, path: &str) -> Result<Value> {
    Ok(serde_json::from_str(&taffrail.client().get_ok(path)?.text())?)
}

#[test]
fn a_label_that_explodes_is_named_once_and_nothing_is_dropped() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let app = Receiver::start().unwrap();
    app.always(page(20));
    let config = format!(
        "interval: 1s
global: {{scrape_interval: 1s, series_budget: 100}}
scrape_configs:
  - {{job_name: app, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}
  - {{job_name: other, series_budget: 5000, static_configs: [{{targets: ['127.0.0.1:1']}}]}}
outputs: {{prometheus: [{{url: '{}'}}]}}
",
        app.port(),
        prometheus.write_url()
    );
    let taffrail = Taffrail::start(&config).unwrap();
    let app_job = |found: &Value| -> Option<Value> {
        found["jobs"].as_array()?.iter().find(|job| job["job"] == "app").cloned()
    };
    // Twenty users, the queue, and five series about the target.
    let counted = |series: u64| {
        wait_for("the series of the job to be counted", PATIENCE, || {
            let job = app_job(&ask(&taffrail, "/api/v1/cardinality")?).context("no job")?;
            ensure!(job["series"] == series, "{job}");
            Ok(job)
        })
        .unwrap()
    };
    let job = counted(26);
    assert_eq!((&job["budget"], &job["metrics"]), (&100.into(), &7.into()));
    assert_eq!(
        (&job["top_metrics"][0]["metric"], &job["top_metrics"][0]["series"]),
        (&"hits_total".into(), &20.into())
    );
    assert_eq!(job["top_labels"][0]["label"], "user");
    assert_eq!(ask(&taffrail, "/api/v1/status").unwrap()["over_budget"], Value::Array(Vec::new()));

    app.always(page(500));
    let job = counted(506);
    assert_eq!(job["top_metrics"][0]["labels"][0]["label"], "user");
    let exploding = r#"taffrail_exploding_label_values{of_job="app", metric="hits_total", label="user"}"#;
    let values = prometheus.wait_for(exploding, PATIENCE).unwrap()[0].value();
    assert!((400.0..=500.0).contains(&values), "{values}");
    prometheus.wait_for("taffrail_job_series{of_job='app'} == 506", PATIENCE).unwrap();
    prometheus.wait_for("count(hits_total) == 500", PATIENCE).unwrap();
    let problems = ask(&taffrail, "/api/v1/status").unwrap()["problems"].to_string();
    assert!(
        problems.contains("has 506 series, and its budget is 100: hits_total has 500 of them"),
        "{problems}"
    );
    let said =
        "job app has 506 series, and its budget is 100: hits_total has 500 of them, and its label `user`";
    let log = taffrail.log().unwrap();
    assert_eq!(log.matches(said).count(), 1, "{log}");

    app.always(page(20));
    counted(26);
    wait_for("the problem to be gone", PATIENCE, || {
        let found = ask(&taffrail, "/api/v1/status")?;
        ensure!(found["over_budget"] == Value::Array(Vec::new()), "{found}");
        Ok(())
    })
    .unwrap();
    wait_for("the metric to be gone", PATIENCE, || {
        let found = prometheus.query(exploding)?;
        ensure!(found.is_empty(), "{found:?}");
        Ok(())
    })
    .unwrap();
}
