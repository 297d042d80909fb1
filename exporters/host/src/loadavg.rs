//! Load averages from `/proc/loadavg` (proc_loadavg(5)): processes running, waiting to run or in uninterruptible sleep.

use taffrail_core::file::KernelFile;
use taffrail_core::{Subject, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// Processes that run, wait to run or wait for a disk: average over one minute.
    LOAD1: Gauge = "node_load1" [];
    /// Processes that run, wait to run or wait for a disk: average over five minutes.
    LOAD5: Gauge = "node_load5" [];
    /// Processes that run, wait to run or wait for a disk: average over fifteen minutes.
    LOAD15: Gauge = "node_load15" [];
}

/// The subject `loadavg`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("loadavg"));
    Subject::blocking("loadavg", METRICS, move |out| {
        let loads = parse(file.read()?).map_err(|e| file.malformed(e))?;
        for (family, load) in [&LOAD1, &LOAD5, &LOAD15].into_iter().zip(loads) {
            out.put(family, [], load);
        }
        Ok(())
    })
}

/// The averages over 1, 5 and 15 minutes.
pub fn parse(bytes: &[u8]) -> Result<[f64; 3], Malformed> {
    let mut fields = scan::fields(bytes).map(|field| scan::number(scan::trim(field)));
    match (fields.next(), fields.next(), fields.next()) {
        (Some(Some(one)), Some(Some(five)), Some(Some(fifteen))) => Ok([one, five, fifteen]),
        _ => Err(Malformed::new("three numbers", bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_or_an_error() {
        assert_eq!(parse(b"0.21 0.37 0.39 1/719 19737\n").unwrap(), [0.21, 0.37, 0.39]);
        assert_eq!(parse(b"1024.00 1 0\n").unwrap(), [1024.0, 1.0, 0.0]);
        for bad in [b"".as_slice(), b"0.1 0.2\n", b"0.1 x 0.2", b"\xff\xfe \x00"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
