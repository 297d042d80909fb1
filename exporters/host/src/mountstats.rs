//! NFS mounts of this machine, from `<procfs>/1/mountstats` (`fs/nfs/super.c`, `net/sunrpc/stats.c`): what was read and
//! written, how the connections fare, and how long each operation took.

use std::collections::BTreeSet;

use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Family, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::mountstats_parse::{self as text, Mount, Transport};
use crate::scan::Malformed;

metrics! {
    /// Where an export is mounted. Always 1.
    MOUNTPOINT: Gauge = "node_mountstats_nfs_mountpoint_info" ["export", "protocol", "mountaddr", "mountpoint"];
    /// Seconds since it was mounted.
    AGE: Counter = "node_mountstats_nfs_age_seconds_total" ["export", "protocol", "mountaddr"];
    /// Bytes that programs read.
    READ: Counter = "node_mountstats_nfs_read_bytes_total" ["export", "protocol", "mountaddr"];
    /// Bytes that programs wrote.
    WRITE: Counter = "node_mountstats_nfs_write_bytes_total" ["export", "protocol", "mountaddr"];
    /// Bytes that programs read past the page cache (O_DIRECT).
    DIRECT_READ: Counter = "node_mountstats_nfs_direct_read_bytes_total" ["export", "protocol", "mountaddr"];
    /// Bytes that programs wrote past the page cache (O_DIRECT).
    DIRECT_WRITE: Counter = "node_mountstats_nfs_direct_write_bytes_total" ["export", "protocol", "mountaddr"];
    /// Bytes read from the server.
    TOTAL_READ: Counter = "node_mountstats_nfs_total_read_bytes_total" ["export", "protocol", "mountaddr"];
    /// Bytes written to the server.
    TOTAL_WRITE: Counter = "node_mountstats_nfs_total_write_bytes_total" ["export", "protocol", "mountaddr"];
    /// Pages read through the page cache.
    READ_PAGES: Counter = "node_mountstats_nfs_read_pages_total" ["export", "protocol", "mountaddr"];
    /// Pages written through the page cache.
    WRITE_PAGES: Counter = "node_mountstats_nfs_write_pages_total" ["export", "protocol", "mountaddr"];
    /// How often attributes of a cached inode were checked with the server.
    INODE_REVALIDATE: Counter = "node_mountstats_nfs_event_inode_revalidate_total" ["export", "protocol", "mountaddr"];
    /// How often a cached name was checked with the server.
    DNODE_REVALIDATE: Counter = "node_mountstats_nfs_event_dnode_revalidate_total" ["export", "protocol", "mountaddr"];
    /// How often cached data of an inode was thrown away.
    DATA_INVALIDATE: Counter = "node_mountstats_nfs_event_data_invalidate_total" ["export", "protocol", "mountaddr"];
    /// How often cached attributes of an inode were thrown away.
    ATTRIBUTE_INVALIDATE: Counter = "node_mountstats_nfs_event_attribute_invalidate_total" [
        "export", "protocol", "mountaddr"
    ];
    /// Files and folders opened.
    VFS_OPEN: Counter = "node_mountstats_nfs_event_vfs_open_total" ["export", "protocol", "mountaddr"];
    /// Names looked up.
    VFS_LOOKUP: Counter = "node_mountstats_nfs_event_vfs_lookup_total" ["export", "protocol", "mountaddr"];
    /// Permissions checked.
    VFS_ACCESS: Counter = "node_mountstats_nfs_event_vfs_access_total" ["export", "protocol", "mountaddr"];
    /// Pages updated, to be written later.
    VFS_UPDATE_PAGE: Counter = "node_mountstats_nfs_event_vfs_update_page_total" ["export", "protocol", "mountaddr"];
    /// Single pages read.
    VFS_READ_PAGE: Counter = "node_mountstats_nfs_event_vfs_read_page_total" ["export", "protocol", "mountaddr"];
    /// Groups of pages read.
    VFS_READ_PAGES: Counter = "node_mountstats_nfs_event_vfs_read_pages_total" ["export", "protocol", "mountaddr"];
    /// Single pages written.
    VFS_WRITE_PAGE: Counter = "node_mountstats_nfs_event_vfs_write_page_total" ["export", "protocol", "mountaddr"];
    /// Groups of pages written.
    VFS_WRITE_PAGES: Counter = "node_mountstats_nfs_event_vfs_write_pages_total" ["export", "protocol", "mountaddr"];
    /// Folders read.
    VFS_GETDENTS: Counter = "node_mountstats_nfs_event_vfs_getdents_total" ["export", "protocol", "mountaddr"];
    /// Attributes set.
    VFS_SETATTR: Counter = "node_mountstats_nfs_event_vfs_setattr_total" ["export", "protocol", "mountaddr"];
    /// Files flushed to the server.
    VFS_FLUSH: Counter = "node_mountstats_nfs_event_vfs_flush_total" ["export", "protocol", "mountaddr"];
    /// Files and folders synchronised (fsync).
    VFS_FSYNC: Counter = "node_mountstats_nfs_event_vfs_fsync_total" ["export", "protocol", "mountaddr"];
    /// Files locked, or tried to be.
    VFS_LOCK: Counter = "node_mountstats_nfs_event_vfs_lock_total" ["export", "protocol", "mountaddr"];
    /// Files closed.
    VFS_RELEASE: Counter = "node_mountstats_nfs_event_vfs_file_release_total" ["export", "protocol", "mountaddr"];
    /// Files truncated.
    TRUNCATION: Counter = "node_mountstats_nfs_event_truncation_total" ["export", "protocol", "mountaddr"];
    /// Files that grew because something was written behind their end.
    WRITE_EXTENSION: Counter = "node_mountstats_nfs_event_write_extension_total" ["export", "protocol", "mountaddr"];
    /// Files removed while they were open, and so only renamed.
    SILLY_RENAME: Counter = "node_mountstats_nfs_event_silly_rename_total" ["export", "protocol", "mountaddr"];
    /// Answers with less data than was asked for.
    SHORT_READ: Counter = "node_mountstats_nfs_event_short_read_total" ["export", "protocol", "mountaddr"];
    /// Writes of which the server took less than was sent.
    SHORT_WRITE: Counter = "node_mountstats_nfs_event_short_write_total" ["export", "protocol", "mountaddr"];
    /// How often the server asked to try again later.
    JUKEBOX_DELAY: Counter = "node_mountstats_nfs_event_jukebox_delay_total" ["export", "protocol", "mountaddr"];
    /// Reads that went to the storage itself (pNFS).
    PNFS_READ: Counter = "node_mountstats_nfs_event_pnfs_read_total" ["export", "protocol", "mountaddr"];
    /// Writes that went to the storage itself (pNFS).
    PNFS_WRITE: Counter = "node_mountstats_nfs_event_pnfs_write_total" ["export", "protocol", "mountaddr"];
    /// How often the connection was bound to a port of this machine.
    BIND: Counter = "node_mountstats_nfs_transport_bind_total" ["export", "protocol", "mountaddr", "transport"];
    /// How often the connection was made.
    CONNECT: Counter = "node_mountstats_nfs_transport_connect_total" ["export", "protocol", "mountaddr", "transport"];
    /// Seconds since the connection was last used.
    IDLE: Gauge = "node_mountstats_nfs_transport_idle_time_seconds" ["export", "protocol", "mountaddr", "transport"];
    /// Requests sent.
    SENDS: Counter = "node_mountstats_nfs_transport_sends_total" ["export", "protocol", "mountaddr", "transport"];
    /// Answers received.
    RECEIVES: Counter = "node_mountstats_nfs_transport_receives_total" [
        "export", "protocol", "mountaddr", "transport"
    ];
    /// Answers to no request of ours.
    BAD_IDS: Counter = "node_mountstats_nfs_transport_bad_transaction_ids_total" [
        "export", "protocol", "mountaddr", "transport"
    ];
    /// The length of the backlog, added up at each request.
    BACKLOG: Counter = "node_mountstats_nfs_transport_backlog_queue_total" [
        "export", "protocol", "mountaddr", "transport"
    ];
    /// The most requests that were under way at once.
    SLOTS: Gauge = "node_mountstats_nfs_transport_maximum_rpc_slots" ["export", "protocol", "mountaddr", "transport"];
    /// The length of the sending queue, added up at each request.
    SENDING: Counter = "node_mountstats_nfs_transport_sending_queue_total" [
        "export", "protocol", "mountaddr", "transport"
    ];
    /// The length of the queue that waits for answers, added up at each request.
    PENDING: Counter = "node_mountstats_nfs_transport_pending_queue_total" [
        "export", "protocol", "mountaddr", "transport"
    ];
    /// Requests of an operation.
    OP_REQUESTS: Counter = "node_mountstats_nfs_operations_requests_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// How often requests of an operation were sent.
    OP_TRANSMISSIONS: Counter = "node_mountstats_nfs_operations_transmissions_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// How often an operation had a major time-out.
    OP_TIMEOUTS: Counter = "node_mountstats_nfs_operations_major_timeouts_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// Bytes sent for an operation, headers included.
    OP_SENT: Counter = "node_mountstats_nfs_operations_sent_bytes_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// Bytes received for an operation, headers included.
    OP_RECEIVED: Counter = "node_mountstats_nfs_operations_received_bytes_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// Seconds that requests of an operation waited to be sent.
    OP_QUEUE: Counter = "node_mountstats_nfs_operations_queue_time_seconds_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// Seconds from sending requests of an operation to their answers.
    OP_RESPONSE: Counter = "node_mountstats_nfs_operations_response_time_seconds_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
    /// Seconds that requests of an operation took in all.
    OP_REQUEST: Counter = "node_mountstats_nfs_operations_request_time_seconds_total" [
        "export", "protocol", "mountaddr", "operation"
    ];
}

