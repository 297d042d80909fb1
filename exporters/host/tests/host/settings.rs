//! What the settings and the lists promise.

use std::collections::BTreeSet;
use std::time::Duration;

use taffrail_host::{HostConfig, SUBJECTS, Schedule, catalogue, exporter, subjects};

#[test]
fn subjects_run_as_their_schedule_says() {
    let mut config = HostConfig::default();
    config.schedules.insert("cpu", Schedule { on: false, ..Schedule::default() });
    let every = Some(Duration::from_secs(60));
    config
        .schedules
        .insert("filesystem", Schedule { on: true, interval: every, budget: Duration::from_secs(6) });
    let subjects = subjects(&config);
    let on = SUBJECTS.iter().filter(|about| about.on).count();
    assert_eq!(subjects.len(), on - 1);
    assert!(subjects.iter().all(|subject| subject.name != "cpu"));
    let filesystem = subjects.iter().find(|subject| subject.name == "filesystem").unwrap();
    assert_eq!((filesystem.interval, filesystem.budget), (every, Duration::from_secs(6)));
    let exporter = exporter(&config, "node");
    assert_eq!((exporter.name, &*exporter.job, exporter.subjects.len()), ("host", "node", on - 1));
}

#[test]
fn no_name_stands_twice() {
    let names: BTreeSet<_> = SUBJECTS.iter().map(|about| about.name).collect();
    assert_eq!(names.len(), SUBJECTS.len());
    for about in SUBJECTS {
        assert!(about.description.ends_with('.') && !about.metrics.is_empty(), "{}", about.name);
    }
    let metrics = catalogue();
    let names: BTreeSet<_> = metrics.iter().map(|metric| metric.pattern()).collect();
    assert_eq!(names.len(), metrics.len());
    for name in
        ["node_scrape_collector_duration_seconds", "node_scrape_collector_success", "node_vmstat_<key>"]
    {
        assert!(names.contains(name), "{name}");
    }
}
