//! The host's page beside the real node_exporter's, on this machine: every family by name, type, labels and value.
//!
//! Time passes between two readings, so the peer is asked between two of our own, and its value has to lie between
//! ours. What still differs by chance (a file that was opened in between) does not differ again and again: only what
//! does in every one of several rounds counts. What differs on purpose stands in [`DELIBERATE`], with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use taffrail_collector::registry;
use taffrail_tests::{Exposition, Labels, NodeExporter, Taffrail, series_text, tool, wait_for};

use crate::support::SOON;

/// How two pages can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A series that only we have.
    Ours,
    /// A series that only the peer has.
    Peers,
    /// The type of a family.
    Kind,
    /// The value of a series.
    Value,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    what: What,
    series: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.what {
            What::Ours => "only we have",
            What::Peers => "only node_exporter has",
            What::Kind => "another type in node_exporter:",
            What::Value => "another value in node_exporter:",
        };
        write!(f, "{said} {}", self.series)
    }
}

/// What differs on purpose: how, which series (`*` at the end: all whose text begins so), and why.
const DELIBERATE: &[(What, &str, &str)] = &[
    (What::Ours, "up", "Prometheus makes it when it scrapes; who pushes has to make it"),
    (What::Value, "node_scrape_collector_duration_seconds", "each tells of itself"),
    (What::Ours, "node_exporter_build_info", "each tells of itself"),
    (What::Peers, "node_exporter_build_info", "each tells of itself"),
    (What::Ours, "node_kernel_hung_tasks", "dashboards ask for the name without _total as well"),
    (What::Ours, "node_netstat_Tcp_MaxConn", "dashboards ask for it; node_exporter leaves it out by default"),
    (What::Ours, "node_memory_*", "new keys are kept; node_exporter leaves out those that it does not know"),
    (What::Ours, "node_ksmd_general_profit_bytes", "node_exporter 1.11 does not read it yet"),
    (
        What::Ours,
        "node_tcp_connection_states",
        "a state that no connection is in is 0, and not gone from one moment to the next",
    ),
    (
        What::Value,
        "node_tcp_connection_states{state=\"tx_queued_bytes\"}",
        "its own answers are waiting, too",
    ),
    (
        What::Value,
        "node_tcp_connection_states{state=\"rx_queued_bytes\"}",
        "questions to it are waiting, too",
    ),
    (What::Peers, "node_processes_state{state=\"R\"}", "it sees itself run"),
    (What::Peers, "node_filesystem_purgeable_bytes", "known on macOS only; on Linux node_exporter says 0"),
    (What::Value, "node_filesystem_readonly", "node_exporter 1.11.1 says 0 of mounts that are read-only"),
];

/// Labels that are not compared, by family, and why.
const DELIBERATE_LABELS: &[(&str, &str, &str)] = &[(
    "node_disk_info",
    "rotational",
    "node_exporter says 0 when it fails to read any other file of the queue, as it does on new kernels",
)];

/// Where a machine lacks what a collector is about, node_exporter says that it failed. Here it is no failure.
const SUCCESS: &str = "node_scrape_collector_success";

/// node_exporter's flags: its own defaults where Debian's package has others, and the same devices as we have.
const FLAGS: &[&str] = &[
    "--collector.disable-defaults",
    "--web.disable-exporter-metrics",
    "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "--collector.netdev.device-exclude=^(veth.*|cali.*|lxc.*|[0-9a-f]{15})$",
    "--collector.netclass.ignored-devices=^(veth.*|cali.*|lxc.*|[0-9a-f]{15})$",
    "--no-collector.interrupts.include-zeros",
];

/// A gauge may be this much off, as a part of its value and in its own unit: other tests use memory meanwhile.
fn tolerance(name: &str) -> (f64, f64) {
    match name {
        _ if name.starts_with("node_memory_") => (0.02, 4e6),
        "node_filefd_allocated" => (0.0, 100.0),
        // The request itself is one of them.
        "node_netstat_Tcp_CurrEstab" | "node_tcp_connection_states" => (0.0, 50.0),
        // Pages and bytes of buffers come and go with sockets.
        "node_sockstat_TCP_mem_bytes" | "node_sockstat_UDP_mem_bytes" => (0.0, 4e6),
        _ if name.starts_with("node_sockstat_") => (0.0, 50.0),
        // What other tests do meanwhile.
        "node_procs_running" | "node_procs_blocked" | "node_processes_state" => (0.0, 20.0),
        _ if name.starts_with("node_slabinfo_") => (0.5, 2000.0),
        _ if name.starts_with("node_load") => (0.05, 0.05),
        _ => (0.0, 0.0),
    }
}

