//! Discovery beside Prometheus': the same jobs have the same targets, with the same labels before and after relabelling.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use taffrail_tests::{Answer, Dnsmasq, Prometheus, Receiver, Taffrail, Version, wait_for};

use crate::support::{SOON, status};

/// Labels before, labels after (none where it was dropped), and what is asked.
type Found = (BTreeMap<String, String>, Option<BTreeMap<String, String>>, String);
type Jobs = BTreeMap<String, BTreeSet<Found>>;

const JSON: &str = "application/json";

fn map(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn of_prometheus(prometheus: &Prometheus) -> Result<Jobs> {
    let answer: Value = serde_json::from_slice(&prometheus.client().get_ok("/api/v1/targets")?.body)?;
    let list = |kind: &str| answer["data"][kind].as_array().cloned().context("no list of targets");
    let mut jobs = Jobs::new();
    for target in list("activeTargets")? {
        let found =
            (map(&target["discoveredLabels"]), Some(map(&target["labels"])), text(&target["scrapeUrl"]));
        jobs.entry(text(&target["scrapePool"])).or_default().insert(found);
    }
    for target in list("droppedTargets")? {
        let found = (map(&target["discoveredLabels"]), None, String::new());
        jobs.entry(text(&target["scrapePool"])).or_default().insert(found);
    }
    Ok(jobs)
}

fn of_taffrail(taffrail: &Taffrail) -> Result<Jobs> {
    let status = status(taffrail)?;
    let mut jobs = Jobs::new();
    for job in status["jobs"].as_array().context("no jobs")? {
        let targets = job["targets"].as_array().into_iter().flatten();
        let kept = targets.map(|t| (map(&t["discovered"]), Some(map(&t["labels"])), text(&t["url"])));
        let dropped = job["dropped_labels"].as_array().into_iter().flatten();
        let found: BTreeSet<Found> = kept.chain(dropped.map(|t| (map(t), None, String::new()))).collect();
        if !found.is_empty() {
            jobs.insert(text(&job["name"]), found);
        }
    }
    Ok(jobs)
}

/// Waits until both know the same, and each job of `jobs` has as many targets as it says.
fn wait_for_same(prometheus: &Prometheus, taffrail: &Taffrail, jobs: &[(&str, usize)]) -> Jobs {
    let same = wait_for("the same targets", SOON, || {
        let (theirs, ours) = (of_prometheus(prometheus)?, of_taffrail(taffrail)?);
        for (name, count) in jobs {
            let found = theirs.get(*name).map_or(0, BTreeSet::len);
            ensure!(found == *count, "Prometheus has {found} targets of {name}, not {count}");
        }
        for (name, theirs) in &theirs {
            let ours = ours.get(name).cloned().unwrap_or_default();
            ensure!(ours == *theirs, "{name}: ours\n{ours:#?}\nPrometheus'\n{theirs:#?}");
        }
        ensure!(ours.len() == theirs.len(), "only here: {:?}", ours.keys());
        Ok(ours)
    });
    same.unwrap()
}

fn list_of(groups: &str) -> Answer {
    Answer::text(200, groups).with_header("content-type", JSON)
}

/// What is wrong with the discovery of the first job.
fn job_problems(taffrail: &Taffrail) -> String {
    text(&status(taffrail).unwrap()["jobs"][0]["problems"][0])
}

#[test]
fn lists_over_http_are_targets_and_bad_ones_change_nothing() {
    let service = Receiver::start().unwrap();
    service.always(list_of(
        r#"[{"targets": ["127.0.0.1:1", "127.0.0.1:2"], "labels": {"env": "test", "__meta_zone": "z1"}},
            {"targets": ["127.0.0.1:3"], "labels": {"drop": "yes"}}, {"targets": []}]"#,
    ));
    let config = format!(
        "scrape_configs:
  - job_name: http
    scrape_interval: 1h
    http_sd_configs:
      - {{url: 'http://127.0.0.1:{}/targets?a=b', refresh_interval: 1s, basic_auth: {{username: ada, password: x}}}}
    relabel_configs:
      - {{source_labels: [__meta_zone, __meta_url], target_label: from}}
      - {{source_labels: [drop], regex: 'yes', action: drop}}
",
        service.port()
    );
    let prometheus = Prometheus::start_with(Version::V3, &config, &[]).unwrap();
    let taffrail = Taffrail::start(&config).unwrap();
    let before = wait_for_same(&prometheus, &taffrail, &[("http", 3)]);
    let asked = service.received();
    let header = |name: &str| {
        let values = asked.iter().map(|r| r.request.header(name).unwrap_or_default().to_owned());
        values.collect::<BTreeSet<String>>()
    };
    // Both ask alike.
    for name in ["authorization", "accept", "x-prometheus-refresh-interval-seconds"] {
        assert_eq!(header(name).len(), 1, "{name}: {:?}", header(name));
    }

    let html = Answer::text(200, "<html>").with_header("content-type", "text/html");
    for (answer, said) in [
        (html, "Content-Type is `text/html`"),
        (list_of("[{\"targets\": [\"127.0.0.1:4\"]"), "not what it should be"),
        (list_of("[{\"targets\": [\"127.0.0.1:4\"], \"lables\": {}}]"), "lables"),
        (Answer::text(500, "broken"), "HTTP 500"),
        (Answer::Garbage, "no answer from 127.0.0.1"),
        (Answer::Hang(SOON), "no whole list within 1 s"),
    ] {
        service.always(answer);
        wait_for("the problem", SOON, || {
            let problem = job_problems(&taffrail);
            ensure!(problem.contains(said) && problem.contains("http_sd_configs: http://"), "{problem}");
            Ok(())
        })
        .unwrap();
        assert_eq!(of_taffrail(&taffrail).unwrap(), before, "{said}");
    }

    // A reload while the service is down keeps what was known.
    taffrail.configure(&config.replace("__meta_zone, __meta_url", "__meta_zone")).unwrap();
    assert_eq!(taffrail.client().post("/-/reload", &[], &[]).unwrap().status, 200);
    wait_for("the targets with other labels", SOON, || {
        let now = of_taffrail(&taffrail)?;
        ensure!(now != before && now.get("http").is_some_and(|found| found.len() == 3), "{now:?}");
        Ok(())
    })
    .unwrap();
    service.always(list_of(r#"[{"targets": ["127.0.0.1:9"]}]"#));
    wait_for("the new list", SOON, || {
        let now = of_taffrail(&taffrail)?;
        ensure!(
            now.get("http").is_some_and(|found| found.len() == 1) && job_problems(&taffrail).is_empty(),
            "{now:?}"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn records_of_names_are_targets() {
    let records = [
        "--host-record=one.example,10.1.0.1,fd00::1,300",
        "--host-record=two.site.example,10.1.0.2,300",
        "--host-record=many.example,10.2.0.1",
        "--host-record=many.example,10.2.0.2",
        "--cname=alias.example,one.example",
        "--srv-host=_metrics._tcp.example,one.example,9100,1,2",
        "--srv-host=_metrics._tcp.example,two.site.example,9101,1,2",
        "--mx-host=example,mail.example,10",
    ];
    let mut names = Dnsmasq::start(&records, "site.example other.example").unwrap();
    let config = "scrape_configs:
  - {job_name: srv, scrape_interval: 1h, dns_sd_configs: [{names: [_metrics._tcp.example], refresh_interval: 1s}]}
  - {job_name: a, scrape_interval: 1h, dns_sd_configs: [{names: [one.example, many.example, none.example], type: A, port: 80, refresh_interval: 1s}]}
  - {job_name: alias, scrape_interval: 1h, dns_sd_configs: [{names: [alias.example.], type: A, port: 80, refresh_interval: 1s}]}
  - {job_name: aaaa, scrape_interval: 1h, dns_sd_configs: [{names: [one.example], type: aaaa, port: 80, refresh_interval: 1s}]}
  - {job_name: searched, scrape_interval: 1h, dns_sd_configs: [{names: [two], type: A, port: 80, refresh_interval: 1s}]}
  - {job_name: mx, scrape_interval: 1h, dns_sd_configs: [{names: [example], type: MX, port: 25, refresh_interval: 1s}]}
";
    let prometheus = Prometheus::start_behind(&names.prefix(), Version::V3, config, &[]).unwrap();
    let mut taffrail = Taffrail::prepare(config).unwrap();
    taffrail.set_prefix(names.prefix());
    taffrail.restart().unwrap();
    let jobs = [("srv", 2), ("a", 3), ("alias", 1), ("aaaa", 1), ("searched", 1), ("mx", 1)];
    let before = wait_for_same(&prometheus, &taffrail, &jobs);
    names.stop();
    wait_for("a problem", SOON, || {
        let problem = job_problems(&taffrail);
        ensure!(problem.contains("no server answers for "), "{problem}");
        Ok(())
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(of_taffrail(&taffrail).unwrap(), before);
    names.restart(&records[1..]).unwrap();
    wait_for_same(&prometheus, &taffrail, &[("srv", 2), ("a", 2), ("searched", 1), ("mx", 1)]);
}
