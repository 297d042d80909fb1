//! Energy used by processors from `/sys/class/powercap` (kernel document `power/powercap/powercap`), in joules. Since
//! Linux 5.10 only root may read it.

use std::collections::BTreeMap;
use std::path::Path;

use taffrail_core::{CollectError, Out, Subject, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::columns::{Unit, text};
use crate::config::HostConfig;
use crate::devices::{Devices, Node};

metrics! {
    /// Joules used by the zone {key}; the counter begins at 0 again when it is full.
    ZONE_JOULES: Counter = "node_rapl_" {"names of zones in /sys/class/powercap"} "_joules_total" ["index", "path"];
    /// Joules used by a zone; the counter begins at 0 again when it is full.
    JOULES: Counter = "node_rapl_joules_total" ["index", "path", "rapl_zone"];
}

struct Zone {
    node: Node,
    name: String,
    /// The path as the host has it, wherever its sysfs is mounted here.
    path: String,
    energy: Attribute,
    published: Published,
}

/// How a zone is told from others of its name.
#[derive(Clone, Debug, Default, PartialEq)]
struct Published {
    /// The part of the metric's name.
    key: String,
    /// The zone's name in the label `rapl_zone`.
    zone: String,
    index: String,
}

/// The subject `rapl`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut zones = Devices::new(config.sys("class/powercap"));
    let zone_label = config.rapl.zone_label;
    let mut names: Vec<String> = Vec::new();
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("rapl", METRICS, move |out| {
        let mut zones: Vec<&mut Zone> = zones.present(Zone::open)?.collect();
        if !zones.iter().map(|zone| &zone.name).eq(&names)
            || zones.iter().any(|zone| zone.published.index.is_empty())
        {
            names = zones.iter().map(|zone| zone.name.clone()).collect();
            for (zone, published) in zones.iter_mut().zip(publish(&names)) {
                zone.published = published;
            }
        }
        let (there, mut read) = (zones.len(), 0);
        for zone in zones {
            read += usize::from(zone.write(zone_label, &mut buffer, out));
        }
        // Zones that only root may read are as good as none.
        if there > 0 && read == 0 { Err(CollectError::Absent) } else { Ok(()) }
    })
}

impl Zone {
    fn open(class: &Path, name: &[u8]) -> Option<Self> {
        let node = Node::open(class, name)?;
        // What has no name is a kind of zones (`intel-rapl`), not a zone.
        let name = text(&node, "name")?;
        let path = format!("/sys/class/powercap/{}", node.label);
        Some(Zone { node, name, path, energy: Attribute::default(), published: Published::default() })
    }

    fn write(&mut self, zone_label: bool, buffer: &mut Buffer, out: &mut Out) -> bool {
        let value = self.energy.read(&self.node, Path::new("energy_uj"), true, buffer).ok().flatten();
        let Some(joules) = value.and_then(number).map(|value| Unit::Micro.scale(value)) else { return false };
        let Published { key, zone, index } = &self.published;
        if zone_label {
            out.put(&JOULES, [index, &self.path, zone], joules);
        } else {
            out.put_keyed(&ZONE_JOULES, key, [index, &self.path], joules);
        }
        true
    }
}

/// Zones may have equal names, or names that end in their index (`package-0`).
fn publish(names: &[String]) -> Vec<Published> {
    let mut used: BTreeMap<&str, u32> = BTreeMap::new();
    let mut all = Vec::new();
    for name in names {
        let (zone, index) = match name.split_once('-').map(|(zone, index)| (zone, index.parse::<u32>())) {
            Some((zone, Ok(index))) => (zone, index),
            _ => (&**name, used.get(&**name).copied().unwrap_or_default()),
        };
        used.insert(zone, index.saturating_add(1));
        all.push(Published { key: key(zone), zone: zone.into(), index: index.to_string() });
    }
    all
}

/// A name as part of a metric's: what may not stand there becomes one `_`, together with those beside it.
fn key(zone: &str) -> String {
    let mut key = String::with_capacity(zone.len());
    let mut replaced = false;
    for c in zone.chars() {
        let good = c.is_ascii_alphanumeric();
        if good || (c == '_' && !replaced) {
            key.push(c);
            replaced = false;
        } else if c != '_' {
            while key.ends_with('_') {
                key.pop();
            }
            key.push('_');
            replaced = true;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_get_an_index() {
        let names = ["package-0", "core", "dram", "package-1", "core", "psys", "package-0-die-1"];
        let names = names.map(str::to_owned);
        let published = publish(&names);
        let short: Vec<_> = published.iter().map(|p| (&*p.zone, &*p.index)).collect();
        assert_eq!(
            short,
            [
                ("package", "0"),
                ("core", "0"),
                ("dram", "0"),
                ("package", "1"),
                ("core", "1"),
                ("psys", "0"),
                ("package-0-die-1", "0")
            ]
        );
        assert_eq!(published[6].key, "package_0_die_1");
    }

    #[test]
    fn names_become_parts_of_names() {
        assert_eq!(key("a_-_b"), "a_b");
        assert_eq!(key("a__b"), "a__b");
        assert_eq!(key("é1.x"), "_1_x");
    }
}