const ROUNDS: usize = 6;

/// The collectors that node_exporter has.
fn peer_collectors() -> Result<BTreeSet<String>> {
    let out = Command::new(tool("NODE_EXPORTER")?).arg("--help").output()?;
    let help = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let word = |line: &str| {
        let line = line.trim_start();
        let flag = line.strip_prefix("--[no-]collector.").or_else(|| line.strip_prefix("--collector."))?;
        let name = flag.split_whitespace().next()?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        plain.then(|| name.to_owned())
    };
    let names: BTreeSet<String> = help.lines().filter_map(word).collect();
    ensure!(names.len() > 40, "node_exporter --help names only {names:?}");
    Ok(names)
}

/// The subjects that both have, and those that only we have.
fn subjects() -> Result<(Vec<&'static str>, Vec<&'static str>)> {
    let peers = peer_collectors()?;
    let ours: BTreeSet<&str> = registry::catalogue()
        .iter()
        .filter(|entry| entry.exporter == "host")
        .filter_map(|entry| entry.subject)
        .collect();
    let (both, alone): (Vec<&str>, Vec<&str>) = ours.into_iter().partition(|name| peers.contains(*name));
    ensure!(both.len() >= 14, "both have only {both:?}");
    Ok((both, alone))
}

/// What differs between the peer's page and two of ours, one read before it and one after it.
fn differences(before: &Exposition, peer: &Exposition, after: &Exposition) -> BTreeSet<Difference> {
    let mut found = BTreeSet::new();
    let mut add = |what, series: String| found.insert(Difference { what, series });
    let names = |page: &Exposition| page.series.keys().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    for name in names(peer).intersection(&names(after)) {
        let (ours, theirs) = (after.kind(name), peer.kind(name));
        if ours != theirs {
            add(What::Kind, format!("{name} is {theirs}, here {ours}"));
        }
    }
    let text = |(name, labels): &(String, Labels)| series_text(name, labels);
    for (key, value) in &peer.series {
        match (before.series.get(key), after.series.get(key)) {
            (None, None) => _ = add(What::Peers, text(key)),
            (first, second) => {
                let (first, second) = (first.or(second).copied(), second.or(first).copied());
                let range = (first.unwrap_or(*value), second.unwrap_or(*value));
                if !between(&key.0, range, *value) {
                    add(What::Value, text(key));
                }
            }
        }
    }
    let both = before.series.keys().filter(|key| after.series.contains_key(*key));
    for key in both.filter(|key| !peer.series.contains_key(*key)) {
        add(What::Ours, text(key));
    }
    found
}

/// Whether the peer's value lies between ours, or near enough.
fn between(name: &str, (a, b): (f64, f64), value: f64) -> bool {
    if a.is_nan() || b.is_nan() || value.is_nan() {
        return value.is_nan() && (a.is_nan() || b.is_nan());
    }
    if name == SUCCESS && a == 1.0 && b == 1.0 {
        return true;
    }
    let (part, whole) = tolerance(name);
    // A sum of floating-point numbers may be made in another order.
    let slack = (value.abs() * part.max(1e-12)).max(whole);
    value >= a.min(b) - slack && value <= a.max(b) + slack
}

/// Those that nobody meant.
fn unmeant(found: &BTreeSet<Difference>) -> Vec<String> {
    let is = |series: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => series.starts_with(start),
        None => series.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('{')),
    };
    let meant = |difference: &&Difference| {
        DELIBERATE
            .iter()
            .any(|(what, pattern, _)| *what == difference.what && is(&difference.series, pattern))
    };
    found.iter().filter(|difference| !meant(difference)).map(ToString::to_string).collect()
}

