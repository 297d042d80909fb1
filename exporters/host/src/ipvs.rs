//! The kernel's load balancer from `<procfs>/1/net/{ip_vs_stats,ip_vs}` (`net/netfilter/ipvs/ip_vs_ctl.c`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use taffrail_core::{CollectError, Family, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::scan::{self, Malformed};

metrics! {
    /// Connections made.
    CONNECTIONS: Counter = "node_ipvs_connections_total" [];
    /// Packets that came in.
    IN_PACKETS: Counter = "node_ipvs_incoming_packets_total" [];
    /// Packets that went out.
    OUT_PACKETS: Counter = "node_ipvs_outgoing_packets_total" [];
    /// Bytes that came in.
    IN_BYTES: Counter = "node_ipvs_incoming_bytes_total" [];
    /// Bytes that went out.
    OUT_BYTES: Counter = "node_ipvs_outgoing_bytes_total" [];
    /// Active connections to a backend.
    ACTIVE: Gauge = "node_ipvs_backend_connections_active" [
        "local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"
    ];
    /// Inactive connections to a backend.
    INACTIVE: Gauge = "node_ipvs_backend_connections_inactive" [
        "local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"
    ];
    /// The weight of a backend.
    WEIGHT: Gauge = "node_ipvs_backend_weight" [
        "local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"
    ];
}

/// The labels of a backend. Those that the settings leave out stay empty, and what then looks the same is summed up.
pub const LABELS: [&str; 6] =
    ["local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"];

static TOTALS: [&Family<0>; 5] = [&CONNECTIONS, &IN_PACKETS, &OUT_PACKETS, &IN_BYTES, &OUT_BYTES];
static NUMBERS: [&Family<6>; 3] = [&WEIGHT, &ACTIVE, &INACTIVE];

/// The subject `ipvs`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut stats = NetFile::new(config, "ip_vs_stats");
    let mut table = NetFile::new(config, "ip_vs");
    let mut backends = Backends { shown: config.ipvs.backend_labels, ..Backends::default() };
    Subject::blocking("ipvs", METRICS, move |out| {
        let totals = parse_stats(stats.read()?).map_err(|e| stats.malformed(e))?;
        for (family, total) in TOTALS.iter().zip(totals) {
            out.put(family, [], total as f64);
        }
        match table.read().map(|bytes| backends.read(bytes)) {
            Ok(read) => read.map_err(|e| table.malformed(e))?,
            Err(CollectError::Absent) => return Ok(()),
            Err(error) => return Err(error),
        }
        backends.write(out);
        Ok(())
    })
}

/// Connections, packets in and out, bytes in and out: the third line, behind two of headings.
pub fn parse_stats(bytes: &[u8]) -> Result<[u64; 5], Malformed> {
    let line = scan::lines(bytes).nth(2).unwrap_or_default();
    let mut totals = [0; 5];
    let mut fields = scan::fields(line);
    for total in &mut totals {
        let field = fields.next().and_then(scan::hex);
        *total = field.ok_or_else(|| Malformed::new("five hexadecimal numbers in the third line", line))?;
    }
    Ok(totals)
}

/// The backends, in the file's order. A cluster may have tens of thousands: their labels are made once, and only
/// compared from then on.
#[derive(Default)]
struct Backends {
    shown: [bool; LABELS.len()],
    known: Vec<Known>,
    groups: Vec<Group>,
    /// The groups by their labels, where several backends may share one.
    index: BTreeMap<[String; LABELS.len()], usize>,
}

/// A backend as it stands in the file, and the group whose sums it is a part of.
struct Known {
    service: Box<[u8]>,
    address: Box<[u8]>,
    group: usize,
}

struct Group {
    labels: [String; LABELS.len()],
    /// As [`NUMBERS`] stand.
    sums: [f64; NUMBERS.len()],
}

