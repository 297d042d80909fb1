//! The charts of the page, as a table: which families they draw, and how.

use serde::Serialize;

/// How the numbers of a chart are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Parts of one: 0.25 is 25 %.
    Ratio,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// A plain number.
    Number,
}

/// How a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// Areas on top of each other: the series are parts of a whole.
    Stack,
    /// Lines.
    Lines,
    /// Bars that show the last value, with a line each for the trend.
    Bars,
}

/// How samples become the value of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The increase of the sum, a second.
    Rate,
    /// The increase of the mean, a second: a rate per CPU.
    MeanRate,
    /// The sum as it is.
    Gauge,
}

/// Which series are left out.
#[derive(Clone, Copy, Debug)]
pub struct Without {
    /// The label that decides.
    pub label: &'static str,
    /// Values left out.
    pub values: &'static [&'static str],
    /// Values that begin like this are left out too.
    pub prefixes: &'static [&'static str],
}

/// One line of a chart, or one line a value of `by`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What the line is called; with `by`, what stands behind the label's value.
    pub name: &'static str,
    /// The families that are added up, each with its factor.
    pub terms: &'static [(&'static str, f64)],
    /// A gauge that the sum is divided by.
    pub over: Option<&'static str>,
    /// The label whose values make lines.
    pub by: Option<&'static str>,
    /// Which series are left out.
    pub without: Option<Without>,
    /// How samples become the value.
    pub reduce: Reduce,
    /// Drawn downwards, so that two directions share a chart.
    pub below: bool,
}

/// One chart.
#[derive(Debug)]
pub struct Chart {
    /// A word for the API, the page and tests.
    pub id: &'static str,
    /// What stands above it.
    pub title: &'static str,
    /// How its numbers are read.
    pub unit: Unit,
    /// How it is drawn.
    pub draw: Draw,
    /// One sentence: what a high value means.
    pub help: &'static str,
    /// The exporter whose families these are.
    pub exporter: &'static str,
    /// Its lines.
    pub rules: &'static [Rule],
}

const RULE: Rule =
    Rule { name: "", terms: &[], over: None, by: None, without: None, reduce: Reduce::Gauge, below: false };

const NETWORK: Rule = Rule {
    by: Some("device"),
    reduce: Reduce::Rate,
    // The loopback is no network, and the host's ends of containers' interfaces repeat what the bridge carries.
    without: Some(Without {
        label: "device",
        values: &["lo"],
        prefixes: &["veth", "cali", "lxc", "cilium", "ifb"],
    }),
    ..RULE
};

const DISK: Rule = Rule {
    by: Some("device"),
    reduce: Reduce::Rate,
    without: Some(Without { label: "device", values: &[], prefixes: &["loop", "ram", "sr", "fd"] }),
    ..RULE
};

const PRESSURE: Rule = Rule { reduce: Reduce::Rate, ..RULE };

