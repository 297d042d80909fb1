//! PostgreSQL's server log: slow queries, deadlocks, failed authentications, messages by severity.

use super::{Preset, counter, durations, label, metadata, meter, pattern, regex, time};
use crate::multiline::{Join, Rule};

/// `%m [%p] `, with `%q%u@%d ` or `user=%u,db=%d ` behind it.
const HEAD: &str = concat!(
    r"^(?:(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:UTC|GMT|[+-]\d\d))|\d{4}-\d\d-\d\d [\d:.]+ \S+) ",
    r"\[\d+(?:-\d+)?\]:? (?:\[\d+(?:-\d+)?\] )?",
    r"(?:(?:user=)?(?P<user>[^@, ]+)(?:@|,db=)(?P<database>[^, ]+)\S* )?",
    r"(?P<severity>[A-Z]+)\d?:  ?(?P<message>[^\n]*)",
);

/// Lines that say more of the one before, each with a head of its own.
const MORE: &str =
    r"^\d{4}-\d\d-\d\d [^\n]{0,200}? (?:DETAIL|HINT|QUERY|CONTEXT|LOCATION|STATEMENT|BACKTRACE):  ?";

const SEVERITIES: [&str; 7] = ["DEBUG", "LOG", "INFO", "NOTICE", "WARNING", "ERROR", "FATAL"];

/// What who was not let in is told.
const REFUSED: &str = concat!(
    "^(?P<refused>[a-zA-Z0-9 -]*authentication failed for user|no pg_hba.conf entry|pg_hba.conf rejects|",
    r#"role "[^"]*" (?:does not exist|is not permitted to log in)|no password assigned|"#,
    "certificate authentication failed|GSSAPI authentication failed)"
);

pub(super) fn preset() -> Result<Preset, String> {
    let rule = Rule::FirstLineBut(pattern(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")?, pattern(MORE)?);
    let mut severities = SEVERITIES.to_vec();
    severities.push("PANIC");
    let database = || vec![label("database", &[])];
    let stages = vec![
        regex(None, HEAD)?,
        time(&["%Y-%m-%d %H:%M:%S%.f %Z"])?,
        regex(Some("message"), r"^duration: (?P<took>\d+(?:\.\d+)? ms)")?,
        regex(Some("message"), "^(?P<deadlock>deadlock detected)")?,
        regex(Some("message"), REFUSED)?,
        meter([
            counter(
                "pg_log_messages_total",
                "Messages in PostgreSQL's log.",
                "severity",
                vec![label("severity", &severities)],
            ),
            counter(
                "pg_log_slow_queries_total",
                "Queries in PostgreSQL's log with their duration.",
                "took",
                database(),
            ),
            durations(
                "pg_log_query_duration_seconds",
                "How long the queries took that PostgreSQL's log has with their duration.",
                database(),
            ),
            counter("pg_log_deadlocks_total", "Deadlocks in PostgreSQL's log.", "deadlock", database()),
            counter(
                "pg_log_authentication_failures_total",
                "Failed authentications in PostgreSQL's log.",
                "refused",
                database(),
            ),
        ]),
        metadata(&["database", "user"]),
    ];
    Ok(Preset { join: Some(Join::new(rule)), stages })
}
