//! Each area of swap from `/proc/swaps` (proc_swaps(5)).

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// Bytes that the swap area holds.
    SIZE: Gauge = "node_swap_size_bytes" ["device", "swap_type"];
    /// Bytes of the swap area that are in use.
    USED: Gauge = "node_swap_used_bytes" ["device", "swap_type"];
    /// The swap area's priority; those with a higher one are filled first.
    PRIORITY: Gauge = "node_swap_priority" ["device", "swap_type"];
}

/// The subject `swap`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("swaps"));
    Subject::blocking("swap", METRICS, move |out| {
        let written = write(file.read()?, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], out: &mut Out) -> Result<(), Malformed> {
    // The first line names the columns.
    for line in scan::lines(bytes).skip(1) {
        let area = parse(line)?;
        let (device, kind) = (label::value(area.device), label::value(area.kind));
        out.put(&SIZE, [&device, &kind], area.size);
        out.put(&USED, [&device, &kind], area.used);
        out.put(&PRIORITY, [&device, &kind], area.priority);
    }
    Ok(())
}

/// One area.
#[derive(Debug, PartialEq)]
pub struct Area<'a> {
    /// Its device or file, with blanks as `\040`.
    pub device: &'a [u8],
    /// `partition` or `file`.
    pub kind: &'a [u8],
    /// Bytes.
    pub size: f64,
    /// Bytes.
    pub used: f64,
    /// Negative where the kernel chose it.
    pub priority: f64,
}

/// Parses one line, whose sizes are in KiB.
pub fn parse(line: &[u8]) -> Result<Area<'_>, Malformed> {
    parse_fields(scan::fields(line)).ok_or_else(|| Malformed::new("`name type size used priority`", line))
}

fn parse_fields<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<Area<'a>> {
    let (device, kind) = (fields.next()?, fields.next()?);
    let mut number = || scan::number(fields.next()?);
    Some(Area { device, kind, size: number()? * 1024.0, used: number()? * 1024.0, priority: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas() {
        let area =
            parse(b"/dev/zram0                              partition\t8388604\t\t176\t\t100").unwrap();
        assert_eq!((area.device, area.kind), (b"/dev/zram0".as_slice(), b"partition".as_slice()));
        assert_eq!((area.size, area.used, area.priority), (8388604.0 * 1024.0, 176.0 * 1024.0, 100.0));
        assert_eq!(parse(b"/a\\040b file 4 0 -2").unwrap().priority, -2.0);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"/dev/sda2 partition 1 2", b"/dev/sda2 partition x 2 3"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
