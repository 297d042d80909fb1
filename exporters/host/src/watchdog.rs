//! Watchdog timers from `/sys/class/watchdog` (kernel document `ABI/sysfs-class-watchdog`): a kernel built without
//! `CONFIG_WATCHDOG_SYSFS` shows their names alone.

use taffrail_core::{Subject, metrics};

use crate::attribute::Buffer;
use crate::columns::{Column, Numbers, Texts, Unit};
use crate::config::HostConfig;
use crate::devices::{Devices, Node};

metrics! {
    /// Why the machine started last, as the timer tells it (flags of the kernel's WDIOF).
    BOOTSTATUS: Gauge = "node_watchdog_bootstatus" ["name"];
    /// Version of the timer's firmware.
    FW_VERSION: Gauge = "node_watchdog_fw_version" ["name"];
    /// Whether the timer cannot be stopped (1) or can (0).
    NOWAYOUT: Gauge = "node_watchdog_nowayout" ["name"];
    /// Seconds until the timer restarts the machine.
    TIMELEFT: Gauge = "node_watchdog_timeleft_seconds" ["name"];
    /// Seconds that the timer is set to.
    TIMEOUT: Gauge = "node_watchdog_timeout_seconds" ["name"];
    /// Seconds before its end at which the timer warns; 0 for never.
    PRETIMEOUT: Gauge = "node_watchdog_pretimeout_seconds" ["name"];
    /// Whether the timer starts from the first flash memory (1) or not (0), on machines that have two.
    ACCESS_CS0: Gauge = "node_watchdog_access_cs0" ["name"];
    /// What of the timer is no number. Always 1.
    INFO: Gauge = "node_watchdog_info" [
        "name", "options", "identity", "state", "status", "pretimeout_governor"
    ];
}

static COLUMNS: [Column<1>; 7] = [
    ("bootstatus", &BOOTSTATUS, Unit::One),
    ("fw_version", &FW_VERSION, Unit::One),
    ("nowayout", &NOWAYOUT, Unit::One),
    ("timeleft", &TIMELEFT, Unit::One),
    ("timeout", &TIMEOUT, Unit::One),
    ("pretimeout", &PRETIMEOUT, Unit::One),
    ("access_cs0", &ACCESS_CS0, Unit::One),
];
const TEXTS: [&str; 5] = ["options", "identity", "state", "status", "pretimeout_governor"];

struct Timer {
    node: Node,
    numbers: Numbers<1>,
    texts: Texts<5>,
}

/// The subject `watchdog`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut timers = Devices::new(config.sys("class/watchdog"));
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("watchdog", METRICS, move |out| {
        let new = |class: &_, name: &_| {
            let node = Node::open(class, name)?;
            Some(Timer { node, numbers: Numbers::new(&COLUMNS), texts: Texts::new(TEXTS) })
        };
        for Timer { node, numbers, texts } in timers.present(new)? {
            let name = &*node.label;
            numbers.write(&*node, [name], &mut buffer, out);
            let [options, identity, state, status, governor] = texts.read(&*node, &mut buffer);
            out.put(&INFO, [name, options, identity, state, status, governor], 1.0);
        }
        Ok(())
    })
}
