//! The options of subjects: what `host.subjects.<name>` takes beside `interval` and `budget`. The config's reader, its
//! JSON schema and its reference are made from this list, so that none of them can differ from it.
//!
//! An option is a field of [`HostConfig`], which holds its default, and its line here.

use std::ops::RangeInclusive;

use taffrail_core::pattern::{Filter, Pattern};

use crate::config::HostConfig;

/// One option of one subject.
#[derive(Debug)]
pub struct SubjectOption {
    /// The subject's name.
    pub subject: &'static str,
    /// The keys that set it: of a filter two, what to include and what to exclude; else one.
    pub keys: &'static [&'static str],
    /// What it is about; of a filter, what the names are of which it leaves out some.
    pub about: &'static str,
    /// What it takes, and where it goes.
    pub kind: OptionKind,
}

/// What an option takes, and its place in the settings.
#[derive(Debug)]
pub enum OptionKind {
    /// Regular expressions, one for what to include and one for what to exclude.
    Filter(fn(&mut HostConfig) -> &mut Filter),
    /// A regular expression for what to include; without exception.
    Include(fn(&mut HostConfig) -> &mut Filter),
    /// A regular expression, or none.
    Pattern(fn(&mut HostConfig) -> &mut Option<Pattern>),
    /// True or false.
    Flag(fn(&mut HostConfig) -> &mut bool),
    /// Some of these words; those that are named are on, the others off.
    Words(&'static [&'static str], fn(&mut HostConfig) -> &mut [bool]),
    /// A text, or none.
    Text(fn(&mut HostConfig) -> &mut Option<String>),
    /// A whole number within bounds.
    Number(RangeInclusive<usize>, fn(&mut HostConfig) -> &mut usize),
}

/// All options. A new one is its field and its line here.
pub static OPTIONS: &[SubjectOption] = &[
    filter("arp", &["include_devices", "exclude_devices"], "interfaces", |c| &mut c.arp),
    flag(
        "bcache",
        &["priority_stats"],
        "Publish `node_bcache_priority_stats_*`, for which the kernel sorts all buckets of the cache.",
        |c| &mut c.bcache.priority_stats,
    ),
    flag("cpu", &["guest"], "Publish `node_cpu_guest_seconds_total`.", |c| &mut c.cpu.guest),
    flag(
        "cpu",
        &["info"],
        "Publish `node_cpu_info`, and `node_cpu_frequency_hertz` where the subject `cpufreq` is on.",
        |c| &mut c.cpu.info,
    ),
    pattern("cpu", &["flags"], "The flags to publish as `node_cpu_flag_info`. Needs `info`.", |c| {
        &mut c.cpu.flags
    }),
    pattern("cpu", &["bugs"], "The bugs to publish as `node_cpu_bug_info`. Needs `info`.", |c| {
        &mut c.cpu.bugs
    }),
    filter(
        "diskstats",
        &["include_devices", "exclude_devices"],
        "devices; by default partitions, loop and RAM devices are left out",
        |c| &mut c.diskstats,
    ),
    filter(
        "filesystem",
        &["include_mount_points", "exclude_mount_points"],
        "mount points; by default those of the system and of container engines are left out",
        |c| &mut c.filesystem.mount_points,
    ),
    filter(
        "filesystem",
        &["include_fs_types", "exclude_fs_types"],
        "types of file systems; by default those without a size of their own are left out",
        |c| &mut c.filesystem.fs_types,
    ),
    filter("hwmon", &["include_chips", "exclude_chips"], "chips, by their label `chip`", |c| {
        &mut c.hwmon.chips
    }),
    filter(
        "hwmon",
        &["include_sensors", "exclude_sensors"],
        "sensors, by their labels `chip` and `sensor` with a `;` between them",
        |c| &mut c.hwmon.sensors,
    ),
    filter("infiniband", &["include_devices", "exclude_devices"], "devices", |c| &mut c.infiniband),
    filter(
        "interrupts",
        &["include_names", "exclude_names"],
        "interrupts, by their labels `type`, `info` and `devices` with a `;` between them",
        |c| &mut c.interrupts.names,
    ),
    flag("interrupts", &["zeros"], "Publish values that are zero as well.", |c| &mut c.interrupts.zeros),
    number("interrupts", &["max_cpus"], "Of how many CPUs, the first that are online.", 1..=4096, |c| {
        &mut c.interrupts.max_cpus
    }),
    words(
        "ipvs",
        &["backend_labels"],
        "The labels of backends; what looks the same without the others is summed up.",
        &crate::ipvs::LABELS,
        |c| &mut c.ipvs.backend_labels,
    ),
    filter(
        "netclass",
        &["include_devices", "exclude_devices"],
        "interfaces; by default containers' ends are left out",
        |c| &mut c.netclass.devices,
    ),
    flag(
        "netclass",
        &["ignore_invalid_speed"],
        "Leave out a negative speed, which some drivers give when they do not know it.",
        |c| &mut c.netclass.ignore_invalid_speed,
    ),
    filter(
        "netdev",
        &["include_devices", "exclude_devices"],
        "interfaces; by default containers' ends are left out",
        |c| &mut c.netdev,
    ),
    include("netstat", &["fields"], "The counters to publish, as `Protocol_Counter`.", |c| &mut c.netstat),
    filter("powersupplyclass", &["include_supplies", "exclude_supplies"], "power supplies", |c| {
        &mut c.powersupplyclass
    }),
    flag(
        "rapl",
        &["zone_label"],
        "Publish one metric with the zone as a label, not one metric a zone.",
        |c| &mut c.rapl.zone_label,
    ),
    filter("slabinfo", &["include_caches", "exclude_caches"], "caches", |c| &mut c.slabinfo),
    flag("stat", &["softirq"], "Publish `node_softirqs_total`.", |c| &mut c.stat.softirq),
    filter(
        "systemd",
        &["include_units", "exclude_units"],
        "units, by their whole names; by default services, sockets, timers and mounts",
        |c| &mut c.systemd.units,
    ),
    flag(
        "systemd",
        &["all"],
        "Also units that are neither enabled nor failed, as node_exporter does.",
        |c| &mut c.systemd.all,
    ),
    flag("systemd", &["restarts"], "Publish `node_systemd_service_restart_total`.", |c| {
        &mut c.systemd.restarts
    }),
    flag("systemd", &["start_times"], "Publish `node_systemd_unit_start_time_seconds`.", |c| {
        &mut c.systemd.start_times
    }),
    flag("systemd", &["tasks"], "Publish `node_systemd_unit_tasks_current` and `_max`.", |c| {
        &mut c.systemd.tasks
    }),
    text(
        "systemd",
        &["bus"],
        "The addresses of the bus, with `;` between them. Default: what `DBUS_SYSTEM_BUS_ADDRESS` says, else the sockets \
         of the bus and of systemd below `rootfs`.",
        |c| &mut c.systemd.bus,
    ),
    filter("tapestats", &["include_devices", "exclude_devices"], "drives", |c| &mut c.tapestats),
    include("vmstat", &["fields"], "The fields of /proc/vmstat to publish.", |c| &mut c.vmstat),
];

