//! The answer to INFO: lines of `field:value` below headings. <https://redis.io/docs/latest/commands/info/>

use crate::fields;
use crate::{commands, keyspace, replication};

use taffrail_core::Out;

/// What a server says of itself beside numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) role: &'a str,
    pub(crate) version: &'a str,
    pub(crate) build: &'a str,
    pub(crate) mode: &'a str,
    pub(crate) os: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) port: &'a str,
    pub(crate) run: &'a str,
    pub(crate) process: &'a str,
    pub(crate) replid: &'a str,
    pub(crate) uptime: Option<u64>,
}

/// Publishes what INFO says, and returns who said it.
pub(crate) fn write<'a>(text: &'a str, out: &mut Out) -> Identity<'a> {
    let mut identity = Identity::default();
    let mut section = "";
    let mut replica = replication::Replica::default();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("# ") {
            section = heading.trim_end();
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match section {
            "Commandstats" => commands::write(name, value, out),
            "Errorstats" => commands::write_error(name, value, out),
            "Keyspace" => keyspace::write(name, value, out),
            "Replication" if replica.take(name, value, out) => {}
            _ => {
                identity.take(name, value);
                fields::write(name, value, out);
            }
        }
    }
    replica.write(out);
    identity
}

impl<'a> Identity<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        let place = match name {
            "role" => &mut self.role,
            "redis_version" => &mut self.version,
            "redis_build_id" => &mut self.build,
            "redis_mode" => &mut self.mode,
            "os" => &mut self.os,
            "maxmemory_policy" => &mut self.policy,
            "tcp_port" => &mut self.port,
            "run_id" => &mut self.run,
            "process_id" => &mut self.process,
            "master_replid" => &mut self.replid,
            "uptime_in_seconds" => {
                self.uptime = value.parse().ok();
                return;
            }
            _ => return,
        };
        *place = value;
    }
}

/// The pairs of a value such as `calls=2,usec=11`.
pub(crate) fn pairs(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(',').filter_map(|pair| pair.split_once('='))
}

/// The number behind a name in a value such as `calls=2,usec=11`.
pub(crate) fn pair(value: &str, wanted: &str) -> Option<f64> {
    pairs(value).find(|(name, _)| *name == wanted)?.1.parse().ok()
}
