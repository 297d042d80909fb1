//! Pressure stall information from `/proc/pressure/*` (kernel document `accounting/psi`), in seconds. A kernel without
//! it, or with it switched off (`psi=0`), is silent.

use rustix::io::Errno;
use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Family, Subject, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// Seconds in which some process waited for a CPU.
    CPU_WAITING: Counter = "node_pressure_cpu_waiting_seconds_total" [];
    /// Seconds in which some process waited for input or output.
    IO_WAITING: Counter = "node_pressure_io_waiting_seconds_total" [];
    /// Seconds in which all processes with work waited for input or output.
    IO_STALLED: Counter = "node_pressure_io_stalled_seconds_total" [];
    /// Seconds in which some process waited for memory.
    MEMORY_WAITING: Counter = "node_pressure_memory_waiting_seconds_total" [];
    /// Seconds in which all processes with work waited for memory.
    MEMORY_STALLED: Counter = "node_pressure_memory_stalled_seconds_total" [];
    /// Seconds in which all processes with work waited for interrupts to be handled.
    IRQ_STALLED: Counter = "node_pressure_irq_stalled_seconds_total" [];
}

/// A file of `/proc/pressure` and what is published of it. The `full` line of `cpu` has no meaning for a whole machine.
struct Resource {
    file: KernelFile,
    some: Option<&'static Family<0>>,
    full: Option<&'static Family<0>>,
}

/// The subject `pressure`.
pub fn subject(config: &HostConfig) -> Subject {
    let resource = |name: &str, some, full| Resource {
        file: KernelFile::new(config.proc("pressure").join(name)),
        some,
        full,
    };
    let mut resources = [
        resource("cpu", Some(&CPU_WAITING), None),
        resource("io", Some(&IO_WAITING), Some(&IO_STALLED)),
        resource("memory", Some(&MEMORY_WAITING), Some(&MEMORY_STALLED)),
        resource("irq", None, Some(&IRQ_STALLED)),
    ];
    Subject::blocking("pressure", METRICS, move |out| {
        let mut found = false;
        for Resource { file, some, full } in &mut resources {
            let totals = match file.read() {
                Ok(bytes) => parse(bytes),
                Err(CollectError::Absent) => continue,
                Err(CollectError::Read { source, .. }) if switched_off(&source) => continue,
                Err(error) => return Err(error),
            };
            let totals = totals.map_err(|e| file.malformed(e))?;
            found = true;
            for (family, total) in [(*some, totals.some), (*full, totals.full)] {
                if let (Some(family), Some(seconds)) = (family, total) {
                    out.put(family, [], seconds);
                }
            }
        }
        if found { Ok(()) } else { Err(CollectError::Absent) }
    })
}

/// The kernel opens the files and refuses to read them when it was started with `psi=0`.
fn switched_off(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error())
}

/// The totals of one resource, in seconds.
#[derive(Debug, Default, PartialEq)]
pub struct Totals {
    /// Some process waited.
    pub some: Option<f64>,
    /// All processes with work waited.
    pub full: Option<f64>,
}

/// Parses one file: lines of `some` and `full`, whose `total=` is in microseconds.
pub fn parse(bytes: &[u8]) -> Result<Totals, Malformed> {
    let mut totals = Totals::default();
    for line in scan::lines(bytes) {
        let mut fields = scan::fields(line);
        let kind = fields.next();
        let total = fields
            .find_map(|field| field.strip_prefix(b"total="))
            .and_then(scan::integer)
            .map(|microseconds| microseconds as f64 / 1e6)
            .ok_or_else(|| Malformed::new("`some|full … total=microseconds`", line))?;
        match kind {
            Some(b"some") => totals.some = Some(total),
            Some(b"full") => totals.full = Some(total),
            // A line of a later kernel's.
            _ => {}
        }
    }
    if totals == Totals::default() {
        return Err(Malformed::new("a line that begins with `some` or `full`", bytes));
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_or_one() {
        let both = b"some avg10=0.00 avg60=0.20 avg300=1.40 total=50093423\n\
                     full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(parse(both).unwrap(), Totals { some: Some(50.093423), full: Some(7e-6) });
        let one = b"full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n";
        assert_eq!(parse(one).unwrap(), Totals { some: None, full: Some(1.0) });
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in
            [b"".as_slice(), b"some avg10=0.00\n", b"some total=-1\n", b"some total=x\n", b"most total=1\n"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
