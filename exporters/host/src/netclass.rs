//! Properties of network interfaces from `/sys/class/net` (kernel document `ABI/sysfs-class-net`).
//!
//! A mount of sysfs shows the network in which it was mounted: in a container the host's `/sys` is needed. Whether it
//! is there is seen by comparing the interfaces with the host's in procfs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::process::{Resource, getrlimit};
use taffrail_core::cost::Held;
use taffrail_core::{CollectError, Family, Out, Subject, label, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::config::{HostConfig, Netclass};
use crate::network;
use taffrail_core::pattern::Decisions;

metrics! {
    /// Whether the interface is operational (1) or not (0).
    UP: Gauge = "node_network_up" ["device"];
    /// What of the interface is no number. Always 1.
    INFO: Gauge = "node_network_info" [
        "device", "address", "broadcast", "duplex", "operstate", "adminstate", "ifalias"
    ];
    /// How the hardware address was assigned, as a number of the kernel's.
    ADDRESS_ASSIGN_TYPE: Gauge = "node_network_address_assign_type" ["device"];
    /// Whether the interface has a carrier (1) or not (0).
    CARRIER: Gauge = "node_network_carrier" ["device"];
    /// How often the carrier came or went.
    CARRIER_CHANGES: Counter = "node_network_carrier_changes_total" ["device"];
    /// How often the carrier came.
    CARRIER_UP: Counter = "node_network_carrier_up_changes_total" ["device"];
    /// How often the carrier went.
    CARRIER_DOWN: Counter = "node_network_carrier_down_changes_total" ["device"];
    /// The number that tells devices with one hardware address apart.
    DEVICE_ID: Gauge = "node_network_device_id" ["device"];
    /// Whether the interface waits for something outside (1) or not (0).
    DORMANT: Gauge = "node_network_dormant" ["device"];
    /// The interface's flags, as a number of the kernel's.
    FLAGS: Gauge = "node_network_flags" ["device"];
    /// The interface's index.
    IFACE_ID: Gauge = "node_network_iface_id" ["device"];
    /// The index of the interface below, or its own.
    IFACE_LINK: Gauge = "node_network_iface_link" ["device"];
    /// The link mode: 0 default, 1 dormant.
    IFACE_LINK_MODE: Gauge = "node_network_iface_link_mode" ["device"];
    /// The largest packet in bytes.
    MTU: Gauge = "node_network_mtu_bytes" ["device"];
    /// How the name was assigned, as a number of the kernel's.
    NAME_ASSIGN_TYPE: Gauge = "node_network_name_assign_type" ["device"];
    /// The group of devices the interface is in.
    NET_DEV_GROUP: Gauge = "node_network_net_dev_group" ["device"];
    /// The speed in bytes a second; -125000 where the driver says -1.
    SPEED: Gauge = "node_network_speed_bytes" ["device"];
    /// The length of the queue of packets to send.
    TRANSMIT_QUEUE_LENGTH: Gauge = "node_network_transmit_queue_length" ["device"];
    /// The kind of link, as a number of the kernel's (ARPHRD).
    PROTOCOL_TYPE: Gauge = "node_network_protocol_type" ["device"];
}

/// Numbers that may change at any time.
static NUMBERS: [(&str, &Family<1>); 13] = [
    ("addr_assign_type", &ADDRESS_ASSIGN_TYPE),
    ("carrier", &CARRIER),
    ("carrier_changes", &CARRIER_CHANGES),
    ("carrier_up_count", &CARRIER_UP),
    ("carrier_down_count", &CARRIER_DOWN),
    ("dormant", &DORMANT),
    ("iflink", &IFACE_LINK),
    ("link_mode", &IFACE_LINK_MODE),
    ("mtu", &MTU),
    ("netdev_group", &NET_DEV_GROUP),
    ("tx_queue_len", &TRANSMIT_QUEUE_LENGTH),
    ("type", &PROTOCOL_TYPE),
    ("flags", &FLAGS),
];
/// Numbers that an interface keeps as long as it has its name.
static CONSTANTS: [(&str, &Family<1>); 3] =
    [("ifindex", &IFACE_ID), ("dev_id", &DEVICE_ID), ("name_assign_type", &NAME_ASSIGN_TYPE)];
const INDEX: usize = 0;
/// Texts, the labels of `node_network_info` but for `device` and `adminstate`.
const TEXTS: [&str; 5] = ["address", "broadcast", "duplex", "operstate", "ifalias"];
const SPEED_FILE: &str = "speed";

/// The most attributes that are kept open, all interfaces together, and never more than an eighth of what the process
/// may open. What goes beyond is opened for each reading, which takes six times the time.
const MAX_OPEN: usize = 1024;
const PER_DEVICE: usize = NUMBERS.len() + TEXTS.len() + 1;

/// How many attributes may be kept open.
fn may_open() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / 8).unwrap_or(usize::MAX).min(MAX_OPEN)
}

/// `IFF_UP` of the flags: the administrator wants it up.
const IFF_UP: u64 = 1;

