//! Relabelling as Prometheus has it: a table of rules, run through both as `relabel_configs` of targets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use taffrail_tests::{Prometheus, Taffrail, Version, repo_root, tool, wait_for};

use crate::support::{SOON, status};

/// The labels of a job's target, or what became of it instead.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// Labels before and after, and what is asked.
    Target(BTreeMap<String, String>, BTreeMap<String, String>, String),
    /// The labels before.
    Dropped(BTreeMap<String, String>),
    /// It cannot be one.
    None,
}

type Outcomes = BTreeMap<String, Outcome>;

fn table() -> Value {
    let text = std::fs::read_to_string(repo_root().join("collector/tests/data/relabel.yml")).unwrap();
    let mut table = serde_saphyr::from_str(&text).unwrap();
    numbers(&mut table);
    table
}

/// Makes every `modulus` the number that it is: read as anything, YAML's numbers come as text.
fn numbers(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(numbers),
        Value::Object(all) => {
            for (key, value) in all {
                match value.as_str().map(serde_json::from_str) {
                    Some(Ok(number)) if key == "modulus" => *value = number,
                    _ => numbers(value),
                }
            }
        }
        _ => {}
    }
}

/// A list in the table.
fn list<'t>(table: &'t Value, name: &str) -> &'t [Value] {
    table[name].as_array().unwrap()
}

/// A job that nobody scrapes while the test runs. JSON is YAML to both.
fn job(name: &str, rules: &[Value], labels: Option<&Value>) -> Value {
    let usual = json!({"a": "foo", "b": "bar", "c": "baz"});
    json!({
        "job_name": name,
        "scrape_interval": "1h",
        "relabel_configs": rules,
        "static_configs": [{"targets": ["127.0.0.1:1"], "labels": labels.unwrap_or(&usual)}],
    })
}

fn jobs(global: &str, cases: &[&Value]) -> String {
    let jobs: Vec<Value> = cases
        .iter()
        .map(|case| {
            let (name, rules) = (case["name"].as_str().unwrap(), case["rules"].as_array().unwrap());
            job(name, rules, case.get("labels"))
        })
        .collect();
    format!("global: {global}\nscrape_configs: {}\n", serde_json::to_string(&jobs).unwrap())
}

fn map(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn of_prometheus(prometheus: &Prometheus, names: &BTreeSet<String>) -> Result<Outcomes> {
    let answer: Value = serde_json::from_slice(&prometheus.client().get_ok("/api/v1/targets")?.body)?;
    let list = |kind: &str| answer["data"][kind].as_array().cloned().context("no list of targets");
    let mut outcomes: Outcomes = names.iter().map(|name| (name.clone(), Outcome::None)).collect();
    for target in list("droppedTargets")? {
        let pool = target["scrapePool"].as_str().context("no scrapePool")?.to_owned();
        outcomes.insert(pool, Outcome::Dropped(map(&target["discoveredLabels"])));
    }
    for target in list("activeTargets")? {
        let pool = target["scrapePool"].as_str().context("no scrapePool")?.to_owned();
        let url = target["scrapeUrl"].as_str().unwrap_or_default().to_owned();
        let found = Outcome::Target(map(&target["discoveredLabels"]), map(&target["labels"]), url);
        outcomes.insert(pool, found);
    }
    Ok(outcomes)
}

fn of_taffrail(taffrail: &Taffrail) -> Result<Outcomes> {
    let status = status(taffrail)?;
    let jobs = status["jobs"].as_array().context("no jobs")?;
    let outcome = |job: &Value| match (&job["targets"][0], &job["dropped_labels"][0]) {
        (Value::Null, Value::Null) => Outcome::None,
        (Value::Null, dropped) => Outcome::Dropped(map(dropped)),
        (target, _) => Outcome::Target(
            map(&target["discovered"]),
            map(&target["labels"]),
            target["url"].as_str().unwrap_or_default().to_owned(),
        ),
    };
    Ok(jobs.iter().map(|job| (job["name"].as_str().unwrap_or_default().to_owned(), outcome(job))).collect())
}

/// What Taffrail and Prometheus make of the same cases.
fn both(global: &str, cases: &[&Value]) -> (Outcomes, Outcomes) {
    let config = jobs(global, cases);
    let prometheus = Prometheus::start_with(Version::V3, &config, &[]).unwrap();
    let taffrail = Taffrail::start(&config).unwrap();
    let names: BTreeSet<String> =
        cases.iter().map(|case| case["name"].as_str().unwrap().to_owned()).collect();
    // Prometheus takes up to five seconds to hear of its targets, which then come one soon after the other.
    let mut before = Outcomes::new();
    let theirs = wait_for("Prometheus' targets", SOON, || {
        let found = of_prometheus(&prometheus, &names)?;
        let settled = found == before && found.values().any(|outcome| *outcome != Outcome::None);
        before = found.clone();
        if !settled {
            std::thread::sleep(Duration::from_millis(500));
            bail!("not all yet");
        }
        Ok(found)
    });
    let theirs = theirs.unwrap();
    // What differs to the end is told by who compares.
    let mut ours = Outcomes::new();
    let _ = wait_for("our targets", SOON, || {
        ours = of_taffrail(&taffrail)?;
        ensure!(ours == theirs, "not all yet");
        Ok(())
    });
    (ours, theirs)
}

fn differences(ours: &Outcomes, theirs: &Outcomes) -> Vec<String> {
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differ = names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name));
    differ
        .map(|name| format!("{name}: ours {:?}\n  Prometheus' {:?}", ours.get(name), theirs.get(name)))
        .collect()
}

