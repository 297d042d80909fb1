//! Times of the CPUs in seconds from `/proc/stat` (proc_stat(5)); which are online or isolated and how often they were
//! throttled from `/sys/devices/system/cpu` (kernel documents `admin-guide/cputopology`, `ABI/sysfs-devices-system-cpu`).

use taffrail_core::{Clock, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::cpu_info::Info;
use crate::cpu_topology::Topology;
use crate::proc_stat::{Reader, Shared, Ticks};

metrics! {
    /// Seconds the CPUs spent in each mode.
    pub(crate) SECONDS: Counter = "node_cpu_seconds_total" ["cpu", "mode"];
    /// Seconds the CPUs spent running virtual machines; user and nice contain them too.
    pub(crate) GUEST: Counter = "node_cpu_guest_seconds_total" ["cpu", "mode"];
    /// How often a core was slowed down because it was too hot.
    pub(crate) CORE_THROTTLES: Counter = "node_cpu_core_throttles_total" ["package", "core"];
    /// How often a processor package was slowed down because it was too hot.
    pub(crate) PACKAGE_THROTTLES: Counter = "node_cpu_package_throttles_total" ["package"];
    /// CPUs that the scheduler leaves alone. Always 1.
    pub(crate) ISOLATED: Gauge = "node_cpu_isolated" ["cpu"];
    /// Whether a CPU is online (1) or not (0).
    pub(crate) ONLINE: Gauge = "node_cpu_online" ["cpu"];
    /// What /proc/cpuinfo says of a CPU. Always 1.
    pub(crate) INFO: Gauge = "node_cpu_info" [
        "package", "core", "cpu", "vendor", "family", "model", "model_name", "microcode", "stepping", "cachesize"
    ];
    /// What the first CPU can do. Always 1.
    pub(crate) FLAG: Gauge = "node_cpu_flag_info" ["flag"];
    /// Known faults of the first CPU. Always 1.
    pub(crate) BUG: Gauge = "node_cpu_bug_info" ["bug"];
}

/// The modes of the first eight times.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
const IDLE: usize = 3;
/// A CPU whose idle time goes back by this much was unplugged and plugged in again: its counters start anew.
const REPLUGGED_SECONDS: u64 = 3;

/// The subject `cpu`.
pub fn subject(config: &HostConfig, clock: &Clock) -> Subject {
    sharing(config, Shared::new(config, clock))
}

/// The subject, on a file that another subject reads too.
pub(crate) fn sharing(config: &HostConfig, file: Shared) -> Subject {
    let guest = config.cpu.guest;
    let mut times = Times::default();
    let mut topology = Topology::new(config);
    let mut info = config.cpu.info.then(|| Info::new(config));
    Subject::blocking("cpu", METRICS, move |out| {
        if let Some(info) = &mut info {
            info.write(out)?;
        }
        let changed = times.update(&file.read(Reader::Cpu)?.cpus);
        times.write(guest, out);
        topology.write(changed, out);
        Ok(())
    })
}

/// The times of all CPUs, kept from going back.
///
/// The kernel's own do: idle and iowait are estimates for a CPU that sleeps (proc_stat(5) says so of iowait), and a
/// counter that goes back by a hundredth looks to `rate()` like a restart from zero.
#[derive(Debug)]
struct Times {
    hertz: u64,
    cpus: Vec<Cpu>,
}

#[derive(Debug)]
struct Cpu {
    number: u32,
    label: String,
    ticks: Ticks,
}

impl Default for Times {
    fn default() -> Self {
        Times { hertz: rustix::param::clock_ticks_per_second().max(1), cpus: Vec::new() }
    }
}

impl Times {
    /// Takes over a reading, and says whether CPUs came or went.
    fn update(&mut self, present: &[(u32, Ticks)]) -> bool {
        let same = self.cpus.iter().map(|cpu| cpu.number).eq(present.iter().map(|(number, _)| *number));
        if !same {
            let mut before = std::mem::take(&mut self.cpus);
            self.cpus = present
                .iter()
                .map(|&(number, ticks)| match before.iter().position(|cpu| cpu.number == number) {
                    Some(at) => before.swap_remove(at),
                    None => Cpu { number, label: number.to_string(), ticks },
                })
                .collect();
        }
        let replugged = REPLUGGED_SECONDS * self.hertz;
        for (cpu, (_, now)) in self.cpus.iter_mut().zip(present) {
            if cpu.ticks[IDLE] >= now[IDLE].saturating_add(replugged) {
                cpu.ticks = *now;
            }
            for (kept, now) in cpu.ticks.iter_mut().zip(now) {
                *kept = (*kept).max(*now);
            }
        }
        !same
    }

    fn write(&self, guest: bool, out: &mut Out) {
        let hertz = self.hertz as f64;
        for Cpu { label, ticks, .. } in &self.cpus {
            for (mode, ticks) in MODES.iter().zip(ticks) {
                out.put(&SECONDS, [label, mode], *ticks as f64 / hertz);
            }
            if guest {
                out.put(&GUEST, [label, "user"], ticks[8] as f64 / hertz);
                out.put(&GUEST, [label, "nice"], ticks[9] as f64 / hertz);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(number: u32, user: u64, idle: u64, iowait: u64) -> (u32, Ticks) {
        (number, [user, 0, 0, idle, iowait, 0, 0, 0, 0, 0])
    }

    fn times() -> Times {
        Times { hertz: 100, cpus: Vec::new() }
    }

    #[test]
    fn a_small_step_back_is_held_and_a_great_one_starts_anew() {
        let mut times = times();
        times.update(&[cpu(0, 500, 1000, 50)]);
        times.update(&[cpu(0, 501, 999, 40)]);
        assert_eq!(times.cpus[0].ticks[..5], [501, 0, 0, 1000, 50]);
        times.update(&[cpu(0, 7, 699, 1)]);
        assert_eq!(times.cpus[0].ticks[..5], [7, 0, 0, 699, 1]);
        times.update(&[cpu(0, 6, 400, 1)]);
        assert_eq!(times.cpus[0].ticks[..5], [7, 0, 0, 699, 1], "2.99 s are no new start");
    }

    #[test]
    fn cpus_come_and_go() {
        let mut times = times();
        assert!(times.update(&[cpu(0, 1, 1, 1), cpu(1, 2, 2, 2)]));
        assert!(!times.update(&[cpu(0, 1, 1, 1), cpu(1, 2, 2, 2)]));
        assert!(times.update(&[cpu(1, 2, 2, 1)]));
        assert_eq!((times.cpus.len(), times.cpus[0].number, times.cpus[0].ticks[4]), (1, 1, 2));
        assert!(times.update(&[cpu(0, 0, 0, 0), cpu(1, 2, 2, 2)]));
        assert_eq!(times.cpus[0].ticks, Ticks::default(), "one that comes back begins anew");
    }
}
