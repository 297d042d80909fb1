//! The subject `machine`: what the machine has, as cAdvisor tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use taffrail_core::file::read_once;
use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::ContainerConfig;
use crate::inventory::{Engine, Inventory};
use crate::nodes::{self, Node};
use crate::topology::{self, Topology};
use crate::{Parts, dimms, meminfo, scan};

metrics! {
    /// CPUs that are online.
    CORES: Gauge = "machine_cpu_cores" ["boot_id", "machine_id", "system_uuid"];
    /// Cores of the CPUs; threads of one core count once.
    PHYSICAL_CORES: Gauge = "machine_cpu_physical_cores" ["boot_id", "machine_id", "system_uuid"];
    /// Sockets with a CPU.
    SOCKETS: Gauge = "machine_cpu_sockets" ["boot_id", "machine_id", "system_uuid"];
    /// Books with a CPU, on machines that have such (s390).
    BOOKS: Gauge = "machine_cpu_books" ["boot_id", "machine_id", "system_uuid"];
    /// Drawers with a CPU, on machines that have such (s390).
    DRAWERS: Gauge = "machine_cpu_drawers" ["boot_id", "machine_id", "system_uuid"];
    /// Threads of the core that a CPU (`thread_id`) belongs to.
    SIBLINGS: Gauge =
        "machine_thread_siblings_count" ["boot_id", "core_id", "machine_id", "node_id", "system_uuid", "thread_id"] irregular;
    /// Bytes of a core's cache; `core_id` is empty for a cache that all CPUs of the NUMA node share.
    CACHE: Gauge = "machine_cpu_cache_capacity_bytes"
        ["boot_id", "core_id", "level", "machine_id", "node_id", "system_uuid", "type"];
    /// Bytes of memory of a NUMA node.
    NODE_MEMORY: Gauge =
        "machine_node_memory_capacity_bytes" ["boot_id", "machine_id", "node_id", "system_uuid"];
    /// Huge pages of a NUMA node, in use or not; `page_size` is in KiB.
    NODE_HUGE_PAGES: Gauge =
        "machine_node_hugepages_count" ["boot_id", "machine_id", "node_id", "page_size", "system_uuid"] irregular;
    /// How far another NUMA node's memory is, as the firmware says; 10 is the node's own.
    NODE_DISTANCE: Gauge =
        "machine_node_distance" ["boot_id", "machine_id", "node_id", "system_uuid", "target_node_id"];
    /// Memory modules of a type, where the memory controller's driver tells (EDAC).
    DIMMS: Gauge = "machine_dimm_count" ["boot_id", "machine_id", "system_uuid", "type"] irregular;
    /// Bytes of memory modules of a type, where the memory controller's driver tells (EDAC).
    DIMM_BYTES: Gauge = "machine_dimm_capacity_bytes" ["boot_id", "machine_id", "system_uuid", "type"];
    /// Bytes of memory.
    MEMORY: Gauge = "machine_memory_bytes" ["boot_id", "machine_id", "system_uuid"];
    /// Bytes of swap.
    SWAP: Gauge = "machine_swap_bytes" ["boot_id", "machine_id", "system_uuid"];
    /// Whether the machine's facts could not be read (1) or could (0).
    ERROR: Gauge = "machine_scrape_error" [];
    /// Always 1; versions of the kernel, of the operating system, of the engine, and, in cAdvisor's place, of Taffrail.
    VERSION: Gauge =
        "cadvisor_version_info" ["cadvisorRevision", "cadvisorVersion", "dockerVersion", "kernelVersion", "osVersion"];
}

/// Such facts change seldom.
const INTERVAL: Duration = Duration::from_secs(60);

/// The subject `machine`.
pub fn subject(parts: &Parts<'_>) -> Subject {
    let (config, inventory) = (parts.config.clone(), parts.inventory.clone());
    let mut subject = Subject::blocking("machine", METRICS, move |out| collect(&config, &inventory, out));
    subject.interval = Some(INTERVAL);
    subject
}