/// Reads a page, without the labels that are not compared.
fn parse(page: &str) -> Result<Exposition> {
    let mut page = Exposition::parse(page)?;
    let series = std::mem::take(&mut page.series).into_iter();
    let reduced = series.map(|((name, mut labels), value)| {
        for (_, label, _) in DELIBERATE_LABELS.iter().filter(|(family, ..)| *family == name) {
            labels.remove(*label);
        }
        ((name, labels), value)
    });
    page.series = reduced.collect();
    Ok(page)
}

fn our_page(taffrail: &Taffrail) -> Result<Exposition> {
    parse(&taffrail.client().get_ok("/metrics/host")?.text())
}

/// Our page once everything on it was read after this call.
fn next_page(taffrail: &Taffrail) -> Result<Exposition> {
    let time = |page: &Exposition| page.series.get(&("node_time_seconds".into(), Labels::new())).copied();
    let first = time(&our_page(taffrail)?);
    let other_than = |past: Option<f64>| {
        wait_for("the next collection", SOON, || {
            let page = our_page(taffrail)?;
            let now = time(&page);
            ensure!(now.is_some() && now != past, "the time is {now:?} still");
            Ok((page, now))
        })
    };
    // Subjects run one after the other: the round of the first change may have begun before this call, and the last
    // subject of the second may not be there yet.
    let (_, second) = other_than(first)?;
    other_than(second)?;
    std::thread::sleep(Duration::from_millis(200));
    our_page(taffrail)
}

/// What differed in every round so far, and the values it last had.
#[derive(Default)]
struct Lasting {
    told: Option<BTreeMap<Difference, String>>,
    /// The least and the greatest value of each gauge so far: ours, and the peer's.
    seen: BTreeMap<String, (Range, Range)>,
}

#[derive(Clone, Copy)]
struct Range(f64, f64);

impl Default for Range {
    fn default() -> Self {
        Range(f64::INFINITY, f64::NEG_INFINITY)
    }
}

impl Range {
    fn add(&mut self, value: f64) {
        *self = Range(self.0.min(value), self.1.max(value));
    }

    fn meets(self, other: Range) -> bool {
        self.0 <= other.1 && other.0 <= self.1
    }
}

impl Lasting {
    fn round(&mut self, before: &Exposition, peer: &Exposition, after: &Exposition) {
        self.see(before, peer, after);
        let found = differences(before, peer, after);
        let value = |page: &Exposition, series: &str| {
            let found = page.series.iter().find(|((name, labels), _)| series_text(name, labels) == series);
            found.map_or("none".to_owned(), |(_, value)| value.to_string())
        };
        let told = found.into_iter().map(|difference| {
            let [a, b, c] = [before, peer, after].map(|page| value(page, &difference.series));
            (difference, format!("here {a}, there {b}, here {c}"))
        });
        let mut told: BTreeMap<_, _> = told.collect();
        if let Some(before) = &self.told {
            told.retain(|difference, _| before.contains_key(difference));
        }
        self.told = Some(told);
    }

    /// Notes how far gauges wander: what goes up and down all the time (free pages) may lie outside of two readings of
    /// ours again and again, but not outside of all of them.
    fn see(&mut self, before: &Exposition, peer: &Exposition, after: &Exposition) {
        for (page, ours) in [(before, true), (peer, false), (after, true)] {
            for ((name, labels), value) in
                page.series.iter().filter(|((name, _), _)| page.kind(name) == "gauge")
            {
                let (here, there) = self.seen.entry(series_text(name, labels)).or_default();
                if ours { here } else { there }.add(*value);
            }
        }
    }

    fn wanders(&self, difference: &Difference) -> bool {
        let seen = self.seen.get(&difference.series);
        difference.what == What::Value && seen.is_some_and(|(here, there)| here.meets(*there))
    }

    fn problems(&self) -> Vec<String> {
        let mut told = self.told.clone().unwrap_or_default();
        told.retain(|difference, _| !self.wanders(difference));
        let of =
            |problem: &String| told.iter().find(|(d, _)| d.to_string() == *problem).map(|(_, told)| told);
        let problems = unmeant(&told.keys().cloned().collect());
        problems.iter().map(|p| format!("{p} ({})", of(p).map_or("", String::as_str))).collect()
    }
}

