//! Neighbours of each interface from `<procfs>/1/net/arp` (proc_pid_net(5)).
//!
//! node_exporter asks the kernel over netlink, which shows the asker's own network; the file shows the host's.

use std::collections::BTreeMap;

use taffrail_core::pattern::Filter;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::scan::{self, Malformed};

metrics! {
    /// Neighbours in the ARP table, known or being asked for.
    ENTRIES: Gauge = "node_arp_entries" ["device"];
}

/// The subject `arp`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = NetFile::new(config, "arp");
    let mut table = Table { wanted: config.arp.clone(), devices: BTreeMap::new() };
    Subject::blocking("arp", METRICS, move |out| {
        let counted = table.count(file.read()?);
        counted.map_err(|e| file.malformed(e))?;
        table.write(out);
        Ok(())
    })
}

/// Entries by interface. Interfaces are kept from run to run, with what was decided of them.
struct Table {
    wanted: Filter,
    devices: BTreeMap<Box<[u8]>, Device>,
}

struct Device {
    /// `None`: not collected.
    label: Option<String>,
    entries: u64,
}

impl Table {
    fn count(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.devices.values_mut().for_each(|device| device.entries = 0);
        for line in scan::lines(bytes).skip(1) {
            let Some(name) = parse(line)? else { continue };
            match self.devices.get_mut(name) {
                Some(device) => device.entries += 1,
                None => {
                    let label = self.wanted.keeps(name).then(|| label::value(name).into_owned());
                    self.devices.insert(name.into(), Device { label, entries: 1 });
                }
            }
        }
        self.devices.retain(|_, device| device.entries > 0);
        Ok(())
    }

    fn write(&self, out: &mut Out) {
        for device in self.devices.values() {
            if let Some(label) = &device.label {
                out.put(&ENTRIES, [label], device.entries as f64);
            }
        }
    }
}

/// `ATF_PUBL`: an address this machine answers for, not a neighbour.
const PUBLISHED: u64 = 0x8;

/// The interface of one entry. `None`: the entry is no neighbour.
pub fn parse(line: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let wrong = || Malformed::new("`address type flags hardware-address mask device`", line);
    let mut fields = scan::fields(line);
    // The hardware address may be empty, which leaves four fields behind the first.
    let flags = fields.nth(2).and_then(|flags| scan::hex(flags.strip_prefix(b"0x")?)).ok_or_else(wrong)?;
    let (Some(_), Some(device)) = (fields.next(), fields.last()) else { return Err(wrong()) };
    Ok((flags & PUBLISHED == 0).then_some(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_by_interface() {
        let mut table = Table { wanted: Filter::excluding("^cali"), devices: BTreeMap::new() };
        let text = b"IP address  HW type  Flags  HW address  Mask  Device\n\
            192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * eth0\n192.0.2.2 0x1 0x0 00:00:00:00:00:00 * eth0\n\
            192.0.2.3 0x1 0xc 00:00:00:00:00:00 * eth0\n192.0.2.4 0x200 0x6  * tun0\n\
            192.0.2.5 0x1 0x2 02:fc:00:00:00:05 * cali1\n";
        table.count(text).unwrap();
        let counts: Vec<_> = table.devices.values().map(|d| (d.label.as_deref(), d.entries)).collect();
        assert_eq!(counts, [(None, 1), (Some("eth0"), 2), (Some("tun0"), 1)]);
        table.count(b"heading\n").unwrap();
        assert!(table.devices.is_empty());
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"\n".as_slice(), b"192.0.2.1 0x1 0x2\n", b"192.0.2.1 0x1 2 m * eth0", b"a b 0x2 eth0"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
