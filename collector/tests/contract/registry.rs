//! The registry: every exporter's folder is in it, no metric is declared twice, and the golden files hold what is
//! declared, all of it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use taffrail_collector::registry::{self, Entry};

use crate::files;

/// Folders under `exporters/` that hold no exporter.
const NO_EXPORTERS: [&str; 2] = ["core", "app"];

/// Declared metrics that no golden file shows, by prefix, with the reason.
const NOT_IN_GOLDEN: [(&str, &str); 10] = [
    ("pgbouncer_", "what comes from a pooler; the crate looks for each name at a real one"),
    (
        "pg_",
        "what comes from a server; the crate compares its pages with postgres_exporter's, and each with its declarations",
    ),
    (
        "probe_",
        "what comes from a network; the crate compares its pages with blackbox_exporter's, and each with its declarations",
    ),
    ("container_fs_inodes", "room on the engine's disk: the integration test compares it with a real engine"),
    ("container_fs_limit_bytes", "the same"),
    ("container_fs_usage_bytes", "the same"),
    ("taffrail_", "the collector's own; the integration tests read them from the running process"),
    ("up", "of every job, made by the frame"),
    ("node_scrape_collector_", "made by the frame around the subjects"),
    ("process_", "of the collector's own process, as every program names them"),
];

/// What is wrong with a golden page: samples that are not declared so. Adds the declared names that it shows.
fn check_page(name: &str, text: &str, catalogue: &[Entry], shown: &mut BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines() {
        if let Some((metric, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kinds.insert(metric, kind);
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let metric = line.split(['{', ' ']).next().unwrap_or_default();
        let Some(entry) = registry::find(catalogue, metric) else {
            problems.push(format!("{name}: `{metric}` is not declared"));
            continue;
        };
        shown.insert(entry.metric.pattern());
        let declared = entry.metric.kind.as_str();
        match kinds.get(metric) {
            Some(kind) if *kind == declared => {}
            kind => problems.push(format!("{name}: `{metric}` is declared {declared}, and shown {kind:?}")),
        }
        let mut labels = labels(line);
        let more = registry::more_labels(entry.metric);
        let named =
            |label: &str| more.iter().any(|more| more == label) || label.starts_with(registry::LABEL_PREFIX);
        labels.retain(|label| more.is_empty() || !named(label));
        if labels != entry.metric.labels {
            problems.push(format!(
                "{name}: `{metric}` is declared with {:?}, and has {labels:?}",
                entry.metric.labels
            ));
        }
    }
    problems
}

/// The label names of a sample's line.
fn labels(line: &str) -> Vec<String> {
    let Some((_, rest)) = line.split_once('{') else { return Vec::new() };
    let (mut names, mut name, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in rest.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '}' => break,
            '=' => names.push(std::mem::take(&mut name)),
            ',' => {}
            c => name.push(c),
        }
    }
    names
}

/// Folders that are not registered, and registrations without a folder.
fn check_folders(folders: &[String], registered: &[&str]) -> Vec<String> {
    let missing = folders
        .iter()
        .filter(|folder| !NO_EXPORTERS.contains(&folder.as_str()) && !registered.contains(&folder.as_str()))
        .map(|folder| format!("exporters/{folder} is not in collector/agent/src/registry.rs"));
    let gone = registered
        .iter()
        .filter(|name| !folders.iter().any(|folder| folder == *name))
        .map(|name| format!("`{name}` is registered and has no folder under exporters/"));
    missing.chain(gone).collect()
}

/// Names declared more than once.
fn check_names(names: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names
        .iter()
        .filter(|name| !seen.insert(*name))
        .map(|name| format!("`{name}` is declared twice"))
        .collect()
}

/// Declared names that no golden file shows and no list excuses, and excuses that nothing needs.
fn check_shown(declared: &[String], shown: &BTreeSet<String>, excuses: &[(&str, &str)]) -> Vec<String> {
    let excused = |name: &str| excuses.iter().any(|(prefix, _)| name.starts_with(prefix));
    let missing = declared
        .iter()
        .filter(|name| !shown.contains(*name) && !excused(name))
        .map(|name| format!("`{name}` is in no golden file"));
    let needless = excuses
        .iter()
        .filter(|(prefix, _)| !declared.iter().any(|name| name.starts_with(prefix) && !shown.contains(name)))
        .map(|(prefix, _)| format!("`{prefix}` needs no excuse: remove it from the list"));
    missing.chain(needless).collect()
}

fn names() -> Vec<String> {
    registry::catalogue().iter().map(|entry| entry.metric.pattern()).collect()
}

fn none(problems: &[String]) -> Result<()> {
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[test]
fn every_exporter_is_registered() -> Result<()> {
    let folders = files::folders("exporters")?;
    let registered: Vec<&str> = registry::EXPORTERS.iter().map(|exporter| exporter.name).collect();
    none(&check_folders(&folders, &registered))
}

#[test]
fn no_name_is_declared_twice() -> Result<()> {
    none(&check_names(&names()))
}

#[test]
fn golden_files_show_what_is_declared() -> Result<()> {
    let catalogue = registry::catalogue();
    let (mut shown, mut problems) = (BTreeSet::new(), Vec::new());
    for page in files::golden()? {
        problems.extend(check_page(&page, &files::read(&page)?, &catalogue, &mut shown));
    }
    problems.extend(check_shown(&names(), &shown, &NOT_IN_GOLDEN));
    none(&problems)
}

#[test]
fn a_broken_registry_is_noticed() {
    let folders = ["core".to_owned(), "host".to_owned(), "printer".to_owned()];
    assert_eq!(check_folders(&folders, &["host"]).len(), 1);
    assert_eq!(check_folders(&folders, &["host", "printer", "gone"]).len(), 1);

    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(check_names(&names(&["a", "b", "a"])).len(), 1);

    let shown = BTreeSet::from(["a".to_owned()]);
    assert_eq!(check_shown(&names(&["a", "b", "c"]), &shown, &[("c", "why")]).len(), 1);
    assert_eq!(check_shown(&names(&["a"]), &shown, &[("a", "why")]).len(), 1);
}

#[test]
fn a_broken_golden_file_is_noticed() {
    let catalogue = registry::catalogue();
    let check = |text: &str| check_page("x", text, &catalogue, &mut BTreeSet::new());
    let good =
        "# TYPE node_cpu_seconds_total counter\nnode_cpu_seconds_total{cpu=\"0\",mode=\"a,b=\\\"}\"} 1\n";
    assert_eq!(check(good), Vec::<String>::new());
    for (from, to, wanted) in [
        ("total counter", "total gauge", "is declared counter"),
        ("{cpu=", "{core=", "is declared with"),
        (",mode=\"a,b=\\\"}\"", "", "is declared with"),
        ("node_cpu_seconds_total{", "node_cpu_minutes_total{", "is not declared"),
    ] {
        let problems = check(&good.replacen(from, to, 1));
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{to}: {problems:?}");
    }
}
