//! `write_relabel_configs` beside Prometheus': the same page, the same rules, and the same series at the receiver.

use std::collections::BTreeSet;
use std::fmt::Write;

use taffrail_tests::{Answer, Prometheus, Receiver, Taffrail, Version};

use crate::support::SOON;

/// As they stand in both configs.
const RULES: &str = r#"[
  {source_labels: [__name__], regex: "go_.*", action: drop},
  {source_labels: [job, path], separator: "@", regex: "(app)@/v([0-9]+)/.*", target_label: version, replacement: "$2-${1}x"},
  {source_labels: [code], regex: "5..", target_label: failed, replacement: "yes"},
  {source_labels: [path], target_label: path, action: uppercase},
  {source_labels: [path], modulus: 4, target_label: shard, action: hashmod},
  {regex: "kubernetes_(.+)", action: labelmap},
  {regex: "kubernetes_.*|env", action: labeldrop},
  {source_labels: [code], target_label: same, action: dropequal},
  {source_labels: [__name__], regex: "(http_requests)_total", target_label: __name__, replacement: "${1}_renamed_total"}
]"#;

fn page() -> String {
    let mut page =
        String::from("# TYPE http_requests_total counter\n# TYPE go_threads gauge\ngo_threads 9\n");
    for (at, path) in ["/v1/a", "/v22/b", "/x", ""].into_iter().enumerate() {
        for code in [200, 404, 500] {
            let labels = format!("path=\"{path}\",code=\"{code}\",same=\"404\",kubernetes_pod=\"p{at}\"");
            writeln!(page, "http_requests_total{{{labels}}} {at}").unwrap();
        }
    }
    page + "temperature{room=\"ä\",code=\"x\"} 20\ntemperature{room=\"b\",code=\"y\",version=\"kept\"} 21\n"
}

/// Every series but those of scraping itself, with its labels.
fn series(prometheus: &Prometheus) -> BTreeSet<String> {
    let found = prometheus.query("{job=\"app\",__name__=~\"http_.*|temperature|go_.*\"}").unwrap();
    found.iter().map(|series| format!("{:?}", series.labels)).collect()
}

#[test]
fn the_same_rules_leave_the_same_series() {
    let target = Receiver::start().unwrap();
    let text = Answer::text(200, &page()).with_header("content-type", "text/plain; version=0.0.4");
    target.always(text);
    let (ours, theirs) =
        (Prometheus::start(Version::V3, &[]).unwrap(), Prometheus::start(Version::V3, &[]).unwrap());
    let job =
        format!("[{{job_name: app, static_configs: [{{targets: [\"127.0.0.1:{}\"]}}]}}]", target.port());
    let peer = format!(
        "global: {{scrape_interval: 1s, external_labels: {{env: test}}}}\nscrape_configs: {job}\n\
         remote_write: [{{url: \"{}\", write_relabel_configs: {RULES}}}]\n",
        theirs.write_url()
    );
    let _peer = Prometheus::start_with(Version::V3, &peer, &[]).unwrap();
    let config = format!(
        "interval: 1s\nhostname: ship\nself: false\nlabels: {{env: test}}\nscrape_configs: {job}\n\
         outputs: {{prometheus: [{{url: \"{}\", write_relabel_configs: {RULES}}}]}}\n",
        ours.write_url()
    );
    let taffrail = Taffrail::start(&config).unwrap();
    for receiver in [&ours, &theirs] {
        receiver.wait_for("count_over_time(temperature{room=\"b\"}[1m]) >= 2", SOON).unwrap();
    }
    assert_eq!(series(&ours), series(&theirs));
    assert_eq!(series(&ours).len(), 2 + 4 * 2, "{:?}", series(&ours));
    let left_out = "taffrail_output_left_out_total{kind=\"prometheus\",output=\"prometheus\"}";
    // `go_threads`, and of each path the one whose code is that of `same`.
    assert!(crate::support::own(&taffrail, left_out) >= 2.0 * 5.0);
}
