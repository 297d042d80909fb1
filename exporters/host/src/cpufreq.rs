//! Frequencies of the CPUs from `/sys/devices/system/cpu/cpu*/cpufreq` (kernel document `admin-guide/pm/cpufreq`), in
//! hertz.
//!
//! Linux 4.14 to 5.17 on x86 sleeps 10 to 20 milliseconds for the present frequency of each CPU. A hundred of them would
//! take longer than the subject may, so that where reading is slow several threads do it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::CWD;
use taffrail_core::cost;
use taffrail_core::file::KernelFile;
use taffrail_core::{Clock, CollectError, Family, Out, Subject, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::columns::{Unit, text};
use crate::cpu_topology::{self, parse_list};
use crate::devices::Node;
use crate::{config::HostConfig, cpu_info};

metrics! {
    /// Frequency in hertz as the hardware says; from /proc/cpuinfo, with package and core, where the subject `cpu` has
    /// `info` on.
    pub(crate) FREQUENCY: Gauge = "node_cpu_frequency_hertz" ["package", "core", "cpu"];
    /// Mean frequency in hertz over a short time, as the hardware says.
    AVERAGE: Gauge = "node_cpu_frequency_avg_hertz" ["cpu"];
    /// Smallest frequency in hertz of the hardware.
    MIN: Gauge = "node_cpu_frequency_min_hertz" ["cpu"];
    /// Largest frequency in hertz of the hardware.
    MAX: Gauge = "node_cpu_frequency_max_hertz" ["cpu"];
    /// Frequency in hertz as the kernel set it.
    SCALING: Gauge = "node_cpu_scaling_frequency_hertz" ["cpu"];
    /// Smallest frequency in hertz that the kernel may set.
    SCALING_MIN: Gauge = "node_cpu_scaling_frequency_min_hertz" ["cpu"];
    /// Largest frequency in hertz that the kernel may set.
    SCALING_MAX: Gauge = "node_cpu_scaling_frequency_max_hertz" ["cpu"];
    /// Which governor sets the frequency (1), and which could (0).
    GOVERNOR: Gauge = "node_cpu_scaling_governor" ["cpu", "governor"];
}

static FREQUENCIES: [(&str, &Family<1>); 6] = [
    ("cpuinfo_avg_freq", &AVERAGE),
    ("cpuinfo_min_freq", &MIN),
    ("cpuinfo_max_freq", &MAX),
    ("scaling_cur_freq", &SCALING),
    ("scaling_min_freq", &SCALING_MIN),
    ("scaling_max_freq", &SCALING_MAX),
];

/// A set of CPUs that have one frequency, as the kernel sees it.
struct Policy {
    node: Node,
    /// Of its folder, which its CPUs share.
    inode: u64,
    current: Attribute,
    frequencies: [Attribute; FREQUENCIES.len()],
    governor: Attribute,
    governors: Vec<String>,
    cpus: Vec<String>,
    now: Reading,
}

/// What a policy's files said last.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    current: Option<f64>,
    /// As [`FREQUENCIES`] stand.
    frequencies: [Option<f64>; FREQUENCIES.len()],
    governor: Vec<u8>,
}

/// Reading that takes longer than this is done by several threads from then on.
const SLOW: Duration = Duration::from_millis(100);
/// They sleep more than they work.
const THREADS: usize = 32;

/// What is kept from run to run.
struct Cpus {
    root: PathBuf,
    /// Which CPUs are offline. One that comes or goes changes it, and gets or loses its policy.
    offline: Attribute,
    was_offline: Vec<u8>,
    policies: Vec<Policy>,
    /// Runs since the CPUs were looked up.
    runs: u32,
    is_slow: bool,
    buffer: Box<Buffer>,
}

/// The subject `cpufreq`.
pub fn subject(config: &HostConfig, clock: &Clock) -> Subject {
    let mut cpus = Cpus::new(config.sys("devices/system/cpu"));
    let clock = clock.clone();
    let mut info = config.cpu.info.then(|| KernelFile::new(config.proc("cpuinfo")));
    Subject::blocking("cpufreq", METRICS, move |out| {
        cpus.refresh();
        let begun = clock.monotonic();
        // The hardware's own frequency is left to `/proc/cpuinfo` where that is asked for: one CPU has one.
        cpus.read(info.is_none());
        cpus.is_slow |= clock.monotonic().saturating_sub(begun) > SLOW;
        for policy in &cpus.policies {
            policy.write(out);
        }
        if let Some(file) = &mut info {
            for cpu in cpu_info::parse(file.read()?) {
                cpu.write_frequency(out);
            }
        } else if cpus.policies.is_empty() {
            return Err(CollectError::Absent);
        }
        Ok(())
    })
}

impl Cpus {
    fn new(root: PathBuf) -> Self {
        Cpus {
            root,
            offline: Attribute::default(),
            was_offline: Vec::new(),
            policies: Vec::new(),
            runs: 0,
            is_slow: false,
            buffer: Box::new([0; 4096]),
        }
    }

