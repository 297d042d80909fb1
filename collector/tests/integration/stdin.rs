//! Standard input as a source: through a pipe, until its end, and across a reload.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use anyhow::ensure;
use taffrail_tests::{LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, status};

fn config(loki: &LokiDouble, env: &str) -> String {
    format!(
        "hostname: ship
logs: [{{name: pipe, stdin: {{}}, labels: {{job: app, env: {env}}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

#[test]
fn lines_of_a_pipe_arrive_and_its_end_ends_nothing_else() {
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&loki, "one")).unwrap();
    let pipe = taffrail.dir().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let shell = format!("exec \"$@\" <'{}'", pipe.display());
    taffrail.set_prefix(["sh", "-c", &shell, "sh"].map(str::to_owned).to_vec());
    taffrail.spawn().unwrap();
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    taffrail.wait_ready(SOON).unwrap();
    let lines: Vec<String> = (0..50_000).map(|n| format!("n={n} {}", "x".repeat(n % 300))).collect();
    // More than pipe and queues hold: the writer has to wait.
    writer.write_all((lines.join("\n") + "\nbegun").as_bytes()).unwrap();
    let arrived = loki.wait_for_lines(&[("job", "app"), ("env", "one")], lines.len(), SOON).unwrap();
    assert!(arrived == lines, "all, in their order");
    // A line that has begun goes on after a reload, under the new labels.
    taffrail.configure(&config(&loki, "two")).unwrap();
    taffrail.hang_up().unwrap();
    wait_for("the new config", SOON, || {
        let log = taffrail.log()?;
        ensure!(log.contains("the config was reloaded"), "{log}");
        Ok(())
    })
    .unwrap();
    writer.write_all(b" and ended\nlast, without an end").unwrap();
    drop(writer);
    let lines = loki.wait_for_lines(&[("env", "two")], 2, SOON).unwrap();
    assert_eq!(lines, ["begun and ended", "last, without an end"]);
    wait_for("the source to end", SOON, || {
        let source = status(&taffrail)?["sources"][0].clone();
        ensure!(source["inputs"] == 0 && source["kind"] == "stdin", "{source}");
        Ok(())
    })
    .unwrap();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
}
