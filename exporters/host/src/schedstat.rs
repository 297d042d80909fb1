//! How long processes ran on each CPU and waited for it, from `/proc/schedstat` (kernel document
//! `scheduler/sched-stats`). A kernel without it is silent.

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// Seconds that processes ran on the CPU.
    RUNNING: Counter = "node_schedstat_running_seconds_total" ["cpu"];
    /// Seconds that processes were ready and waited for the CPU.
    WAITING: Counter = "node_schedstat_waiting_seconds_total" ["cpu"];
    /// How often a process got the CPU.
    TIMESLICES: Counter = "node_schedstat_timeslices_total" ["cpu"];
}

/// The subject `schedstat`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("schedstat"));
    Subject::blocking("schedstat", METRICS, move |out| {
        let written = write(file.read()?, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        // Lines of domains stand between those of the CPUs, and are many.
        let Some(rest) = line.strip_prefix(b"cpu") else { continue };
        let cpu = parse(rest).ok_or_else(|| Malformed::new("`cpuN` and at least nine numbers", line))?;
        let number = label::value(cpu.number);
        out.put(&RUNNING, [&number], cpu.running);
        out.put(&WAITING, [&number], cpu.waiting);
        out.put(&TIMESLICES, [&number], cpu.timeslices);
    }
    Ok(())
}

/// One CPU.
#[derive(Debug, PartialEq)]
pub struct Cpu<'a> {
    /// Its number.
    pub number: &'a [u8],
    /// Seconds.
    pub running: f64,
    /// Seconds.
    pub waiting: f64,
    /// A number.
    pub timeslices: f64,
}

/// Parses what stands behind `cpu`: the number of the CPU and at least nine more. Times are in nanoseconds, whatever
/// older documents say.
pub fn parse(rest: &[u8]) -> Option<Cpu<'_>> {
    let mut fields = scan::fields(rest);
    let number = fields.next().filter(|number| scan::integer(number).is_some())?;
    let mut rest = fields.skip(6).map(scan::integer);
    let mut next = || rest.next()?.map(|n| n as f64);
    Some(Cpu { number, running: next()? / 1e9, waiting: next()? / 1e9, timeslices: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_of_nine() {
        let cpu = parse(b"12 0 0 0 0 0 0 2045936778163039 343796328169361 4767485306").unwrap();
        assert_eq!((cpu.number, cpu.running), (b"12".as_slice(), 2045936.778163039));
        assert_eq!((cpu.waiting, cpu.timeslices), (343796.328169361, 4767485306.0));
        // A later kernel may say more.
        assert!(parse(b"0 0 0 0 0 0 0 1 2 3 4").is_some());
    }

    #[test]
    fn what_is_wrong_is_no_cpu() {
        for bad in
            [b"".as_slice(), b"0", b"0 0 0 0 0 0 0 1 2", b"x 0 0 0 0 0 0 1 2 3", b"0 0 0 0 0 0 0 1 -2 3"]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