#[test]
fn every_family_is_as_node_exporter_has_it() {
    let (names, alone) = subjects().unwrap();
    let on = names.iter().map(|name| format!("{name}: true"));
    let subjects: Vec<String> = on.chain(alone.iter().map(|name| format!("{name}: false"))).collect();
    let config = format!("interval: 1s\nhost: {{subjects: {{{}}}}}\n", subjects.join(", "));
    let taffrail = Taffrail::start(&config).unwrap();
    let mut flags: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
    flags.extend(names.iter().map(|name| format!("--collector.{name}")));
    // A folder that is there, and empty: without one node_exporter says that it failed.
    let folder = taffrail.dir().join("textfile");
    fs::create_dir(&folder).unwrap();
    flags.push(format!("--collector.textfile.directory={}", folder.display()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let peer = NodeExporter::start(&flags).unwrap();

    let mut lasting = Lasting::default();
    let mut before = next_page(&taffrail).unwrap();
    for _ in 0..ROUNDS {
        let theirs = parse(&peer.metrics().unwrap()).context("node_exporter's page").unwrap();
        let after = next_page(&taffrail).unwrap();
        lasting.round(&before, &theirs, &after);
        before = after;
        if lasting.problems().is_empty() {
            break;
        }
    }
    let problems = lasting.problems();
    assert!(problems.is_empty(), "{} differences:\n{}", problems.len(), problems.join("\n"));
    assert!(before.series.len() > 250, "only {} series were compared", before.series.len());
}

#[test]
fn what_wanders_is_no_difference_and_what_stands_is_one() {
    let page = |value: u32| parse(&format!("# TYPE node_free gauge\nnode_free {value}\n")).unwrap();
    let wandering = [(10, 14, 12), (12, 11, 16)];
    for (rounds, wanted) in [(&wandering[..1], 1), (&wandering, 0), (&[(10, 12, 10), (10, 12, 11)], 1)] {
        let mut lasting = Lasting::default();
        for (before, there, after) in rounds {
            lasting.round(&page(*before), &page(*there), &page(*after));
        }
        assert_eq!(lasting.problems().len(), wanted, "{rounds:?}: {:?}", lasting.problems());
    }
}

#[test]
fn a_difference_is_noticed() {
    let page = |text: &str| parse(text).unwrap();
    let good = "# TYPE node_a_total counter\nnode_a_total{x=\"1\"} 5\nnode_b 7\n";
    let ours = page(good);
    let check = |text: &str| unmeant(&differences(&ours, &page(text), &ours));
    assert_eq!(check(good), Vec::<String>::new());
    for (from, to, wanted) in [
        ("counter", "gauge", "another type in node_exporter: node_a_total"),
        ("} 5", "} 5.01", "another value in node_exporter: node_a_total{x=\"1\"}"),
        ("x=\"1\"", "x=\"2\"", "only we have node_a_total{x=\"1\"}"),
        ("node_b 7\n", "", "only we have node_b"),
        ("node_b 7\n", "node_b 7\nnode_c 1\n", "only node_exporter has node_c"),
    ] {
        let found = check(&good.replacen(from, to, 1));
        assert!(found.iter().any(|difference| difference.contains(wanted)), "{to:?}: {found:?}");
    }
    // Between two readings is well, beside them is not.
    let later = page(&good.replacen("} 5", "} 9", 1));
    let at = |value: &str| differences(&ours, &page(&good.replacen("} 5", value, 1)), &later).len();
    assert_eq!((at("} 7"), at("} 10"), at("} 4")), (0, 1, 1));
    // No success is none, whatever the peer says; no thing is no failure.
    let success =
        |value: &str| page(&format!("# TYPE {SUCCESS} gauge\n{SUCCESS}{{collector=\"x\"}} {value}\n"));
    assert_eq!(differences(&success("1"), &success("0"), &success("1")).len(), 0);
    assert_eq!(differences(&success("0"), &success("1"), &success("0")).len(), 1);
    // What is meant is meant for the whole name only.
    assert_eq!(check(&format!("{good}node_kernel_hung_tasks_total 1\n")).len(), 1);
}
