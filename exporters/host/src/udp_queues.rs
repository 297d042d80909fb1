//! Bytes in the queues of UDP sockets, from `<procfs>/1/net/{udp,udp6}` (kernel document `networking/proc_net_tcp`).

use std::path::PathBuf;

use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Subject, metrics};

use crate::config::HostConfig;
use crate::network;
use crate::scan;
use crate::socket_table::SocketTable;

metrics! {
    /// Bytes in the queues of all UDP sockets, received and not yet read (rx) or not yet sent (tx).
    QUEUES: Gauge = "node_udp_queues" ["queue", "ip"];
}

/// The subject `udp_queues`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut known = None;
    Subject::blocking("udp_queues", METRICS, move |out| {
        let versions = match &mut known {
            Some(versions) => versions,
            None => {
                let dir = network::directory(&config)?;
                known.insert([
                    Version::new("v4", dir.join("udp"), dir.join("sockstat"), b"UDP:"),
                    Version::new("v6", dir.join("udp6"), dir.join("sockstat6"), b"UDP6:"),
                ])
            }
        };
        let mut found = false;
        for version in versions {
            match version.sums() {
                Ok((sent, received)) => {
                    out.put(&QUEUES, ["tx", version.label], sent as f64);
                    out.put(&QUEUES, ["rx", version.label], received as f64);
                    found = true;
                }
                // A kernel without that version of IP.
                Err(CollectError::Absent) => {}
                Err(error) => {
                    known = None;
                    return Err(error);
                }
            }
        }
        if found { Ok(()) } else { Err(CollectError::Absent) }
    })
}

/// One version of IP.
struct Version {
    label: &'static str,
    table: SocketTable,
    /// How many sockets there are, and the word before their number. Where there are none the table need not be read:
    /// to write even an empty one the kernel goes through all its buckets.
    numbers: KernelFile,
    word: &'static [u8],
}

impl Version {
    fn new(label: &'static str, table: PathBuf, numbers: PathBuf, word: &'static [u8]) -> Self {
        Version { label, table: SocketTable::new(table), numbers: KernelFile::new(numbers), word }
    }

    /// Bytes sent and bytes received.
    fn sums(&mut self) -> Result<(u64, u64), CollectError> {
        let (mut sent, mut received) = (0u64, 0u64);
        // The first reading says whether there is a table at all.
        if self.table.is_open() && self.numbers.read().is_ok_and(|bytes| has_none(bytes, self.word)) {
            return Ok((0, 0));
        }
        self.table.each(|socket| {
            sent = sent.saturating_add(socket.sent);
            received = received.saturating_add(socket.received);
        })?;
        Ok((sent, received))
    }
}

/// Whether `sockstat` says that no socket of the kind is in use.
fn has_none(sockstat: &[u8], word: &[u8]) -> bool {
    let line = scan::lines(sockstat).find_map(|line| line.strip_prefix(word)).unwrap_or_default();
    let mut fields = scan::fields(line);
    (fields.next(), fields.next()) == (Some(b"inuse"), Some(b"0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sockets_only_where_it_is_said() {
        assert!(has_none(b"sockets: used 2\nTCP: inuse 1\nUDP: inuse 0 mem 0\nUDPLITE: inuse 3\n", b"UDP:"));
        for other in [b"".as_slice(), b"UDP: inuse 1 mem 0\n", b"UDP: mem 0\n", b"UDPLITE: inuse 0\n"] {
            assert!(!has_none(other, b"UDP:"), "{other:?}");
        }
    }
}
