//! Each command's calls, from INFO's sections Commandstats and Errorstats.

use taffrail_core::{Out, metrics};

use crate::info::pair;

metrics! {
    /// Calls of a command.
    CALLS: Counter = "redis_commands_total" ["cmd"];
    /// Seconds that a command's calls took.
    DURATION: Counter = "redis_commands_duration_seconds_total" ["cmd"];
    /// Calls of a command that were refused before it ran.
    REJECTED: Counter = "redis_commands_rejected_calls_total" ["cmd"];
    /// Calls of a command that failed while it ran.
    FAILED: Counter = "redis_commands_failed_calls_total" ["cmd"];
    /// Errors that were answered, by the word that they begin with.
    ERRORS: Counter = "redis_errors_total" ["err"];
}

/// A line of Commandstats: `cmdstat_get:calls=21,usec=175,usec_per_call=8.33,rejected_calls=0,failed_calls=0`; without
/// the last two before Redis 6.2.
pub(crate) fn write(name: &str, value: &str, out: &mut Out) {
    let Some(command) = name.strip_prefix("cmdstat_") else { return };
    let fields = [
        (&CALLS, "calls", 1.0),
        (&DURATION, "usec", 1e-6),
        (&REJECTED, "rejected_calls", 1.0),
        (&FAILED, "failed_calls", 1.0),
    ];
    for (family, field, scale) in fields {
        if let Some(number) = pair(value, field) {
            out.put(family, [command], number * scale);
        }
    }
}

/// A line of Errorstats: `errorstat_NOAUTH:count=3`.
pub(crate) fn write_error(name: &str, value: &str, out: &mut Out) {
    if let (Some(error), Some(count)) = (name.strip_prefix("errorstat_"), pair(value, "count")) {
        out.put(&ERRORS, [error], count);
    }
}
