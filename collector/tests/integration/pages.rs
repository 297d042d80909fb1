//! The pull pages, read by those who know the formats: Python's prometheus_client and promtool.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use taffrail_collector::registry;
use taffrail_tests::{LokiDouble, Taffrail, free_port, tool, wait_for};

use crate::support::{SOON, own};

const TEXT: &str = "text/plain;version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

/// Reads a page with the parser that is named first, and prints how many families and samples it has.
const PARSE: &str = "
import sys
from prometheus_client import openmetrics, parser
from prometheus_client.openmetrics import parser as strict
parse = {'text': parser, 'openmetrics': strict}[sys.argv[1]].text_string_to_metric_families
families = list(parse(sys.stdin.read()))
print(len(families), sum(len(family.samples) for family in families))
";

/// Families and samples, as prometheus_client counts them.
fn parse(format: &str, page: &str) -> Result<(usize, usize)> {
    let mut command = Command::new(tool("PYTHON")?);
    let said = feed(command.args(["-c", PARSE, format]), page)?;
    ensure!(said.0 == Some(0), "prometheus_client refuses the page:\n{}", said.1);
    let mut words = said.1.split_whitespace().map(str::parse);
    let mut next = || words.next().context("no count").and_then(|n| Ok(n?));
    Ok((next()?, next()?))
}

/// What promtool has against a page, apart from names that the catalogue marks as irregular: the incumbents chose them.
fn promtool(page: &str) -> Result<Vec<String>> {
    let mut command = Command::new(tool("PROMTOOL")?);
    let (code, said) = feed(command.args(["check", "metrics"]), page)?;
    // 0 is in order, 3 is lint; anything else is a page it cannot read.
    ensure!(matches!(code, Some(0 | 3)), "promtool: exit code {code:?}: {said}");
    let catalogue = registry::catalogue();
    let irregular = |line: &&str| {
        let name = line.split(' ').next().unwrap_or_default();
        registry::find(&catalogue, name).is_some_and(|entry| entry.metric.irregular)
    };
    Ok(said.lines().filter(|line| !line.is_empty() && !irregular(line)).map(str::to_owned).collect())
}

fn feed(command: &mut Command, input: &str) -> Result<(Option<i32>, String)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Dropped at the end of the statement, which is the end of the input.
    child.stdin.take().context("no input")?.write_all(input.as_bytes())?;
    let out = child.wait_with_output()?;
    Ok((out.status.code(), String::from_utf8([out.stdout, out.stderr].concat())?))
}

/// The page in a format, which has to be the one that was asked for.
fn page(taffrail: &Taffrail, path: &str, accept: &str) -> String {
    let response = taffrail.client().send("GET", path, &[("accept", accept)], &[]).unwrap();
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    let kind = response.header("content-type").unwrap();
    let wanted = if accept == TEXT { "text/plain; version=0.0.4" } else { "application/openmetrics-text; v" };
    assert!(kind.starts_with(wanted), "{path}: {kind} was given for {accept}");
    response.text()
}

#[test]
fn every_page_is_read_by_those_who_know_the_formats() {
    let loki = LokiDouble::start().unwrap();
    // Every kind of component, and an output that fails: with it, there are all families.
    let config = format!(
        "interval: 1s
hostname: ship
labels: {{note: 'a \"quoted\" \\ and a
  line feed'}}
host: {{}}
logs: [{{name: app, files: {{include: [DIR/*.txt]}}, stages: [{{drop: {{expression: drop}}}}]}}]
outputs:
  prometheus: [{{url: \"http://127.0.0.1:{}\"}}]
  loki: [{{url: \"{}\"}}]
",
        free_port().unwrap(),
        loki.url()
    );
    let taffrail = Taffrail::start(&config).unwrap();
    fs::write(taffrail.dir().join("app.txt"), "one\ndrop this\nthree\n").unwrap();
    loki.wait_for_lines(&[("job", "app")], 2, SOON).unwrap();
    wait_for("a failed delivery", SOON, || {
        let retries =
            own(&taffrail, "taffrail_output_retries_total{kind=\"prometheus\",output=\"prometheus\"}");
        ensure!(retries > 0.0);
        Ok(())
    })
    .unwrap();
    for (path, families, samples) in [("/metrics", 35, 60), ("/metrics/host", 100, 150)] {
        let text = page(&taffrail, path, TEXT);
        let strict = page(&taffrail, path, OPEN_METRICS);
        assert!(strict.ends_with("\n# EOF\n") && !text.contains("# EOF"), "{path}");
        for (format, page) in [("text", &text), ("openmetrics", &strict)] {
            let counted =
                parse(format, page).unwrap_or_else(|err| panic!("{path} {format}: {err:#}\n{page}"));
            assert!(
                counted.0 >= families && counted.1 >= samples,
                "{path} {format}: only {counted:?}\n{page}"
            );
        }
        let mut complaints = promtool(&text).unwrap();
        // Entropy is counted in bits by the kernel, and in the incumbents' names.
        complaints.retain(|complaint| !complaint.starts_with("node_entropy_"));
        assert_eq!(complaints, Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_broken_page_is_refused_by_both() {
    let twice = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\"} 1\na_total{b=\"c} 2\n";
    assert!(parse("text", twice).is_err());
    assert!(promtool(twice).is_err());
    assert!(parse("openmetrics", "# TYPE a counter\na 1\n# EOF\n").is_err(), "a counter without _total");
    // node_load1 is declared, and not irregular: nothing excuses it.
    let lint = promtool("# TYPE node_load1 counter\nnode_load1 1\n").unwrap();
    assert!(lint.iter().any(|line| line.contains("node_load1")), "{lint:?}");
}
