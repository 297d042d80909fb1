//! The text of `/proc/<pid>/mountstats`: a line for each mount, and behind NFS mounts their numbers.

use crate::mounts;
use crate::scan::{self, Malformed};

/// One NFS mount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mount<'a> {
    /// The export, as `server:/path`.
    pub source: &'a [u8],
    /// Where it is mounted, as the kernel escapes it.
    pub point: &'a [u8],
    /// The lines that follow.
    rest: &'a [u8],
}

/// The NFS mounts of the file.
pub(crate) fn nfs_mounts(bytes: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, behind) = rest.split_at(end);
            rest = behind;
            if let Some((source, point)) = nfs_device(line) {
                // The lines of a mount are indented, or empty.
                let next = memchr::memmem::find(rest, b"\ndevice ").map_or(rest.len(), |at| at + 1);
                let (lines, behind) =
                    if rest.starts_with(b"device ") { rest.split_at(0) } else { rest.split_at(next) };
                rest = behind;
                return Some(Mount { source, point, rest: lines });
            }
        }
        None
    })
}

/// `device SOURCE mounted on POINT with fstype nfs4 …`. A mount without a device is none of NFS.
fn nfs_device(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = scan::fields(scan::trim(line));
    let mut word = |expected: &[u8]| fields.next().filter(|word| *word == expected || expected.is_empty());
    word(b"device")?;
    let source = word(b"")?;
    word(b"mounted")?;
    word(b"on")?;
    let point = word(b"")?;
    word(b"with")?;
    word(b"fstype")?;
    matches!(word(b"")?, b"nfs" | b"nfs4").then_some((source, point))
}

/// A mount point as the host names it, as `node_filesystem_*` has it; node_exporter leaves it escaped.
pub(crate) fn point(escaped: &[u8]) -> String {
    taffrail_core::label::value(&mounts::unescape(escaped)).into_owned()
}

impl<'a> Mount<'a> {
    /// The lines whose first word is `name`, without it.
    fn lines(&self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        scan::lines(self.rest).filter_map(move |line| scan::trim(line).strip_prefix(name))
    }

    /// The numbers of the line `name`; none without such a line.
    pub(crate) fn numbers(
        &self,
        name: &'static [u8],
    ) -> impl Iterator<Item = Result<f64, Malformed>> + use<'a> {
        let line = self.lines(name).next().unwrap_or_default();
        scan::fields(line).map(move |field| scan::expect_number(Some(field), line))
    }

    /// The connections.
    pub(crate) fn transports(&self) -> impl Iterator<Item = Result<Transport<'a>, Malformed>> + use<'a> {
        self.lines(b"xprt:").map(Transport::parse)
    }

    /// The operations: name, and what is counted of each.
    pub(crate) fn operations(
        &self,
    ) -> impl Iterator<Item = Result<(&'a [u8], [f64; 8]), Malformed>> + use<'a> {
        let lines = scan::lines(self.rest).skip_while(|line| !scan::trim(line).starts_with(b"per-op"));
        lines.skip(1).map(scan::trim).filter(|line| !line.is_empty()).map(operation)
    }
}

/// `READ: 1298 1298 0 207680 …`
fn operation(line: &[u8]) -> Result<(&[u8], [f64; 8]), Malformed> {
    let wrong = || Malformed::new("`OPERATION: eight numbers`", line);
    let colon = memchr::memchr(b':', line).ok_or_else(wrong)?;
    let mut fields = scan::fields(&line[colon + 1..]);
    let mut values = [0.0; 8];
    for value in &mut values {
        *value = fields.next().and_then(scan::number).ok_or_else(wrong)?;
    }
    Ok((&line[..colon], values))
}

/// A connection to the server. What its protocol does not count is `None`; node_exporter makes it 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Transport<'a> {
    pub protocol: &'a [u8],
    pub bind: Option<f64>,
    pub connect: Option<f64>,
    pub idle: Option<f64>,
    pub sends: Option<f64>,
    pub receives: Option<f64>,
    pub bad_ids: Option<f64>,
    pub backlog: Option<f64>,
    pub slots: Option<f64>,
    pub sending: Option<f64>,
    pub pending: Option<f64>,
}

impl<'a> Transport<'a> {
    /// Behind the protocol stand: port, bind, (connect, connect time, idle,) sends, receives, bad ids, requests under
    /// way, backlog, and from version 1.1 on slots, sending, pending. Datagrams (`udp`) have none of those in brackets;
    /// with `rdma` other numbers stand where the last three are.
    fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = scan::fields(line);
        let protocol = fields.next().ok_or_else(|| Malformed::new("`protocol port numbers`", line))?;
        let mut values = [None; 13];
        for (value, field) in values.iter_mut().zip(fields) {
            *value = Some(scan::expect_number(Some(field), line)?);
        }
        let (connect, idle, from) =
            if protocol == b"udp" { (None, None, 2) } else { (values[2], values[4], 5) };
        let [slots, sending, pending] = match protocol {
            b"rdma" => [None; 3],
            _ => [values[from + 5], values[from + 6], values[from + 7]],
        };
        Ok(Transport {
            protocol,
            bind: values[1],
            connect,
            idle,
            sends: values[from],
            receives: values[from + 1],
            bad_ids: values[from + 2],
            backlog: values[from + 4],
            slots,
            sending,
            pending,
        })
    }
}

