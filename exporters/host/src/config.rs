//! The host exporter's settings: plain, valid, comparable. What is written in `taffrail.yml` is parsed elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use taffrail_core::subject::DEFAULT_BUDGET;

use taffrail_core::pattern::{Filter, Pattern};

/// Partitions and pseudo devices, as node_exporter leaves them out.
pub const DISK_DEVICES: &str = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$";
/// Mount points of the system and of container engines, as node_exporter leaves them out.
pub const MOUNT_POINTS: &str =
    r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
/// File systems without a size of their own, as node_exporter leaves them out.
pub const FS_TYPES: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|\
    iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$";
/// The host's ends of containers' interfaces: they come and go with containers, which have metrics of their own.
pub const VIRTUAL_INTERFACES: &str = "^(veth.*|cali.*|lxc.*|[0-9a-f]{15})$";
/// The fields of `/proc/vmstat` that node_exporter publishes.
pub const VMSTAT_FIELDS: &str = "^(oom_kill|pgpg|pswp|pg.*fault).*";
/// The kinds of units whose failure somebody wants to know of.
pub const SYSTEMD_UNITS: &str = r".+\.(service|socket|timer|mount)";

/// The counters of network protocols that node_exporter publishes, and `Tcp_MaxConn`, for which dashboards ask.
pub const NETSTAT_FIELDS: &str = "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|\
    Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|\
    Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab|MaxConn)|\
    Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$";

/// The settings of all host subjects.
#[derive(Clone, Debug, PartialEq)]
pub struct HostConfig {
    /// Where the host's procfs is: `/proc`, or `/host/proc` in a container.
    pub procfs: PathBuf,
    /// Where the host's sysfs is.
    pub sysfs: PathBuf,
    /// Where the host's root directory is.
    pub rootfs: PathBuf,
    /// Where udev keeps what it knows of devices.
    pub udev: PathBuf,
    /// When subjects run; one that is not named here has the default.
    pub schedules: BTreeMap<&'static str, Schedule>,
    /// The subject `cpu`.
    pub cpu: Cpu,
    /// The subject `stat`.
    pub stat: Stat,
    /// The subject `vmstat`: which fields.
    pub vmstat: Filter,
    /// The subject `diskstats`: which devices.
    pub diskstats: Filter,
    /// The subject `filesystem`.
    pub filesystem: Filesystem,
    /// The subject `netdev`: which interfaces.
    pub netdev: Filter,
    /// The subject `netclass`.
    pub netclass: Netclass,
    /// The subject `systemd`.
    pub systemd: Systemd,
    /// The subject `bcache`.
    pub bcache: Bcache,
    /// The subject `interrupts`.
    pub interrupts: Interrupts,
    /// The subject `slabinfo`: which caches.
    pub slabinfo: Filter,
    /// The subject `textfile`: folders whose `*.prom` files are read; `*`, `?` and `[a-z]` stand for parts of names.
    pub textfile: Vec<String>,
    /// The subject `arp`: which interfaces.
    pub arp: Filter,
    /// The subject `ipvs`.
    pub ipvs: Ipvs,
    /// The subject `netstat`: which counters, as `Protocol_Counter`.
    pub netstat: Filter,
    /// The subject `hwmon`.
    pub hwmon: Hwmon,
    /// The subject `infiniband`: which devices.
    pub infiniband: Filter,
    /// The subject `powersupplyclass`: which supplies.
    pub powersupplyclass: Filter,
    /// The subject `rapl`.
    pub rapl: Rapl,
    /// The subject `tapestats`: which drives.
    pub tapestats: Filter,
}

/// When a subject runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Whether it runs at all.
    pub on: bool,
    /// How often, when not as often as the exporter.
    pub interval: Option<Duration>,
    /// How long a run may take.
    pub budget: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { on: true, interval: None, budget: DEFAULT_BUDGET }
    }
}

