use std::borrow::Cow;
use std::sync::Arc;

use taffrail_core::Kind;

use super::*;
use crate::page::track::{LINES, ROWS};

type Family = Arc<FamilyInfo>;

fn family(name: &str) -> Family {
    Arc::new(FamilyInfo { name: name.to_owned(), kind: Kind::Untyped, help: Cow::Borrowed("Test.") })
}

fn series(family: &Family, labels: &[(&'static str, &str)]) -> SeriesDef {
    let labels = labels.iter().map(|(n, v)| (Cow::Borrowed(*n), Box::from(*v)));
    SeriesDef { family: family.clone(), suffix: "", labels: labels.collect() }
}

fn record(live: &Live, ts_ms: i64, samples: &[(SeriesDef, f64)]) {
    live.record("host", ts_ms, &mut samples.iter().map(|(def, value)| (def, *value)));
}

fn chart<'a>(view: &'a LiveView, id: &str) -> &'a ChartView {
    view.charts.iter().find(|c| c.id == id).unwrap()
}

/// One run of each subject of a machine with `cpus` CPUs and `devices` devices of each kind, at second `t`.
fn machine(live: &Live, t: i64, cpus: usize, devices: usize) {
    let (ts_ms, t) = (t * 1000, t as f64);
    let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let cpu = family("node_cpu_seconds_total");
    let of_cpu =
        |i: usize| modes.map(|mode| (series(&cpu, &[("cpu", &i.to_string()), ("mode", mode)]), t / 8.0));
    record(live, ts_ms, &(0..cpus).flat_map(of_cpu).collect::<Vec<_>>());
    for (names, label) in [
        (
            &[
                "node_disk_read_bytes_total",
                "node_disk_written_bytes_total",
                "node_disk_io_time_seconds_total",
            ][..],
            "device",
        ),
        (&["node_network_receive_bytes_total", "node_network_transmit_bytes_total"], "device"),
        (&["node_filesystem_size_bytes", "node_filesystem_avail_bytes"], "mountpoint"),
    ] {
        let samples = names.iter().flat_map(|name| {
            let family = family(name);
            (0..devices)
                .map(move |i| (series(&family, &[(label, &format!("/srv/some-device-{i}"))]), t))
                .collect::<Vec<_>>()
        });
        record(live, ts_ms, &samples.collect::<Vec<_>>());
    }
    let plain = |names: &[&str]| names.iter().map(|n| (series(&family(n), &[]), t)).collect::<Vec<_>>();
    record(live, ts_ms, &plain(&["node_load1", "node_load5", "node_load15"]));
    record(
        live,
        ts_ms,
        &plain(&[
            "node_memory_MemTotal_bytes",
            "node_memory_MemFree_bytes",
            "node_memory_MemAvailable_bytes",
            "node_memory_SwapTotal_bytes",
            "node_memory_SwapFree_bytes",
        ]),
    );
    record(
        live,
        ts_ms,
        &plain(&[
            "node_pressure_cpu_waiting_seconds_total",
            "node_pressure_io_waiting_seconds_total",
            "node_pressure_io_stalled_seconds_total",
            "node_pressure_memory_waiting_seconds_total",
            "node_pressure_memory_stalled_seconds_total",
        ]),
    );
}

#[test]
fn cpu_time_becomes_parts_of_the_machine() {
    let live = Live::default();
    let cpu = family("node_cpu_seconds_total");
    let names = [("0", "user"), ("0", "idle"), ("1", "user"), ("1", "idle")];
    let defs = names.map(|(c, mode)| series(&cpu, &[("cpu", c), ("mode", mode)]));
    let run = |t: i64, values: [f64; 4]| {
        record(&live, t * 1000, &defs.iter().cloned().zip(values).collect::<Vec<_>>());
    };
    run(15, [0.0, 0.0, 0.0, 0.0]);
    run(30, [15.0, 0.0, 3.0, 12.0]);
    let view = live.view(0);
    let cpu = chart(&view, "cpu");
    assert_eq!(cpu.series.len(), 1, "idle is what is left, not a line");
    assert_eq!(cpu.series[0].values, [None, Some(0.6)]);
    assert_eq!(view.host.cpus, 2);
}

