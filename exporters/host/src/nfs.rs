//! What this machine asked of NFS servers, from `<procfs>/1/net/rpc/nfs` (`net/sunrpc/stats.c`).

use taffrail_core::{Out, Subject, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::nfs_procedures::{self as procedures, V2, V3, V4_REQUESTS};
use crate::scan::{self, Malformed};

metrics! {
    /// Packets sent and received, by protocol. The kernel no longer counts them.
    PACKETS: Counter = "node_nfs_packets_total" ["protocol"];
    /// TCP connections. The kernel no longer counts them.
    CONNECTIONS: Counter = "node_nfs_connections_total" [];
    /// Requests made.
    RPCS: Counter = "node_nfs_rpcs_total" [];
    /// Requests sent again.
    RETRANSMISSIONS: Counter = "node_nfs_rpc_retransmissions_total" [];
    /// How often the authentication was renewed.
    REFRESHES: Counter = "node_nfs_rpc_authentication_refreshes_total" [];
    /// Requests by version and procedure.
    REQUESTS: Counter = "node_nfs_requests_total" ["proto", "method"];
}

/// The subject `nfs`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = NetFile::new(config, "rpc/nfs");
    Subject::blocking("nfs", METRICS, move |out| {
        let written = write(file.read()?, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let (name, rest) = procedures::split(line);
        let mut fields = scan::fields(rest);
        let mut number = || scan::expect_number(fields.next(), line);
        match name {
            b"net" => {
                // The sum of both stands first.
                number()?;
                out.put(&PACKETS, ["udp"], number()?);
                out.put(&PACKETS, ["tcp"], number()?);
                out.put(&CONNECTIONS, [], number()?);
            }
            b"rpc" => {
                out.put(&RPCS, [], number()?);
                out.put(&RETRANSMISSIONS, [], number()?);
                out.put(&REFRESHES, [], number()?);
            }
            b"proc2" => procedures::write(&REQUESTS, "2", &V2, rest, out)?,
            b"proc3" => procedures::write(&REQUESTS, "3", &V3, rest, out)?,
            b"proc4" => procedures::write(&REQUESTS, "4", &V4_REQUESTS, rest, out)?,
            _ => {}
        }
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
        assert_eq!(samples(b"net 70 70 69 45\nrpc 1218 374 40\nproc5 1 1\nnew\n\n").unwrap(), 6);
        assert_eq!(samples(b"proc3 22 0 1 2 3\n").unwrap(), 4);
        for bad in [b"net 1 2\n".as_slice(), b"rpc 1 x 2\n", b"proc4 2 -x\n"] {
            assert!(samples(bad).is_err(), "{bad:?}");
        }
    }
}
