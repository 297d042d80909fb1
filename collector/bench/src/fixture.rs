//! Trees of files as the kernel shows them on a machine of any size: so many mounts, interfaces, disks, CPUs.

use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// How much of everything a machine has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub mounts: usize,
    pub interfaces: usize,
    pub disks: usize,
    pub cpus: usize,
}

/// A tree in a temporary folder, removed when this is dropped.
pub struct Fixture {
    root: PathBuf,
}

/// Interrupts of a machine; each has a count for every CPU.
const INTERRUPTS: usize = 60;

impl Fixture {
    /// Writes the tree of a machine.
    pub fn new(size: Size) -> io::Result<Self> {
        let root = std::env::temp_dir().join(format!("taffrail-bench-machine-{}", std::process::id()));
        // What a run that was killed has left.
        let _ = fs::remove_dir_all(&root);
        let fixture = Fixture { root };
        fixture.first_process()?;
        fixture.mounts(size.mounts)?;
        fixture.interfaces(size.interfaces)?;
        fixture.disks(size.disks)?;
        fixture.cpus(size.cpus)?;
        Ok(fixture)
    }

    /// Its procfs.
    pub fn procfs(&self) -> PathBuf {
        self.root.join("proc")
    }

    /// Its sysfs.
    pub fn sysfs(&self) -> PathBuf {
        self.root.join("sys")
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) -> io::Result<()> {
        write(&self.root.join(path), text.as_ref())
    }

    fn first_process(&self) -> io::Result<()> {
        self.write("proc/2/comm", "kthreadd\n")?;
        self.write("proc/sys/net/core/netdev_budget", "300\n")?;
        self.write("proc/1/comm", "init\n")?;
        symlink("1", self.root.join("proc/self"))?;
        symlink("self/net", self.root.join("proc/net"))
    }