/// Settings of the subject `cpu`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cpu {
    /// Publish `node_cpu_guest_seconds_total`.
    pub guest: bool,
    /// Publish `node_cpu_info`, and `node_cpu_frequency_hertz` from `/proc/cpuinfo` where the subject `cpufreq` is on.
    pub info: bool,
    /// Which flags become `node_cpu_flag_info`; without it none. Needs `info`.
    pub flags: Option<Pattern>,
    /// Which bugs become `node_cpu_bug_info`; without it none. Needs `info`.
    pub bugs: Option<Pattern>,
}

/// Settings of the subject `hwmon`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hwmon {
    /// Which chips, by the label `chip`.
    pub chips: Filter,
    /// Which sensors, by the labels `chip` and `sensor` with a `;` between them.
    pub sensors: Filter,
}

/// Settings of the subject `rapl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rapl {
    /// Publish one metric with the zone as a label, not one metric a zone.
    pub zone_label: bool,
}

/// Settings of the subject `stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Publish `node_softirqs_total`.
    pub softirq: bool,
}

/// Settings of the subject `filesystem`.
#[derive(Clone, Debug, PartialEq)]
pub struct Filesystem {
    /// Which mount points, as the host names them.
    pub mount_points: Filter,
    /// Which types of file systems.
    pub fs_types: Filter,
}

/// Settings of the subject `netclass`.
#[derive(Clone, Debug, PartialEq)]
pub struct Netclass {
    /// Which interfaces.
    pub devices: Filter,
    /// Leave out the speed of -1 that some drivers give when they do not know it.
    pub ignore_invalid_speed: bool,
}

/// Settings of the subject `systemd`.
#[derive(Clone, Debug, PartialEq)]
pub struct Systemd {
    /// Which units, by their whole names.
    pub units: Filter,
    /// Also units that are neither enabled nor failed, as node_exporter does.
    pub all: bool,
    /// Publish `node_systemd_service_restart_total`.
    pub restarts: bool,
    /// Publish `node_systemd_unit_start_time_seconds`.
    pub start_times: bool,
    /// Publish `node_systemd_unit_tasks_current` and `_max`.
    pub tasks: bool,
    /// The addresses of the bus, with `;` between them. Without: what `DBUS_SYSTEM_BUS_ADDRESS` says, else the sockets
    /// of the bus and of systemd below `rootfs`.
    pub bus: Option<String>,
}

/// Settings of the subject `bcache`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bcache {
    /// Publish `node_bcache_priority_stats_*`, for which the kernel sorts all buckets of the cache.
    pub priority_stats: bool,
}

/// Settings of the subject `interrupts`.
#[derive(Clone, Debug, PartialEq)]
pub struct Interrupts {
    /// Which interrupts: `type;info;devices`, as in their labels.
    pub names: Filter,
    /// Publish values that are zero as well.
    pub zeros: bool,
    /// Of how many CPUs, the first that are online.
    pub max_cpus: usize,
}

impl Default for Interrupts {
    fn default() -> Self {
        Interrupts { names: Filter::default(), zeros: false, max_cpus: 16 }
    }
}

/// Settings of the subject `ipvs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipvs {
    /// Which labels backends have, in the order of [`crate::ipvs::LABELS`].
    pub backend_labels: [bool; crate::ipvs::LABELS.len()],
}

impl Default for HostConfig {
    fn default() -> Self {
        HostConfig {
            procfs: "/proc".into(),
            sysfs: "/sys".into(),
            rootfs: "/".into(),
            udev: "/run/udev/data".into(),
            schedules: BTreeMap::new(),
            cpu: Cpu { guest: true, info: false, flags: None, bugs: None },
            stat: Stat::default(),
            vmstat: Filter::including(VMSTAT_FIELDS),
            diskstats: Filter::excluding(DISK_DEVICES),
            filesystem: Filesystem {
                mount_points: Filter::excluding(MOUNT_POINTS),
                fs_types: Filter::excluding(FS_TYPES),
            },
            netdev: Filter::excluding(VIRTUAL_INTERFACES),
            netclass: Netclass {
                devices: Filter::excluding(VIRTUAL_INTERFACES),
                ignore_invalid_speed: false,
            },
            systemd: Systemd {
                units: Filter::including(SYSTEMD_UNITS),
                all: false,
                restarts: true,
                start_times: false,
                tasks: false,
                bus: None,
            },
            bcache: Bcache::default(),
            interrupts: Interrupts::default(),
            slabinfo: Filter::default(),
            textfile: Vec::new(),
            arp: Filter::default(),
            ipvs: Ipvs { backend_labels: [true; crate::ipvs::LABELS.len()] },
            netstat: Filter::including(NETSTAT_FIELDS),
            hwmon: Hwmon::default(),
            infiniband: Filter::default(),
            powersupplyclass: Filter::default(),
            rapl: Rapl::default(),
            tapestats: Filter::default(),
        }
    }
}