#[test]
fn memory_adds_up_and_a_missing_part_is_a_gap() {
    let live = Live::default();
    let run = |t: i64, fields: &[(&str, f64)]| {
        let samples =
            fields.iter().map(|(n, v)| (series(&family(&format!("node_memory_{n}_bytes")), &[]), *v));
        record(&live, t * 1000, &samples.collect::<Vec<_>>());
    };
    run(
        15,
        &[
            ("MemTotal", 100.0),
            ("MemFree", 20.0),
            ("MemAvailable", 70.0),
            ("SwapTotal", 0.0),
            ("SwapFree", 0.0),
        ],
    );
    run(30, &[("MemTotal", 100.0), ("MemFree", 20.0), ("SwapTotal", 0.0), ("SwapFree", 0.0)]);
    let view = live.view(0);
    let lines: Vec<_> =
        chart(&view, "memory").series.iter().map(|s| (s.name.as_str(), s.values.clone())).collect();
    assert_eq!(
        lines,
        [
            ("used", vec![Some(30.0), None]),
            ("cache", vec![Some(50.0), None]),
            ("free", vec![Some(20.0), Some(20.0)])
        ]
    );
    assert!(view.charts.iter().all(|c| c.id != "swap"), "a machine without swap has no swap in use");
    assert_eq!(view.host.memory_bytes, 100.0);
}

#[test]
fn file_systems_are_shares_of_their_size_without_memory_and_images() {
    let live = Live::default();
    let (size, avail) = (family("node_filesystem_size_bytes"), family("node_filesystem_avail_bytes"));
    let mounts = [("/", "ext4"), ("/run", "tmpfs"), ("/snap/core", "squashfs")];
    let labels = mounts.map(|(point, kind)| [("device", "x"), ("mountpoint", point), ("fstype", kind)]);
    let mut samples: Vec<_> = labels.iter().map(|l| (series(&size, l), 200.0)).collect();
    samples.extend(labels.iter().map(|l| (series(&avail, l), 50.0)));
    record(&live, 1000, &samples);
    let view = live.view(0);
    let chart = chart(&view, "filesystem");
    assert_eq!(chart.series.len(), 1);
    assert_eq!((chart.series[0].name.as_str(), chart.series[0].of), ("/", Some(200.0)));
    assert_eq!(chart.series[0].values, [Some(0.75)]);
}

#[test]
fn loopback_and_containers_ends_are_no_network() {
    let live = Live::default();
    let rx = family("node_network_receive_bytes_total");
    for t in [15, 30] {
        let devices = ["lo", "veth12ab", "eth0"].map(|d| (series(&rx, &[("device", d)]), t as f64));
        record(&live, t * 1000, &devices);
    }
    let view = live.view(0);
    let names: Vec<_> = chart(&view, "network").series.iter().map(|s| s.name.clone()).collect();
    assert_eq!(names, ["eth0 in"]);
}

#[test]
fn only_the_charts_own_exporter_draws() {
    let live = Live::default();
    let load = series(&family("node_load1"), &[]);
    live.record("other", 1000, &mut [(&load, 1.0)].into_iter());
    assert!(live.view(0).charts.is_empty());
}

#[test]
fn facts_come_from_info_series() {
    let live = Live::default();
    let uname = [("sysname", "Linux"), ("release", "6.12.1"), ("machine", "x86_64")];
    let samples = [
        (series(&family("node_uname_info"), &uname), 1.0),
        (series(&family("node_os_info"), &[("name", "Debian"), ("pretty_name", "Debian 13")]), 1.0),
        (series(&family("node_boot_time_seconds"), &[]), 1_700_000_000.5),
    ];
    record(&live, 1000, &samples);
    let host = live.view(0).host;
    assert_eq!(
        (host.kernel.as_str(), host.machine.as_str(), host.os.as_str()),
        ("Linux 6.12.1", "x86_64", "Debian 13")
    );
    assert_eq!(host.boot_ms, 1_700_000_000_500);
}

#[test]
fn a_large_machine_stays_within_its_bound() {
    let live = Live::default();
    // Two hours at the closest step, with more of everything than is kept.
    for i in 0..1600 {
        machine(&live, i * 9 / 2, 8, 40);
    }
    let lines: usize = live.view(0).charts.iter().map(|c| c.series.len()).sum();
    let kib = live.bytes() >> 10;
    assert!(lines <= CHARTS.len() * LINES && live.view(0).charts.iter().all(|c| c.t.len() <= ROWS + 1));
    assert!(kib < 600, "{kib} KiB for {lines} lines");
}

#[test]
fn a_usual_machine_costs_little() {
    let live = Live::default();
    for i in 0..300 {
        machine(&live, i * 15, 4, 3);
    }
    let kib = live.bytes() >> 10;
    assert!(kib < 100, "{kib} KiB");
}
