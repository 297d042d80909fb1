//! Keys of each database, from INFO's section Keyspace.

use taffrail_core::{Out, metrics};

use crate::info::pair;

metrics! {
    /// Keys in a database.
    KEYS: Gauge = "redis_db_keys" ["db"];
    /// Keys in a database that will expire.
    EXPIRING: Gauge = "redis_db_keys_expiring" ["db"];
    /// The mean time for which keys that will expire still live.
    TTL: Gauge = "redis_db_avg_ttl_seconds" ["db"];
}

/// A line of Keyspace: `db0:keys=12,expires=3,avg_ttl=1500`, the last one in milliseconds.
pub(crate) fn write(name: &str, value: &str, out: &mut Out) {
    if !name.starts_with("db") {
        return;
    }
    for (family, field, scale) in [(&KEYS, "keys", 1.0), (&EXPIRING, "expires", 1.0), (&TTL, "avg_ttl", 1e-3)]
    {
        if let Some(number) = pair(value, field) {
            out.put(family, [name], number * scale);
        }
    }
}
