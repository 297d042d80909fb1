//! NVMe controllers and their namespaces from `/sys/class/nvme` (kernel document `ABI/stable/sysfs-block`, NVM Express
//! base specification 2.0).

use std::path::Path;

use taffrail_core::{Out, Subject, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::columns::Texts;
use crate::config::HostConfig;
use crate::devices::{Devices, Node, numbered};

metrics! {
    /// What of the controller is no number. Always 1.
    INFO: Gauge = "node_nvme_info" ["device", "firmware_revision", "model", "serial", "state", "cntlid"];
    /// How this path to the namespace may be used (asymmetric namespace access), `unknown` where there is one. Always 1.
    NAMESPACE_INFO: Gauge = "node_nvme_namespace_info" ["device", "nsid", "ana_state"];
    /// Capacity of the namespace in bytes: its size.
    NAMESPACE_CAPACITY: Gauge = "node_nvme_namespace_capacity_bytes" ["device", "nsid"];
    /// Size of the namespace in bytes.
    NAMESPACE_SIZE: Gauge = "node_nvme_namespace_size_bytes" ["device", "nsid"];
    /// Bytes of the namespace that the controller has given room to; Linux 6.8 and later tell.
    NAMESPACE_USED: Gauge = "node_nvme_namespace_used_bytes" ["device", "nsid"];
    /// Bytes in a logical block of the namespace.
    NAMESPACE_BLOCK: Gauge = "node_nvme_namespace_logical_block_size_bytes" ["device", "nsid"];
}

const TEXTS: [&str; 5] = ["firmware_rev", "model", "serial", "state", "cntlid"];
/// The unit of a block device's size, whatever its blocks are. node_exporter multiplies it by the block's size, which is
/// the same for blocks of 512 bytes, and eight times too much for blocks of 4096.
const SECTOR: f64 = 512.0;

struct Controller {
    node: Node,
    texts: Texts<5>,
    namespaces: Devices<Namespace>,
}

struct Namespace {
    node: Node,
    id: String,
    attributes: [Attribute; 4],
}

/// The subject `nvme`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut controllers = Devices::new(config.sys("class/nvme"));
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("nvme", METRICS, move |out| {
        for controller in controllers.present(Controller::open)? {
            controller.write(&mut buffer, out);
        }
        Ok(())
    })
}

impl Controller {
    fn open(class: &Path, name: &[u8]) -> Option<Self> {
        let node = Node::open(class, name)?;
        let namespaces = Devices::new(&node.path).seldom();
        Some(Controller { node, texts: Texts::new(TEXTS), namespaces })
    }

    fn write(&mut self, buffer: &mut Buffer, out: &mut Out) {
        let device = &*self.node.label;
        let [firmware, model, serial, state, id] = self.texts.read(&self.node, buffer);
        out.put(&INFO, [device, firmware, model, serial, state, id], 1.0);
        // A controller that goes meanwhile has no namespaces any more.
        if let Ok(namespaces) = self.namespaces.present(Namespace::open) {
            for namespace in namespaces {
                namespace.write(device, buffer, out);
            }
        }
    }
}

impl Namespace {
    fn open(controller: &Path, name: &[u8]) -> Option<Self> {
        let id = namespace_id(name)?.to_owned();
        let node = Node::open(controller, name)?;
        Some(Namespace { node, id, attributes: Default::default() })
    }

    fn write(&mut self, device: &str, buffer: &mut Buffer, out: &mut Out) {
        let [ana_state, size, used, block] = &mut self.attributes;
        let dir = &self.node;
        let labels = [device, &*self.id];
        let ana = ana_state.read(dir, Path::new("ana_state"), true, buffer).ok().flatten();
        let ana = ana.map(taffrail_core::label::value);
        out.put(&NAMESPACE_INFO, [device, &self.id, ana.as_deref().unwrap_or("unknown")], 1.0);
        let mut read = |attribute: &mut Attribute, file: &str| {
            attribute.read(dir, Path::new(file), true, buffer).ok().flatten().and_then(number)
        };
        if let Some(sectors) = read(size, "size") {
            out.put(&NAMESPACE_CAPACITY, labels, sectors * SECTOR);
            out.put(&NAMESPACE_SIZE, labels, sectors * SECTOR);
        }
        let Some(block) = read(block, "queue/logical_block_size") else { return };
        out.put(&NAMESPACE_BLOCK, labels, block);
        if let Some(blocks) = read(used, "nuse") {
            out.put(&NAMESPACE_USED, labels, blocks * block);
        }
    }
}

/// The number behind the `n` of `nvme0n1`. A path to a namespace that has several (`nvme0c1n1`) is another thing.
fn namespace_id(name: &[u8]) -> Option<&str> {
    let behind = name.strip_prefix(b"nvme")?;
    let at = memchr::memchr(b'n', behind)?;
    if at == 0 || !behind[..at].iter().all(u8::is_ascii_digit) {
        return None;
    }
    numbered(&behind[at..], "n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_by_name() {
        assert_eq!(namespace_id(b"nvme0n1"), Some("1"));
        assert_eq!(namespace_id(b"nvme12n345"), Some("345"));
        for name in
            [b"nvme0".as_slice(), b"nvmen1", b"nvme0c1n1", b"ng0n1", b"nvme0n", b"nvme0n1p1", b"hwmon0"]
        {
            assert_eq!(namespace_id(name), None, "{}", String::from_utf8_lossy(name));
        }
    }
}
