//! Tracked connections from `<procfs>/1/net/stat/nf_conntrack` (`net/netfilter/nf_conntrack_standalone.c`) and the limit
//! from `/proc/sys/net/netfilter` (kernel document `networking/nf_conntrack-sysctl`).
//!
//! `/proc/sys/net` shows the reader's own network, also where the host's procfs is mounted. The limit is one for the
//! whole machine, so it may be read there; the number of connections is taken from the host's file, which has it too.

use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Family, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::network::{self, NetFile};
use crate::scan::{self, Malformed};

metrics! {
    /// Connections in the table.
    ENTRIES: Gauge = "node_nf_conntrack_entries" [];
    /// Connections that the table may hold.
    LIMIT: Gauge = "node_nf_conntrack_entries_limit" [];
    /// Lookups that found a connection.
    FOUND: Gauge = "node_nf_conntrack_stat_found" [];
    /// Packets that cannot be tracked.
    INVALID: Gauge = "node_nf_conntrack_stat_invalid" [];
    /// Packets that belonged to a connection before they were looked up.
    IGNORE: Gauge = "node_nf_conntrack_stat_ignore" [];
    /// Connections inserted into the table.
    INSERT: Gauge = "node_nf_conntrack_stat_insert" [];
    /// Connections that could not be inserted, since their like was there.
    INSERT_FAILED: Gauge = "node_nf_conntrack_stat_insert_failed" [];
    /// Packets dropped because a connection could not be tracked.
    DROP: Gauge = "node_nf_conntrack_stat_drop" [];
    /// Connections dropped to make room for new ones.
    EARLY_DROP: Gauge = "node_nf_conntrack_stat_early_drop" [];
    /// Lookups begun anew because the table changed its size.
    SEARCH_RESTART: Gauge = "node_nf_conntrack_stat_search_restart" [];
}

/// The columns that are summed up over all CPUs, by the names in the file's heading.
static COLUMNS: [(&[u8], &Family<0>); 8] = [
    (b"found", &FOUND),
    (b"invalid", &INVALID),
    (b"ignore", &IGNORE),
    (b"insert", &INSERT),
    (b"insert_failed", &INSERT_FAILED),
    (b"drop", &DROP),
    (b"early_drop", &EARLY_DROP),
    (b"search_restart", &SEARCH_RESTART),
];

/// The subject `conntrack`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut table = NetFile::new(&config, "stat/nf_conntrack");
    let sysctl = |name: &str| KernelFile::new(config.proc("sys/net/netfilter").join(name));
    let mut count = sysctl("nf_conntrack_count");
    let mut limit = sysctl("nf_conntrack_max");
    Subject::blocking("conntrack", METRICS, move |out| {
        match table.read().map(parse) {
            Ok(parsed) => parsed.map_err(|e| table.malformed(e))?.write(out),
            // A kernel can be built without the file.
            Err(CollectError::Absent) if network::in_hosts_network(&config.procfs) => {
                out.put(&ENTRIES, [], number(&mut count)?);
            }
            Err(error) => return Err(error),
        }
        match number(&mut limit) {
            Ok(value) => out.put(&LIMIT, [], value),
            Err(CollectError::Absent) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    })
}

fn number(file: &mut KernelFile) -> Result<f64, CollectError> {
    let value = scan::number(scan::trim(file.read()?));
    value.ok_or_else(|| file.malformed("expected a number"))
}

/// The table's numbers.
#[derive(Debug, Default, PartialEq)]
pub struct Table {
    entries: Option<f64>,
    /// As [`COLUMNS`] stand; `None` where the kernel has no such column.
    sums: [Option<f64>; COLUMNS.len()],
}

impl Table {
    fn write(&self, out: &mut Out) {
        let families = COLUMNS.iter().map(|(_, family)| *family);
        let values = [(&ENTRIES, self.entries)].into_iter().chain(families.zip(self.sums));
        for (family, value) in values {
            if let Some(value) = value {
                out.put(family, [], value);
            }
        }
    }
}

/// Parses the file: a heading, and for each CPU a line of hexadecimal numbers.
pub fn parse(bytes: &[u8]) -> Result<Table, Malformed> {
    let mut lines = scan::lines(bytes);
    let heading = lines.next().unwrap_or_default();
    let entries = scan::fields(heading).position(|name| name == b"entries");
    let entries = entries.ok_or_else(|| Malformed::new("a heading with `entries`", heading))?;
    let places = COLUMNS.map(|(name, _)| scan::fields(heading).position(|column| column == name));
    let mut table = Table::default();
    for line in lines {
        let mut sum = |at: usize, field: &[u8]| {
            if let Some(value) = scan::hex(field).map(|value| value as f64) {
                // Not counted by CPU: every line has the whole number.
                if at == entries {
                    table.entries = Some(value);
                }
                if let Some(column) = places.iter().position(|place| *place == Some(at)) {
                    *table.sums[column].get_or_insert(0.0) += value;
                }
                return true;
            }
            false
        };
        if !scan::fields(line).enumerate().all(|(at, field)| sum(at, field)) {
            return Err(Malformed::new("a line of hexadecimal numbers", line));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_up_and_the_entries_are_not() {
        let table = parse(
            b"entries  clashres found new invalid insert  early_drop\n\
              00000047  00000001 0000000a 00000000 00000002 00000000  00000003\n\
              00000047  00000001 00000001 00000000 00000003 00000000  00000000\n",
        );
        let expected = [Some(11.0), Some(5.0), None, Some(0.0), None, None, Some(3.0), None];
        assert_eq!(table.unwrap(), Table { entries: Some(71.0), sums: expected });
        assert_eq!(parse(b"entries found\n").unwrap(), Table::default());
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"found\n1\n", b"entries found\n1 x\n", b"entries\n-1\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
