//! InfiniBand and RoCE devices from `/sys/class/infiniband` (kernel document `ABI/stable/sysfs-class-infiniband`).

use std::path::Path;

use taffrail_core::{Out, Subject};

use crate::attribute::{Attribute, Buffer};
use crate::columns::{Numbers, Texts};
use crate::config::HostConfig;
use crate::devices::{Devices, Node, numbered};
use crate::infiniband_counters::{COUNTERS, INFO, PHYSICAL_STATE, RATE, STATE};
use crate::scan;

pub use crate::infiniband_counters::METRICS;

struct Device {
    node: Node,
    texts: Texts<3>,
    ports: Devices<Port>,
}

struct Port {
    node: Node,
    state: Attribute,
    physical_state: Attribute,
    rate: Attribute,
    counters: Numbers<2>,
}

/// The subject `infiniband`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut devices = Devices::new(config.sys("class/infiniband"));
    let wanted = config.infiniband.clone();
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("infiniband", METRICS, move |out| {
        let new = |class: &_, name: &[u8]| {
            let node = Node::open(class, name).filter(|_| wanted.keeps(name))?;
            let ports = Devices::new(node.path.join("ports"));
            Some(Device { node, texts: Texts::new(["board_id", "fw_ver", "hca_type"]), ports })
        };
        for Device { node, texts, ports } in devices.present(new)? {
            let [board, firmware, kind] = texts.read(&*node, &mut buffer);
            out.put(&INFO, [&node.label, board, firmware, kind], 1.0);
            // A device that goes meanwhile has no ports any more.
            if let Ok(ports) = ports.present(Port::open) {
                for port in ports {
                    port.write(&node.label, &mut buffer, out);
                }
            }
        }
        Ok(())
    })
}

impl Port {
    fn open(ports: &Path, name: &[u8]) -> Option<Self> {
        numbered(name, "")?;
        Some(Port {
            node: Node::open(ports, name)?,
            state: Attribute::default(),
            physical_state: Attribute::default(),
            rate: Attribute::default(),
            counters: Numbers::new(&COUNTERS),
        })
    }

    fn write(&mut self, device: &str, buffer: &mut Buffer, out: &mut Out) {
        let labels = [device, &*self.node.label];
        let single = [
            (&STATE, &mut self.state, "state", state as fn(&[u8]) -> Option<f64>),
            (&PHYSICAL_STATE, &mut self.physical_state, "phys_state", state),
            (&RATE, &mut self.rate, "rate", rate),
        ];
        for (family, attribute, file, parse) in single {
            let value = attribute.read(&self.node, Path::new(file), true, buffer).ok().flatten();
            if let Some(value) = value.and_then(parse) {
                out.put(family, labels, value);
            }
        }
        self.counters.write(&self.node, labels, buffer, out);
    }
}

/// `4: ACTIVE`: the number counts.
fn state(text: &[u8]) -> Option<f64> {
    let number = text.split(|b| *b == b':').next()?;
    scan::integer(scan::trim(number)).map(|number| number as f64)
}

/// `100 Gb/sec (4X EDR)` in bytes a second.
fn rate(text: &[u8]) -> Option<f64> {
    const BYTES: f64 = 125e6;
    scan::number(scan::fields(text).next()?)
        .filter(|gigabits| *gigabits >= 0.0)
        .map(|gigabits| (gigabits * BYTES).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_rates() {
        assert_eq!(state(b"4: ACTIVE"), Some(4.0));
        assert_eq!(state(b"ACTIVE"), None);
        assert_eq!(rate(b"100 Gb/sec (4X EDR)"), Some(12.5e9));
        assert_eq!(rate(b"2.5 Gb/sec (1X SDR)"), Some(312.5e6));
        for bad in [b"".as_slice(), b"Gb/sec", b"-1 Gb/sec"] {
            assert_eq!(rate(bad), None);
        }
    }
}
