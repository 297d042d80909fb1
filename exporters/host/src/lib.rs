//! The host exporter: cpu, memory, disks, file systems and network of one Linux machine, named, typed and labelled as
//! node_exporter 1.11 does.
//!
//! One file a subject, and one line in [`SUBJECTS`]. Where the host's procfs, sysfs and root directory are is a setting,
//! so the same code runs on a host, in a container and on a fixture.

mod attribute;
mod columns;
pub mod config;
pub mod cpu;
mod cpu_info;
mod cpu_topology;
pub mod cpu_vulnerabilities;
pub mod cpufreq;
mod devices;
mod disk_facts;
pub mod diskstats;
pub mod dmi;
pub mod edac;
pub mod fibrechannel;
pub mod filefd;
pub mod filesystem;
mod host_name;
pub mod hwmon;
mod hwmon_names;
pub mod infiniband;
mod infiniband_counters;
pub mod loadavg;
pub mod mdadm;
pub mod meminfo;
pub mod mounts;
pub mod netclass;
pub mod netdev;
mod network;
pub mod nvme;
pub mod os;
pub mod powersupplyclass;
pub mod pressure;
mod problems;
pub mod proc_stat;
pub mod rapl;
mod rootfs;
mod scan;
pub mod stat;
pub mod statfs;
pub mod systemd;
pub mod tapestats;
pub mod thermal_zone;
pub mod time;
pub mod uname;
mod view;
pub mod vmstat;
pub mod watchdog;
mod zone;

use taffrail_core::{Clock, Exporter, Metric, Subject, metrics};

pub use config::{HostConfig, Schedule};
pub use host_name::{HostNameError, host_name};
pub use problems::{Problem, problems};
pub use scan::Malformed;

metrics! {
    /// Seconds a subject's last run took.
    DURATION: Gauge = "node_scrape_collector_duration_seconds" ["collector"];
    /// Whether a subject's last run succeeded (1) or not (0).
    SUCCESS: Gauge = "node_scrape_collector_success" ["collector"];
}

/// A subject of this exporter, as the reference and the settings know it.
#[derive(Debug)]
pub struct About {
    /// Its name, node_exporter's name of the collector.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub description: &'static str,
    /// What it may publish.
    pub metrics: &'static [&'static Metric],
    /// Whether it runs when the settings do not speak of it.
    pub on: bool,
    make: fn(&Parts<'_>) -> Subject,
}

/// What subjects are made of.
#[derive(Debug)]
struct Parts<'a> {
    config: &'a HostConfig,
    clock: &'a Clock,
    stat: proc_stat::Shared,
}

