//! Every name that community dashboards and alerts ask of a host (`data/names-node.txt`) is published: on this machine's
//! page as it comes by default, or, where this machine lacks what the name is about, on a fixture's golden page. What
//! it lacks is looked up each time, so that the same test holds on every machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use taffrail_tests::{Exposition, Taffrail, repo_root, wait_for};

use crate::support::SOON;

/// The sign of a thing: without it, a machine does not have the thing.
#[derive(Debug)]
enum Sign {
    /// A path; `*` stands for any part of a name.
    Path(&'static str),
    /// A file with a line that begins so.
    Line(&'static str, &'static str),
    /// A file that is a table with a line of headings, and has more than that.
    Rows(&'static str),
}
use Sign::{Line, Path as At, Rows};

/// Names that not every machine can have: the name (`*` at the end: all that begin so), the thing's sign, the thing.
const NEEDS: &[(&str, Sign, &str)] = &[
    ("node_arp_entries", Rows("/proc/1/net/arp"), "a neighbour in its network"),
    ("node_bonding_*", At("/sys/class/net/bonding_masters"), "bonded interfaces"),
    ("node_cooling_device_*", At("/sys/class/thermal/cooling_device*"), "a fan or another cooling device"),
    ("node_cpu_scaling_frequency_*", At("/sys/devices/system/cpu/cpu*/cpufreq"), "a frequency that scales"),
    ("node_disk_*", At("/sys/block/*d*"), "a disk"),
    ("node_edac_*", At("/sys/devices/system/edac/mc/mc*"), "memory with error correction"),
    ("node_hwmon_chip_names", At("/sys/class/hwmon/hwmon*"), "a sensor"),
    ("node_hwmon_fan_min_rpm", At("/sys/class/hwmon/hwmon*/fan*_min"), "a fan with a limit"),
    ("node_hwmon_fan_rpm", At("/sys/class/hwmon/hwmon*/fan*_input"), "a fan with a sensor"),
    ("node_hwmon_temp_alarm", At("/sys/class/hwmon/hwmon*/temp*_alarm"), "a thermometer with an alarm"),
    ("node_hwmon_temp_celsius", At("/sys/class/hwmon/hwmon*/temp*_input"), "a thermometer"),
    ("node_hwmon_temp_crit_alarm_celsius", At("/sys/class/hwmon/hwmon*/temp*_crit_alarm"), "such an alarm"),
    ("node_hwmon_temp_crit_celsius", At("/sys/class/hwmon/hwmon*/temp*_crit"), "a thermometer with a limit"),
    ("node_hwmon_temp_crit_hyst_celsius", At("/sys/class/hwmon/hwmon*/temp*_crit_hyst"), "such a limit"),
    ("node_hwmon_temp_max_celsius", At("/sys/class/hwmon/hwmon*/temp*_max"), "a thermometer with a maximum"),
    (
        "node_kernel_hung_tasks",
        At("/proc/sys/kernel/hung_task_detect_count"),
        "Linux 6.14 that counts hung tasks",
    ),
    ("node_md_*", Line("/proc/mdstat", "md"), "a software RAID"),
    ("node_memory_DirectMap*", Line("/proc/meminfo", "DirectMap"), "an x86 CPU"),
    (
        "node_memory_HardwareCorrupted_bytes",
        Line("/proc/meminfo", "HardwareCorrupted"),
        "a kernel with CONFIG_MEMORY_FAILURE",
    ),
    (
        "node_memory_NFS_Unstable_bytes",
        Line("/proc/meminfo", "NFS_Unstable"),
        "a kernel that has NFS pages apart",
    ),
    ("node_memory_VmallocChunk_bytes", Line("/proc/meminfo", "VmallocChunk"), "a kernel that says so"),
    ("node_memory_Zswap*", Line("/proc/meminfo", "Zswap"), "a kernel with zswap"),
    ("node_netstat_UdpLite_*", Line("/proc/1/net/snmp", "UdpLite:"), "a kernel with UDP-Lite"),
    ("node_network_speed_bytes", At("/sys/class/net/*/device"), "a physical interface"),
    ("node_nf_conntrack_*", At("/proc/sys/net/netfilter/nf_conntrack_count"), "connection tracking"),
    ("node_power_supply_online", At("/sys/class/power_supply/*/online"), "a power supply that says so"),
    ("node_pressure_irq_*", At("/proc/pressure/irq"), "a kernel that accounts for interrupts"),
    ("node_pressure_*", At("/proc/pressure/cpu"), "a kernel with pressure stall information"),
    ("node_schedstat_*", At("/proc/schedstat"), "a kernel with CONFIG_SCHEDSTATS"),
    ("node_sockstat_UDPLITE_inuse", Line("/proc/1/net/sockstat", "UDPLITE:"), "a kernel with UDP-Lite"),
    ("node_systemd_*", At("/run/systemd/system"), "systemd"),
    ("node_zfs_zpool_state", At("/proc/spl/kstat/zfs/*/state"), "a pool of ZFS"),
];

/// The name is on this machine's page, and on a golden page.
struct Seen<'a> {
    here: &'a BTreeSet<String>,
    golden: &'a BTreeSet<String>,
}

fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// What is wrong with a name, if anything is. `has` says whether the machine has a thing.
fn problem(name: &str, seen: &Seen<'_>, has: impl Fn(&Sign) -> bool) -> Option<String> {
    // The first that fits says most.
    let need = NEEDS.iter().find(|(pattern, ..)| fits(pattern, name));
    let need = need.map(|(_, sign, thing)| (has(sign), format!("{thing} ({sign:?})")));
    match (seen.here.contains(name), need) {
        (true, None | Some((true, _))) => None,
        (true, Some((false, thing))) => {
            Some(format!("{name} is on the page, but this machine seems to lack {thing}: mend the table"))
        }
        (false, None) => Some(format!("{name} is not on the page, and every machine should have it")),
        (false, Some((true, thing))) => Some(format!("{name} is not on the page; this machine has {thing}")),
        (false, Some((false, _))) if seen.golden.contains(name) => None,
        (false, Some((false, thing))) => {
            Some(format!("{name} is on no golden page, and this machine cannot show it: it lacks {thing}"))
        }
    }
}

fn present(sign: &Sign) -> bool {
    match sign {
        Rows(file) => fs::read_to_string(file).is_ok_and(|text| text.lines().count() > 1),
        At(pattern) => exists(Path::new("/"), &pattern.split('/').skip(1).collect::<Vec<_>>()),
        Line(file, start) => {
            let text = fs::read(file).unwrap_or_default();
            String::from_utf8_lossy(&text).lines().any(|line| line.starts_with(start))
        }
    }
}

/// Whether something below `folder` fits the parts of a pattern.
fn exists(folder: &Path, parts: &[&str]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return folder.exists() };
    if !part.contains('*') {
        return exists(&folder.join(part), rest);
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut fitting = entries.filter(|entry| matches(part, &entry.file_name().to_string_lossy()));
    fitting.any(|entry| exists(&entry.path(), rest))
}

/// Whether `name` is `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
        }),
    }
}

