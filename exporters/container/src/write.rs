//! A container's statistics as samples, named and labelled as cAdvisor does.

use std::borrow::Cow;

use taffrail_core::{Family, Out, metrics};

use crate::block_device::Names;
use crate::network::Interface;
use crate::numa::NodePages;
use crate::stats::{Cpu, Device, HugePages, Limits, Memory, Pressure, Stats, Tasks};

metrics! {
    /// Seconds of CPU time used.
    pub(crate) CPU_USAGE: Counter = "container_cpu_usage_seconds_total" ["cpu", "id", "image", "name"];
    /// Seconds of CPU time used in user mode.
    pub(crate) CPU_USER: Counter = "container_cpu_user_seconds_total" ["id", "image", "name"];
    /// Seconds of CPU time used in the kernel.
    pub(crate) CPU_SYSTEM: Counter = "container_cpu_system_seconds_total" ["id", "image", "name"];
    /// Periods of enforcement of the CPU limit in which the container ran.
    pub(crate) CPU_PERIODS: Counter = "container_cpu_cfs_periods_total" ["id", "image", "name"];
    /// Periods of enforcement in which the container was made to wait.
    pub(crate) CPU_THROTTLED_PERIODS: Counter = "container_cpu_cfs_throttled_periods_total" ["id", "image", "name"];
    /// Seconds the container was made to wait for its CPU limit.
    pub(crate) CPU_THROTTLED: Counter = "container_cpu_cfs_throttled_seconds_total" ["id", "image", "name"];
    /// Periods in which the container used more than its quota.
    pub(crate) CPU_BURST_PERIODS: Counter = "container_cpu_cfs_burst_periods_total" ["id", "image", "name"];
    /// Seconds of CPU time used beyond the quota.
    pub(crate) CPU_BURST: Counter = "container_cpu_cfs_burst_seconds_total" ["id", "image", "name"];
    /// Bytes of memory charged to the container, cached files included.
    pub(crate) MEMORY_USAGE: Gauge = "container_memory_usage_bytes" ["id", "image", "name"];
    /// Bytes of memory in use that cannot be taken back at once: usage without files not used of late.
    pub(crate) MEMORY_WORKING_SET: Gauge = "container_memory_working_set_bytes" ["id", "image", "name"];
    /// Bytes of anonymous memory.
    pub(crate) MEMORY_RSS: Gauge = "container_memory_rss" ["id", "image", "name"];
    /// Bytes of cached files.
    pub(crate) MEMORY_CACHE: Gauge = "container_memory_cache" ["id", "image", "name"];
    /// Bytes swapped out.
    pub(crate) MEMORY_SWAP: Gauge = "container_memory_swap" ["id", "image", "name"];
    /// Most bytes of memory ever charged.
    pub(crate) MEMORY_PEAK: Gauge = "container_memory_max_usage_bytes" ["id", "image", "name"];
    /// Bytes of mapped files.
    pub(crate) MEMORY_MAPPED: Gauge = "container_memory_mapped_file" ["id", "image", "name"];
    /// Bytes of memory of the kernel's.
    pub(crate) MEMORY_KERNEL: Gauge = "container_memory_kernel_usage" ["id", "image", "name"];
    /// Bytes of cached files not used of late.
    pub(crate) MEMORY_INACTIVE_FILE: Gauge = "container_memory_total_inactive_file_bytes" ["id", "image", "name"];
    /// Bytes of cached files in use.
    pub(crate) MEMORY_ACTIVE_FILE: Gauge = "container_memory_total_active_file_bytes" ["id", "image", "name"];
    /// Bytes of cached files that wait to be written.
    pub(crate) MEMORY_DIRTY: Gauge = "container_memory_file_dirty_bytes" ["id", "image", "name"];
    /// Bytes of cached files that are being written.
    pub(crate) MEMORY_WRITEBACK: Gauge = "container_memory_file_writeback_bytes" ["id", "image", "name"];
    /// Page faults; a major one (`pgmajfault`) had to read a disk. The scope is the container's own cgroup (`container`),
    /// or that with all below it (`hierarchy`).
    pub(crate) MEMORY_FAILURES: Counter = "container_memory_failures_total" ["failure_type", "id", "image", "name", "scope"];
    /// Pages looked at for memory to take back.
    pub(crate) MEMORY_SCANNED: Counter = "container_memory_pgscan_total" ["id", "image", "name"];
    /// Pages taken back.
    pub(crate) MEMORY_STOLEN: Counter = "container_memory_pgsteal_total" ["id", "image", "name"];
    /// Anonymous pages that came back soon after they were taken.
    pub(crate) MEMORY_REFAULT_ANON: Counter = "container_memory_workingset_refault_anon_total" ["id", "image", "name"];
    /// Pages of files that came back soon after they were taken.
    pub(crate) MEMORY_REFAULT_FILE: Counter = "container_memory_workingset_refault_file_total" ["id", "image", "name"];
    /// How often the memory limit was hit.
    pub(crate) MEMORY_FAILCNT: Counter = "container_memory_failcnt" ["id", "image", "name"] irregular;
    /// How often the container was slowed down because it was over `memory.high`.
    pub(crate) MEMORY_EVENTS_HIGH: Counter = "container_memory_events_high_total" ["id", "image", "name"];
    /// How often the container was about to go over `memory.max`.
    pub(crate) MEMORY_EVENTS_MAX: Counter = "container_memory_events_max_total" ["id", "image", "name"];
    /// Processes of the container that were killed for lack of memory.
    pub(crate) OOM_EVENTS: Counter = "container_oom_events_total" ["id", "image", "name"];
    /// Whether pages follow the container when it is bound to other NUMA nodes (cgroup version 1).
    pub(crate) MEMORY_MIGRATE: Gauge = "container_memory_migrate" ["id", "image", "name"];
    /// Pages by NUMA node: anonymous, of files, and those that cannot be taken back. The scope is the container's own
    /// cgroup (`container`, version 1), or that with all below it (`hierarchy`).
    pub(crate) MEMORY_NUMA: Gauge = "container_memory_numa_pages" ["id", "image", "name", "node", "scope", "type"];
    /// Bytes of huge pages in use; those that are only reserved do not count.
    pub(crate) HUGETLB_USAGE: Gauge = "container_hugetlb_usage_bytes" ["id", "image", "name", "pagesize"];
    /// Most bytes of huge pages ever in use (cgroup version 1).
    pub(crate) HUGETLB_PEAK: Gauge = "container_hugetlb_max_usage_bytes" ["id", "image", "name", "pagesize"];
    /// How often the limit of huge pages was hit.
    pub(crate) HUGETLB_FAILCNT: Counter = "container_hugetlb_failcnt" ["id", "image", "name", "pagesize"] irregular;
    /// Bytes read from a device.
    pub(crate) FS_READ_BYTES: Counter = "container_fs_reads_bytes_total" ["device", "id", "image", "name"];
    /// Reads from a device.
    pub(crate) FS_READS: Counter = "container_fs_reads_total" ["device", "id", "image", "name"];
    /// Bytes written to a device.
    pub(crate) FS_WRITE_BYTES: Counter = "container_fs_writes_bytes_total" ["device", "id", "image", "name"];
    /// Writes to a device.
    pub(crate) FS_WRITES: Counter = "container_fs_writes_total" ["device", "id", "image", "name"];
    /// Bytes read from or written to a device, with its numbers.
    pub(crate) BLKIO: Counter =
        "container_blkio_device_usage_total" ["device", "id", "image", "major", "minor", "name", "operation"];
    /// Seconds of a device's time that were used, by the kernel's cost model.
    pub(crate) FS_COST_USAGE: Counter = "container_fs_io_cost_usage_seconds_total" ["device", "id", "image", "name"];
    /// Seconds waited for a device, by the kernel's cost model.
    pub(crate) FS_COST_WAIT: Counter = "container_fs_io_cost_wait_seconds_total" ["device", "id", "image", "name"];
    /// Seconds in debt for what could not be made to wait, by the kernel's cost model.
    pub(crate) FS_COST_INDEBT: Counter = "container_fs_io_cost_indebt_seconds_total" ["device", "id", "image", "name"];
    /// Seconds of delay to pay off a debt, by the kernel's cost model.
    pub(crate) FS_COST_INDELAY: Counter = "container_fs_io_cost_indelay_seconds_total" ["device", "id", "image", "name"];
    /// Threads of the container.
    pub(crate) THREADS: Gauge = "container_threads" ["id", "image", "name"];
    /// Threads that the container may have; 0 without a limit.
    pub(crate) THREADS_MAX: Gauge = "container_threads_max" ["id", "image", "name"];
    /// Processes of the container.
    pub(crate) PROCESSES: Gauge = "container_processes" ["id", "image", "name"];
    /// Seconds in which some task waited for a CPU.
    pub(crate) PRESSURE_CPU_WAITING: Counter = "container_pressure_cpu_waiting_seconds_total" ["id", "image", "name"];
    /// Seconds in which all tasks waited for a CPU.
    pub(crate) PRESSURE_CPU_STALLED: Counter = "container_pressure_cpu_stalled_seconds_total" ["id", "image", "name"];
    /// Seconds in which some task waited for memory.
    pub(crate) PRESSURE_MEMORY_WAITING: Counter = "container_pressure_memory_waiting_seconds_total" ["id", "image", "name"];
    /// Seconds in which all tasks waited for memory.
    pub(crate) PRESSURE_MEMORY_STALLED: Counter = "container_pressure_memory_stalled_seconds_total" ["id", "image", "name"];
    /// Seconds in which some task waited for a disk.
    pub(crate) PRESSURE_IO_WAITING: Counter = "container_pressure_io_waiting_seconds_total" ["id", "image", "name"];
    /// Seconds in which all tasks waited for a disk.
    pub(crate) PRESSURE_IO_STALLED: Counter = "container_pressure_io_stalled_seconds_total" ["id", "image", "name"];
    /// Microseconds of CPU time that the container may use in a period; absent without a limit.
    pub(crate) SPEC_CPU_QUOTA: Gauge = "container_spec_cpu_quota" ["id", "image", "name"];
    /// Microseconds of a period of the CPU limit.
    pub(crate) SPEC_CPU_PERIOD: Gauge = "container_spec_cpu_period" ["id", "image", "name"];
    /// Share of the CPUs where they are short; 1024 is the default.
    pub(crate) SPEC_CPU_SHARES: Gauge = "container_spec_cpu_shares" ["id", "image", "name"];
    /// Bytes of memory that the container may use; 0 without a limit.
    pub(crate) SPEC_MEMORY: Gauge = "container_spec_memory_limit_bytes" ["id", "image", "name"];
    /// Bytes of memory that are kept for the container; 0 for none.
    pub(crate) SPEC_RESERVATION: Gauge = "container_spec_memory_reservation_limit_bytes" ["id", "image", "name"];
    /// Bytes of swap that the container may use (cgroup version 2), of memory and swap (version 1); 0 without a limit.
    pub(crate) SPEC_SWAP: Gauge = "container_spec_memory_swap_limit_bytes" ["id", "image", "name"];
    /// Bytes received.
    pub(crate) NETWORK_RECEIVED_BYTES: Counter = "container_network_receive_bytes_total" ["id", "image", "interface", "name"];
    /// Packets received.
    pub(crate) NETWORK_RECEIVED: Counter = "container_network_receive_packets_total" ["id", "image", "interface", "name"];
    /// Errors while receiving.
    pub(crate) NETWORK_RECEIVE_ERRORS: Counter =
        "container_network_receive_errors_total" ["id", "image", "interface", "name"];
    /// Packets dropped while receiving.
    pub(crate) NETWORK_RECEIVE_DROPPED: Counter =
        "container_network_receive_packets_dropped_total" ["id", "image", "interface", "name"];
    /// Bytes sent.
    pub(crate) NETWORK_SENT_BYTES: Counter = "container_network_transmit_bytes_total" ["id", "image", "interface", "name"];
    /// Packets sent.
    pub(crate) NETWORK_SENT: Counter = "container_network_transmit_packets_total" ["id", "image", "interface", "name"];
    /// Errors while sending.
    pub(crate) NETWORK_SEND_ERRORS: Counter = "container_network_transmit_errors_total" ["id", "image", "interface", "name"];
    /// Packets dropped while sending.
    pub(crate) NETWORK_SEND_DROPPED: Counter =
        "container_network_transmit_packets_dropped_total" ["id", "image", "interface", "name"];
    /// When the container's first process was started, in seconds since 1970.
    pub(crate) START_TIME: Gauge = "container_start_time_seconds" ["id", "image", "name"];
    /// When the container was made, in seconds since 1970. A restart does not change it.
    pub(crate) CREATION_TIME: Gauge = "container_creation_time_seconds" ["id", "image", "name"];
    /// When the container was seen last, in seconds since 1970: the time of the value. It ends with the container.
    pub(crate) LAST_SEEN: Gauge = "container_last_seen" ["id", "image", "name"];
    /// What the container's health check says: 1 healthy, 0 starting or unhealthy, -1 no check.
    pub(crate) HEALTH: Gauge = "container_health_state" ["id", "image", "name"];
    /// How often the engine has started the container again after it ended.
    pub(crate) RESTARTS: Counter = "container_restarts_total" ["id", "image", "name"];
    /// Whether some container could not be read (1) or all could (0).
    pub(crate) ERROR: Gauge = "container_scrape_error" [];
}