/// All subjects. A new one is its file and its line here.
pub static SUBJECTS: &[About] = &[
    about("cpu", "Times of each CPU by mode, throttling, online and isolated CPUs.", cpu::METRICS, |p| {
        cpu::sharing(p.config, p.stat.clone())
    }),
    about(
        "stat",
        "Interrupts, context switches, forks, boot time, running and blocked processes.",
        stat::METRICS,
        |p| stat::sharing(p.config, p.stat.clone()),
    ),
    about("loadavg", "Load averages over 1, 5 and 15 minutes.", loadavg::METRICS, |p| {
        loadavg::subject(p.config)
    }),
    about("meminfo", "Memory, swap and huge pages.", meminfo::METRICS, |p| meminfo::subject(p.config)),
    about("vmstat", "Paging, swapping, page faults and kills for lack of memory.", vmstat::METRICS, |p| {
        vmstat::subject(p.config)
    }),
    about("pressure", "Time lost waiting for CPU, memory and disks.", pressure::METRICS, |p| {
        pressure::subject(p.config)
    }),
    about("diskstats", "Reads, writes, discards and flushes of block devices.", diskstats::METRICS, |p| {
        diskstats::subject(p.config)
    }),
    about("filesystem", "Space and inodes of mounted file systems.", filesystem::METRICS, |p| {
        filesystem::subject(p.config)
    }),
    about("netdev", "Traffic, errors and drops of network interfaces.", netdev::METRICS, |p| {
        netdev::subject(p.config)
    }),
    about("netclass", "State, speed and properties of network interfaces.", netclass::METRICS, |p| {
        netclass::subject(p.config)
    }),
    about("uname", "Names of the kernel, the machine and the node.", uname::METRICS, |p| {
        uname::subject(p.config)
    }),
    about("time", "The clock, its time zone and its sources.", time::METRICS, |p| {
        time::subject(p.config, p.clock)
    }),
    about("filefd", "Open files of the whole machine, and how many may be.", filefd::METRICS, |p| {
        filefd::subject(p.config)
    }),
    about("os", "Name, version and end of support of the operating system.", os::METRICS, |p| {
        os::subject(p.config)
    }),
    about("systemd", "States of systemd's units, restarts, timers and sockets.", systemd::METRICS, |p| {
        systemd::subject(p.config, p.clock)
    }),
    about("cpufreq", "Frequencies of the CPUs, and what governs them.", cpufreq::METRICS, |p| {
        cpufreq::subject(p.config)
    }),
    about(
        "hwmon",
        "Temperatures, fans, voltages and power, as the hardware's sensors tell.",
        hwmon::METRICS,
        |p| hwmon::subject(p.config),
    ),
    about(
        "thermal_zone",
        "Temperatures of thermal zones, and cooling devices.",
        thermal_zone::METRICS,
        |p| thermal_zone::subject(p.config),
    ),
    about("dmi", "Maker, model and versions of the machine and its firmware.", dmi::METRICS, |p| {
        dmi::subject(p.config)
    }),
    about("edac", "Errors of the memory, corrected or not.", edac::METRICS, |p| edac::subject(p.config)),
    about("mdadm", "Software RAID: states, disks and progress.", mdadm::METRICS, |p| {
        mdadm::subject(p.config)
    }),
    about("nvme", "NVMe controllers and their namespaces.", nvme::METRICS, |p| nvme::subject(p.config)),
    about("powersupplyclass", "Batteries, chargers and mains.", powersupplyclass::METRICS, |p| {
        powersupplyclass::subject(p.config)
    }),
    about("rapl", "Energy that the processors used.", rapl::METRICS, |p| rapl::subject(p.config)),
    about("watchdog", "Watchdog timers, which restart a machine that hangs.", watchdog::METRICS, |p| {
        watchdog::subject(p.config)
    }),
    about("fibrechannel", "Traffic and errors of Fibre Channel ports.", fibrechannel::METRICS, |p| {
        fibrechannel::subject(p.config)
    }),
    about(
        "infiniband",
        "State, traffic and errors of InfiniBand and RoCE ports.",
        infiniband::METRICS,
        |p| infiniband::subject(p.config),
    ),
    about("tapestats", "Reads and writes of tape drives.", tapestats::METRICS, |p| {
        tapestats::subject(p.config)
    }),
    about(
        "cpu_vulnerabilities",
        "Known weaknesses of the CPUs, and what the kernel does about them.",
        cpu_vulnerabilities::METRICS,
        |p| cpu_vulnerabilities::subject(p.config),
    )
    .off(),
];

const fn about(
    name: &'static str,
    description: &'static str,
    metrics: &'static [&'static Metric],
    make: fn(&Parts<'_>) -> Subject,
) -> About {
    About { name, description, metrics, on: true, make }
}

impl About {
    /// Runs only when the settings ask for it.
    const fn off(mut self) -> Self {
        self.on = false;
        self
    }
}

/// The subjects that are on, by the machine's clock.
pub fn subjects(config: &HostConfig) -> Vec<Subject> {
    subjects_at(config, &Clock::system())
}

/// The subjects that are on, by any clock.
pub fn subjects_at(config: &HostConfig, clock: &Clock) -> Vec<Subject> {
    let parts = Parts { config, clock, stat: proc_stat::Shared::new(config, clock) };
    let on = SUBJECTS.iter().filter(|about| config.schedule(about.name).on);
    on.map(|about| {
        let schedule = config.schedule(about.name);
        let mut subject = (about.make)(&parts);
        subject.interval = schedule.interval;
        subject.budget = schedule.budget;
        subject
    })
    .collect()
}

/// The exporter `host`, whose series carry `job` (`node` by default).
pub fn exporter(config: &HostConfig, job: &str) -> Exporter {
    Exporter {
        name: "host",
        job: job.to_owned(),
        subjects: subjects(config),
        duration: Some(&DURATION),
        success: Some(&SUCCESS),
    }
}

/// Every metric that this exporter can publish.
pub fn catalogue() -> Vec<&'static Metric> {
    SUBJECTS.iter().flat_map(|about| about.metrics).chain(METRICS).copied().collect()
}
