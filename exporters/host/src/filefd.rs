//! Open files of the whole machine from `/proc/sys/fs/file-nr` (proc_sys_fs(5)).

use taffrail_core::file::KernelFile;
use taffrail_core::{Subject, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// File handles in use on the whole machine.
    ALLOCATED: Gauge = "node_filefd_allocated" [];
    /// File handles that the kernel allows on the whole machine.
    MAXIMUM: Gauge = "node_filefd_maximum" [];
}

/// The subject `filefd`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("sys/fs/file-nr"));
    Subject::blocking("filefd", METRICS, move |out| {
        let (allocated, maximum) = parse(file.read()?).map_err(|e| file.malformed(e))?;
        out.put(&ALLOCATED, [], allocated);
        out.put(&MAXIMUM, [], maximum);
        Ok(())
    })
}

/// How many are allocated, and how many are allowed. The number between the two has been 0 since Linux 2.6.
pub fn parse(bytes: &[u8]) -> Result<(f64, f64), Malformed> {
    let mut fields = scan::fields(scan::trim(bytes)).map(scan::number);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(Some(allocated)), Some(_), Some(Some(maximum))) => Ok((allocated, maximum)),
        _ => Err(Malformed::new("three numbers", bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_or_an_error() {
        assert_eq!(parse(b"650\t0\t2466170\n").unwrap(), (650.0, 2466170.0));
        assert_eq!(parse(b"650\t0\t9223372036854775807\n").unwrap().1, 9223372036854775807.0);
        for bad in [b"".as_slice(), b"650\t0\n", b"a\t0\tb\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