/// The subject `netclass`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut class = Class {
        wanted: Decisions::new(&config.netclass.devices),
        config: config.clone(),
        dir: None,
        devices: Vec::new(),
        trust: Trust::None,
        buffer: Box::new([0; 4096]),
    };
    Subject::blocking("netclass", METRICS, move |out| class.write(out))
}

/// Whether `<sysfs>/class/net` shows the host's interfaces; the error says what to mount.
pub(crate) fn shows_host(config: &HostConfig) -> Result<(), CollectError> {
    /// An interface may come or go between the two readings.
    const TRIES: u32 = 3;
    let path = config.sys("class/net");
    for _ in 0..TRIES {
        let hosts = network::interfaces(config)?;
        let shown = Listing::open(&path)?.names()?.into_iter().map(|(name, _)| name);
        // Files such as bonding_masters stand among the interfaces.
        let shown: BTreeSet<_> = shown.filter(|name| path.join(OsStr::from_bytes(name)).is_dir()).collect();
        if shown == hosts {
            return Ok(());
        }
    }
    Err(CollectError::Other(format!(
        "{} shows other interfaces than {}/1/net/dev: mount the host's /sys (-v /sys:/host/sys:ro) and set \
         `host.sysfs: /host/sys`, or run the container with --network host",
        path.display(),
        config.procfs.display()
    )))
}

/// The folder of interfaces, kept open.
struct Listing(Held<Dir>);