/// Servers' addresses, which only the list of mounts has (`addr=` in `/proc/<pid>/mountinfo`). Both files have the same
/// order, so the search goes on where the mount before was found.
pub(crate) struct Addresses<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Addresses<'a> {
    pub(crate) fn new(mountinfo: &'a [u8]) -> Self {
        Addresses { all: mountinfo, rest: mountinfo }
    }

    /// The address of the mount's server; empty when it is not known.
    pub(crate) fn of(&mut self, mount: &Mount<'_>) -> &'a [u8] {
        self.search(mount)
            .or_else(|| {
                self.rest = self.all;
                self.search(mount)
            })
            .unwrap_or_default()
    }

    fn search(&mut self, mount: &Mount<'_>) -> Option<&'a [u8]> {
        let mut rest = self.rest;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, behind) = rest.split_at(end);
            rest = behind;
            if let Some(address) = address(line, mount) {
                self.rest = rest;
                return Some(address);
            }
        }
        None
    }
}

/// The address in a line of the list of mounts, if it is the mount's line and has one.
fn address<'a>(line: &'a [u8], mount: &Mount<'_>) -> Option<&'a [u8]> {
    let mut fields = scan::trim(line).split(|b| *b == b' ');
    fields.nth(4).filter(|point| *point == mount.point)?;
    fields.find(|field| *field == b"-")?;
    fields.nth(1).filter(|source| *source == mount.source)?;
    let address = fields.next()?.split(|b| *b == b',').find_map(|option| option.strip_prefix(b"addr="));
    Some(address.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nfs_mounts_among_others() {
        let text =
            b"no device mounted on / with fstype rootfs\ndevice a:/x mounted on /a\\040b with fstype nfs\n\
            device nfsd mounted on /proc/fs/nfsd with fstype nfsd\n\
            device b:/y mounted on /b with fstype nfs4 statvers=1.1\n\tage:\t5\n\n\
            device tmpfs mounted on /t with fstype tmpfs\ngarbage\n";
        let mounts: Vec<_> = nfs_mounts(text).collect();
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].source, &*point(mounts[0].point)), (b"a:/x".as_slice(), "/a b"));
        assert!(mounts[0].numbers(b"age:").next().is_none());
        assert_eq!(mounts[1].numbers(b"age:").collect::<Vec<_>>(), [Ok(5.0)]);
        assert!(mounts[1].operations().next().is_none() && mounts[1].transports().next().is_none());
    }

    #[test]
    fn transports_of_all_protocols() {
        let tcp = Transport::parse(b"\ttcp 832 1 2 3 4 5 6 7 8 9 10 11 12").unwrap();
        assert_eq!(
            (tcp.bind, tcp.connect, tcp.idle, tcp.sends),
            (Some(1.0), Some(2.0), Some(4.0), Some(5.0))
        );
        assert_eq!((tcp.backlog, tcp.slots, tcp.pending), (Some(9.0), Some(10.0), Some(12.0)));
        let old = Transport::parse(b"tcp 832 1 2 3 4 5 6 7 8 9").unwrap();
        assert_eq!((old.backlog, old.slots), (Some(9.0), None));
        let udp = Transport::parse(b"udp 832 1 5 6 7 8 9 10 11 12").unwrap();
        assert_eq!(udp, Transport { protocol: b"udp", connect: None, idle: None, ..tcp });
        let rdma = Transport::parse(b"rdma 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14").unwrap();
        assert_eq!((rdma.backlog, rdma.slots), (Some(9.0), None));
        assert!(Transport::parse(b"").is_err() && Transport::parse(b"tcp x").is_err());
    }

    #[test]
    fn addresses_in_the_order_of_mounts_or_not() {
        let list = b"30 1 0:40 / /a rw shared:1 - nfs4 s:/x rw,vers=4.2,addr=192.0.2.1\n\
            31 1 0:41 / /b rw - nfs s:/y rw,addr=192.0.2.2,mountaddr=192.0.2.9\n32 1 0:42 / /c rw - nfs s:/z rw\n";
        let mut addresses = Addresses::new(list);
        let mut of = |source: &str, point: &str| {
            let mount = Mount { source: source.as_bytes(), point: point.as_bytes(), rest: b"" };
            String::from_utf8_lossy(addresses.of(&mount)).into_owned()
        };
        let got = [("s:/x", "/a"), ("s:/y", "/b"), ("s:/z", "/c"), ("s:/x", "/a"), ("s:/n", "/a")];
        assert_eq!(
            got.map(|(source, point)| of(source, point)),
            ["192.0.2.1", "192.0.2.2", "", "192.0.2.1", ""]
        );
    }
}