/// The columns of the line `bytes:`.
static BYTES: [&Family<3>; 8] =
    [&READ, &WRITE, &DIRECT_READ, &DIRECT_WRITE, &TOTAL_READ, &TOTAL_WRITE, &READ_PAGES, &WRITE_PAGES];

/// The columns of the line `events:`; one of them (waits for congestion) is not published.
static EVENTS: [Option<&Family<3>>; 27] = [
    Some(&INODE_REVALIDATE),
    Some(&DNODE_REVALIDATE),
    Some(&DATA_INVALIDATE),
    Some(&ATTRIBUTE_INVALIDATE),
    Some(&VFS_OPEN),
    Some(&VFS_LOOKUP),
    Some(&VFS_ACCESS),
    Some(&VFS_UPDATE_PAGE),
    Some(&VFS_READ_PAGE),
    Some(&VFS_READ_PAGES),
    Some(&VFS_WRITE_PAGE),
    Some(&VFS_WRITE_PAGES),
    Some(&VFS_GETDENTS),
    Some(&VFS_SETATTR),
    Some(&VFS_FLUSH),
    Some(&VFS_FSYNC),
    Some(&VFS_LOCK),
    Some(&VFS_RELEASE),
    None,
    Some(&TRUNCATION),
    Some(&WRITE_EXTENSION),
    Some(&SILLY_RENAME),
    Some(&SHORT_READ),
    Some(&SHORT_WRITE),
    Some(&JUKEBOX_DELAY),
    Some(&PNFS_READ),
    Some(&PNFS_WRITE),
];