fn collect(config: &ContainerConfig, inventory: &Inventory, out: &mut Out) -> Result<(), CollectError> {
    let text = |path: &Path| {
        let read = read_once(path).unwrap_or_default();
        label::value(read.trim_ascii()).into_owned()
    };
    let boot_id = text(&config.procfs.join("sys/kernel/random/boot_id"));
    let machine_id = text(&config.rootfs.join("etc/machine-id"));
    let system_uuid = text(&config.sysfs.join("class/dmi/id/product_uuid"));
    let who = [boot_id.as_str(), &machine_id, &system_uuid];
    let topology = Topology::read(&config.sysfs);
    let memory = meminfo::read(&config.procfs);
    let whole = !topology.cpus.is_empty() && memory.is_some();
    if !topology.cpus.is_empty() {
        out.put(&CORES, who, topology.cpus.len() as f64);
        out.put(&PHYSICAL_CORES, who, topology.cores() as f64);
        out.put(&SOCKETS, who, topology.sockets() as f64);
    }
    if let Some(memory) = memory {
        out.put(&MEMORY, who, memory.total);
        out.put(&SWAP, who, memory.swap);
    }
    let engine = match &inventory.state().engine {
        Engine::Connected(version) => version.version.clone(),
        _ => String::new(),
    };
    let kernel = text(&config.procfs.join("sys/kernel/osrelease"));
    let os = os_name(&read_once(&config.rootfs.join("etc/os-release")).unwrap_or_default());
    out.put(&VERSION, ["", env!("CARGO_PKG_VERSION"), &engine, &kernel, &os], 1.0);
    let mut result = if config.full { details(&config.sysfs, who, &topology, out) } else { Ok(()) };
    if !whole {
        let what = "expected CPUs in sys/devices/system/cpu and memory in meminfo".to_owned();
        result = Err(CollectError::Parse { path: config.sysfs.clone(), what });
    }
    out.put(&ERROR, [], f64::from(u8::from(result.is_err())));
    result
}

/// All details: what is where, which takes some files for each CPU and each node.
fn details(sysfs: &Path, who: [&str; 3], topology: &Topology, out: &mut Out) -> Result<(), CollectError> {
    let [boot, machine, uuid] = who;
    for (family, count) in [&BOOKS, &DRAWERS].into_iter().zip(topology.above()) {
        if let Some(count) = count {
            out.put(family, who, count as f64);
        }
    }
    for (kind, modules) in dimms::read(sysfs) {
        let labels = [boot, machine, uuid, kind.as_str()];
        out.put(&DIMMS, labels, modules.count as f64);
        out.put(&DIMM_BYTES, labels, modules.bytes as f64);
    }
    let mut nodes = nodes::read(sysfs)?;
    if nodes.is_empty() {
        nodes = sockets(topology);
    }
    for node in &nodes {
        let number = node.number.to_string();
        if let Some(memory) = node.memory {
            out.put(&NODE_MEMORY, [boot, machine, &number, uuid], memory);
        }
        for (kib, pages) in &node.huge_pages {
            out.put(&NODE_HUGE_PAGES, [boot, machine, &number, &kib.to_string(), uuid], *pages);
        }
        // A node that is offline has no place in the list.
        for (target, distance) in nodes.iter().zip(&node.distances) {
            let target = target.number.to_string();
            out.put(&NODE_DISTANCE, [boot, machine, &number, uuid, &target], *distance as f64);
        }
        cpus(sysfs, who, topology, node, out);
    }
    Ok(())
}

/// The CPUs of each socket as a node, as cAdvisor has them where the kernel knows of no nodes.
fn sockets(topology: &Topology) -> Vec<Node> {
    let mut nodes: BTreeMap<u64, Node> = BTreeMap::new();
    for cpu in &topology.cpus {
        // Some firmware says -1.
        let number = scan::integer(cpu.socket.as_bytes()).unwrap_or(0);
        nodes.entry(number).or_insert(Node { number, ..Node::default() }).cpus.insert(cpu.number);
    }
    nodes.into_values().collect()
}

/// The threads and the caches of a node. A cache that all its CPUs share has no core; of the threads of a core, whose
/// caches are the same, the first tells of them.
fn cpus(sysfs: &Path, who: [&str; 3], topology: &Topology, node: &Node, out: &mut Out) {
    let [boot, machine, uuid] = who;
    let number = node.number.to_string();
    let mut told = BTreeSet::new();
    for cpu in topology.cpus.iter().filter(|cpu| node.cpus.contains(&cpu.number)) {
        let siblings = topology.siblings(cpu) as f64;
        out.put(&SIBLINGS, [boot, &cpu.core, machine, &number, uuid, &cpu.number.to_string()], siblings);
        for cache in topology::caches(sysfs, cpu.number) {
            let of_node = cache.shared >= node.cpus.len() && !matches!(cache.level.as_str(), "1" | "2");
            let core = if of_node { "" } else { cpu.core.as_str() };
            let labels = [boot, core, &cache.level, machine, &number, uuid, &cache.kind];
            if told.insert([core, &cache.level, &cache.kind].map(str::to_owned)) {
                out.put(&CACHE, labels, cache.bytes as f64);
            }
        }
    }
}

/// `PRETTY_NAME` of os-release(5).
fn os_name(bytes: &[u8]) -> String {
    let value = scan::lines(bytes).find_map(|line| line.strip_prefix(b"PRETTY_NAME=")).unwrap_or_default();
    let quote = |b: &u8| matches!(b, b'"' | b'\'');
    let plain: Vec<u8> = value.iter().copied().filter(|b| !quote(b)).collect();
    label::value(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_systems() {
        assert_eq!(os_name(b"ID=debian\nPRETTY_NAME=\"Debian 13\"\n"), "Debian 13");
        assert_eq!(os_name(b""), "");
    }
}
