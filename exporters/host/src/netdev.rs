//! Traffic of network interfaces from `<procfs>/1/net/dev` (proc_pid_net(5)), summed up as the kernel sums it there, and
//! packets without a handler from `/sys/class/net/*/statistics/rx_nohandler`, which no other file has.

use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use taffrail_core::file::KernelFile;
use taffrail_core::{Family, Out, Subject, label, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::config::HostConfig;
use crate::network;
use crate::scan::{self, Malformed};
use taffrail_core::pattern::Decisions;

metrics! {
    /// Bytes received.
    RX_BYTES: Counter = "node_network_receive_bytes_total" ["device"];
    /// Packets received.
    RX_PACKETS: Counter = "node_network_receive_packets_total" ["device"];
    /// Packets received with an error.
    RX_ERRS: Counter = "node_network_receive_errs_total" ["device"];
    /// Packets received and dropped, or missed by the card for lack of room.
    RX_DROP: Counter = "node_network_receive_drop_total" ["device"];
    /// Packets lost because the card's buffer ran over.
    RX_FIFO: Counter = "node_network_receive_fifo_total" ["device"];
    /// Packets received with a wrong length, frame or checksum.
    RX_FRAME: Counter = "node_network_receive_frame_total" ["device"];
    /// Compressed packets received.
    RX_COMPRESSED: Counter = "node_network_receive_compressed_total" ["device"];
    /// Multicast packets received.
    RX_MULTICAST: Counter = "node_network_receive_multicast_total" ["device"];
    /// Packets received that no protocol wanted.
    RX_NOHANDLER: Counter = "node_network_receive_nohandler_total" ["device"];
    /// Bytes sent.
    TX_BYTES: Counter = "node_network_transmit_bytes_total" ["device"];
    /// Packets sent.
    TX_PACKETS: Counter = "node_network_transmit_packets_total" ["device"];
    /// Packets that could not be sent for an error.
    TX_ERRS: Counter = "node_network_transmit_errs_total" ["device"];
    /// Packets dropped on their way out.
    TX_DROP: Counter = "node_network_transmit_drop_total" ["device"];
    /// Packets not sent because the card's buffer ran over.
    TX_FIFO: Counter = "node_network_transmit_fifo_total" ["device"];
    /// Collisions while sending.
    TX_COLLS: Counter = "node_network_transmit_colls_total" ["device"];
    /// Packets not sent for lack of a carrier, or aborted.
    TX_CARRIER: Counter = "node_network_transmit_carrier_total" ["device"];
    /// Compressed packets sent.
    TX_COMPRESSED: Counter = "node_network_transmit_compressed_total" ["device"];
}

/// The file's columns.
static COLUMNS: [&Family<1>; 16] = [
    &RX_BYTES,
    &RX_PACKETS,
    &RX_ERRS,
    &RX_DROP,
    &RX_FIFO,
    &RX_FRAME,
    &RX_COMPRESSED,
    &RX_MULTICAST,
    &TX_BYTES,
    &TX_PACKETS,
    &TX_ERRS,
    &TX_DROP,
    &TX_FIFO,
    &TX_COLLS,
    &TX_CARRIER,
    &TX_COMPRESSED,
];

/// The subject `netdev`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut source: Option<KernelFile> = None;
    let mut wanted = Decisions::new(&config.netdev);
    let mut unhandled = Unhandled::new(&config);
    Subject::blocking("netdev", METRICS, move |out| {
        let file = match &mut source {
            Some(file) => file,
            None => source.insert(KernelFile::new(network::directory(&config)?.join("dev"))),
        };
        let written = match file.read() {
            Ok(bytes) => write(bytes, &mut wanted, &mut unhandled, out),
            Err(error) => {
                // Whose network is seen may have changed with it.
                source = None;
                return Err(error);
            }
        };
        written.map_err(|e| file.malformed(e))
    })
}

fn write(
    bytes: &[u8],
    wanted: &mut Decisions,
    unhandled: &mut Unhandled,
    out: &mut Out,
) -> Result<(), Malformed> {
    unhandled.begin();
    for (at, device) in devices(bytes).enumerate() {
        let (name, columns) = device?;
        if !wanted.keeps(at, name) {
            continue;
        }
        let device = label::value(name);
        let mut fields = scan::fields(columns);
        for family in COLUMNS {
            out.put(family, [&device], scan::expect_number(fields.next(), columns)?);
        }
        if let Some(count) = unhandled.read(name) {
            out.put(&RX_NOHANDLER, [&device], count);
        }
    }
    Ok(())
}

