//! What the cgroup files say of one container, whatever the version: in the units that are published.

use std::sync::Arc;

use crate::numa::NodePages;

/// All of one container. What its kernel, version or controllers do not tell is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Time on CPUs.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Huge pages by their size.
    pub huge_pages: Vec<HugePages>,
    /// Pages by NUMA node.
    pub nodes: Vec<NodePages>,
    /// Reads and writes by block device.
    pub devices: Vec<Device>,
    /// Processes and threads.
    pub tasks: Tasks,
    /// Time lost waiting.
    pub pressure: Pressure,
    /// What it may use.
    pub limits: Limits,
}

/// Time on CPUs, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cpu {
    /// All of it.
    pub usage: Option<f64>,
    /// In user mode.
    pub user: Option<f64>,
    /// In the kernel.
    pub system: Option<f64>,
    /// Periods of enforcement in which it ran.
    pub periods: Option<f64>,
    /// Of those, how many in which it was made to wait.
    pub throttled_periods: Option<f64>,
    /// Seconds it was made to wait.
    pub throttled: Option<f64>,
    /// Periods in which it went beyond its quota with what it had saved.
    pub burst_periods: Option<f64>,
    /// Seconds beyond its quota.
    pub burst: Option<f64>,
}

/// Memory, in bytes, and counts of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// All that is charged to it.
    pub usage: Option<f64>,
    /// The most there ever was.
    pub peak: Option<f64>,
    /// Pages of files.
    pub cache: Option<f64>,
    /// Anonymous memory.
    pub rss: Option<f64>,
    /// Swapped out.
    pub swap: Option<f64>,
    /// Files that are mapped.
    pub mapped: Option<f64>,
    /// Of the kernel.
    pub kernel: Option<f64>,
    /// Pages of files that were not used of late: what the kernel takes back first.
    pub inactive_file: Option<f64>,
    /// Pages of files in use.
    pub active_file: Option<f64>,
    /// Waits to be written.
    pub dirty: Option<f64>,
    /// Is being written.
    pub writeback: Option<f64>,
    /// Page faults, and those of them that had to read a disk: in the container with all below it.
    pub faults: [Option<f64>; 2],
    /// The same, in the container's own cgroup alone, where that is told.
    pub own_faults: [Option<f64>; 2],
    /// Pages looked at, and pages taken back.
    pub scanned: Option<f64>,
    /// Pages taken back.
    pub stolen: Option<f64>,
    /// Anonymous pages that came back soon after they went.
    pub refault_anon: Option<f64>,
    /// Pages of files that did.
    pub refault_file: Option<f64>,
    /// How often the limit was hit.
    pub failures: Option<f64>,
    /// How often it was slowed down at `memory.high`.
    pub high: Option<f64>,
    /// How often it went for more than `memory.max`.
    pub max: Option<f64>,
    /// Processes killed for lack of memory.
    pub oom_kills: Option<f64>,
    /// Whether its pages follow it to other nodes.
    pub migrate: Option<f64>,
}

impl Memory {
    /// Memory in use that cannot be taken back at once: all but pages of files not used of late. It is what the kernel's
    /// killer goes by, about.
    pub fn working_set(&self) -> Option<f64> {
        let usage = self.usage?;
        Some((usage - self.inactive_file.unwrap_or(0.0)).max(0.0))
    }
}

/// Huge pages of one size, in bytes, and a count of events.
#[derive(Clone, Debug, PartialEq)]
pub struct HugePages {
    /// Their size, as the kernel writes it: `2MB`.
    pub size: Arc<str>,
    /// In use.
    pub usage: Option<f64>,
    /// The most there ever was.
    pub peak: Option<f64>,
    /// How often the limit was hit.
    pub failures: Option<f64>,
}

/// Reads and writes of one block device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    /// Its numbers, `major:minor`.
    pub number: (u32, u32),
    /// Bytes read.
    pub read_bytes: Option<f64>,
    /// Bytes written.
    pub write_bytes: Option<f64>,
    /// Reads.
    pub reads: Option<f64>,
    /// Writes.
    pub writes: Option<f64>,
    /// Times of the controller that shares devices by their cost, in seconds: usage, wait, in debt, in delay.
    pub cost: [Option<f64>; 4],
}

/// Processes and threads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tasks {
    /// Threads.
    pub threads: Option<f64>,
    /// How many there may be; 0 without a limit.
    pub threads_max: Option<f64>,
}

/// Seconds lost waiting: some task, all tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pressure {
    /// For a CPU.
    pub cpu: [Option<f64>; 2],
    /// For memory.
    pub memory: [Option<f64>; 2],
    /// For disks.
    pub io: [Option<f64>; 2],
}

/// What the container may use. 0 means no limit, as it does for those who ask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Microseconds of CPU time a period; none without a limit.
    pub cpu_quota: Option<f64>,
    /// Microseconds a period.
    pub cpu_period: Option<f64>,
    /// Share of the CPUs when they are short, in the measure of version 1 (1024 is the default).
    pub cpu_shares: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<f64>,
    /// Bytes of memory that are kept for it.
    pub reservation: Option<f64>,
    /// Bytes of swap (version 2), of memory and swap (version 1).
    pub swap: Option<f64>,
}

/// Above this the kernel means that there is no limit: it writes the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 62;

/// A limit as it is published: 0 for none.
pub fn limited(limit: Option<u64>) -> Option<f64> {
    Some(limit.filter(|limit| *limit < NO_LIMIT).unwrap_or(0) as f64)
}

impl Stats {
    /// The device's entry, made if it is not there.
    pub fn device(&mut self, number: (u32, u32)) -> &mut Device {
        let at = self.devices.iter().position(|device| device.number == number).unwrap_or_else(|| {
            self.devices.push(Device { number, ..Device::default() });
            self.devices.len() - 1
        });
        &mut self.devices[at]
    }
}
