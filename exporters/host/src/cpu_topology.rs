//! What sysfs says of the CPUs: their place in cores and packages, throttling, online, isolated.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use taffrail_core::Out;

use crate::attribute::{Attribute, Buffer, number};
use crate::config::HostConfig;
use crate::cpu::{CORE_THROTTLES, ISOLATED, ONLINE, PACKAGE_THROTTLES};
use crate::scan;

/// Files of throttle counts that are kept open; those of larger machines are opened for each reading.
const MAX_OPEN: usize = 64;

/// The CPUs in sysfs, looked up again when `/proc/stat` has other CPUs than before.
pub(crate) struct Topology {
    root: PathBuf,
    counts: Vec<Count>,
    isolated: Vec<String>,
    /// The CPUs there are, where the kernel says of the first whether it is online; else none.
    switchable: Vec<(u32, String)>,
    online: Attribute,
    buffer: Box<Buffer>,
}

/// A throttle count: of a core, or (without one) of a package.
struct Count {
    package: String,
    core: Option<String>,
    path: PathBuf,
    file: Attribute,
}

impl Topology {
    pub(crate) fn new(config: &HostConfig) -> Self {
        Topology {
            root: config.sys("devices/system/cpu"),
            counts: Vec::new(),
            isolated: Vec::new(),
            switchable: Vec::new(),
            online: Attribute::Closed,
            buffer: Box::new([0; 4096]),
        }
    }

    /// Writes what there is; `changed` says that CPUs came or went.
    pub(crate) fn write(&mut self, changed: bool, out: &mut Out) {
        if changed {
            self.look_up();
        }
        for cpu in &self.isolated {
            out.put(&ISOLATED, [cpu], 1.0);
        }
        for (at, Count { package, core, path, file }) in self.counts.iter_mut().enumerate() {
            let count = file.read(CWD, path, at < MAX_OPEN, &mut self.buffer);
            let Some(count) = count.ok().flatten().and_then(number) else { continue };
            match core {
                Some(core) => out.put(&CORE_THROTTLES, [package, core], count),
                None => out.put(&PACKAGE_THROTTLES, [package], count),
            }
        }
        if !self.switchable.is_empty() {
            let list = self.online.read(CWD, &self.root.join("online"), true, &mut self.buffer);
            let online = list.ok().flatten().map(parse_list).unwrap_or_default();
            for (number, label) in &self.switchable {
                out.put(&ONLINE, [label], if online.contains(number) { 1.0 } else { 0.0 });
            }
        }
    }

    fn look_up(&mut self) {
        let isolated = read(&self.root.join("isolated")).map(|list| parse_list(&list)).unwrap_or_default();
        self.isolated = isolated.iter().map(u32::to_string).collect();
        let numbers = numbers(&self.root);
        let first_says = numbers.first().is_some_and(|n| self.root.join(format!("cpu{n}/online")).exists());
        self.switchable =
            if first_says { numbers.iter().map(|n| (*n, n.to_string())).collect() } else { Vec::new() };
        self.counts = self.throttles(&numbers);
    }

    /// One count a core and one a package, each from the first CPU that has it: the others of the core show the same.
    fn throttles(&self, numbers: &BTreeSet<u32>) -> Vec<Count> {
        let mut seen = BTreeSet::new();
        let mut counts = Vec::new();
        for number in numbers {
            let dir = self.root.join(format!("cpu{number}"));
            let place = |name: &str| {
                let value = read(&dir.join("topology").join(name))?;
                // An offline CPU has no place, and an unknown one is -1.
                scan::integer(scan::trim(&value)).map(|value| value.to_string())
            };
            let (Some(package), Some(core)) = (place("physical_package_id"), place("core_id")) else {
                continue;
            };
            for (core, name) in [(None, "package_throttle_count"), (Some(core), "core_throttle_count")] {
                let path = dir.join("thermal_throttle").join(name);
                if path.exists() && seen.insert((package.clone(), core.clone())) {
                    counts.push(Count { package: package.clone(), core, path, file: Attribute::Closed });
                }
            }
        }
        counts
    }
}

/// The numbers of the CPUs there are, online or not.
pub(crate) fn numbers(root: &Path) -> BTreeSet<u32> {
    let Ok(entries) = fs::read_dir(root) else { return BTreeSet::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix("cpu")?.parse().ok()).collect()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    taffrail_core::file::read_once(path).ok()
}

/// Parses a list of CPUs: `0-3,8`. What is no number is left out; no list is longer than the CPUs Linux can have.
pub(crate) fn parse_list(list: &[u8]) -> BTreeSet<u32> {
    const MAX_CPUS: u32 = 8192;
    let mut cpus = BTreeSet::new();
    for range in scan::trim(list).split(|b| *b == b',') {
        let mut ends = range.splitn(2, |b| *b == b'-');
        let mut end = || u32::try_from(scan::integer(ends.next()?)?).ok();
        let Some(first) = end() else { continue };
        let last = end().unwrap_or(first).min(MAX_CPUS);
        cpus.extend(first..=last);
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        let list = |text: &[u8]| parse_list(text).into_iter().collect::<Vec<_>>();
        assert_eq!(list(b"0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(list(b"2\n"), [2]);
        assert!(list(b"\n").is_empty());
        assert_eq!(list(b"x,3-1,5"), [5]);
        assert_eq!(list(b"0-4294967295").len(), 8193);
    }
}