fn names_on(page: &str) -> Result<BTreeSet<String>> {
    Ok(Exposition::parse(page)?.series.into_keys().map(|(name, _)| name).collect())
}

/// The names on all golden pages of the host.
fn golden() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut open = vec![repo_root().join("exporters/host/golden")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            match path.is_dir() {
                true => open.push(path),
                false => names.extend(names_on(&fs::read_to_string(&path)?)?),
            }
        }
    }
    Ok(names)
}

fn wanted() -> Result<Vec<String>> {
    let text = fs::read_to_string(repo_root().join("collector/tests/data/names-node.txt"))?;
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    ensure!(names.len() > 200, "only {} names are asked for", names.len());
    Ok(names)
}

#[test]
fn every_name_that_dashboards_ask_for_is_published() {
    let (wanted, golden) = (wanted().unwrap(), golden().unwrap());
    let idle: Vec<_> =
        NEEDS.iter().filter(|(pattern, ..)| !wanted.iter().any(|name| fits(pattern, name))).collect();
    assert!(idle.is_empty(), "nobody asks for {idle:?}");
    let taffrail = Taffrail::start("interval: 1s\nhost: {}\n").unwrap();
    // Some subjects take a second run to say all they can.
    wait_for("all names that dashboards ask for", SOON, || {
        let here = names_on(&taffrail.client().get_ok("/metrics/host")?.text())?;
        let seen = Seen { here: &here, golden: &golden };
        let problems: Vec<_> = wanted.iter().filter_map(|name| problem(name, &seen, present)).collect();
        ensure!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_missing_name_is_noticed() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let (empty, zfs, load) = (set(&[]), set(&["node_zfs_zpool_state"]), set(&["node_load1"]));
    let check = |name: &str, here: &BTreeSet<String>, golden: &BTreeSet<String>, has: bool| {
        problem(name, &Seen { here, golden }, |_| has).unwrap_or_default()
    };
    assert_eq!(check("node_load1", &load, &empty, false), "");
    assert_eq!(check("node_zfs_zpool_state", &zfs, &empty, true), "");
    assert_eq!(check("node_zfs_zpool_state", &empty, &zfs, false), "");
    assert!(check("node_load1", &empty, &load, true).contains("every machine should have it"));
    assert!(check("node_zfs_zpool_state", &empty, &zfs, true).contains("this machine has a pool"));
    assert!(check("node_zfs_zpool_state", &zfs, &zfs, false).contains("mend the table"));
    assert!(check("node_zfs_zpool_state", &empty, &empty, false).contains("on no golden page"));
}

#[test]
fn signs_are_looked_up() {
    assert!(present(&At("/proc/*lf/st*t")) && !present(&At("/proc/self/no*thing")) && !present(&At("/no*")));
    assert!(present(&Line("/proc/meminfo", "MemTotal:")) && !present(&Line("/proc/meminfo", "emTotal:")));
    assert!(!present(&Line("/proc/none", "")));
    assert!(present(&Rows("/proc/1/net/dev")) && !present(&Rows("/proc/loadavg")));
    assert!(matches("a*b*c", "a1b2bc") && matches("*", "") && !matches("a*b", "abc"));
}
