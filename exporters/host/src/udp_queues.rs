//! Bytes in the queues of UDP sockets, from `<procfs>/1/net/{udp,udp6}` (kernel document `networking/proc_net_tcp`).

use taffrail_core::{CollectError, Subject, metrics};

use crate::config::HostConfig;
use crate::network;
use crate::socket_table::SocketTable;

metrics! {
    /// Bytes in the queues of all UDP sockets, received and not yet read (rx) or not yet sent (tx).
    QUEUES: Gauge = "node_udp_queues" ["queue", "ip"];
}

/// The subject `udp_queues`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut tables = None;
    Subject::blocking("udp_queues", METRICS, move |out| {
        let all = match &mut tables {
            Some(tables) => tables,
            None => {
                let dir = network::directory(&config)?;
                let table = |name, version| (SocketTable::new(dir.join(name)), version);
                tables.insert([table("udp", "v4"), table("udp6", "v6")])
            }
        };
        let mut found = false;
        for (table, version) in all {
            let (mut sent, mut received) = (0u64, 0u64);
            let read = table.each(|socket| {
                sent = sent.saturating_add(socket.sent);
                received = received.saturating_add(socket.received);
            });
            match read {
                Ok(()) => found = true,
                // A kernel without that version of IP.
                Err(CollectError::Absent) => continue,
                Err(error) => {
                    tables = None;
                    return Err(error);
                }
            }
            out.put(&QUEUES, ["tx", version], sent as f64);
            out.put(&QUEUES, ["rx", version], received as f64);
        }
        if found { Ok(()) } else { Err(CollectError::Absent) }
    })
}
