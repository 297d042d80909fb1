//! The host exporter: cpu, memory, disks, file systems and network of one Linux machine, named, typed and labelled as
//! node_exporter 1.11 does.
//!
//! One file a subject, and one line in [`SUBJECTS`]. Where the host's procfs, sysfs and root directory are is a setting,
//! so the same code runs on a host, in a container and on a fixture.

pub mod arp;
mod attribute;
pub mod bcache;
pub mod bonding;
pub mod btrfs;
mod btrfs_devices;
pub mod buddyinfo;
mod columns;
pub mod config;
pub mod conntrack;
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
pub mod entropy;
pub mod fibrechannel;
pub mod filefd;
pub mod filesystem;
mod folder;
mod glob;
mod host_name;
pub mod hwmon;
mod hwmon_names;
pub mod infiniband;
mod infiniband_counters;
pub mod interrupts;
pub mod ipvs;
pub mod kernel_hung;
pub mod ksmd;
pub mod loadavg;
pub mod mdadm;
pub mod meminfo;
pub mod meminfo_numa;
pub mod mounts;
pub mod mountstats;
mod mountstats_parse;
pub mod netclass;
pub mod netdev;
pub mod netstat;
mod network;
pub mod nfs;
mod nfs_procedures;
pub mod nfsd;
mod number_file;
pub mod nvme;
pub mod options;
mod ordinals;
pub mod os;
pub mod powersupplyclass;
pub mod pressure;
mod problems;
pub mod proc_stat;
pub mod processes;
pub mod rapl;
mod rootfs;
mod scan;
pub mod schedstat;
pub mod selinux;
pub mod slabinfo;
mod sock_diag;
mod socket_table;
pub mod sockstat;
pub mod softirqs;
pub mod softnet;
pub mod stat;
pub mod statfs;
pub mod swaps;
pub mod systemd;
mod tally;
pub mod tapestats;
pub mod tcpstat;
pub mod textfile;
mod textfile_page;
pub mod thermal_zone;
pub mod time;
pub mod timex;
pub mod udp_queues;
pub mod uname;
mod view;
pub mod vmstat;
pub mod watchdog;
pub mod xfs;
pub mod zfs;
mod zone;
pub mod zoneinfo;

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
    about("arp", "Neighbours of network interfaces.", arp::METRICS, |p| arp::subject(p.config)),
    about("bonding", "Bonded interfaces, and how many of each bond are up.", bonding::METRICS, |p| {
        bonding::subject(p.config)
    }),
    about("conntrack", "Tracked connections, and how many may be.", conntrack::METRICS, |p| {
        conntrack::subject(p.config)
    }),
    about("ipvs", "The kernel's load balancer and its backends.", ipvs::METRICS, |p| ipvs::subject(p.config)),
    about("netstat", "Counters of IP, ICMP, TCP and UDP.", netstat::METRICS, |p| netstat::subject(p.config)),
    about("sockstat", "Sockets in use, and their memory.", sockstat::METRICS, |p| {
        sockstat::subject(p.config)
    }),
    about("softnet", "Packets that each CPU took from the network, and dropped.", softnet::METRICS, |p| {
        softnet::subject(p.config)
    }),
    about("tcpstat", "TCP sockets by state, and the bytes in their queues.", tcpstat::METRICS, |p| {
        tcpstat::subject(p.config)
    }),
    about("udp_queues", "Bytes in the queues of UDP sockets.", udp_queues::METRICS, |p| {
        udp_queues::subject(p.config)
    }),
    about("nfs", "Requests to NFS servers.", nfs::METRICS, |p| nfs::subject(p.config)),
    about("nfsd", "Requests to the NFS server of this machine.", nfsd::METRICS, |p| nfsd::subject(p.config)),
    about(
        "mountstats",
        "NFS mounts: bytes, connections, and times of operations.",
        mountstats::METRICS,
        |p| mountstats::subject(p.config),
    )
    .off(),
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
    about("bcache", "Caches of disks on faster disks.", bcache::METRICS, |p| bcache::subject(p.config)),
    about("btrfs", "Space, commits and devices of btrfs file systems.", btrfs::METRICS, |p| {
        btrfs::subject(p.config)
    }),
    about("buddyinfo", "Free memory by the size of its pieces.", buddyinfo::METRICS, |p| {
        buddyinfo::subject(p.config)
    })
    .off(),
    about("entropy", "The kernel's pool of random numbers.", entropy::METRICS, |p| {
        entropy::subject(p.config)
    }),
    about("interrupts", "Interrupts of each CPU.", interrupts::METRICS, |p| interrupts::subject(p.config)),
    about("kernel_hung", "Tasks that the kernel found hung.", kernel_hung::METRICS, |p| {
        kernel_hung::subject(p.config)
    }),
    about("ksmd", "Merging of equal pages of memory.", ksmd::METRICS, |p| ksmd::subject(p.config)).off(),
    about("meminfo_numa", "Memory of each NUMA node.", meminfo_numa::METRICS, |p| {
        meminfo_numa::subject(p.config)
    })
    .off(),
    about(
        "processes",
        "Processes and threads by state, and how many there may be.",
        processes::METRICS,
        |p| processes::subject(p.config),
    ),
    about("schedstat", "How long processes ran on each CPU and waited for it.", schedstat::METRICS, |p| {
        schedstat::subject(p.config)
    }),
    about("selinux", "Whether SELinux is on, and whether it enforces.", selinux::METRICS, |p| {
        selinux::subject(p.config)
    }),
    about("slabinfo", "Caches of the kernel's objects.", slabinfo::METRICS, |p| slabinfo::subject(p.config))
        .off(),
    about("softirqs", "Soft interrupts of each CPU.", softirqs::METRICS, |p| softirqs::subject(p.config))
        .off(),
    about("swap", "Size and use of each swap area.", swaps::METRICS, |p| swaps::subject(p.config)).off(),
    about("textfile", "Metrics that other programs leave in files.", textfile::METRICS, |p| {
        textfile::subject(p.config, p.clock)
    }),
    about("timex", "How far the clock is off, and whether something keeps it right.", timex::METRICS, |p| {
        timex::subject(p.config)
    }),
    about("xfs", "What each XFS file system does.", xfs::METRICS, |p| xfs::subject(p.config)),
    about("zfs", "ZFS: its caches, pools and data sets.", zfs::METRICS, |p| zfs::subject(p.config)),
    about("zoneinfo", "Pages of each zone of memory.", zoneinfo::METRICS, |p| zoneinfo::subject(p.config))
        .off(),
    about("cpufreq", "Frequencies of the CPUs, and what governs them.", cpufreq::METRICS, |p| {
        cpufreq::subject(p.config, p.clock)
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
