//! The log of slow commands. <https://redis.io/docs/latest/commands/slowlog-get/>

use taffrail_core::{Out, metrics};

use crate::reply::Reply;

metrics! {
    /// Entries in the slow log.
    LENGTH: Gauge = "redis_slowlog_length" [];
    /// The number of the slow log's last entry; it only grows.
    LAST: Gauge = "redis_slowlog_last_id" [];
    /// Seconds that the slow log's last command took.
    DURATION: Gauge = "redis_last_slow_execution_duration_seconds" [];
}

/// Publishes the answers to `SLOWLOG LEN` and `SLOWLOG GET 1`; a server that refuses them, as hosted ones do, says
/// nothing.
pub(crate) fn write(length: &Reply, last: &Reply, out: &mut Out) {
    if let Reply::Integer(length) = length {
        out.put(&LENGTH, [], *length as f64);
    }
    let Reply::Array(entries) = last else { return };
    let (mut id, mut micros) = (0, 0);
    if let Some(Reply::Array(entry)) = entries.first()
        && let [Reply::Integer(number), _, Reply::Integer(took), ..] = &**entry
    {
        (id, micros) = (*number, *took);
    }
    out.put(&LAST, [], id as f64);
    out.put(&DURATION, [], micros as f64 / 1e6);
}