    fn mounts(&self, count: usize) -> io::Result<()> {
        let mut list = "20 1 259:1 / / rw,relatime - ext4 /dev/root rw\n".to_owned();
        for n in 0..count {
            put(
                &mut list,
                format_args!("{} 20 8:{n} / /srv/volume-{n} rw,relatime - ext4 /dev/sd{n} rw\n", n + 21),
            );
        }
        self.write("proc/1/mountinfo", &list)?;
        let list = list.lines().map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            format!("{} {} ext4 rw 0 0\n", fields[8], fields[4])
        });
        self.write("proc/1/mounts", list.collect::<String>())
    }

    fn interfaces(&self, count: usize) -> io::Result<()> {
        let mut list =
            "Inter-|   Receive |  Transmit\n face |bytes    packets errs drop fifo frame compressed \
                        multicast|bytes    packets errs drop fifo colls carrier compressed\n"
                .to_owned();
        fs::create_dir_all(self.root.join("sys/class/net"))?;
        for n in 0..count {
            put(&mut list, format_args!("  ens{n}: 91{n} 7{n} 0 0 0 0 0 0 82{n} 6{n} 0 0 0 0 0 0\n"));
            let numbers = [
                ("addr_assign_type", 0),
                ("carrier", 1),
                ("carrier_changes", 2),
                ("carrier_up_count", 1),
                ("carrier_down_count", 1),
                ("dev_id", 0),
                ("dormant", 0),
                ("ifindex", n + 1),
                ("iflink", n + 1),
                ("link_mode", 0),
                ("mtu", 1500),
                ("name_assign_type", 4),
                ("netdev_group", 0),
                ("speed", 10000),
                ("tx_queue_len", 1000),
                ("type", 1),
                ("statistics/rx_nohandler", 0),
            ];
            for (name, value) in numbers {
                self.write(&format!("sys/class/net/ens{n}/{name}"), format!("{value}\n"))?;
            }
            let address = format!("02:00:00:00:{:02x}:{:02x}\n", n / 256, n % 256);
            let texts = [
                ("address", address.as_str()),
                ("broadcast", "ff:ff:ff:ff:ff:ff\n"),
                ("duplex", "full\n"),
                ("flags", "0x1003\n"),
                ("ifalias", "\n"),
                ("operstate", "up\n"),
            ];
            for (name, value) in texts {
                self.write(&format!("sys/class/net/ens{n}/{name}"), value)?;
            }
        }
        self.write("proc/1/net/dev", list)
    }

    fn disks(&self, count: usize) -> io::Result<()> {
        let mut list = String::new();
        for n in 0..count {
            put(
                &mut list,
                format_args!(" 253 {n} dm-{n} 54{n} 0 431{n} 291 87{n} 0 709{n} 513 0 402 804 0 0 0 0 0 0\n"),
            );
            self.write(&format!("sys/block/dm-{n}/queue/rotational"), "0\n")?;
        }
        self.write("proc/diskstats", list)
    }

    fn cpus(&self, count: usize) -> io::Result<()> {
        let mut stat = "cpu  1000 20 300 40000 50 0 6 7 0 0\n".to_owned();
        let (mut info, mut softnet, mut schedstat) =
            (String::new(), String::new(), "version 17\ntimestamp 4294900000\n".to_owned());
        for n in 0..count {
            put(&mut stat, format_args!("cpu{n} 1{n} 20 30 4000{n} 5 0 6 7 0 0\n"));
            put(
                &mut info,
                format_args!(
                    "processor\t: {n}\nphysical id\t: 0\ncore id\t\t: {n}\ncpu MHz\t\t: 2400.000\n\n"
                ),
            );
            put(&mut softnet, format_args!("0000{n:04x}{}\n", " 00000000".repeat(14)));
            put(&mut schedstat, format_args!("cpu{n} 0 0 0 0 0 0 91{n} 82{n} 73\n"));
            let cpu = format!("sys/devices/system/cpu/cpu{n}");
            for (name, value) in [
                ("topology/core_id", n),
                ("topology/physical_package_id", 0),
                ("thermal_throttle/core_throttle_count", n),
                ("thermal_throttle/package_throttle_count", 3),
                ("cpufreq/cpuinfo_max_freq", 3_600_000),
                ("cpufreq/cpuinfo_min_freq", 800_000),
                ("cpufreq/scaling_cur_freq", 2_400_000 + n),
                ("cpufreq/scaling_max_freq", 3_600_000),
                ("cpufreq/scaling_min_freq", 800_000),
            ] {
                self.write(&format!("{cpu}/{name}"), format!("{value}\n"))?;
            }
        }
        stat.push_str("intr 700 1 2 3\nctxt 900\nbtime 1795225326\nprocesses 42\nprocs_running 1\nprocs_blocked 0\nsoftirq 5 1 1 1 1 1 0 0 0 0 0\n");
        self.write("proc/stat", stat)?;
        self.write("proc/cpuinfo", info)?;
        self.write("proc/1/net/softnet_stat", softnet)?;
        self.write("proc/schedstat", schedstat)?;
        self.write("sys/devices/system/cpu/online", format!("0-{}\n", count.saturating_sub(1)))?;
        let rows =
            ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];
        self.write("proc/softirqs", table(&rows.map(|row| (row.to_owned(), "")), count))?;
        let rows: Vec<_> =
            (0..INTERRUPTS).map(|n| (n.to_string(), "  PCI-MSIX-0000:00:04.0 0-edge nvme0q0")).collect();
        self.write("proc/interrupts", table(&rows, count))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // It lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// A column for each CPU, as `/proc/interrupts` has them.
fn table(rows: &[(String, &str)], cpus: usize) -> String {
    let mut text = " ".repeat(4);
    (0..cpus).for_each(|n| put(&mut text, format_args!(" {:>10}", format!("CPU{n}"))));
    text.push('\n');
    for (at, (name, end)) in rows.iter().enumerate() {
        put(&mut text, format_args!("{name:>4}:"));
        (0..cpus).for_each(|n| put(&mut text, format_args!(" {:>10}", at * 1000 + n + 1)));
        text.push_str(end);
        text.push('\n');
    }
    text
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
