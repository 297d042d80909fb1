//! Tape drives from `/sys/class/scsi_tape/st<n>/stats` (kernel document `scsi/st`). The other nodes of a drive (`nst0`,
//! `st0a`) are its modes and show the same.

use taffrail_core::{Subject, metrics};

use crate::attribute::Buffer;
use crate::columns::{Column, Numbers, Unit};
use crate::config::HostConfig;
use crate::devices::{Devices, Node, numbered};

metrics! {
    /// Requests under way.
    IO_NOW: Gauge = "node_tape_io_now" ["device"];
    /// Seconds spent by all requests, movements of the tape included.
    IO_SECONDS: Counter = "node_tape_io_time_seconds_total" ["device"];
    /// Requests that were neither reads nor writes.
    OTHERS: Counter = "node_tape_io_others_total" ["device"];
    /// Bytes read.
    READ_BYTES: Counter = "node_tape_read_bytes_total" ["device"];
    /// Reads completed.
    READS: Counter = "node_tape_reads_completed_total" ["device"];
    /// Seconds spent by all reads.
    READ_SECONDS: Counter = "node_tape_read_time_seconds_total" ["device"];
    /// Reads and writes of which a part was left over, as when a program reads more than a block.
    RESIDUAL: Counter = "node_tape_residual_total" ["device"];
    /// Bytes written.
    WRITTEN_BYTES: Counter = "node_tape_written_bytes_total" ["device"];
    /// Writes completed.
    WRITES: Counter = "node_tape_writes_completed_total" ["device"];
    /// Seconds spent by all writes.
    WRITE_SECONDS: Counter = "node_tape_write_time_seconds_total" ["device"];
}

static COLUMNS: [Column<1>; 10] = [
    ("stats/in_flight", &IO_NOW, Unit::One),
    ("stats/io_ns", &IO_SECONDS, Unit::Nano),
    ("stats/other_cnt", &OTHERS, Unit::One),
    ("stats/read_byte_cnt", &READ_BYTES, Unit::One),
    ("stats/read_cnt", &READS, Unit::One),
    ("stats/read_ns", &READ_SECONDS, Unit::Nano),
    ("stats/resid_cnt", &RESIDUAL, Unit::One),
    ("stats/write_byte_cnt", &WRITTEN_BYTES, Unit::One),
    ("stats/write_cnt", &WRITES, Unit::One),
    ("stats/write_ns", &WRITE_SECONDS, Unit::Nano),
];

/// The subject `tapestats`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut tapes = Devices::new(config.sys("class/scsi_tape"));
    let wanted = config.tapestats.clone();
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("tapestats", METRICS, move |out| {
        let new = |class: &_, name: &[u8]| {
            numbered(name, "st").filter(|_| wanted.keeps(name))?;
            Some((Node::open(class, name)?, Numbers::new(&COLUMNS)))
        };
        for (node, numbers) in tapes.present(new)? {
            numbers.write(&*node, [&node.label], &mut buffer, out);
        }
        Ok(())
    })
}