#[test]
fn targets_are_relabelled_as_prometheus_does() {
    let table = table();
    let (legacy, cases): (Vec<&Value>, Vec<&Value>) =
        list(&table, "cases").iter().partition(|case| case.get("legacy").is_some());
    assert!(cases.len() > 150 && legacy.len() > 2, "only {} cases", cases.len());
    let (mut ours, mut theirs) = both("{}", &cases);
    let (ours_too, theirs_too) = both("{metric_name_validation_scheme: legacy}", &legacy);
    ours.extend(ours_too);
    theirs.extend(theirs_too);
    let differ = differences(&ours, &theirs);
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), cases.len(), differ.join("\n"));
    for outcome in ["Target", "Dropped", "None"] {
        let there = theirs.values().any(|found| format!("{found:?}").starts_with(outcome));
        assert!(there, "no case ends in {outcome}");
    }
}

#[test]
fn a_difference_would_be_seen() {
    let rule = |replacement: &str| json!({"name": "x", "rules": [{"target_label": "d", "replacement": replacement}]});
    let (ours, _) = both("{}", &[&rule("one")]);
    let (_, theirs) = both("{}", &[&rule("two")]);
    assert_eq!(differences(&ours, &theirs).len(), 1);
    assert!(differences(&ours, &ours).is_empty());
}

#[test]
fn rules_that_prometheus_refuses_are_refused() {
    let table = table();
    let folder = tempfile::tempdir().unwrap();
    let (path, promtool) = (folder.path().join("config.yml"), tool("PROMTOOL").unwrap());
    let mut wrong = Vec::new();
    let mut check = |rule: &Value, good: bool| {
        let jobs = vec![job("x", std::slice::from_ref(rule), None)];
        std::fs::write(&path, format!("scrape_configs: {}\n", serde_json::to_string(&jobs).unwrap()))
            .unwrap();
        let file = path.display().to_string();
        let theirs = Command::new(&promtool).args(["check", "config", &file]).output().unwrap();
        let (code, said) = Taffrail::command(&["check", "--config", &file]).unwrap();
        if theirs.status.success() != good || (code == Some(0)) != good {
            let theirs = String::from_utf8_lossy(&theirs.stderr);
            wrong.push(format!("{rule}\n  we say {code:?} {said}\n  promtool says {theirs}"));
        }
    };
    check(&json!({"source_labels": ["a"], "target_label": "b"}), true);
    list(&table, "refused").iter().for_each(|rule| check(rule, false));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