/// All charts, in the order in which the page shows them.
pub static CHARTS: &[Chart] = &[
    Chart {
        id: "cpu",
        title: "CPU",
        unit: Unit::Ratio,
        draw: Draw::Stack,
        help: "Time of all CPUs by what they did; 100 % is the whole machine. Steal is time another guest took.",
        exporter: "host",
        rules: &[Rule {
            terms: &[("node_cpu_seconds_total", 1.0)],
            by: Some("mode"),
            reduce: Reduce::MeanRate,
            without: Some(Without { label: "mode", values: &["idle"], prefixes: &[] }),
            ..RULE
        }],
    },
    Chart {
        id: "memory",
        title: "Memory",
        unit: Unit::Bytes,
        draw: Draw::Stack,
        help: "Used is what programs hold; the cache is given back when they need it.",
        exporter: "host",
        rules: &[
            Rule {
                name: "used",
                terms: &[("node_memory_MemTotal_bytes", 1.0), ("node_memory_MemAvailable_bytes", -1.0)],
                ..RULE
            },
            Rule {
                name: "cache",
                terms: &[("node_memory_MemAvailable_bytes", 1.0), ("node_memory_MemFree_bytes", -1.0)],
                ..RULE
            },
            Rule { name: "free", terms: &[("node_memory_MemFree_bytes", 1.0)], ..RULE },
        ],
    },
    Chart {
        id: "load",
        title: "Load",
        unit: Unit::Number,
        draw: Draw::Lines,
        help: "Tasks that run or wait for a CPU or a disk. Above the number of CPUs, work queues up.",
        exporter: "host",
        rules: &[
            Rule { name: "1 min", terms: &[("node_load1", 1.0)], ..RULE },
            Rule { name: "5 min", terms: &[("node_load5", 1.0)], ..RULE },
            Rule { name: "15 min", terms: &[("node_load15", 1.0)], ..RULE },
        ],
    },
    Chart {
        id: "pressure",
        title: "Pressure",
        unit: Unit::Ratio,
        draw: Draw::Lines,
        help: "Share of the time in which some task (or, stalled, every task) waited for CPU, memory or I/O.",
        exporter: "host",
        rules: &[
            Rule { name: "cpu", terms: &[("node_pressure_cpu_waiting_seconds_total", 1.0)], ..PRESSURE },
            Rule {
                name: "memory",
                terms: &[("node_pressure_memory_waiting_seconds_total", 1.0)],
                ..PRESSURE
            },
            Rule { name: "io", terms: &[("node_pressure_io_waiting_seconds_total", 1.0)], ..PRESSURE },
            Rule {
                name: "memory stalled",
                terms: &[("node_pressure_memory_stalled_seconds_total", 1.0)],
                ..PRESSURE
            },
            Rule {
                name: "io stalled",
                terms: &[("node_pressure_io_stalled_seconds_total", 1.0)],
                ..PRESSURE
            },
        ],
    },
    Chart {
        id: "disk_bytes",
        title: "Disk traffic",
        unit: Unit::BytesPerSecond,
        draw: Draw::Lines,
        help: "Reads above the line, writes below it, by device.",
        exporter: "host",
        rules: &[
            Rule { name: "read", terms: &[("node_disk_read_bytes_total", 1.0)], ..DISK },
            Rule { name: "write", terms: &[("node_disk_written_bytes_total", 1.0)], below: true, ..DISK },
        ],
    },
    Chart {
        id: "disk_busy",
        title: "Disk busy",
        unit: Unit::Ratio,
        draw: Draw::Lines,
        help: "Share of the time in which the device had work. An SSD or array at 100 % may still have room.",
        exporter: "host",
        rules: &[Rule { terms: &[("node_disk_io_time_seconds_total", 1.0)], ..DISK }],
    },
    Chart {
        id: "network",
        title: "Network",
        unit: Unit::BytesPerSecond,
        draw: Draw::Lines,
        help: "Received above the line, sent below it, by interface.",
        exporter: "host",
        rules: &[
            Rule { name: "in", terms: &[("node_network_receive_bytes_total", 1.0)], ..NETWORK },
            Rule {
                name: "out",
                terms: &[("node_network_transmit_bytes_total", 1.0)],
                below: true,
                ..NETWORK
            },
        ],
    },
    Chart {
        id: "swap",
        title: "Swap",
        unit: Unit::Ratio,
        draw: Draw::Lines,
        help: "Share of the swap space in use. Growth together with memory pressure means too little memory.",
        exporter: "host",
        rules: &[Rule {
            name: "used",
            terms: &[("node_memory_SwapTotal_bytes", 1.0), ("node_memory_SwapFree_bytes", -1.0)],
            over: Some("node_memory_SwapTotal_bytes"),
            ..RULE
        }],
    },
    Chart {
        id: "filesystem",
        title: "File systems",
        unit: Unit::Ratio,
        draw: Draw::Bars,
        help: "Share of the space that is not available to ordinary users, by mount point.",
        exporter: "host",
        rules: &[Rule {
            terms: &[("node_filesystem_size_bytes", 1.0), ("node_filesystem_avail_bytes", -1.0)],
            over: Some("node_filesystem_size_bytes"),
            by: Some("mountpoint"),
            // Memory, and images that are always full.
            without: Some(Without {
                label: "fstype",
                values: &["tmpfs", "ramfs", "devtmpfs", "efivarfs", "squashfs", "erofs", "iso9660"],
                prefixes: &["fuse.lxcfs"],
            }),
            ..RULE
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_told_apart_and_every_line_has_a_name() {
        let mut ids: Vec<_> = CHARTS.iter().map(|c| c.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CHARTS.len());
        for chart in CHARTS {
            assert!(!chart.rules.is_empty() && chart.help.ends_with('.'), "{}", chart.id);
            for rule in chart.rules {
                assert!(!rule.terms.is_empty(), "{}", chart.id);
                assert!(rule.by.is_some() || !rule.name.is_empty(), "{}: a line without a name", chart.id);
                let rate = matches!(rule.reduce, Reduce::Rate | Reduce::MeanRate);
                for (family, _) in rule.terms {
                    assert_eq!(
                        rate,
                        family.ends_with("_total"),
                        "{family}: rates are taken of counters only"
                    );
                }
            }
        }
    }
}
