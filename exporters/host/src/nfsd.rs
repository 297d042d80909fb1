//! What the NFS server of this machine was asked, from `<procfs>/1/net/rpc/nfsd` (`fs/nfsd/stats.c`).

use taffrail_core::{Family, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::nfs_procedures::{self as procedures, V2, V3, V4_OPERATIONS};
use crate::scan::{self, Malformed};

metrics! {
    /// Requests answered from the reply cache, since the client had lost the answer.
    CACHE_HITS: Counter = "node_nfsd_reply_cache_hits_total" [];
    /// Requests whose answers were put into the reply cache.
    CACHE_MISSES: Counter = "node_nfsd_reply_cache_misses_total" [];
    /// Requests whose answers need no cache, since they may be asked twice.
    CACHE_NOT: Counter = "node_nfsd_reply_cache_nocache_total" [];
    /// File handles that were stale.
    STALE: Counter = "node_nfsd_file_handles_stale_total" [];
    /// Bytes read from disks.
    READ: Counter = "node_nfsd_disk_bytes_read_total" [];
    /// Bytes written to disks.
    WRITTEN: Counter = "node_nfsd_disk_bytes_written_total" [];
    /// The server's threads.
    THREADS: Gauge = "node_nfsd_server_threads" [];
    /// The size of the read-ahead cache in blocks. Gone since Linux 5.4.
    READ_AHEAD_SIZE: Gauge = "node_nfsd_read_ahead_cache_size_blocks" [];
    /// What was not found in the read-ahead cache. Gone since Linux 5.4.
    READ_AHEAD_MISSES: Counter = "node_nfsd_read_ahead_cache_not_found_total" [];
    /// Packets sent and received, by protocol.
    PACKETS: Counter = "node_nfsd_packets_total" ["proto"];
    /// TCP connections.
    CONNECTIONS: Counter = "node_nfsd_connections_total" [];
    /// Requests refused, by reason.
    ERRORS: Counter = "node_nfsd_rpc_errors_total" ["error"];
    /// Requests taken.
    RPCS: Counter = "node_nfsd_server_rpcs_total" [];
    /// Requests by version and procedure, of version 4 operations.
    REQUESTS: Counter = "node_nfsd_requests_total" ["proto", "method"];
}

/// The subject `nfsd`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = NetFile::new(config, "rpc/nfsd");
    Subject::blocking("nfsd", METRICS, move |out| {
        let written = write(file.read()?, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let (name, rest) = procedures::split(line);
        match name {
            b"rc" => numbers(&[(0, &CACHE_HITS), (1, &CACHE_MISSES), (2, &CACHE_NOT)], rest, out)?,
            b"fh" => numbers(&[(0, &STALE)], rest, out)?,
            b"io" => numbers(&[(0, &READ), (1, &WRITTEN)], rest, out)?,
            b"th" => numbers(&[(0, &THREADS)], rest, out)?,
            b"ra" => numbers(&[(0, &READ_AHEAD_SIZE), (11, &READ_AHEAD_MISSES)], rest, out)?,
            b"net" => {
                labelled(&PACKETS, &[(1, "udp"), (2, "tcp")], rest, out)?;
                numbers(&[(3, &CONNECTIONS)], rest, out)?;
            }
            b"rpc" => {
                labelled(&ERRORS, &[(2, "fmt"), (3, "auth"), (4, "cInt")], rest, out)?;
                numbers(&[(0, &RPCS)], rest, out)?;
            }
            // Null is a ping, and not published of a server.
            b"proc2" => procedures::write(&REQUESTS, "2", &without_null(V2), rest, out)?,
            b"proc3" => procedures::write(&REQUESTS, "3", &without_null(V3), rest, out)?,
            b"proc4ops" => procedures::write(&REQUESTS, "4", &V4_OPERATIONS, rest, out)?,
            b"wdeleg_getattr" => {
                let count = scan::expect_number(scan::fields(rest).next(), line)?;
                out.put(&REQUESTS, ["4", "WdelegGetattr"], count);
            }
            _ => {}
        }
    }
    Ok(())
}

fn without_null<const N: usize>(mut names: [&'static str; N]) -> [&'static str; N] {
    names[0] = "";
    names
}

fn numbers(columns: &[(usize, &'static Family<0>)], line: &[u8], out: &mut Out) -> Result<(), Malformed> {
    for (at, family) in columns {
        out.put(family, [], scan::expect_number(scan::fields(line).nth(*at), line)?);
    }
    Ok(())
}

fn labelled(
    family: &'static Family<1>,
    columns: &[(usize, &str)],
    line: &[u8],
    out: &mut Out,
) -> Result<(), Malformed> {
    for (at, label) in columns {
        out.put(family, [label], scan::expect_number(scan::fields(line).nth(*at), line)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &[u8]) -> Result<usize, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(text, &mut out)?;
        Ok(out.finish().samples.len())
    }

    #[test]
    fn lines_of_any_kernel() {
        let old =
            b"rc 0 6 18622\nfh 0 0 0 0 0\nio 157286400 0\nth 8 0 0.000 0.000\nra 32 0 0 0 0 0 0 0 0 0 0 9\n";
        assert_eq!(samples(old).unwrap(), 3 + 1 + 2 + 1 + 2);
        let new =
            b"th 8\nnet 18628 0 18628 6\nrpc 18628 3 1 2 0\nproc4 2 2 10\nwdeleg_getattr 16\nnew 1 2\n\n";
        assert_eq!(samples(new).unwrap(), 1 + 3 + 4 + 1);
        assert_eq!(samples(b"proc2 3 1 2 3\nproc4ops 5 0 0 0 4 5\n").unwrap(), 4);
        for bad in [b"rc 1 2\n".as_slice(), b"th x\n", b"ra 32 0\n", b"net 1 2\n", b"wdeleg_getattr\n"] {
            assert!(samples(bad).is_err(), "{bad:?}");
        }
    }
}
