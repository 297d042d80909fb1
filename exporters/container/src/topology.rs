//! The CPUs of the machine, how they belong together, and their caches: `devices/system/cpu` of sysfs (kernel documents
//! `admin-guide/cputopology` and `ABI/testing/sysfs-devices-system-cpu`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use taffrail_core::file::read_once;

use crate::scan;

/// The CPUs that are online, by number.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// All of them.
    pub cpus: Vec<Cpu>,
}

/// One CPU: a thread of a core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub number: u64,
    /// Its core's number, which is told once a socket.
    pub core: String,
    /// Its socket's number.
    pub socket: String,
    /// Its book's and its drawer's numbers, on machines that have such (s390).
    pub above: [Option<String>; 2],
}

/// One cache of a CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 is the nearest.
    pub level: String,
    /// `Data`, `Instruction` or `Unified`.
    pub kind: String,
    /// Its size.
    pub bytes: u64,
    /// How many CPUs share it.
    pub shared: usize,
}

impl Topology {
    /// From `devices/system/cpu`; a CPU that is offline has no topology.
    pub fn read(sysfs: &Path) -> Self {
        let mut cpus = Vec::new();
        let entries = fs::read_dir(sysfs.join("devices/system/cpu")).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let number = name.as_encoded_bytes().strip_prefix(b"cpu").and_then(scan::integer);
            let folder = entry.path().join("topology");
            let (Some(number), Some(core), Some(socket)) =
                (number, text(&folder, "core_id"), text(&folder, "physical_package_id"))
            else {
                continue;
            };
            let above = ["book_id", "drawer_id"].map(|file| text(&folder, file));
            cpus.push(Cpu { number, core, socket, above });
        }
        cpus.sort_unstable_by_key(|cpu| cpu.number);
        Topology { cpus }
    }

    /// How many cores there are: threads of one count once.
    pub fn cores(&self) -> usize {
        self.cpus.iter().map(|cpu| (&cpu.socket, &cpu.core)).collect::<BTreeSet<_>>().len()
    }

    /// How many sockets have a CPU.
    pub fn sockets(&self) -> usize {
        self.cpus.iter().map(|cpu| &cpu.socket).collect::<BTreeSet<_>>().len()
    }

    /// How many books and drawers there are; none where they are not told of.
    pub fn above(&self) -> [Option<usize>; 2] {
        [0, 1].map(|at| {
            let numbers: BTreeSet<_> = self.cpus.iter().filter_map(|cpu| cpu.above[at].as_ref()).collect();
            (!numbers.is_empty()).then_some(numbers.len())
        })
    }

    /// How many threads the core of a CPU has.
    pub fn siblings(&self, cpu: &Cpu) -> usize {
        self.cpus.iter().filter(|other| (&other.socket, &other.core) == (&cpu.socket, &cpu.core)).count()
    }
}

/// The caches of a CPU, the nearest first; none where the hardware does not tell.
pub fn caches(sysfs: &Path, cpu: u64) -> Vec<Cache> {
    let folder = sysfs.join(format!("devices/system/cpu/cpu{cpu}/cache"));
    let mut caches: Vec<Cache> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let folder = entry.path();
        let size = text(&folder, "size").and_then(|size| size_of(&size));
        if let (Some(level), Some(kind), Some(bytes)) = (text(&folder, "level"), text(&folder, "type"), size)
        {
            let shared = text(&folder, "shared_cpu_list").and_then(|list| parse_list(list.as_bytes()));
            caches.push(Cache { level, kind, bytes, shared: shared.map_or(1, |cpus| cpus.len()) });
        }
    }
    caches.sort_unstable_by(|a, b| (&a.level, &a.kind).cmp(&(&b.level, &b.kind)));
    caches
}

/// A size as the kernel writes it: `32K`.
fn size_of(text: &str) -> Option<u64> {
    scan::integer(text.strip_suffix('K')?.as_bytes())?.checked_mul(1024)
}

/// The most CPUs that a list may name; the kernel is built for at most 8,192.
const MAX_CPUS: u64 = 65_536;

/// A list as the kernel writes it: `0-3,8`. An empty one is a node without CPUs.
pub fn parse_list(bytes: &[u8]) -> Option<BTreeSet<u64>> {
    let mut cpus = BTreeSet::new();
    for part in bytes.trim_ascii().split(|b| *b == b',').filter(|part| !part.is_empty()) {
        let dash = memchr::memchr(b'-', part);
        let (first, last) = dash.map_or((part, part), |at| (&part[..at], &part[at + 1..]));
        let (first, last) = (scan::integer(first)?, scan::integer(last)?);
        if last >= MAX_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// What a file of sysfs says, if it is there.
pub fn text(folder: &Path, file: &str) -> Option<String> {
    let bytes = read_once(&folder.join(file)).ok()?;
    String::from_utf8(bytes.trim_ascii().to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine() {
        let topology = Topology::read(Path::new("/sys"));
        assert!(topology.cpus.len() >= topology.cores() && topology.cores() >= topology.sockets());
        for cpu in &topology.cpus {
            assert!(topology.siblings(cpu) >= 1);
            assert!(caches(Path::new("/sys"), cpu.number).iter().all(|cache| cache.shared >= 1));
        }
    }

    #[test]
    fn books_and_drawers() {
        let temp = tempfile::tempdir().unwrap();
        for (cpu, book) in ["0", "0", "1"].into_iter().enumerate() {
            let folder = temp.path().join(format!("devices/system/cpu/cpu{cpu}/topology"));
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in [("core_id", "0"), ("physical_package_id", book), ("book_id", book)] {
                fs::write(folder.join(file), text).unwrap();
            }
        }
        let topology = Topology::read(temp.path());
        assert_eq!(topology.above(), [Some(2), None]);
        assert_eq!((topology.cores(), topology.sockets(), topology.siblings(&topology.cpus[0])), (2, 2, 2));
    }

    #[test]
    fn lists_and_sizes() {
        let list = |bytes: &[u8]| parse_list(bytes).map(|cpus| cpus.into_iter().collect::<Vec<_>>());
        assert_eq!(list(b"0-2,8\n"), Some(vec![0, 1, 2, 8]));
        assert_eq!(list(b"\n"), Some(vec![]));
        for bad in [b"0-\n".as_slice(), b"x\n", b"1-2-3\n", b"0-18446744073709551615\n"] {
            assert_eq!(list(bad), None, "{bad:?}");
        }
        assert_eq!(size_of("491520K"), Some(503_316_480));
        assert_eq!(size_of("32"), None);
    }
}
