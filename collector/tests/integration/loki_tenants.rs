//! Several tenants of one Loki: each has a cursor of its own.

use std::fs;

use anyhow::ensure;
use taffrail_tests::{Answer, LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, own, status, wait_for_problem};

fn config(loki: &LokiDouble) -> String {
    let source = |team: &str| {
        format!(
            "{{name: {team}, files: {{include: [DIR/{team}.txt], start: beginning}}, labels: {{team: {team}}}}}"
        )
    };
    let sources: Vec<String> = ["shop", "bank", "third"].map(source).into();
    format!(
        "interval: 1s
hostname: ship
self: false
logs:
  - {{name: nobody, files: {{include: [DIR/nobody.txt], start: beginning}}}}
  - {}
outputs: {{loki: [{{url: \"{}\", tenant: main, tenant_label: team, max_tenants: 2}}]}}
",
        sources.join("\n  - "),
        loki.url()
    )
}

fn write(taffrail: &Taffrail, name: &str, numbers: std::ops::Range<usize>) {
    let path = taffrail.dir().join(format!("{name}.txt"));
    let lines: String = numbers.map(|n| format!("{name} {n}\n")).collect();
    let before = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, before + &lines).unwrap();
}

/// Waits until a tenant has so many lines of its own, in their order.
fn wait_for_tenant(loki: &LokiDouble, tenant: &str, name: &str, count: usize) {
    let wanted: Vec<String> = (0..count).map(|n| format!("{name} {n}")).collect();
    let there = wait_for(&format!("{count} lines of {name}"), SOON, || {
        let streams = loki.streams().into_iter().filter(|stream| stream.tenant == tenant);
        let of = streams.filter(|stream| stream.labels.get("job").is_some_and(|job| job == name));
        let lines: Vec<String> = of.flat_map(|stream| stream.entries).map(|entry| entry.line).collect();
        ensure!(lines == wanted, "{} are there", lines.len());
        Ok(())
    });
    there.unwrap();
}

#[test]
fn a_dead_tenant_holds_up_no_other_and_gets_its_backlog_after_a_restart() {
    let loki = LokiDouble::start().unwrap();
    loki.always_to("bank", Answer::status(503));
    let mut taffrail = Taffrail::start(&config(&loki)).unwrap();
    for round in 0..3 {
        let numbers = round * 10..(round + 1) * 10;
        for name in ["nobody", "shop", "bank"] {
            write(&taffrail, name, numbers.clone());
        }
        wait_for_tenant(&loki, "main", "nobody", numbers.end);
        wait_for_tenant(&loki, "shop", "shop", numbers.end);
    }
    wait_for_problem(&taffrail, &["output loki/loki@bank", "HTTP 503"]).unwrap();
    for output in status(&taffrail).unwrap()["outputs"].as_array().unwrap() {
        let name = output["name"].as_str().unwrap();
        assert_eq!(output["retrying"].is_null(), name != "loki@bank", "{output}");
    }
    // There are two already: of a third nothing is sent, and all of it is kept.
    write(&taffrail, "third", 0..10);
    let lost = "taffrail_output_lost_total{kind=\"loki\",output=\"loki\",reason=\"tenant\"}";
    let refused = wait_for("a tenant too many", SOON, || {
        ensure!(own(&taffrail, lost) >= 10.0, "{} are lost", own(&taffrail, lost));
        Ok(())
    });
    refused.unwrap();
    let data_dir = taffrail.data_dir();
    let list = ["spool", "dead", "list", "--data-dir", data_dir.to_str().unwrap()];
    let (_, text) = Taffrail::command(&list).unwrap();
    assert!(
        text.contains("10 entries") && text.contains("there are 2 tenants already (`max_tenants`)"),
        "{text}"
    );

    taffrail.kill();
    loki.always_to("bank", Answer::Usual);
    taffrail.restart().unwrap();
    wait_for_tenant(&loki, "bank", "bank", 30);
    let streams = loki.streams();
    assert!(streams.iter().all(|stream| !stream.labels.contains_key("team")), "{streams:?}");
    let tenants: std::collections::BTreeSet<&str> = streams.iter().map(|s| s.tenant.as_str()).collect();
    assert_eq!(tenants.into_iter().collect::<Vec<_>>(), ["bank", "main", "shop"]);
}
