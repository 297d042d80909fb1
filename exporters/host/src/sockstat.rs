//! Sockets in use and their memory from `<procfs>/1/net/{sockstat,sockstat6}` (proc_pid_net(5)).

use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::scan::{self, Malformed};

metrics! {
    /// Field {key} of the sockets in use: sockets, pages (mem) or bytes (mem_bytes, memory).
    FIELD: Gauge = "node_sockstat_" {"protocols and fields of /proc/net/sockstat and sockstat6"} "" [] irregular;
}

/// The subject `sockstat`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut files = ["sockstat", "sockstat6"].map(|name| NetFile::new(config, name));
    let mut key = String::new();
    Subject::blocking("sockstat", METRICS, move |out| {
        let mut found = false;
        for file in &mut files {
            let written = match file.read() {
                Ok(bytes) => write(bytes, &mut key, out),
                // A kernel without that version of IP.
                Err(CollectError::Absent) => continue,
                Err(error) => return Err(error),
            };
            written.map_err(|e| file.malformed(e))?;
            found = true;
        }
        if found { Ok(()) } else { Err(CollectError::Absent) }
    })
}

fn write(bytes: &[u8], key: &mut String, out: &mut Out) -> Result<(), Malformed> {
    let page = rustix::param::page_size() as f64;
    for line in scan::lines(bytes) {
        let (protocol, mut fields) = parse(line)?;
        while let Some(name) = fields.next() {
            let value = scan::expect_number(fields.next(), line)?;
            key.clear();
            for part in [protocol, b"_", name] {
                key.push_str(&label::value(part));
            }
            out.put_keyed(&FIELD, key, [], value);
            // Pages are of different sizes on different machines, so they are published in bytes as well.
            if name == b"mem" {
                key.push_str("_bytes");
                out.put_keyed(&FIELD, key, [], value * page);
            }
        }
    }
    Ok(())
}

/// The protocol of one line, and its names and numbers.
fn parse(line: &[u8]) -> Result<(&[u8], impl Iterator<Item = &[u8]>), Malformed> {
    match memchr::memchr(b':', line) {
        Some(at) if at > 0 => Ok((&line[..at], scan::fields(&line[at + 1..]))),
        _ => Err(Malformed::new("`PROTOCOL: name number …`", line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &[u8]) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(text, &mut String::new(), &mut out)?;
        let collected = out.finish();
        let names = collected.new.iter().map(|(_, def)| def.family.name.clone());
        Ok(names.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    #[test]
    fn memory_is_published_in_bytes_too() {
        let page = rustix::param::page_size() as f64;
        let expected =
            [("sockets_used", 7.0), ("TCP_inuse", 1.0), ("TCP_mem", 3.0), ("TCP_mem_bytes", 3.0 * page)];
        let expected = expected.map(|(name, value)| (format!("node_sockstat_{name}"), value));
        assert_eq!(run(b"sockets: used 7\nTCP: inuse 1 mem 3\nNEW:\n").unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"\n".as_slice(), b"TCP inuse 1\n", b": inuse 1\n", b"TCP: inuse\n", b"TCP: inuse x\n"] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }
}