/// The columns of a line of an operation; the last three are milliseconds.
static OPERATION: [&Family<4>; 8] = [
    &OP_REQUESTS,
    &OP_TRANSMISSIONS,
    &OP_TIMEOUTS,
    &OP_SENT,
    &OP_RECEIVED,
    &OP_QUEUE,
    &OP_RESPONSE,
    &OP_REQUEST,
];
const FIRST_TIME: usize = 5;

/// Connections of a mount have numbers; `nconnect` allows sixteen.
const TRANSPORTS: [&str; 16] =
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"];

/// The subject `mountstats`.
pub fn subject(config: &HostConfig) -> Subject {
    let file = |name: &str| KernelFile::new(config.proc(name));
    let (mut stats, mut own) = (file("1/mountstats"), file("self/mountstats"));
    let (mut info, mut own_info) = (file("1/mountinfo"), file("self/mountinfo"));
    Subject::blocking("mountstats", METRICS, move |out| {
        // Only root may read the first process's: our own mounts are the next best.
        let (stats, info) = match stats.read() {
            Err(CollectError::Read { .. }) => (&mut own, &mut own_info),
            _ => (&mut stats, &mut info),
        };
        let written = write(stats.read()?, || info.read(), out)?;
        written.map_err(|e| stats.malformed(e))
    })
}

type Written = Result<(), Malformed>;

