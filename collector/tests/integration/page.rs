//! The live page in a real browser, over the real machine: charts, the log tail, keyboard, phone, policy.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use taffrail_tests::{Answer, Receiver, Taffrail, repo_root, run_node, wait_for};

const CONFIG: &str = "
interval: 1s
host: {}
logs:
  - {name: files, files: {include: [DIR/app.log]}}
";

/// One target that answers at URL, one that nobody listens at, one that a rule drops.
const TARGETS: &str = "
scrape_configs:
  - job_name: shop
    scrape_timeout: 1s
    fallback_scrape_protocol: PrometheusText0.0.4
    static_configs:
      - {targets: [URL, '127.0.0.1:1'], labels: {env: prod, __meta_zone: eu-1}}
      - {targets: ['127.0.0.1:2'], labels: {unwanted: 'yes'}}
    relabel_configs:
      - {source_labels: [unwanted], regex: 'yes', action: drop}
";

#[test]
fn a_browser_sees_this_machine_and_a_line_just_written() {
    let target = Receiver::start().unwrap();
    target.always(Answer::text(200, "orders_total 5\norders_total 6\nstock 7\n"));
    let address = target.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let taffrail = Taffrail::start(&format!("{CONFIG}{}", TARGETS.replace("URL", &address))).unwrap();
    let mut log = OpenOptions::new().create(true).append(true).open(taffrail.dir().join("app.log")).unwrap();
    writeln!(log, "level=info msg=\"another line\"").unwrap();
    let line = "payment 4711 was declined just now";
    writeln!(log, "level=error msg=\"{line}\"").unwrap();
    let url = format!("http://127.0.0.1:{}/", taffrail.port());
    let folder = repo_root().join("target/screenshots/page");
    let script = repo_root().join("collector/tests/page/page.mjs");
    let said = run_node(&script, &[&url, line, &folder.display().to_string()]).unwrap();
    assert!(said.contains("the page is fine"), "{said}");
    for name in ["light", "dark", "phone", "lost", "targets", "series"] {
        assert!(fs::metadata(folder.join(format!("{name}.png"))).unwrap().len() > 10_000, "{name}.png");
    }
}

#[test]
fn the_browsers_test_can_fail() {
    let taffrail = Taffrail::start("host: {}\ninterval: 1s\n").unwrap();
    let url = format!("http://127.0.0.1:{}/", taffrail.port());
    let folder = taffrail.dir().join("shots").display().to_string();
    let script = repo_root().join("collector/tests/page/page.mjs");
    let error = run_node(&script, &[&url, "a line nobody wrote", &folder, "8"]).unwrap_err().to_string();
    assert!(error.contains("did not see the log line \"a line nobody wrote\""), "{error}");
}

/// The API's memory bound holds, and its status names what runs.
#[test]
fn the_api_tells_what_the_page_shows() {
    let taffrail = Taffrail::start(CONFIG).unwrap();
    let client = taffrail.client();
    let cpu = || {
        let charts: serde_json::Value = serde_json::from_str(&client.get_ok("/api/v1/charts")?.text())?;
        let cpu = charts["charts"].as_array().and_then(|all| all.iter().find(|c| c["id"] == "cpu").cloned());
        anyhow::ensure!(cpu.is_some(), "no chart of the CPUs yet: {charts}");
        Ok(())
    };
    wait_for("a CPU chart", Duration::from_secs(20), cpu).unwrap();
    let status: serde_json::Value =
        serde_json::from_str(&client.get_ok("/api/v1/status").unwrap().text()).unwrap();
    assert_eq!(status["exporters"][0]["name"], "host", "{status}");
    let bytes =
        status["page"]["chart_bytes"].as_u64().unwrap() + status["page"]["tail_bytes"].as_u64().unwrap();
    assert!(bytes < 1_500_000, "{bytes}");
}
