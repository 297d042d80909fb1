//! Free memory by the size of its pieces from `/proc/buddyinfo` (proc_buddyinfo(5)).

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::ordinals::Ordinals;
use crate::scan::{self, Malformed};

metrics! {
    /// Free pieces of 2^size pages.
    BLOCKS: Gauge = "node_buddyinfo_blocks" ["node", "zone", "size"];
}

/// The subject `buddyinfo`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("buddyinfo"));
    let mut sizes = Ordinals::default();
    Subject::blocking("buddyinfo", METRICS, move |out| {
        let written = write(file.read()?, &mut sizes, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], sizes: &mut Ordinals, out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let (node, zone, counts) = parse(line)?;
        let (node, zone) = (label::value(node), label::value(zone));
        for (size, field) in counts.enumerate() {
            let count = scan::expect_number(Some(field), line)?;
            out.put(&BLOCKS, [&node, &zone, sizes.get(size)], count);
        }
    }
    Ok(())
}

type Zone<'a, I> = (&'a [u8], &'a [u8], I);

/// Parses `Node 0, zone Normal 1 2 3`: the node, the zone, and how many free pieces there are of each size.
pub fn parse(line: &[u8]) -> Result<Zone<'_, impl Iterator<Item = &[u8]>>, Malformed> {
    let mut fields = scan::fields(line);
    match [fields.next(), fields.next(), fields.next(), fields.next()] {
        [Some(b"Node"), Some(node), Some(b"zone"), Some(zone)] => {
            Ok((node.strip_suffix(b",").unwrap_or(node), zone, fields))
        }
        _ => Err(Malformed::new("`Node number, zone name` and numbers", line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone() {
        let (node, zone, counts) = parse(b"Node 1, zone   Normal   4381   1093    185 ").unwrap();
        assert_eq!((node, zone), (b"1".as_slice(), b"Normal".as_slice()));
        assert_eq!(counts.collect::<Vec<_>>(), [b"4381".as_slice(), b"1093", b"185"]);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"Node 0, zone", b"Zone 0, node Normal 1"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
