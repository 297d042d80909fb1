//! Every name that community dashboards and alerts ask of containers (`fixtures/names.txt`) is on a golden page, with the
//! type and the labels that they know; or it comes from an engine, and is compared there.

use std::collections::BTreeSet;
use std::fs;

use taffrail_core::{Kind, Metric};

/// Names that no fixture can show, with the reason.
const FROM_AN_ENGINE: [(&str, &str); 3] = [
    ("container_fs_inodes_free", "statvfs of the engine's disk"),
    ("container_fs_inodes_total", "statvfs of the engine's disk"),
    ("container_fs_usage_bytes", "the engine counts it"),
];

fn wanted() -> Vec<String> {
    fs::read_to_string("fixtures/names.txt").unwrap().lines().map(str::to_owned).collect()
}

fn golden() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for case in fs::read_dir("golden").unwrap().flatten() {
        for page in fs::read_dir(case.path()).unwrap().flatten() {
            let text = fs::read_to_string(page.path()).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            names.extend(lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned));
        }
    }
    names
}

fn declared(name: &str) -> Option<&'static Metric> {
    taffrail_container::catalogue().into_iter().find(|metric| metric.name == name)
}

#[test]
fn every_name_that_dashboards_ask_for_is_published() {
    let (wanted, shown) = (wanted(), golden());
    assert!(wanted.len() > 30);
    for name in &wanted {
        assert!(declared(name).is_some(), "{name} is not declared");
        let excused = FROM_AN_ENGINE.iter().any(|(excuse, _)| excuse == name);
        assert!(shown.contains(name) != excused, "{name}: on a golden page {}, excused {excused}", !excused);
    }
    assert!(FROM_AN_ENGINE.iter().all(|(name, _)| wanted.iter().any(|wanted| wanted == name)));
}

#[test]
fn names_by_default_do_not_need_all_details() {
    let text = fs::read_to_string("golden/v2/usage.prom").unwrap();
    let more = fs::read_to_string("golden/v2/machine.prom").unwrap();
    let shown = |name: &str| [&text, &more].iter().any(|page| page.contains(&format!("\n{name}{{")));
    for name in wanted().iter().filter(|name| !FROM_AN_ENGINE.iter().any(|(excuse, _)| excuse == name)) {
        assert!(shown(name), "{name}");
    }
}

#[test]
fn types_and_labels_are_the_incumbents() {
    for (name, kind, labels) in [
        ("container_cpu_usage_seconds_total", Kind::Counter, "cpu id image name"),
        ("container_fs_inodes_total", Kind::Gauge, "device id image name"),
        ("container_memory_rss", Kind::Gauge, "id image name"),
        ("container_memory_failcnt", Kind::Counter, "id image name"),
        ("container_memory_failures_total", Kind::Counter, "failure_type id image name scope"),
        ("container_network_receive_bytes_total", Kind::Counter, "id image interface name"),
        ("container_blkio_device_usage_total", Kind::Counter, "device id image major minor name operation"),
        ("machine_cpu_cores", Kind::Gauge, "boot_id machine_id system_uuid"),
        ("container_hugetlb_failcnt", Kind::Counter, "id image name pagesize"),
        ("container_memory_numa_pages", Kind::Gauge, "id image name node scope type"),
        ("machine_node_hugepages_count", Kind::Gauge, "boot_id machine_id node_id page_size system_uuid"),
        ("container_scrape_error", Kind::Gauge, ""),
    ] {
        let metric = declared(name).unwrap();
        assert_eq!((metric.kind, metric.labels.join(" ").as_str()), (kind, labels), "{name}");
    }
}

/// What cAdvisor can publish and is not published here, on purpose.
const ABSENT: [(&str, &str); 12] = [
    ("container_cpu_load_", "asks the kernel's taskstats for each task, and lags; pressure says it better"),
    (
        "container_cpu_schedstat_",
        "in /proc of each process, not in the cgroup; pressure says how long is waited",
    ),
    ("container_file_descriptors", "a look at each file of each process"),
    (
        "container_sockets",
        "a look at each file of each process: no cgroup file counts sockets, only their bytes",
    ),
    ("container_ulimits_soft", "of one process, not of the container"),
    (
        "container_tasks_state",
        "a look at each task: no cgroup file tells; the kernel's netlink for it is gone with cgroup version 1",
    ),
    (
        "container_referenced_bytes",
        "clears bits of the pages of each process, which changes what the kernel takes back",
    ),
    ("container_network_", "reads tables of sockets as long as there are sockets (TCP and UDP by state)"),
    ("container_perf_", "performance counters, which are few, taken from whoever else measures"),
    (
        "container_llc_ container_memory_bandwidth_",
        "resctrl, where a group for each container had to be made first",
    ),
    (
        "container_fs_",
        "the scheduler CFQ told of times and merges by cgroup, and left the kernel with Linux 5.0",
    ),
    (
        "machine_nvm_",
        "asks a vendor's library for memory modules that are no longer made; sysfs does not tell",
    ),
];

/// Each name of the incumbent's, with type and labels (`fixtures/universe.tsv`), is declared or absent for a reason.
#[test]
fn what_is_absent_has_a_reason() {
    let universe = fs::read_to_string("fixtures/universe.tsv").unwrap();
    let mut used = BTreeSet::new();
    for line in universe.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, kind, labels] = fields[..] else { panic!("{line}") };
        if let Some(metric) = declared(name) {
            // A question mark: not known of the incumbent's.
            if kind != "?" {
                let ours = (metric.kind == Kind::Counter, metric.labels.join(","));
                assert_eq!(ours, (kind == "counter", labels.to_owned()), "{name}");
            }
            continue;
        }
        let reason = ABSENT.iter().find(|(starts, _)| starts.split(' ').any(|start| name.starts_with(start)));
        used.insert(reason.unwrap_or_else(|| panic!("{name} is neither declared nor absent for a reason")));
    }
    assert_eq!(used.len(), ABSENT.len(), "{used:?}");
}
