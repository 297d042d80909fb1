//! Standard input as a source: through a pipe, until its end, and across a reload.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Command;

use anyhow::ensure;
use taffrail_tests::{LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, status};

fn config(loki: &LokiDouble, env: &str, more: &str) -> String {
    format!(
        "hostname: ship
logs: [{{name: pipe, stdin: {{}}, labels: {{job: app, env: {env}}}{more}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

/// The collector at the end of a pipe, and its beginning.
fn piped(config: &str) -> (Taffrail, File) {
    let mut taffrail = Taffrail::prepare(config).unwrap();
    let pipe = taffrail.dir().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let shell = format!("exec \"$@\" <'{}'", pipe.display());
    taffrail.set_prefix(["sh", "-c", &shell, "sh"].map(str::to_owned).to_vec());
    taffrail.spawn().unwrap();
    let writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    taffrail.wait_ready(SOON).unwrap();
    (taffrail, writer)
}

#[test]
fn lines_of_a_trace_are_one_entry() {
    let loki = LokiDouble::start().unwrap();
    let (mut taffrail, mut writer) =
        piped(&config(&loki, "one", ", multiline: {language: java, max_wait: 1s}"));
    let trace = |n: usize| {
        format!(
            "failed {n}\njava.lang.Error: no\n\tat shop.Cart.add(Cart.java:7)\n\tat shop.Main.main(Main.java:3)"
        )
    };
    // More than one reading, and more than one chunk: each entry is whole all the same.
    let written: Vec<String> = (0..10_000).flat_map(|n| [format!("before {n}"), trace(n)]).collect();
    writer.write_all((written.join("\n") + "\n").as_bytes()).unwrap();
    // The last one comes although nothing follows it.
    let arrived = loki.wait_for_lines(&[("job", "app")], written.len(), SOON).unwrap();
    assert!(arrived == written, "all, in their order");
    // And the end of the input is waited for by nobody.
    writer.write_all((trace(10_000) + "\n").as_bytes()).unwrap();
    drop(writer);
    let arrived = loki.wait_for_lines(&[("job", "app")], written.len() + 1, SOON).unwrap();
    assert_eq!(arrived.last().unwrap(), &trace(10_000));
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
}

#[test]
fn lines_of_a_pipe_arrive_and_its_end_ends_nothing_else() {
    let loki = LokiDouble::start().unwrap();
    let (mut taffrail, mut writer) = piped(&config(&loki, "one", ""));
    let lines: Vec<String> = (0..50_000).map(|n| format!("n={n} {}", "x".repeat(n % 300))).collect();
    // More than pipe and queues hold: the writer has to wait.
    writer.write_all((lines.join("\n") + "\nbegun").as_bytes()).unwrap();
    let arrived = loki.wait_for_lines(&[("job", "app"), ("env", "one")], lines.len(), SOON).unwrap();
    assert!(arrived == lines, "all, in their order");
    // A line that has begun goes on after a reload, under the new labels.
    taffrail.configure(&config(&loki, "two", "")).unwrap();
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