/// Writes all NFS mounts; the list of mounts, which knows their servers' addresses, is read only if there are any.
fn write<'i>(
    bytes: &[u8],
    info: impl FnOnce() -> Result<&'i [u8], CollectError>,
    out: &mut Out,
) -> Result<Written, CollectError> {
    let mut mounts = text::nfs_mounts(bytes).peekable();
    if mounts.peek().is_none() {
        return Ok(Ok(()));
    }
    let mut addresses = text::Addresses::new(info()?);
    let mut seen = BTreeSet::new();
    // A mount that reads odd is told of, and the others are written all the same.
    let mut written = Ok(());
    for mount in mounts {
        let address = addresses.of(&mount);
        let protocol = match mount.transports().next() {
            Some(Ok(Transport { protocol, .. })) => protocol,
            Some(Err(error)) => {
                written = Err(error);
                continue;
            }
            // A mount that has no connection yet has no numbers either.
            None => continue,
        };
        let labels = [mount.source, protocol, address].map(label::value);
        let labels = labels.each_ref().map(|label| &**label);
        out.put(&MOUNTPOINT, [labels[0], labels[1], labels[2], &text::point(mount.point)], 1.0);
        // An export that is mounted twice has one set of numbers.
        if seen.insert((mount.source, protocol, address)) {
            written = written.and(write_mount(&mount, labels, out));
        }
    }
    Ok(written)
}

fn write_mount(mount: &Mount<'_>, labels: [&str; 3], out: &mut Out) -> Written {
    let [export, protocol, address] = labels;
    if let Some(age) = mount.numbers(b"age:").next() {
        out.put(&AGE, labels, age?);
    }
    for (family, value) in BYTES.iter().zip(mount.numbers(b"bytes:")) {
        out.put(family, labels, value?);
    }
    for (family, value) in EVENTS.iter().zip(mount.numbers(b"events:")) {
        let value = value?;
        if let Some(family) = family {
            out.put(family, labels, value);
        }
    }
    for (transport, number) in mount.transports().zip(TRANSPORTS) {
        let transport = transport?;
        for (family, value) in [
            (&BIND, transport.bind),
            (&CONNECT, transport.connect),
            (&IDLE, transport.idle),
            (&SENDS, transport.sends),
            (&RECEIVES, transport.receives),
            (&BAD_IDS, transport.bad_ids),
            (&BACKLOG, transport.backlog),
            (&SLOTS, transport.slots),
            (&SENDING, transport.sending),
            (&PENDING, transport.pending),
        ] {
            if let Some(value) = value {
                out.put(family, [export, protocol, address, number], value);
            }
        }
    }
    for operation in mount.operations() {
        let (name, values) = operation?;
        let name = label::value(name);
        for (at, family) in OPERATION.iter().enumerate() {
            let value = if at < FIRST_TIME { values[at] } else { values[at] / 1000.0 };
            out.put(family, [export, protocol, address, &name], value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &str = "device tmpfs mounted on /run with fstype tmpfs\n\
        device nas:/a mounted on /mnt/a with fstype nfs4 statvers=1.1\n\tage:\t10\n\tbytes:\t1 2 3 4 5 6 7 8\n\
        \txprt:\ttcp 832 1 1 0 11 6428 6427 0 12154 9 24 26 5726\n\tper-op statistics\n\t\
        READ: 1298 1298 0 207680 1210292152 6 79386 79407 0\n\n\
        device nas:/a mounted on /mnt/b with fstype nfs4 statvers=1.1\n\tage:\t9\n\txprt:\ttcp 1 1 1 0 1 1 1 0 1 0\n\n";

    fn samples(stats: &str) -> Result<Result<usize, Malformed>, CollectError> {
        let mut out = Out::default();
        out.begin(0);
        let written = write(stats.as_bytes(), || Ok(b""), &mut out)?;
        let collected = out.finish();
        assert_eq!(collected.duplicates, 0);
        Ok(written.map(|()| collected.samples.len()))
    }

    #[test]
    fn an_export_mounted_twice_is_published_once() {
        assert_eq!(samples(STATS).unwrap().unwrap(), 2 + 1 + 8 + 10 + 8);
    }

    #[test]
    fn a_machine_without_nfs_has_none() {
        let none = "device tmpfs mounted on /run with fstype tmpfs\n";
        assert_eq!(samples(none).unwrap().unwrap(), 0);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for (good, bad) in [
            ("age:\t10", "age:\tx"),
            ("READ: 1298 1298", "READ: 1298 x"),
            ("tcp 832", "tcp y"),
            ("5 6 7 8", "5 z"),
        ] {
            assert!(samples(&STATS.replacen(good, bad, 1)).unwrap().is_err(), "{bad}");
        }
    }
}
