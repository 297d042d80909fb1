//! Metrics and errors that are made of log lines: on the pull page, told in the stream of notes, known after a restart.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::ensure;
use taffrail_tests::{LokiDouble, Taffrail, wait_for};

use crate::support::SOON;

fn config(loki: &LokiDouble) -> String {
    format!(
        "hostname: ship
logs:
  - name: app
    files: {{include: [DIR/*.log], start: beginning}}
    labels: {{service_name: shop}}
    errors: true
    stages:
      - logfmt: {{}}
      - meter:
          shop_orders_total: {{type: counter, source: order, labels: {{color: {{values: [red]}}}}}}
          shop_took_seconds: {{type: histogram, source: took, buckets: [0.5, 1]}}
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

fn write(taffrail: &Taffrail, text: &str) {
    let path = taffrail.dir().join("app.log");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn wait_for_series(taffrail: &Taffrail, wanted: &[&str]) {
    wait_for(&format!("{wanted:?}"), SOON, || {
        let page = taffrail.client().get_ok("/metrics/taffrail")?.text();
        for wanted in wanted {
            let (name, value) = wanted.rsplit_once(' ').unwrap_or_default();
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let labels = labels.trim_end_matches('}');
            let there = page.lines().any(|line| {
                line.starts_with(&format!("{name}{{"))
                    && line.ends_with(&format!(" {value}"))
                    && labels.split(',').all(|label| line.contains(label))
            });
            ensure!(there, "no {wanted} on the page");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_lines_say_is_on_the_pull_page_and_new_errors_are_told_once() {
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::start(&config(&loki)).unwrap();
    write(&taffrail, "order=17 color=red took=250ms\norder=18 color=7f3a took=700ms\n");
    write(
        &taffrail,
        "level=error msg=\"order 17 failed\" version=v1 password=hunter2\nlevel=error msg=\"order 18 failed\"\n",
    );
    wait_for_series(
        &taffrail,
        &[
            "shop_orders_total{color=\"red\",service_name=\"shop\",stream_job=\"app\"} 1",
            "shop_orders_total{color=\"other\",service_name=\"shop\"} 1",
            "shop_took_seconds_bucket{le=\"0.5\"} 1",
            "shop_took_seconds_bucket{le=\"+Inf\"} 2",
            "shop_took_seconds_count{service_name=\"shop\"} 2",
            "taffrail_log_errors_total{service_name=\"shop\"} 2",
        ],
    );
    let told = |loki: &LokiDouble| -> Vec<String> {
        let all = loki.lines(&[("job", "taffrail")]);
        all.into_iter().filter(|line| line.contains("log_error_first_seen")).collect()
    };
    wait_for("the note", SOON, || {
        ensure!(!told(&loki).is_empty(), "{:?}", loki.lines(&[("job", "taffrail")]));
        Ok(())
    })
    .unwrap();
    let notes = told(&loki);
    assert!(notes[0].contains("service_name=shop") && !notes[0].contains("hunter2"), "{}", notes[0]);
    // The same error in another run is nothing new, another one is.
    taffrail.terminate(SOON).unwrap();
    taffrail.restart().unwrap();
    write(&taffrail, "level=error msg=\"order 19 failed\"\nlevel=error msg=\"the stock is gone\"\n");
    wait_for("the other note", SOON, || {
        ensure!(told(&loki).iter().any(|line| line.contains("the stock is gone")), "{:?}", told(&loki));
        Ok(())
    })
    .unwrap();
    assert_eq!(told(&loki).len(), 2, "{:?}", told(&loki));
}
