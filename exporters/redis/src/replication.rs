//! Primaries and replicas, from INFO's section Replication. <https://redis.io/docs/latest/commands/info/>

use taffrail_core::{Out, metrics};

use crate::fields::{Field, field};
use crate::info::{pair, pairs};

metrics! {
    /// Replicas that are connected.
    CONNECTED_SLAVES: Gauge = "redis_connected_slaves" [];
    /// The size of the replication backlog.
    REPLICATION_BACKLOG_BYTES: Gauge = "redis_replication_backlog_bytes" [];
    /// Whether the replication backlog is kept (1) or not (0).
    REPL_BACKLOG_IS_ACTIVE: Gauge = "redis_repl_backlog_is_active" [];
    /// The replication offset at which the backlog begins.
    REPL_BACKLOG_FIRST_BYTE_OFFSET: Gauge = "redis_repl_backlog_first_byte_offset" [];
    /// Bytes in the replication backlog.
    REPL_BACKLOG_HISTORY_BYTES: Gauge = "redis_repl_backlog_history_bytes" [];
    /// The server's replication offset.
    MASTER_REPL_OFFSET: Gauge = "redis_master_repl_offset" [];
    /// The offset up to which the replication id before is taken; -1 if none is.
    SECOND_REPL_OFFSET: Gauge = "redis_second_repl_offset" [];
    /// Keys that a writable replica expires by itself.
    SLAVE_EXPIRES_TRACKED_KEYS: Gauge = "redis_slave_expires_tracked_keys" [];
    /// The replica's rank for becoming the primary.
    SLAVE_PRIORITY: Gauge = "redis_slave_priority" [];
    /// Full synchronisations with replicas.
    REPLICA_RESYNCS_FULL: Gauge = "redis_replica_resyncs_full" [];
    /// Partial synchronisations that were granted.
    REPLICA_PARTIAL_RESYNC_ACCEPTED: Gauge = "redis_replica_partial_resync_accepted" [];
    /// Partial synchronisations that were refused.
    REPLICA_PARTIAL_RESYNC_DENIED: Gauge = "redis_replica_partial_resync_denied" [];
    /// What the replica is: 1.
    SLAVE_INFO: Gauge = "redis_slave_info" ["master_host", "master_port", "read_only"];
    /// Whether the link to the primary is up (1) or not (0).
    LINK_UP: Gauge = "redis_master_link_up" ["master_host", "master_port"];
    /// Seconds since the primary was heard of; -1 while the link is down.
    LAST_IO: Gauge = "redis_master_last_io_seconds_ago" ["master_host", "master_port"];
    /// Whether the replica takes all data from the primary now (1) or not (0).
    SYNC: Gauge = "redis_master_sync_in_progress" ["master_host", "master_port"];
    /// How far the replica is in the primary's replication stream.
    OFFSET: Gauge = "redis_slave_repl_offset" ["master_host", "master_port"];
    /// How far a replica is in the replication stream.
    REPLICA_OFFSET: Gauge = "redis_connected_slave_offset_bytes" ["slave_ip", "slave_port", "slave_state"];
    /// Seconds since a replica was heard of.
    REPLICA_LAG: Gauge = "redis_connected_slave_lag_seconds" ["slave_ip", "slave_port", "slave_state"];
}

/// The fields of INFO that are published as they are.
pub(crate) static FIELDS: &[Field] = &[
    field("connected_slaves", &CONNECTED_SLAVES),
    field("repl_backlog_size", &REPLICATION_BACKLOG_BYTES),
    field("repl_backlog_active", &REPL_BACKLOG_IS_ACTIVE),
    field("repl_backlog_first_byte_offset", &REPL_BACKLOG_FIRST_BYTE_OFFSET),
    field("repl_backlog_histlen", &REPL_BACKLOG_HISTORY_BYTES),
    field("master_repl_offset", &MASTER_REPL_OFFSET),
    field("second_repl_offset", &SECOND_REPL_OFFSET),
    field("slave_expires_tracked_keys", &SLAVE_EXPIRES_TRACKED_KEYS),
    field("slave_priority", &SLAVE_PRIORITY),
    field("sync_full", &REPLICA_RESYNCS_FULL),
    field("sync_partial_ok", &REPLICA_PARTIAL_RESYNC_ACCEPTED),
    field("sync_partial_err", &REPLICA_PARTIAL_RESYNC_DENIED),
];

/// What a replica says of its primary; the lines come one after another.
#[derive(Debug, Default)]
pub(crate) struct Replica<'a> {
    host: &'a str,
    port: &'a str,
    read_only: &'a str,
    up: Option<bool>,
    last_io: Option<f64>,
    sync: Option<f64>,
    offset: Option<f64>,
}

impl<'a> Replica<'a> {
    /// Takes a line of the section; false if it is not about the primary, nor about one of the replicas.
    pub(crate) fn take(&mut self, name: &str, value: &'a str, out: &mut Out) -> bool {
        match name {
            "master_host" => self.host = value,
            "master_port" => self.port = value,
            "slave_read_only" => self.read_only = value,
            "master_link_status" => self.up = Some(value == "up"),
            "master_last_io_seconds_ago" => self.last_io = value.parse().ok(),
            "master_sync_in_progress" => self.sync = value.parse().ok(),
            "slave_repl_offset" => self.offset = value.parse().ok(),
            _ => return one_of(name, value, out),
        }
        true
    }

    /// Publishes what was taken, if the server is a replica.
    pub(crate) fn write(&self, out: &mut Out) {
        let Some(up) = self.up else { return };
        let primary = [self.host, self.port];
        out.put(&SLAVE_INFO, [self.host, self.port, self.read_only], 1.0);
        out.put(&LINK_UP, primary, f64::from(u8::from(up)));
        for (family, value) in [(&LAST_IO, self.last_io), (&SYNC, self.sync), (&OFFSET, self.offset)] {
            if let Some(value) = value {
                out.put(family, primary, value);
            }
        }
    }
}

/// A replica's line: `slave0:ip=192.0.2.7,port=6379,state=online,offset=1751844676,lag=0`.
fn one_of(name: &str, value: &str, out: &mut Out) -> bool {
    let number = name.strip_prefix("slave").unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let text = |wanted: &str| pairs(value).find(|(name, _)| *name == wanted).map_or("", |(_, text)| text);
    let labels = [text("ip"), text("port"), text("state")];
    for (family, field) in [(&REPLICA_OFFSET, "offset"), (&REPLICA_LAG, "lag")] {
        if let Some(value) = pair(value, field) {
            out.put(family, labels, value);
        }
    }
    true
}
