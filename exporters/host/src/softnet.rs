//! Packets that each CPU took from the network cards, from `<procfs>/1/net/softnet_stat` (`net/core/net-procfs.c`;
//! kernel document `networking/scaling`).

use taffrail_core::{Family, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::scan::{self, Malformed};

metrics! {
    /// Packets processed.
    PROCESSED: Counter = "node_softnet_processed_total" ["cpu"];
    /// Packets dropped because the CPU's backlog was full.
    DROPPED: Counter = "node_softnet_dropped_total" ["cpu"];
    /// How often the CPU had packets left when its time or number for one round was used up.
    SQUEEZED: Counter = "node_softnet_times_squeezed_total" ["cpu"];
    /// How often another CPU held the device's lock while sending.
    COLLISION: Counter = "node_softnet_cpu_collision_total" ["cpu"];
    /// How often another CPU woke this one to process packets.
    RECEIVED_RPS: Counter = "node_softnet_received_rps_total" ["cpu"];
    /// How often a flow was held back because the backlog ran full.
    FLOW_LIMIT: Counter = "node_softnet_flow_limit_count_total" ["cpu"];
    /// Packets in the CPU's backlog.
    BACKLOG: Gauge = "node_softnet_backlog_len" ["cpu"];
}

/// The columns that are published. What an older kernel does not write is left out; node_exporter makes it 0.
static COLUMNS: [(usize, &Family<1>); 7] = [
    (0, &PROCESSED),
    (1, &DROPPED),
    (2, &SQUEEZED),
    (8, &COLLISION),
    (9, &RECEIVED_RPS),
    (10, &FLOW_LIMIT),
    (11, &BACKLOG),
];
/// The column of the CPU's number, since Linux 5.14. Before, CPUs that are off have no line, and the others are counted.
const CPU: usize = 12;

/// The subject `softnet`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = NetFile::new(config, "softnet_stat");
    let mut cpus = Vec::new();
    Subject::blocking("softnet", METRICS, move |out| {
        let written = write(file.read()?, &mut cpus, out);
        written.map_err(|e| file.malformed(e))
    })
}

/// `cpus` are the numbers of the run before, as labels.
fn write(bytes: &[u8], cpus: &mut Vec<(u64, String)>, out: &mut Out) -> Result<(), Malformed> {
    for (at, line) in scan::lines(bytes).enumerate() {
        let row = parse(line)?;
        let cpu = row[CPU].unwrap_or(at as u64);
        if cpus.get(at).is_none_or(|(known, _)| *known != cpu) {
            cpus.truncate(at);
            cpus.push((cpu, cpu.to_string()));
        }
        for (column, family) in COLUMNS {
            if let Some(value) = row[column] {
                out.put(family, [&cpus[at].1], value as f64);
            }
        }
    }
    Ok(())
}

/// The columns of one line, as far as there are any.
pub fn parse(line: &[u8]) -> Result<[Option<u64>; CPU + 1], Malformed> {
    let wrong = || Malformed::new("at least nine hexadecimal numbers", line);
    let mut row = [None; CPU + 1];
    for (column, field) in row.iter_mut().zip(scan::fields(line)) {
        *column = Some(scan::hex(field).ok_or_else(wrong)?);
    }
    if row[8].is_none() { Err(wrong()) } else { Ok(row) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_old_and_new_kernels() {
        let new = parse(b"a 1 2 0 0 0 0 0 3 4 5 6 7 0 0").unwrap();
        assert_eq!((new[0], new[8], new[11], new[CPU]), (Some(10), Some(3), Some(6), Some(7)));
        let old = parse(b"00015c73 00020e76 F0000769 0 0 0 0 0 0").unwrap();
        assert_eq!((old[2], old[8], old[9]), (Some(0xf000_0769), Some(0), None));
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"1 2 3", b"1 2 3 4 5 6 7 8 x", b"-1 0 0 0 0 0 0 0 0"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