    /// Looks the CPUs up when others are offline than before, and now and then: a driver may come late, and with it the
    /// policies.
    fn refresh(&mut self) {
        let after = if self.policies.is_empty() { 4 } else { 20 };
        let offline = self.offline.read(CWD, &self.root.join("offline"), true, &mut self.buffer);
        let offline = offline.ok().flatten().unwrap_or_default();
        self.runs += 1;
        if self.runs > 1 && self.runs <= after && *offline == *self.was_offline {
            return;
        }
        self.was_offline = offline.to_vec();
        self.policies = policies(&self.root, &parse_list(offline));
        self.runs = 1;
    }

    /// Reads all policies.
    fn read(&mut self, with_current: bool) {
        self.policies.iter_mut().for_each(|policy| policy.now = Reading::default());
        let threads = if self.is_slow { THREADS } else { 1 };
        let count = self.policies.len();
        let each = count.div_ceil(threads).max(1);
        let (mine, others) = self.policies.split_at_mut(each.min(count));
        let work = |some: &mut [Policy], buffer: &mut Buffer| {
            some.iter_mut().for_each(|policy| policy.read(with_current, buffer));
        };
        thread::scope(|scope| {
            let start = |some| {
                let work = move || {
                    work(some, &mut [0; 4096]);
                    cost::tally()
                };
                let thread = thread::Builder::new().name("cpufreq".into()).stack_size(128 << 10);
                // Without a thread (a container's limit) these are left out this once.
                thread.spawn_scoped(scope, work).ok()
            };
            let threads: Vec<_> = others.chunks_mut(each).filter_map(start).collect();
            work(mine, &mut self.buffer);
            threads.into_iter().filter_map(|thread| thread.join().ok()).for_each(cost::add);
        });
    }
}

/// The policies of all CPUs but those that are offline: those of one policy would all show the same files.
fn policies(root: &Path, offline: &BTreeSet<u32>) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for number in cpu_topology::numbers(root).difference(offline) {
        let path = root.join(format!("cpu{number}"));
        let Ok(about) = fs::metadata(path.join("cpufreq")) else { continue };
        match policies.iter_mut().find(|policy| policy.inode == about.ino()) {
            Some(policy) => policy.cpus.push(number.to_string()),
            None => policies.extend(Policy::open(&path, about.ino(), number.to_string())),
        }
    }
    policies
}

impl Policy {
    fn open(cpu: &Path, inode: u64, number: String) -> Option<Self> {
        let node = Node::open(cpu, b"cpufreq")?;
        let governors = text(&node, "scaling_available_governors").unwrap_or_default();
        Some(Policy {
            node,
            inode,
            current: Attribute::default(),
            frequencies: Default::default(),
            governor: Attribute::default(),
            governors: governors.split(' ').map(str::to_owned).collect(),
            cpus: vec![number],
            now: Reading::default(),
        })
    }

    fn read(&mut self, with_current: bool, buffer: &mut Buffer) {
        let mut read = |attribute: &mut Attribute, file: &str| {
            let value = attribute.read(&self.node, Path::new(file), true, buffer);
            // A CPU that is not there now says that it is busy; a driver that does not know says so in words.
            value.ok().flatten().and_then(number).map(|kilohertz| Unit::Kilo.scale(kilohertz))
        };
        self.now.current = if with_current { read(&mut self.current, "cpuinfo_cur_freq") } else { None };
        let attributes = self.frequencies.iter_mut().zip(&FREQUENCIES);
        for (value, (attribute, (file, _))) in self.now.frequencies.iter_mut().zip(attributes) {
            *value = read(attribute, file);
        }
        let governor = self.governor.read(&self.node, Path::new("scaling_governor"), true, buffer);
        self.now.governor = governor.ok().flatten().unwrap_or_default().to_vec();
    }

    fn write(&self, out: &mut Out) {
        let Reading { current, frequencies, governor } = &self.now;
        for cpu in &self.cpus {
            if let Some(current) = current {
                out.put(&FREQUENCY, ["", "", cpu], *current);
            }
            for ((_, family), value) in FREQUENCIES.iter().zip(frequencies) {
                if let Some(value) = value {
                    out.put(family, [cpu], *value);
                }
            }
            if !governor.is_empty() {
                for known in &self.governors {
                    let is_set = known.as_bytes() == governor;
                    out.put(&GOVERNOR, [cpu, known], if is_set { 1.0 } else { 0.0 });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_read_what_one_reads() {
        let root = tempfile::tempdir().unwrap();
        for (number, governor) in (0..100).zip(["powersave", "performance"].into_iter().cycle()) {
            let dir = root.path().join(format!("cpu{number}/cpufreq"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("scaling_cur_freq"), format!("{}\n", number + 1)).unwrap();
            fs::write(dir.join("scaling_governor"), governor).unwrap();
        }
        let mut cpus = Cpus::new(root.path().into());
        cpus.refresh();
        let mut read = |is_slow: bool| {
            cpus.is_slow = is_slow;
            cpus.read(true);
            cpus.policies.iter_mut().map(|policy| std::mem::take(&mut policy.now)).collect::<Vec<_>>()
        };
        let one = read(false);
        assert_eq!(
            (one.len(), one[99].frequencies[3], &*one[99].governor),
            (100, Some(1e5), &b"performance"[..])
        );
        assert_eq!(read(true), one);
    }
}
