//! The subject `machine`: what the machine has, as cAdvisor tells it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use taffrail_core::file::read_once;
use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::ContainerConfig;
use crate::inventory::{Engine, Inventory};
use crate::{Parts, meminfo, scan};

metrics! {
    /// CPUs that are online.
    CORES: Gauge = "machine_cpu_cores" ["boot_id", "machine_id", "system_uuid"];
    /// Cores of the CPUs; threads of one core count once.
    PHYSICAL_CORES: Gauge = "machine_cpu_physical_cores" ["boot_id", "machine_id", "system_uuid"];
    /// Sockets with a CPU.
    SOCKETS: Gauge = "machine_cpu_sockets" ["boot_id", "machine_id", "system_uuid"];
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
    let whole = topology.threads > 0 && memory.is_some();
    if topology.threads > 0 {
        out.put(&CORES, who, topology.threads as f64);
        out.put(&PHYSICAL_CORES, who, topology.cores as f64);
        out.put(&SOCKETS, who, topology.sockets as f64);
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
    out.put(&ERROR, [], f64::from(u8::from(!whole)));
    if whole {
        return Ok(());
    }
    let what = "expected CPUs in sys/devices/system/cpu and memory in meminfo".to_owned();
    Err(CollectError::Parse { path: config.sysfs.clone(), what })
}

/// How many CPUs there are, of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Topology {
    threads: usize,
    cores: usize,
    sockets: usize,
}

impl Topology {
    /// From `devices/system/cpu`; a CPU that is offline has no topology.
    fn read(sysfs: &Path) -> Self {
        let (mut threads, mut cores, mut sockets) = (0, BTreeSet::new(), BTreeSet::new());
        let entries = fs::read_dir(sysfs.join("devices/system/cpu")).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let number = name.as_encoded_bytes().strip_prefix(b"cpu").and_then(scan::integer);
            let topology = entry.path().join("topology");
            let fact = |file: &str| read_once(&topology.join(file)).map(|bytes| bytes.trim_ascii().to_vec());
            let (Some(_), Ok(core), Ok(socket)) = (number, fact("core_id"), fact("physical_package_id"))
            else {
                continue;
            };
            threads += 1;
            cores.insert((socket.clone(), core));
            sockets.insert(socket);
        }
        Topology { threads, cores: cores.len(), sockets: sockets.len() }
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
    fn this_machine() {
        let topology = Topology::read(Path::new("/sys"));
        assert!(topology.threads >= topology.cores && topology.cores >= topology.sockets);
        assert_eq!(os_name(b"ID=debian\nPRETTY_NAME=\"Debian 13\"\n"), "Debian 13");
        assert_eq!(os_name(b""), "");
    }
}