impl Listing {
    fn open(path: &Path) -> Result<Self, CollectError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()).and_then(Dir::new) {
            Ok(dir) => Ok(Listing(Held::new(dir))),
            Err(rustix::io::Errno::NOENT) => Err(CollectError::Absent),
            Err(source) => Err(CollectError::Read { path: path.into(), source: source.into() }),
        }
    }

    /// Names and inodes. An inode stays with its interface through a change of name, and a new interface has a new one.
    fn names(&mut self) -> Result<Vec<(Vec<u8>, u64)>, CollectError> {
        self.0.rewind();
        let mut names = Vec::new();
        for entry in &mut *self.0 {
            let entry = entry.map_err(|e| CollectError::Other(format!("/sys/class/net: {e}")))?;
            let name = entry.file_name().to_bytes();
            if !name.starts_with(b".") {
                names.push((name.to_vec(), entry.ino()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// What is kept from run to run.
struct Class {
    config: HostConfig,
    wanted: Decisions,
    dir: Option<Listing>,
    devices: Vec<Device>,
    trust: Trust,
    buffer: Box<Buffer>,
}

impl Class {
    fn write(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let listing = match &mut self.dir {
            Some(dir) => dir,
            None => self.dir.insert(Listing::open(&self.config.sys("class/net"))?),
        };
        let names = listing.names()?;
        let same = names.iter().map(|(name, inode)| (&**name, *inode));
        if !same.eq(self.devices.iter().map(|device| (&*device.name, device.inode))) {
            self.take_over(names);
        }
        self.trust = self.trust.check(|| shows_host(&self.config))?;
        for device in &mut self.devices {
            device.write(&self.config.netclass, &mut self.buffer, out);
        }
        Ok(())
    }

    /// Keeps the interfaces that are still there with their open files, and adds the new ones.
    fn take_over(&mut self, names: Vec<(Vec<u8>, u64)>) {
        self.trust = self.trust.renewed();
        let root = self.config.sys("class/net");
        let mut before = std::mem::take(&mut self.devices);
        let may_open = may_open();
        let mut open = before.iter().filter(|device| device.keep).count() * PER_DEVICE;
        for (at, (name, inode)) in names.into_iter().enumerate() {
            if let Some(known) = before.iter().position(|d| d.name == name && d.inode == inode) {
                self.devices.push(before.swap_remove(known));
                continue;
            }
            let keep = open + PER_DEVICE <= may_open;
            let wanted = self.wanted.keeps(at, &name);
            let device = Device::new(&root, name, inode, keep && wanted, wanted);
            open += if device.keep { PER_DEVICE } else { 0 };
            self.devices.push(device);
        }
    }
}

/// Whether the interfaces are the host's. It is looked at whenever there are others than before: a container's may have
/// been the same by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// They never were.
    None,
    /// They are.
    Full,
    /// They were, and how often they were not since: where containers come and go by the second, the two readings
    /// differ now and then.
    Doubt(u32),
}

impl Trust {
    const MAX_DOUBTS: u32 = 3;

    fn renewed(self) -> Self {
        if self == Trust::Full { Trust::Doubt(0) } else { self }
    }

    fn check(self, is_host: impl FnOnce() -> Result<(), CollectError>) -> Result<Self, CollectError> {
        match self {
            Trust::Full => Ok(Trust::Full),
            Trust::None => is_host().map(|()| Trust::Full),
            Trust::Doubt(doubts) => match is_host() {
                Ok(()) => Ok(Trust::Full),
                Err(_) if doubts < Self::MAX_DOUBTS => Ok(Trust::Doubt(doubts + 1)),
                Err(error) => Err(error),
            },
        }
    }
}

/// One interface.
struct Device {
    name: Vec<u8>,
    inode: u64,
    label: String,
    /// `None`: no interface, or one that is not collected.
    dir: Option<Held<OwnedFd>>,
    keep: bool,
    numbers: [Attribute; NUMBERS.len()],
    texts: [Attribute; TEXTS.len()],
    speed: Attribute,
    constants: Option<[Option<f64>; CONSTANTS.len()]>,
}

impl Device {
    fn new(root: &Path, name: Vec<u8>, inode: u64, keep: bool, wanted: bool) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open =
            || openat(CWD, root.join(OsStr::from_bytes(&name)), flags, Mode::empty()).map(Held::new).ok();
        let dir = if wanted { open() } else { None };
        Device {
            label: label::value(&name).into_owned(),
            keep: keep && dir.is_some(),
            dir,
            name,
            inode,
            numbers: Default::default(),
            texts: Default::default(),
            speed: Attribute::default(),
            constants: None,
        }
    }

    fn write(&mut self, config: &Netclass, buffer: &mut Buffer, out: &mut Out) {
        let Some(dir) = &self.dir else { return };
        let mut read = |attribute: &mut Attribute, name: &str| {
            attribute.read(dir, Path::new(name), self.keep, buffer).map(|value| value.and_then(number))
        };
        // Read all before anything is written: an interface that goes meanwhile is left out as a whole.
        let mut numbers = [None; NUMBERS.len()];
        for ((value, attribute), (name, _)) in numbers.iter_mut().zip(&mut self.numbers).zip(&NUMBERS) {
            let Ok(read) = read(attribute, name) else { return };
            *value = read;
        }
        let Ok(speed) = read(&mut self.speed, SPEED_FILE) else { return };
        let mut texts: [String; TEXTS.len()] = Default::default();
        for ((text, attribute), name) in texts.iter_mut().zip(&mut self.texts).zip(TEXTS) {
            let Ok(value) = attribute.read(dir, Path::new(name), self.keep, buffer) else { return };
            text.push_str(&label::value(value.unwrap_or_default()));
        }
        let Some(constants) = self.constants(buffer) else { return };

        let device = &*self.label;
        let [address, broadcast, duplex, operstate, ifalias] = &texts;
        let flags = numbers.last().copied().flatten();
        out.put(&UP, [device], if operstate == "up" { 1.0 } else { 0.0 });
        let labels = [device, address, broadcast, duplex, operstate, admin_state(flags), ifalias];
        out.put(&INFO, labels, 1.0);
        let families = NUMBERS.iter().chain(&CONSTANTS).map(|(_, family)| family);
        for (family, value) in families.zip(numbers.into_iter().chain(constants)) {
            if let Some(value) = value {
                out.put(family, [device], value);
            }
        }
        if let Some(megabits) = speed.filter(|speed| *speed >= 0.0 || !config.ignore_invalid_speed) {
            out.put(&SPEED, [device], megabits * 1e6 / 8.0);
        }
    }

    /// The numbers that stay. `None` when the interface has no index, which every interface has: it went meanwhile.
    ///
    /// Files that are open say so themselves; without them the index is read each time.
    fn constants(&mut self, buffer: &mut Buffer) -> Option<[Option<f64>; CONSTANTS.len()]> {
        if let Some(constants) = self.constants.filter(|_| self.keep) {
            return Some(constants);
        }
        let dir = self.dir.as_ref()?;
        let mut read = |name: &str| {
            let value = Attribute::default().read(dir, Path::new(name), false, buffer);
            value.ok().flatten().and_then(number)
        };
        let constants = CONSTANTS.each_ref().map(|(name, _)| read(name));
        constants[INDEX]?;
        self.constants = Some(constants);
        self.constants
    }
}

fn admin_state(flags: Option<f64>) -> &'static str {
    match flags {
        None => "unknown",
        Some(flags) if flags as u64 & IFF_UP != 0 => "up",
        Some(_) => "down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_administrator_s_wish() {
        assert_eq!(admin_state(Some(4099.0)), "up");
        assert_eq!(admin_state(Some(130.0)), "down");
        assert_eq!(admin_state(None), "unknown");
    }

    #[test]
    fn trust_outlasts_a_few_doubts() {
        let yes = || Ok(());
        let no = || Err(CollectError::Absent);
        assert!(Trust::None.check(no).is_err());
        assert_eq!(Trust::None.check(yes).unwrap(), Trust::Full);
        assert_eq!(Trust::None.renewed(), Trust::None);
        let mut trust = Trust::Full.renewed();
        for _ in 0..Trust::MAX_DOUBTS {
            trust = trust.check(no).unwrap().renewed();
        }
        assert!(trust.check(no).is_err());
        assert_eq!(trust.check(yes).unwrap(), Trust::Full);
    }

    #[test]
    fn known_places() {
        assert_eq!(CONSTANTS[INDEX].0, "ifindex");
        assert_eq!(NUMBERS.last().map(|(name, _)| *name), Some("flags"));
    }
}