/// The options of one subject.
pub fn of(subject: &str) -> impl Iterator<Item = &'static SubjectOption> {
    OPTIONS.iter().filter(move |option| option.subject == subject)
}

const fn filter(
    subject: &'static str,
    keys: &'static [&'static str; 2],
    about: &'static str,
    at: fn(&mut HostConfig) -> &mut Filter,
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Filter(at) }
}

const fn include(
    subject: &'static str,
    keys: &'static [&'static str; 1],
    about: &'static str,
    at: fn(&mut HostConfig) -> &mut Filter,
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Include(at) }
}

const fn pattern(
    subject: &'static str,
    keys: &'static [&'static str; 1],
    about: &'static str,
    at: fn(&mut HostConfig) -> &mut Option<Pattern>,
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Pattern(at) }
}

const fn flag(
    subject: &'static str,
    keys: &'static [&'static str; 1],
    about: &'static str,
    at: fn(&mut HostConfig) -> &mut bool,
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Flag(at) }
}

const fn words(
    subject: &'static str,
    keys: &'static [&'static str; 1],
    about: &'static str,
    words: &'static [&'static str],
    at: fn(&mut HostConfig) -> &mut [bool],
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Words(words, at) }
}

const fn text(
    subject: &'static str,
    keys: &'static [&'static str; 1],
    about: &'static str,
    at: fn(&mut HostConfig) -> &mut Option<String>,
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Text(at) }
}

const fn number(
    subject: &'static str,
    keys: &'static [&'static str; 1],
    about: &'static str,
    bounds: RangeInclusive<usize>,
    at: fn(&mut HostConfig) -> &mut usize,
) -> SubjectOption {
    SubjectOption { subject, keys, about, kind: OptionKind::Number(bounds, at) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_option_has_a_subject_and_a_key_of_its_own() {
        let mut seen = BTreeSet::new();
        for option in OPTIONS {
            assert!(crate::SUBJECTS.iter().any(|about| about.name == option.subject), "{option:?}");
            for key in option.keys {
                assert!(!["interval", "budget"].contains(key), "{option:?}");
                assert!(seen.insert((option.subject, *key)), "{option:?}");
            }
        }
    }

    #[test]
    fn every_option_has_a_field_of_its_own() {
        let mut config = HostConfig::default();
        let mut seen = BTreeSet::new();
        for option in OPTIONS {
            let config = &mut config;
            let field = match &option.kind {
                OptionKind::Filter(at) | OptionKind::Include(at) => std::ptr::from_mut(at(config)).addr(),
                OptionKind::Pattern(at) => std::ptr::from_mut(at(config)).addr(),
                OptionKind::Flag(at) => std::ptr::from_mut(at(config)).addr(),
                OptionKind::Number(_, at) => std::ptr::from_mut(at(config)).addr(),
                OptionKind::Text(at) => std::ptr::from_mut(at(config)).addr(),
                OptionKind::Words(words, at) => {
                    assert_eq!(words.len(), at(config).len(), "{option:?}");
                    at(config).as_ptr().addr()
                }
            };
            assert!(seen.insert(field), "two options set what this one sets: {option:?}");
        }
    }
}
