//! Counts of the whole machine from `/proc/stat` (proc_stat(5)).

use taffrail_core::{Clock, Subject, metrics};

use crate::config::HostConfig;
use crate::proc_stat::{Reader, Shared};

metrics! {
    /// Interrupts handled since boot.
    INTERRUPTS: Counter = "node_intr_total" [];
    /// Context switches since boot.
    CONTEXT_SWITCHES: Counter = "node_context_switches_total" [];
    /// Processes and threads started since boot.
    FORKS: Counter = "node_forks_total" [];
    /// When the machine started, in seconds since 1970.
    BOOT_TIME: Gauge = "node_boot_time_seconds" [];
    /// Processes that run or could.
    RUNNING: Gauge = "node_procs_running" [];
    /// Processes that wait for a disk or the like and cannot be interrupted.
    BLOCKED: Gauge = "node_procs_blocked" [];
    /// Soft interrupts handled since boot by vector.
    SOFTIRQS: Counter = "node_softirqs_total" ["vector"];
}

/// The vectors in the kernel's order (`include/linux/interrupt.h`).
const VECTORS: [&str; 10] =
    ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];

/// The subject `stat`.
pub fn subject(config: &HostConfig, clock: &Clock) -> Subject {
    sharing(config, Shared::new(config, clock))
}

/// The subject, on a file that another subject reads too.
pub(crate) fn sharing(config: &HostConfig, file: Shared) -> Subject {
    let softirq = config.stat.softirq;
    Subject::blocking("stat", METRICS, move |out| {
        let stat = file.read(Reader::Stat)?;
        let values = [
            (&INTERRUPTS, stat.interrupts),
            (&CONTEXT_SWITCHES, stat.context_switches),
            (&FORKS, stat.forks),
            (&BOOT_TIME, stat.boot_time),
            (&RUNNING, stat.running),
            (&BLOCKED, stat.blocked),
        ];
        for (family, value) in values {
            if let Some(value) = value {
                out.put(family, [], value);
            }
        }
        if softirq {
            for (vector, value) in VECTORS.iter().zip(&stat.softirqs) {
                out.put(&SOFTIRQS, [vector], *value);
            }
        }
        Ok(())
    })
}