/// Who a container is, as its series say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The path of its cgroup.
    pub id: Box<str>,
    /// The image, as it was asked for.
    pub image: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Values of the labels that the settings ask for.
    pub more: Box<[Box<str>]>,
}

/// Writes one container's samples.
pub struct Writer<'a> {
    /// Where to.
    pub out: &'a mut Out,
    /// Who it is.
    pub labels: &'a Labels,
    /// Names of the labels that the settings ask for.
    pub more: &'a [Cow<'static, str>],
    /// Whether all details are wanted.
    pub full: bool,
}

impl Writer<'_> {
    /// One value, if there is one.
    pub fn put(&mut self, family: &'static Family<3>, value: Option<f64>) {
        if let Some(value) = value {
            let Labels { id, image, name, more } = self.labels;
            self.out.put_more(family, [id, image, name], (self.more, more), value);
        }
    }

    /// One value that is wanted only with all details.
    fn detail(&mut self, family: &'static Family<3>, value: Option<f64>) {
        if self.full {
            self.put(family, value);
        }
    }

    /// One value with a label before `id`.
    pub fn put_device(&mut self, family: &'static Family<4>, device: &str, value: Option<f64>) {
        if let Some(value) = value {
            let Labels { id, image, name, more } = self.labels;
            self.out.put_more(family, [device, id, image, name], (self.more, more), value);
        }
    }

    /// All that the cgroup files told.
    pub fn stats(&mut self, stats: &Stats, names: &mut Names) {
        self.cpu(&stats.cpu, stats.limits.cpu_quota.is_some());
        self.memory(&stats.memory);
        self.huge_pages(&stats.huge_pages);
        self.nodes(&stats.nodes);
        for device in &stats.devices {
            self.device(device, names.path(device.number));
        }
        self.tasks(&stats.tasks);
        self.pressure(&stats.pressure);
        self.limits(&stats.limits);
    }

    fn cpu(&mut self, cpu: &Cpu, limited: bool) {
        self.put_device(&CPU_USAGE, "total", cpu.usage);
        self.put(&CPU_USER, cpu.user);
        self.put(&CPU_SYSTEM, cpu.system);
        // Without a limit there is nothing to enforce: zeros that would never move.
        if limited {
            self.put(&CPU_PERIODS, cpu.periods);
            self.put(&CPU_THROTTLED_PERIODS, cpu.throttled_periods);
            self.put(&CPU_THROTTLED, cpu.throttled);
            self.detail(&CPU_BURST_PERIODS, cpu.burst_periods);
            self.detail(&CPU_BURST, cpu.burst);
        }
    }

    fn memory(&mut self, memory: &Memory) {
        self.put(&MEMORY_USAGE, memory.usage);
        self.put(&MEMORY_WORKING_SET, memory.working_set());
        self.put(&MEMORY_RSS, memory.rss);
        self.put(&MEMORY_CACHE, memory.cache);
        self.put(&MEMORY_SWAP, memory.swap);
        if self.full {
            self.memory_details(memory);
        }
    }

    fn memory_details(&mut self, memory: &Memory) {
        self.put(&MEMORY_PEAK, memory.peak);
        self.put(&MEMORY_MAPPED, memory.mapped);
        self.put(&MEMORY_KERNEL, memory.kernel);
        self.put(&MEMORY_INACTIVE_FILE, memory.inactive_file);
        self.put(&MEMORY_ACTIVE_FILE, memory.active_file);
        self.put(&MEMORY_DIRTY, memory.dirty);
        self.put(&MEMORY_WRITEBACK, memory.writeback);
        self.put(&MEMORY_SCANNED, memory.scanned);
        self.put(&MEMORY_STOLEN, memory.stolen);
        self.put(&MEMORY_REFAULT_ANON, memory.refault_anon);
        self.put(&MEMORY_REFAULT_FILE, memory.refault_file);
        self.put(&MEMORY_FAILCNT, memory.failures);
        self.put(&MEMORY_EVENTS_HIGH, memory.high);
        self.put(&MEMORY_EVENTS_MAX, memory.max);
        self.put(&MEMORY_MIGRATE, memory.migrate);
        let Labels { id, image, name, more } = self.labels;
        for (scope, faults) in [("hierarchy", memory.faults), ("container", memory.own_faults)] {
            for (kind, value) in ["pgfault", "pgmajfault"].into_iter().zip(faults) {
                if let Some(value) = value {
                    let labels = [kind, id, image, name, scope];
                    self.out.put_more(&MEMORY_FAILURES, labels, (self.more, more), value);
                }
            }
        }
    }

    fn huge_pages(&mut self, sizes: &[HugePages]) {
        let Labels { id, image, name, more } = self.labels;
        for HugePages { size, usage, peak, failures } in sizes {
            let facts = [(&HUGETLB_USAGE, usage), (&HUGETLB_PEAK, peak), (&HUGETLB_FAILCNT, failures)];
            for (family, value) in facts {
                if let Some(value) = value {
                    self.out.put_more(family, [id, image, name, size], (self.more, more), *value);
                }
            }
        }
    }

    fn nodes(&mut self, nodes: &[NodePages]) {
        let Labels { id, image, name, more } = self.labels;
        for NodePages { kind, scope, node, pages } in nodes {
            let node = node.to_string();
            let labels: [&str; 6] = [id, image, name, &node, scope, kind];
            self.out.put_more(&MEMORY_NUMA, labels, (self.more, more), *pages);
        }
    }

    fn device(&mut self, device: &Device, path: &str) {
        self.put_device(&FS_READ_BYTES, path, device.read_bytes);
        self.put_device(&FS_READS, path, device.reads);
        self.put_device(&FS_WRITE_BYTES, path, device.write_bytes);
        self.put_device(&FS_WRITES, path, device.writes);
        if !self.full {
            return;
        }
        let families = [&FS_COST_USAGE, &FS_COST_WAIT, &FS_COST_INDEBT, &FS_COST_INDELAY];
        for (family, value) in families.into_iter().zip(device.cost) {
            self.put_device(family, path, value);
        }
        let (major, minor) = (device.number.0.to_string(), device.number.1.to_string());
        let Labels { id, image, name, more } = self.labels;
        for (operation, value) in [("Read", device.read_bytes), ("Write", device.write_bytes)] {
            if let Some(value) = value {
                let labels = [path, id, image, &major, &minor, name, operation];
                self.out.put_more(&BLKIO, labels, (self.more, more), value);
            }
        }
    }

    fn tasks(&mut self, tasks: &Tasks) {
        self.put(&THREADS, tasks.threads);
        self.detail(&THREADS_MAX, tasks.threads_max);
    }

    fn pressure(&mut self, pressure: &Pressure) {
        let Pressure { cpu, memory, io } = pressure;
        self.put(&PRESSURE_CPU_WAITING, cpu[0]);
        self.put(&PRESSURE_CPU_STALLED, cpu[1]);
        self.put(&PRESSURE_MEMORY_WAITING, memory[0]);
        self.put(&PRESSURE_MEMORY_STALLED, memory[1]);
        self.put(&PRESSURE_IO_WAITING, io[0]);
        self.put(&PRESSURE_IO_STALLED, io[1]);
    }

    fn limits(&mut self, limits: &Limits) {
        self.put(&SPEC_CPU_QUOTA, limits.cpu_quota);
        self.put(&SPEC_CPU_PERIOD, limits.cpu_period);
        self.detail(&SPEC_CPU_SHARES, limits.cpu_shares);
        self.put(&SPEC_MEMORY, limits.memory);
        self.put(&SPEC_RESERVATION, limits.reservation);
        self.detail(&SPEC_SWAP, limits.swap);
    }

    /// How many processes there are.
    pub fn processes(&mut self, count: usize) {
        self.detail(&PROCESSES, Some(count as f64));
    }

    /// Traffic of its interfaces.
    pub fn network(&mut self, interfaces: &[Interface]) {
        const RECEIVED: [&Family<4>; 4] =
            [&NETWORK_RECEIVED_BYTES, &NETWORK_RECEIVED, &NETWORK_RECEIVE_ERRORS, &NETWORK_RECEIVE_DROPPED];
        const SENT: [&Family<4>; 4] =
            [&NETWORK_SENT_BYTES, &NETWORK_SENT, &NETWORK_SEND_ERRORS, &NETWORK_SEND_DROPPED];
        let Labels { id, image, name, more } = self.labels;
        for interface in interfaces {
            let values =
                RECEIVED.into_iter().zip(interface.received).chain(SENT.into_iter().zip(interface.sent));
            for (family, value) in values {
                self.out.put_more(family, [id, image, &interface.name, name], (self.more, more), value);
            }
        }
    }
}