/// The interfaces of `/proc/net/dev`: name and columns. The file has two lines of headings.
pub fn devices(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), Malformed>> {
    scan::lines(bytes).skip(2).map(|line| {
        // A name may hold colons (an alias of old), the columns never do.
        match memchr::memrchr(b':', line) {
            Some(at) if !scan::trim(&line[..at]).is_empty() => Ok((scan::trim(&line[..at]), &line[at + 1..])),
            _ => Err(Malformed::new("`name: numbers`", line)),
        }
    })
}

/// The most files that are kept open; those of further interfaces are opened for each reading.
const MAX_OPEN: usize = 256;

/// Counts of packets without a handler. Published only where sysfs shows the same network as procfs does.
///
/// The files are kept open. An open file follows its interface to another name, but then the names no longer stand as
/// before: the kernel lists interfaces in the order in which they were made.
struct Unhandled {
    config: HostConfig,
    root: PathBuf,
    /// The interfaces of the run before with their files, and how many of them this run has met in the same order.
    known: Vec<Known>,
    met: usize,
    /// Whether this run has looked at the two.
    asked: bool,
    /// Whether sysfs shows the host's interfaces; unknown until asked.
    hosts: Option<bool>,
    buffer: Box<Buffer>,
}

impl Unhandled {
    fn new(config: &HostConfig) -> Self {
        Unhandled {
            root: config.sys("class/net"),
            config: config.clone(),
            known: Vec::new(),
            met: 0,
            asked: false,
            hosts: None,
            buffer: Box::new([0; 4096]),
        }
    }

    fn begin(&mut self) {
        self.met = 0;
        self.asked = false;
        // An interface may just have come or gone between the two readings: what was no match is looked at again.
        self.hosts = self.hosts.filter(|hosts| *hosts);
    }

    fn read(&mut self, name: &[u8]) -> Option<f64> {
        if self.known.get(self.met).is_none_or(|known| known.name != name) {
            // Another interface: the two may have parted. Once a run is enough to see it.
            if !std::mem::replace(&mut self.asked, true) {
                self.hosts = None;
            }
            self.known.truncate(self.met);
            let (name, path) = (name.into(), path(&self.root, name));
            self.known.push(Known { name, path, count: Attribute::default() });
        }
        let keep = self.met < MAX_OPEN;
        self.met += 1;
        if !*self.hosts.get_or_insert_with(|| crate::netclass::shows_host(&self.config).is_ok()) {
            return None;
        }
        let Known { path: Some(path), count, .. } = self.known.get_mut(self.met - 1)? else { return None };
        if let Ok(value) = count.read(CWD, path, keep, &mut self.buffer) {
            return value.and_then(number);
        }
        // It is gone; there may be another of its name.
        *count = Attribute::default();
        count.read(CWD, path, keep, &mut self.buffer).ok()?.and_then(number)
    }
}

/// An interface that was met, and its count.
struct Known {
    name: Vec<u8>,
    /// None for a name that cannot be one in sysfs.
    path: Option<PathBuf>,
    count: Attribute,
}

fn path(root: &Path, name: &[u8]) -> Option<PathBuf> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('/'))?;
    Some(root.join(name).join("statistics/rx_nohandler"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Inter-|   Receive |  Transmit\n face |bytes |bytes\n";

    fn parsed(rest: &[u8]) -> Vec<Result<(Vec<u8>, usize), Malformed>> {
        let text = [HEAD.as_bytes(), rest].concat();
        devices(&text)
            .map(|d| d.map(|(name, columns)| (name.to_vec(), scan::fields(columns).count())))
            .collect()
    }

    #[test]
    fn names_of_all_kinds() {
        let got = parsed(b"    lo: 1 2\neth0:3 4\n  e\xff: 5\n a:1: 7\n");
        let names: Vec<_> = got.into_iter().map(|d| d.unwrap().0).collect();
        assert_eq!(names, [b"lo".to_vec(), b"eth0".to_vec(), b"e\xff".to_vec(), b"a:1".to_vec()]);
        assert!(parsed(b"").is_empty());
        assert_eq!(devices(b"").count(), 0);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        assert!(parsed(b" : 1 2\n")[0].is_err() && parsed(b"eth0 1 2\n")[0].is_err());
        let config = HostConfig { sysfs: "/none".into(), ..HostConfig::default() };
        let mut unhandled = Unhandled::new(&config);
        let mut out = Out::default();
        out.begin(0);
        for bad in ["eth0: 1 2 3\n", "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x\n"] {
            let text = format!("{HEAD}{bad}");
            let mut wanted = Decisions::new(&config.netdev);
            assert!(write(text.as_bytes(), &mut wanted, &mut unhandled, &mut out).is_err(), "{bad}");
        }
    }
}
