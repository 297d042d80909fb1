//! The NUMA nodes of the machine: `devices/system/node` of sysfs (kernel document `ABI/stable/sysfs-devices-node`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use taffrail_core::CollectError;
use taffrail_core::file::read_once;

use crate::hugetlb;
use crate::scan::{self, Malformed};
use crate::topology::parse_list;

/// One node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its number.
    pub number: u64,
    /// Bytes of memory.
    pub memory: Option<f64>,
    /// Its CPUs.
    pub cpus: BTreeSet<u64>,
    /// How far each node that is online is, in the order of their numbers, as the firmware says: 10 is itself.
    pub distances: Vec<u64>,
    /// Sizes of huge pages in KiB, and how many of each it has.
    pub huge_pages: Vec<(u64, f64)>,
}

/// All nodes, by number; none where the kernel was built without them.
pub fn read(sysfs: &Path) -> Result<Vec<Node>, CollectError> {
    let mut nodes = Vec::new();
    for entry in fs::read_dir(sysfs.join("devices/system/node")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(number) = name.as_encoded_bytes().strip_prefix(b"node").and_then(scan::integer) {
            nodes.push(node(number, &entry.path())?);
        }
    }
    nodes.sort_unstable_by_key(|node| node.number);
    Ok(nodes)
}

fn node(number: u64, folder: &Path) -> Result<Node, CollectError> {
    let mut huge_pages = Vec::new();
    for entry in fs::read_dir(folder.join("hugepages")).into_iter().flatten().flatten() {
        if let Some(kib) = hugetlb::kib_of(entry.file_name().as_encoded_bytes())
            && let Some(pages) = fact(&entry.path(), "nr_hugepages", scan::single)?
        {
            huge_pages.push((kib, pages));
        }
    }
    huge_pages.sort_unstable_by_key(|(kib, _)| *kib);
    Ok(Node {
        number,
        memory: fact(folder, "meminfo", parse_meminfo)?,
        cpus: fact(folder, "cpulist", cpus)?.unwrap_or_default(),
        distances: fact(folder, "distance", parse_distances)?.unwrap_or_default(),
        huge_pages,
    })
}

/// What a file says; none where it cannot be read.
fn fact<T>(
    folder: &Path,
    file: &str,
    parse: fn(&[u8]) -> Result<T, Malformed>,
) -> Result<Option<T>, CollectError> {
    let path = folder.join(file);
    let Ok(bytes) = read_once(&path) else { return Ok(None) };
    let parsed = parse(&bytes);
    parsed.map(Some).map_err(|error| CollectError::Parse { path, what: error.to_string() })
}

fn cpus(bytes: &[u8]) -> Result<BTreeSet<u64>, Malformed> {
    parse_list(bytes).ok_or_else(|| Malformed::new("a list of CPUs such as `0-3,8`", bytes))
}

/// Bytes of memory, from the line `Node 0 MemTotal: 16 kB`.
fn parse_meminfo(bytes: &[u8]) -> Result<f64, Malformed> {
    let total = scan::lines(bytes).find_map(|line| {
        let mut fields = scan::fields(line).skip(2);
        (fields.next() == Some(b"MemTotal:".as_slice())).then(|| fields.next().and_then(scan::integer))?
    });
    total.map(|kib| kib as f64 * 1024.0).ok_or_else(|| Malformed::new("`Node 0 MemTotal: number kB`", bytes))
}

/// A line with a number for each node.
fn parse_distances(bytes: &[u8]) -> Result<Vec<u64>, Malformed> {
    let numbers: Option<_> = scan::fields(bytes.trim_ascii()).map(scan::integer).collect();
    numbers.ok_or_else(|| Malformed::new("a distance for each node", bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_node() {
        let meminfo = b"Node 1 MemTotal:       16 kB\nNode 1 MemFree:        4 kB\n";
        assert_eq!(parse_meminfo(meminfo), Ok(16384.0));
        assert_eq!(parse_distances(b"10 21\n"), Ok(vec![10, 21]));
        assert_eq!(cpus(b"\n"), Ok(BTreeSet::new()));
        assert!(parse_meminfo(b"Node 1 MemTotal: x kB\n").is_err() && parse_meminfo(b"").is_err());
        assert!(parse_distances(b"10 x\n").is_err() && cpus(b"0-\n").is_err());
    }

    #[test]
    fn a_file_that_is_wrong_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let node = temp.path().join("devices/system/node/node3");
        fs::create_dir_all(node.join("hugepages/hugepages-2048kB")).unwrap();
        assert_eq!(read(temp.path()).unwrap(), [Node { number: 3, ..Node::default() }]);
        fs::write(node.join("hugepages/hugepages-2048kB/nr_hugepages"), "x\n").unwrap();
        let error = read(temp.path()).unwrap_err().to_string();
        assert!(
            error.contains("hugepages-2048kB/nr_hugepages") && error.contains("one whole number"),
            "{error}"
        );
    }

    #[test]
    fn this_machine() {
        for node in read(Path::new("/sys")).unwrap() {
            assert!(node.memory.is_none_or(|bytes| bytes > 0.0));
            assert!(node.distances.is_empty() || node.distances.contains(&10), "{node:?}");
        }
    }
}
