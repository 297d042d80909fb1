//! Folding, as a receiver sees it: few series, sums that grow as their members do, and an end when the target is away.

use std::time::Duration;

use anyhow::{Result, ensure};
use taffrail_tests::{Answer, Prometheus, Receiver, Series, Taffrail, Version, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A page on which users have these numbers of hits, each of which took a second.
fn page(hits: &[(&str, u32)]) -> Answer {
    let each = |line: &dyn Fn(&str, u32) -> String| -> String {
        hits.iter().map(|(user, count)| line(user, *count)).collect()
    };
    let counters = each(&|user, count| {
        format!(
            "hits_total{{user=\"{user}\"}} {count} # {{id=\"x\"}} 1\nhits_created{{user=\"{user}\"}} 1700000000\n"
        )
    });
    let histograms = each(&|user, count| {
        let of = |part: &str, le: &str| format!("took_seconds{part}{{user=\"{user}\"{le}}} {count}\n");
        of("_bucket", ",le=\"1.0\"") + &of("_bucket", ",le=\"+Inf\"") + &of("_count", "") + &of("_sum", "")
    });
    let gauges = each(&|user, count| format!("queue{{user=\"{user}\"}} {count}\n"));
    let text = format!(
        "# TYPE hits counter\n{counters}# TYPE took_seconds histogram\n{histograms}# TYPE queue gauge\n{gauges}# EOF\n"
    );
    Answer::text(200, &text).with_header("content-type", OPEN)
}

#[test]
fn many_users_become_one_whose_sums_are_right() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let app = Receiver::start().unwrap();
    let users = ["a", "b", "c", "d", "e", "f"];
    app.always(page(&users.map(|user| (user, 100))));
    let config = format!(
        "interval: 1s
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: app
    fold: [{{label: user, keep: 2}}]
    static_configs: [{{targets: ['127.0.0.1:{}']}}]
outputs: {{prometheus: [{{url: '{}'}}]}}
",
        app.port(),
        prometheus.write_url()
    );
    let _taffrail = Taffrail::start(&config).unwrap();
    let folded = ["hits_total", "took_seconds_bucket{le='1.0'}", "took_seconds_count", "took_seconds_sum"];
    let has = |expr: &str, wanted: &[f64]| -> Result<()> {
        let mut found: Vec<f64> = prometheus.query(expr)?.iter().map(Series::value).collect();
        found.sort_by(f64::total_cmp);
        ensure!(found == wanted, "{expr}: {found:?}");
        Ok(())
    };
    let sums = |wanted: &[f64]| {
        wait_for(&format!("sums of {wanted:?}"), PATIENCE, || {
            folded.iter().try_for_each(|series| has(&format!("{series} and {{user='__other__'}}"), wanted))
        })
        .unwrap();
    };
    sums(&[0.0]);
    for (expr, count) in [
        ("count(hits_total)", 3.0),
        ("count(took_seconds_bucket)", 6.0),
        ("count(hits_created)", 2.0),
        ("count(queue)", 6.0),
    ] {
        wait_for(expr, PATIENCE, || has(expr, &[count])).unwrap();
    }
    // Four users in five series each.
    prometheus.wait_for("taffrail_scrape_folded_series{scrape_job='app'} == 20", PATIENCE).unwrap();
    app.always(page(&[("a", 100), ("b", 100), ("c", 102), ("d", 103), ("e", 104), ("f", 105)]));
    sums(&[14.0]);
    // One begins anew, one is gone, one is new.
    app.always(page(&[("a", 101), ("b", 100), ("c", 1), ("d", 103), ("e", 104), ("g", 7)]));
    sums(&[22.0]);
    has("hits_total{user='a'}", &[101.0]).unwrap();
    // The target is away: the sum ends, and goes on when it is back.
    app.always(Answer::status(500));
    sums(&[]);
    app.always(page(&[("a", 101), ("c", 2), ("d", 103), ("e", 104), ("g", 7)]));
    sums(&[23.0]);
    // Where none of its members is left, it ends.
    app.always(page(&[("a", 102), ("b", 1)]));
    sums(&[]);
    has("hits_total{user='a'}", &[102.0]).unwrap();
}