impl HostConfig {
    /// When the subject runs.
    pub fn schedule(&self, subject: &str) -> Schedule {
        let known = || crate::SUBJECTS.iter().find(|about| about.name == subject);
        let default = || Schedule { on: known().is_none_or(|about| about.on), ..Schedule::default() };
        self.schedules.get(subject).copied().unwrap_or_else(default)
    }

    /// A file of procfs.
    pub(crate) fn proc(&self, path: &str) -> PathBuf {
        self.procfs.join(path)
    }

    /// A file of sysfs.
    pub(crate) fn sys(&self, path: &str) -> PathBuf {
        self.sysfs.join(path)
    }

    /// Whether the host's root is somewhere else than ours.
    pub(crate) fn has_own_rootfs(&self) -> bool {
        self.rootfs != Path::new("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_filters_compile_and_decide() {
        let config = HostConfig::default();
        let excludes = |filter: &Filter| filter.exclude.as_ref().map(|p| p.as_str().to_owned());
        assert_eq!(excludes(&config.diskstats).as_deref(), Some(DISK_DEVICES));
        assert_eq!(excludes(&config.filesystem.mount_points).as_deref(), Some(MOUNT_POINTS));
        assert_eq!(excludes(&config.filesystem.fs_types).as_deref(), Some(FS_TYPES));
        assert_eq!(excludes(&config.netdev).as_deref(), Some(VIRTUAL_INTERFACES));
        assert_eq!(config.vmstat.include.as_ref().map(Pattern::as_str), Some(VMSTAT_FIELDS));

        for (name, kept) in
            [("sda", true), ("sda1", false), ("nvme0n1", true), ("nvme0n1p2", false), ("dm-0", true)]
        {
            assert_eq!(config.diskstats.keeps(name.as_bytes()), kept, "{name}");
        }
        for (name, kept) in [("eth0", true), ("veth12", false), ("0123456789abcde", false), ("lxcbr0", false)]
        {
            assert_eq!(config.netdev.keeps(name.as_bytes()), kept, "{name}");
        }
        for (name, kept) in [("/", true), ("/dev/shm", false), ("/devel", true), ("/run/user/0", true)] {
            assert_eq!(config.filesystem.mount_points.keeps(name.as_bytes()), kept, "{name}");
        }
        for (name, kept) in [("ext4", true), ("overlay", false), ("cgroup2", false), ("tmpfs", true)] {
            assert_eq!(config.filesystem.fs_types.keeps(name.as_bytes()), kept, "{name}");
        }
        for (name, kept) in [("Tcp_MaxConn", true), ("UdpLite_InErrors", true), ("Tcp_RtoMin", false)] {
            assert_eq!(config.netstat.keeps(name.as_bytes()), kept, "{name}");
        }
        for (name, kept) in [("oom_kill", true), ("pgmajfault", true), ("nr_free_pages", false)] {
            assert_eq!(config.vmstat.keeps(name.as_bytes()), kept, "{name}");
        }
    }

    #[test]
    fn equal_settings_are_equal() {
        let mut other = HostConfig::default();
        assert_eq!(other, HostConfig::default());
        other.schedules.insert("cpu", Schedule { on: false, ..Schedule::default() });
        assert_ne!(other, HostConfig::default());
        assert!(!other.schedule("cpu").on && other.schedule("stat").on);
    }
}
