//! Network traffic of a container, from its own `/proc/<pid>/net/dev`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use taffrail_core::cost;

use crate::scan::{self, Malformed};

/// Counters of one interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Received: bytes, packets, errors, dropped.
    pub received: [f64; 4],
    /// Sent: bytes, packets, errors, dropped.
    pub sent: [f64; 4],
}

/// Interfaces that are left out: the loopback, and ends of other containers' wires.
const LEFT_OUT: [&str; 4] = ["lo", "veth", "docker", "nerdctl"];
/// The most interfaces of one container that are published.
const MAX_INTERFACES: usize = 64;

/// Parses `/proc/<pid>/net/dev`.
pub fn parse(bytes: &[u8]) -> Result<Vec<Interface>, Malformed> {
    let mut interfaces = Vec::new();
    // Two lines of headings.
    for line in scan::lines(bytes).skip(2) {
        let malformed = || Malformed::new("`interface: 16 numbers`", line);
        // A name may hold colons, numbers do not.
        let colon = memchr::memrchr(b':', line).ok_or_else(malformed)?;
        let name = taffrail_core::label::value(line[..colon].trim_ascii());
        if LEFT_OUT.iter().any(|start| name.starts_with(start)) || interfaces.len() == MAX_INTERFACES {
            continue;
        }
        let mut numbers = [0.0; 16];
        let mut fields = scan::fields(&line[colon + 1..]);
        for number in &mut numbers {
            *number = fields.next().and_then(scan::integer).ok_or_else(malformed)? as f64;
        }
        let [r0, r1, r2, r3, _, _, _, _, s0, s1, s2, s3, ..] = numbers;
        interfaces.push(Interface {
            name: name.into_owned(),
            received: [r0, r1, r2, r3],
            sent: [s0, s1, s2, s3],
        });
    }
    Ok(interfaces)
}

/// What a process sees of its network: the interfaces, and a number that is the same for all processes that share it.
/// The number is the file's inode, which the kernel gives each network namespace anew; the namespace's own number would
/// need the right to trace the process. The file is not kept open, as that would keep a dead container's network alive.
pub fn read(procfs: &Path, pid: u32, buffer: &mut Vec<u8>) -> std::io::Result<u64> {
    let mut file = File::open(procfs.join(format!("{pid}/net/dev")))?;
    let inode = file.metadata()?.ino();
    buffer.clear();
    let read = file.by_ref().take(MAX_BYTES).read_to_end(buffer)?;
    cost::read(read);
    Ok(inode)
}

/// Ten thousand interfaces.
const MAX_BYTES: u64 = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces() {
        let text = b"Inter-|   Receive |  Transmit\n face |bytes packets\n\
            lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
            eth0: 11 12 13 14 0 0 0 0 21 22 23 24 0 0 0 0\n\
            eth0:1:31 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let interfaces = parse(text).unwrap();
        assert_eq!(interfaces.len(), 2);
        assert_eq!(interfaces[0].received, [11.0, 12.0, 13.0, 14.0]);
        assert_eq!(interfaces[0].sent, [21.0, 22.0, 23.0, 24.0]);
        assert_eq!(interfaces[1].name, "eth0:1");
        assert!(parse(b"a\nb\neth0: 1 2 3\n").is_err() && parse(b"a\nb\neth0\n").is_err());
        assert_eq!(parse(b""), Ok(vec![]));
    }

    #[test]
    fn processes_that_share_a_network_see_one_number() {
        let mut buffer = Vec::new();
        let own = read(Path::new("/proc"), std::process::id(), &mut buffer).unwrap();
        let parent = read(Path::new("/proc"), std::os::unix::process::parent_id(), &mut buffer).unwrap();
        assert_eq!(own, parent);
        assert!(parse(&buffer).is_ok());
        assert!(read(Path::new("/proc"), 0, &mut buffer).is_err());
    }
}
