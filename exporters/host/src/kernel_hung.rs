//! Tasks that the kernel found hung, from `/proc/sys/kernel/hung_task_detect_count` (kernel document
//! `admin-guide/sysctl/kernel`; since Linux 6.13).

use taffrail_core::{Subject, metrics};

use crate::config::HostConfig;
use crate::number_file::Numbers;

metrics! {
    /// Tasks found hung since the machine started.
    TASKS: Counter = "node_kernel_hung_tasks_total" [];
    /// Tasks found hung since the machine started, under the name that rules in the field ask for.
    TASKS_AS_ASKED: Counter = "node_kernel_hung_tasks" [] irregular;
}

/// The subject `kernel_hung`.
pub fn subject(config: &HostConfig) -> Subject {
    const FILE: &str = "hung_task_detect_count";
    let mut numbers =
        Numbers::new(&config.proc("sys/kernel"), &[(FILE, &TASKS, 1.0), (FILE, &TASKS_AS_ASKED, 1.0)]);
    Subject::blocking("kernel_hung", METRICS, move |out| numbers.write(out))
}
