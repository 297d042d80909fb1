//! Every alert and recording rule: expressions, labels, texts, runbook, and a firing and a quiet case.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::catalogue::Catalogue;
use crate::{files, promql};

const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A file of promtool's cases.
#[derive(Deserialize)]
struct CaseFile {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_json::Value>,
}

/// The catalogue with every recording rule of `alerts/`.
pub(crate) fn with_recorded(mut catalogue: Catalogue) -> Result<Catalogue> {
    for name in files::list("alerts", ".yml")? {
        record(&files::read(&format!("alerts/{name}"))?, &mut catalogue).with_context(|| name.clone())?;
    }
    Ok(catalogue)
}

fn record(rules: &str, catalogue: &mut Catalogue) -> Result<()> {
    let file: RuleFile = serde_saphyr::from_str(rules)?;
    for rule in file.groups.into_iter().flat_map(|group| group.rules) {
        if let Some(name) = rule.record {
            let mut labels = promql::check(&rule.expr, catalogue).labels;
            labels.extend(rule.labels.into_keys());
            catalogue.record(&name, labels);
        }
    }
    Ok(())
}

/// What is wrong with a file of rules. `cases` is its file of promtool's cases, `runbook` reads `docs/runbooks/<it>.md`.
fn check(
    rules: &str,
    cases: &str,
    catalogue: &Catalogue,
    runbook: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let file: RuleFile = match serde_saphyr::from_str(rules) {
        Ok(file) => file,
        Err(error) => return vec![format!("not a file of rules: {error}")],
    };
    let cases: Vec<Case> = match serde_saphyr::from_str::<CaseFile>(cases) {
        Ok(file) => file.tests,
        Err(error) => return vec![format!("not a file of cases: {error}")],
    };
    let mut problems = Vec::new();
    for rule in file.groups.iter().flat_map(|group| &group.rules) {
        let name = rule.alert.as_deref().or(rule.record.as_deref()).unwrap_or("a rule without a name");
        let report = promql::check(&rule.expr, catalogue);
        let mut found = report.problems.clone();
        match (&rule.alert, &rule.record) {
            (Some(alert), None) => {
                found.extend(texts(alert, rule, &report));
                found.extend(tried(alert, &cases));
                found.extend(explained(alert, runbook(alert), catalogue));
            }
            (None, Some(record)) if !record.contains(':') => {
                found.push("a recorded name is level:metric:operation, with colons".to_owned());
            }
            (None, Some(_)) => {}
            _ => found.push("it is neither an alert nor a recording".to_owned()),
        }
        problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    problems
}

fn texts(alert: &str, rule: &Rule, report: &promql::Report) -> Vec<String> {
    let mut problems = Vec::new();
    let severity = rule.labels.get("severity").map_or("", String::as_str);
    if !SEVERITIES.contains(&severity) {
        problems.push(format!("severity is {severity:?}; it is one of {SEVERITIES:?}"));
    }
    for wanted in ["summary", "description"] {
        if rule.annotations.get(wanted).is_none_or(|text| text.trim().is_empty()) {
            problems.push(format!("it has no {wanted}"));
        }
    }
    let page = format!("docs/runbooks/{alert}.md");
    if rule.annotations.get("runbook_url") != Some(&page) {
        problems.push(format!("its runbook_url is not {page}"));
    }
    for (annotation, text) in &rule.annotations {
        for label in text.split("$labels.").skip(1) {
            let label: String = label.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !report.labels.contains(&label) {
                problems.push(format!("its {annotation} names {label}, which the result does not have"));
            }
        }
    }
    problems
}

/// A case is quiet when the alert is asked for and never there: a look at it before it fires proves less.
fn tried(alert: &str, cases: &[Case]) -> Vec<String> {
    let asked = |case: &&Case| case.alert_rule_test.iter().any(|expectation| expectation.alertname == alert);
    let fires = |case: &&Case| {
        case.alert_rule_test
            .iter()
            .any(|expected| expected.alertname == alert && !expected.exp_alerts.is_empty())
    };
    let mut problems = Vec::new();
    if !cases.iter().filter(asked).any(|case| fires(&case)) {
        problems.push("it has no case in which it fires".to_owned());
    }
    if !cases.iter().filter(asked).any(|case| !fires(&case)) {
        problems.push("it has no case in which it stays quiet".to_owned());
    }
    problems
}

/// The headings a runbook has, in this order, so that a tired reader finds the same thing in the same place.
const HEADINGS: [&str; 3] = ["## Check", "## Do", "## When to ignore it"];

fn explained(alert: &str, page: Option<String>, catalogue: &Catalogue) -> Vec<String> {
    let Some(page) = page else {
        return vec!["its runbook does not exist".to_owned()];
    };
    let mut problems = Vec::new();
    if page.lines().next() != Some(&format!("# {alert}")) {
        problems.push("its runbook does not begin with its name".to_owned());
    }
    let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
    if headings != HEADINGS {
        problems.push(format!("its runbook has the headings {headings:?}; they are {HEADINGS:?}"));
    }
    for query in queries(&page) {
        for problem in promql::check(query, catalogue).problems {
            problems.push(format!("its runbook asks {query:?}: {problem}"));
        }
    }
    problems
}

/// The lines of the blocks marked promql; one line is one query.
fn queries(page: &str) -> Vec<&str> {
    let mut inside = false;
    let mut queries = Vec::new();
    for line in page.lines().map(str::trim) {
        match line {
            "```promql" => inside = true,
            _ if line.starts_with("```") => inside = false,
            _ if inside => queries.push(line),
            _ => {}
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{RuleFile, check, queries, record, with_recorded};
    use crate::catalogue::Catalogue;
    use crate::files;

    const RULES: &str = include_str!("fixtures/alerts.yml");
    const CASES: &str = include_str!("fixtures/alerts.test.yml");
    const RUNBOOK: &str = include_str!("fixtures/runbook.md");

    fn runbook(alert: &str) -> Option<String> {
        files::read(&format!("docs/runbooks/{alert}.md")).ok()
    }

    #[test]
    fn rules_are_sound() {
        let catalogue = with_recorded(Catalogue::declared().unwrap()).unwrap();
        let mut problems = Vec::new();
        for name in files::list("alerts", ".yml").unwrap() {
            let rules = files::read(&format!("alerts/{name}")).unwrap();
            let subject = name.trim_end_matches(".yml").trim_end_matches("-rules");
            let cases = files::read(&format!("alerts/tests/{subject}.test.yml")).unwrap();
            problems.extend(check(&rules, &cases, &catalogue, runbook));
        }
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[test]
    fn no_runbook_is_left_without_an_alert() {
        let mut alerts = BTreeSet::new();
        for name in files::list("alerts", ".yml").unwrap() {
            let file: RuleFile =
                serde_saphyr::from_str(&files::read(&format!("alerts/{name}")).unwrap()).unwrap();
            alerts
                .extend(file.groups.into_iter().flat_map(|group| group.rules).filter_map(|rule| rule.alert));
        }
        for page in files::list("docs/runbooks", ".md").unwrap() {
            assert!(alerts.contains(page.trim_end_matches(".md")), "docs/runbooks/{page}: no such alert");
        }
    }

    /// Checks the fixture with the given rules, cases and page.
    fn checked(rules: &str, cases: &str, page: Option<&str>) -> Vec<String> {
        let mut catalogue = Catalogue::declared().unwrap();
        if let Err(error) = record(rules, &mut catalogue) {
            return vec![format!("not a file of rules: {error}")];
        }
        check(rules, cases, &catalogue, |_| page.map(str::to_owned))
    }

    #[test]
    fn each_fault_of_a_rule_is_found() {
        assert_eq!(checked(RULES, CASES, Some(RUNBOOK)), Vec::<String>::new());
        for (from, to, wanted) in [
            ("severity: warning", "severity: loud", "severity is \"loud\""),
            ("summary: Load", "headline: Load", "no summary"),
            ("description: The load", "text: The load", "no description"),
            ("runbooks/HighLoad.md", "runbooks/Load.md", "its runbook_url is not"),
            ("{{ $labels.instance }}", "{{ $labels.host }}", "names host"),
            ("node_load1{", "node_load{", "node_load is not declared"),
            ("> 3", ">> 3", "does not parse"),
            ("record: instance:load:ratio", "record: load_ratio", "with colons"),
            ("instance:load:ratio{", "instance:load:sum{", "is not declared, recorded"),
            ("alert: HighLoad", "note: HighLoad", "neither an alert nor a recording"),
            ("groups:", "group:", "not a file of rules"),
        ] {
            files::refused(RULES, (from, to), wanted, |rules| checked(rules, CASES, Some(RUNBOOK)));
        }
    }

    #[test]
    fn each_missing_case_is_found() {
        for (from, to, wanted) in [
            ("exp_alerts:", "other:", "no case in which it fires"),
            ("alertname: HighLoad  # quiet", "alertname: Other", "no case in which it stays quiet"),
            ("tests:", "test:", "not a file of cases"),
        ] {
            files::refused(CASES, (from, to), wanted, |cases| checked(RULES, cases, Some(RUNBOOK)));
        }
    }

    #[test]
    fn each_fault_of_a_runbook_is_found() {
        for (from, to, wanted) in [
            ("# HighLoad", "# Load", "does not begin with its name"),
            ("## Do", "## Act", "has the headings"),
            ("node_load5", "node_load6", "node_load6 is not declared"),
        ] {
            files::refused(RUNBOOK, (from, to), wanted, |page| checked(RULES, CASES, Some(page)));
        }
        let problems = checked(RULES, CASES, None);
        assert!(problems.iter().any(|problem| problem.contains("does not exist")), "{problems:?}");
    }

    #[test]
    fn only_blocks_marked_promql_are_queries() {
        assert_eq!(queries("a\n```sh\nls\n```\n  ```promql\n  up\n  up == 0\n  ```\nb"), ["up", "up == 0"]);
    }
}
