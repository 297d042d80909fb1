//! Memory of each NUMA node from `/sys/devices/system/node/node*/{meminfo,numastat}` (kernel documents
//! `ABI/stable/sysfs-devices-node` and `admin-guide/numastat`). Fields that newer kernels add appear by themselves.

use std::path::Path;

use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::folder::Folder;
use crate::meminfo;
use crate::scan::{self, Malformed};
use crate::tally::Tally;

metrics! {
    /// Memory information field {key} of the node, in bytes where the kernel says kB, else a number of pages.
    MEMORY: Gauge = "node_memory_numa_" {"fields of /sys/devices/system/node/node*/meminfo"} "" ["node"];
    /// Pages allocated, counted as {key}.
    PAGES: Counter = "node_memory_numa_" {"fields of /sys/devices/system/node/node*/numastat"} "_total" ["node"];
}

/// The subject `meminfo_numa`.
pub fn subject(config: &HostConfig) -> Subject {
    let root = config.sys("devices/system/node");
    let mut folder = Folder::new(root.clone());
    let mut nodes = Vec::new();
    let mut key = String::new();
    Subject::blocking("meminfo_numa", METRICS, move |out| {
        if folder.is_new()? {
            let names = folder.names().filter_map(|name| name.strip_prefix("node"));
            let numbers = names.filter(|number| scan::integer(number.as_bytes()).is_some());
            nodes = numbers.map(|number| Node::new(&root.join(format!("node{number}")), number)).collect();
        }
        let mut tally = Tally::default();
        for node in &mut nodes {
            if !tally.add(node.write(&mut key, out)) {
                // Perhaps it was unplugged since the folder was listed.
                folder.look_again();
            }
        }
        tally.finish()
    })
}

struct Node {
    number: String,
    meminfo: KernelFile,
    numastat: KernelFile,
}

impl Node {
    fn new(path: &Path, number: &str) -> Self {
        let file = |name| KernelFile::new(path.join(name));
        Node { number: number.to_owned(), meminfo: file("meminfo"), numastat: file("numastat") }
    }

    fn write(&mut self, key: &mut String, out: &mut Out) -> Result<(), CollectError> {
        let memory = write_memory(self.meminfo.read()?, &self.number, key, out);
        memory.map_err(|e| self.meminfo.malformed(e))?;
        let pages = write_pages(self.numastat.read()?, &self.number, out);
        pages.map_err(|e| self.numastat.malformed(e))
    }
}

/// Lines as those of `/proc/meminfo`, with `Node 0 ` before each.
fn write_memory(bytes: &[u8], node: &str, key: &mut String, out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let field = line.strip_prefix(b"Node ").and_then(|rest| {
            let at = memchr::memchr(b' ', rest)?;
            Some(&rest[at + 1..])
        });
        let field = field.ok_or_else(|| Malformed::new("`Node number Name: number kB`", line))?;
        if let Some(field) = meminfo::parse(field)? {
            key.clear();
            meminfo::append_key(key, field.name);
            out.put_keyed(&MEMORY, key, [node], field.value);
        }
    }
    Ok(())
}

fn write_pages(bytes: &[u8], node: &str, out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let mut fields = scan::fields(line);
        let (Some(name), Some(value)) = (fields.next(), fields.next().and_then(scan::number)) else {
            return Err(Malformed::new("`name number`", line));
        };
        out.put_keyed(&PAGES, &label::value(name), [node], value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(memory: &[u8], pages: &[u8]) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write_memory(memory, "1", &mut String::new(), &mut out)?;
        write_pages(pages, "1", &mut out)?;
        let collected = out.finish();
        let names = collected.new.iter().map(|(_, def)| def.family.name.clone());
        Ok(names.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    #[test]
    fn fields_of_both_files() {
        let memory =
            b"Node 1 MemFree:        2 kB\nNode 1 Active(anon):   1 kB\nNode 1 HugePages_Total:     3\n";
        let got = run(memory, b"numa_hit 17\nlocal_node 9\n").unwrap();
        let expected = [
            ("node_memory_numa_MemFree", 2048.0),
            ("node_memory_numa_Active_anon", 1024.0),
            ("node_memory_numa_HugePages_Total", 3.0),
            ("node_memory_numa_numa_hit_total", 17.0),
            ("node_memory_numa_local_node_total", 9.0),
        ];
        assert_eq!(got, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"MemFree: 2 kB\n".as_slice(), b"Node 1\n", b"Node 1 MemFree: x kB\n"] {
            assert!(run(bad, b"").is_err(), "{bad:?}");
        }
        for bad in [b"numa_hit\n".as_slice(), b"numa_hit x\n", b"\n"] {
            assert!(run(b"", bad).is_err(), "{bad:?}");
        }
    }
}