impl Backends {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if !self.add_up(bytes, false)? {
            self.known.clear();
            self.groups.clear();
            self.index.clear();
            self.add_up(bytes, true)?;
        }
        Ok(())
    }

    /// Sums up the backends. `false`: there are others than before, and those that are new were not to be added.
    fn add_up(&mut self, bytes: &[u8], add: bool) -> Result<bool, Malformed> {
        self.groups.iter_mut().for_each(|group| group.sums = [0.0; NUMBERS.len()]);
        let mut service: &[u8] = b"";
        let mut at = 0;
        for line in scan::lines(bytes).skip(HEADINGS) {
            let Some(backend) = scan::trim(line).strip_prefix(b"->") else {
                service = scan::trim(line);
                continue;
            };
            let backend = parse_backend(backend)?;
            match self.known.get(at) {
                Some(known) if *known.address == *backend.address && *known.service == *service => {}
                None if add => self.learn(service, backend.address)?,
                _ => return Ok(false),
            }
            let group = &mut self.groups[self.known[at].group];
            group.sums.iter_mut().zip(backend.numbers).for_each(|(sum, number)| *sum += number);
            at += 1;
        }
        Ok(at == self.known.len())
    }

    fn learn(&mut self, service: &[u8], address: &[u8]) -> Result<(), Malformed> {
        let mut labels = labels(service, address)?;
        labels.iter_mut().zip(self.shown).filter(|(_, shown)| !shown).for_each(|(label, _)| label.clear());
        let mut group = self.groups.len();
        // With all labels shown no two are the same, and there is nothing to look for.
        if !self.shown.iter().all(|shown| *shown) {
            group = *self.index.entry(labels.clone()).or_insert(group);
        }
        if group == self.groups.len() {
            self.groups.push(Group { labels, sums: [0.0; NUMBERS.len()] });
        }
        self.known.push(Known { service: service.into(), address: address.into(), group });
        Ok(())
    }

    fn write(&self, out: &mut Out) {
        for (at, family) in NUMBERS.iter().enumerate() {
            for group in &self.groups {
                out.put(family, group.labels.each_ref().map(String::as_str), group.sums[at]);
            }
        }
    }
}

/// The version, the services' heading and the backends' heading.
const HEADINGS: usize = 3;

/// The line of one backend, without its arrow.
#[derive(Debug, PartialEq)]
pub struct Backend<'a> {
    /// Address and port, in hexadecimal.
    pub address: &'a [u8],
    /// Weight, active and inactive connections.
    pub numbers: [f64; NUMBERS.len()],
}

/// Parses `address:port method weight active inactive`.
pub fn parse_backend(line: &[u8]) -> Result<Backend<'_>, Malformed> {
    let wrong = || Malformed::new("`-> address:port method weight active inactive`", line);
    let mut fields = scan::fields(line);
    let (Some(address), Some(_)) = (fields.next(), fields.next()) else { return Err(wrong()) };
    let mut number = || fields.next().and_then(scan::number).ok_or_else(wrong);
    Ok(Backend { address, numbers: [number()?, number()?, number()?] })
}

/// The labels of a backend of `service`, the line before it: `TCP address:port …` or `FWM mark …`.
fn labels(service: &[u8], backend: &[u8]) -> Result<[String; LABELS.len()], Malformed> {
    let wrong = |line| Malformed::new("`TCP address:port` or `FWM mark`", line);
    let mut fields = scan::fields(service);
    let (Some(proto), Some(target)) = (fields.next(), fields.next()) else { return Err(wrong(service)) };
    let (address, port, mark) = if proto == b"FWM" {
        (String::new(), 0, label::value(target).into_owned())
    } else {
        let (address, port) = parse_address(target).ok_or_else(|| wrong(service))?;
        (address.to_string(), port, String::new())
    };
    let (remote, remote_port) = parse_address(backend).ok_or_else(|| wrong(backend))?;
    let proto = label::value(proto).into_owned();
    Ok([address, port.to_string(), remote.to_string(), remote_port.to_string(), proto, mark])
}

