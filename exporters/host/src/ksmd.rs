//! Merging of equal pages from `/sys/kernel/mm/ksm` (kernel document `admin-guide/mm/ksm`).

use taffrail_core::{Subject, metrics};

use crate::config::HostConfig;
use crate::number_file::Numbers;

metrics! {
    /// How often all areas that may be merged were scanned.
    FULL_SCANS: Counter = "node_ksmd_full_scans_total" [];
    /// Bytes that merging saves, less what it needs itself; negative where it does not pay.
    GENERAL_PROFIT: Gauge = "node_ksmd_general_profit_bytes" [];
    /// Whether pages of different NUMA nodes may be merged (1) or not (0).
    MERGE_ACROSS_NODES: Gauge = "node_ksmd_merge_across_nodes" [];
    /// Pages that are used in place of several equal ones.
    PAGES_SHARED: Gauge = "node_ksmd_pages_shared" [];
    /// Places that use them, which is how many pages are saved.
    PAGES_SHARING: Gauge = "node_ksmd_pages_sharing" [];
    /// Pages to scan before a rest.
    PAGES_TO_SCAN: Gauge = "node_ksmd_pages_to_scan" [];
    /// Pages that have no equal, and are looked at again and again.
    PAGES_UNSHARED: Gauge = "node_ksmd_pages_unshared" [];
    /// Pages that change too fast to be compared.
    PAGES_VOLATILE: Gauge = "node_ksmd_pages_volatile" [];
    /// What the daemon does: 0 stopped, 1 runs, 2 undoes its merges.
    RUN: Gauge = "node_ksmd_run" [];
    /// Seconds of rest between two scans.
    SLEEP: Gauge = "node_ksmd_sleep_seconds" [];
}

/// The subject `ksmd`.
pub fn subject(config: &HostConfig) -> Subject {
    let files = [
        ("full_scans", &FULL_SCANS, 1.0),
        ("general_profit", &GENERAL_PROFIT, 1.0),
        ("merge_across_nodes", &MERGE_ACROSS_NODES, 1.0),
        ("pages_shared", &PAGES_SHARED, 1.0),
        ("pages_sharing", &PAGES_SHARING, 1.0),
        ("pages_to_scan", &PAGES_TO_SCAN, 1.0),
        ("pages_unshared", &PAGES_UNSHARED, 1.0),
        ("pages_volatile", &PAGES_VOLATILE, 1.0),
        ("run", &RUN, 1.0),
        ("sleep_millisecs", &SLEEP, 1e-3),
    ];
    let mut numbers = Numbers::new(&config.sys("kernel/mm/ksm"), &files);
    Subject::blocking("ksmd", METRICS, move |out| numbers.write(out))
}