/// `C0A80016:0CEA` or `[2620:0000:0000:0000:0000:0000:0000:0001]:0050`.
pub fn parse_address(text: &[u8]) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_at_checked(memchr::memrchr(b':', text)?)?;
    let port = u16::try_from(scan::hex(&port[1..])?).ok()?;
    let address = match address.strip_prefix(b"[") {
        Some(six) => {
            let six = std::str::from_utf8(six.strip_suffix(b"]")?).ok()?;
            IpAddr::V6(six.parse::<Ipv6Addr>().ok()?).to_canonical()
        }
        None if address.len() == 8 => Ipv4Addr::from_bits(u32::try_from(scan::hex(address)?).ok()?).into(),
        None => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  \
        -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
    const TABLE: &str = "TCP  C0A80016:0CEA wlc \n  -> C0A85216:0CEA Tunnel 100 248 2\n  -> C0A85318:0CEA Tunnel 100 248 1\n\
        SCTP [2620:0000:0000:0000:0000:0000:0000:0001]:0050 sh\n  -> [2620:0000:0000:0000:0000:0000:0000:0002]:0050 Route 1 2 3\n\
        FWM  10001000 wlc\n  -> C0A83215:0CEA Route 20 64 1\n";

    fn backends(shown: [bool; 6]) -> Backends {
        Backends { shown, ..Backends::default() }
    }

    fn groups(backends: &Backends) -> Vec<(String, [f64; 3])> {
        backends.groups.iter().map(|group| (group.labels.join(" "), group.sums)).collect()
    }

    #[test]
    fn backends_are_known_again() {
        let mut all = backends([true; 6]);
        let expected = [
            ("192.168.0.22 3306 192.168.82.22 3306 TCP ".to_owned(), [100.0, 248.0, 2.0]),
            ("192.168.0.22 3306 192.168.83.24 3306 TCP ".to_owned(), [100.0, 248.0, 1.0]),
            ("2620::1 80 2620::2 80 SCTP ".to_owned(), [1.0, 2.0, 3.0]),
            (" 0 192.168.50.21 3306 FWM 10001000".to_owned(), [20.0, 64.0, 1.0]),
        ];
        for _ in 0..2 {
            all.read(format!("{HEAD}{TABLE}").as_bytes()).unwrap();
            assert_eq!(groups(&all), expected);
        }
        let shorter = TABLE.replace("  -> C0A85318:0CEA Tunnel 100 248 1\n", "");
        all.read(format!("{HEAD}{shorter}").as_bytes()).unwrap();
        assert_eq!(groups(&all), [&expected[..1], &expected[2..]].concat());
        all.read(HEAD.as_bytes()).unwrap();
        assert!(groups(&all).is_empty());
    }

    #[test]
    fn labels_left_out_make_sums() {
        let mut some = backends([false, false, false, false, true, false]);
        for _ in 0..2 {
            some.read(format!("{HEAD}{TABLE}").as_bytes()).unwrap();
            assert_eq!(groups(&some)[0], ("    TCP ".to_owned(), [200.0, 496.0, 3.0]));
            assert_eq!(groups(&some).len(), 3);
        }
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [
            "  -> C0A85216:0CEA Tunnel 100 248 2\n",
            "TCP C0A800:0CEA wlc\n  -> C0A85216:0CEA Tunnel 100 248 2\n",
            "TCP C0A80016:0CEA wlc\n  -> C0A85216 Tunnel 100 248 2\n",
            "TCP C0A80016:0CEA wlc\n  -> C0A85216:10CEA Tunnel 100 248 2\n",
            "TCP [::1:0CEA wlc\n  -> C0A85216:0CEA Tunnel 100 248 2\n",
            "TCP C0A80016:0CEA wlc\n  -> C0A85216:0CEA Tunnel 100 x 2\n",
            "TCP C0A80016:0CEA wlc\n  ->\n",
        ] {
            assert!(backends([true; 6]).read(format!("{HEAD}{bad}").as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(parse_stats(b"a\nb\n 16AA370 E33656E5 0 51D8C8883AB3 0\n\n").unwrap()[0], 0x16a_a370);
        for bad in [b"".as_slice(), b"a\nb\n1 2 3 4\n", b"a\nb\n1 2 3 4 x\n"] {
            assert!(parse_stats(bad).is_err(), "{bad:?}");
        }
    }
}
