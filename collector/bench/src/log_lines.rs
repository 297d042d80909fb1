//! The log of a container as Docker's driver `json-file` keeps it: a web service's lines, with times of the last hour.

use std::fmt::Write;

use taffrail_wire::calendar::date;

/// How the service writes its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A level, a message, `key=value`: what has nothing to escape.
    Text,
    /// An object a line, every quote of which Docker escapes.
    Json,
}

/// The log of so many lines.
#[derive(Debug)]
pub struct Log {
    kind: Kind,
    /// When the first line was written, and how long after it the next one, in nanoseconds (since 1970).
    start_ns: i64,
    step_ns: i64,
    line: i64,
}

/// The time that all lines together take.
const SPAN_NS: i64 = 3_600_000_000_000;

const LEVELS: [&str; 8] = ["INFO", "INFO", "DEBUG", "INFO", "INFO", "WARN", "INFO", "ERROR"];
const METHODS: [&str; 4] = ["GET", "POST", "GET", "PUT"];

impl Log {
    /// A log whose last line is written at `end_ns`.
    pub fn new(kind: Kind, lines: u64, end_ns: i64) -> Self {
        Log { kind, start_ns: end_ns - SPAN_NS, step_ns: SPAN_NS / lines as i64, line: 0 }
    }

    /// Appends the next line's record.
    pub fn record(&mut self, out: &mut String) {
        let n = self.line;
        self.line += 1;
        let ns = self.start_ns + n * self.step_ns;
        let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (level, method) = (LEVELS[n as usize % 8], METHODS[n as usize / 3 % 4]);
        let (item, user, ms) = (mixed >> 50, mixed >> 44 & 0x3fff, mixed >> 40 & 0x1ff);
        let status = if level == "ERROR" { 503 } else { 200 };
        out.push_str("{\"log\":\"");
        // Writing to a string cannot fail.
        let _ = match self.kind {
            Kind::Text => write!(
                out,
                "{level} request handled method={method} path=/api/v1/orders/{item} status={status} user={user} \
                 duration_ms={ms} upstream=10.0.3.{} cache=miss trace={mixed:016x}",
                mixed & 0xff
            ),
            Kind::Json => write!(
                out,
                "{{\\\"level\\\":\\\"{}\\\",\\\"msg\\\":\\\"request handled\\\",\\\"method\\\":\\\"{method}\\\",\
                 \\\"path\\\":\\\"/api/v1/orders/{item}\\\",\\\"status\\\":{status},\\\"duration_ms\\\":{ms},\
                 \\\"user\\\":\\\"{user}\\\"}}",
                level.to_ascii_lowercase()
            ),
        };
        out.push_str("\\n\",\"stream\":\"stdout\",\"time\":\"");
        time(out, ns);
        out.push_str("\"}\n");
    }
}

/// The time as Go writes it, with all nine digits.
fn time(out: &mut String, ns: i64) {
    let (seconds, nanos) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_what_docker_writes() {
        for (kind, wanted) in [
            (
                Kind::Text,
                "{\"log\":\"INFO request handled method=GET path=/api/v1/orders/0 status=200 user=0 duration_ms=0 \
                 upstream=10.0.3.0 cache=miss trace=0000000000000000\\n\",\"stream\":\"stdout\",\
                 \"time\":\"2025-11-21T01:33:20.000000000Z\"}\n",
            ),
            (
                Kind::Json,
                "{\"log\":\"{\\\"level\\\":\\\"info\\\",\\\"msg\\\":\\\"request handled\\\",\\\"method\\\":\\\"GET\\\",\
                 \\\"path\\\":\\\"/api/v1/orders/0\\\",\\\"status\\\":200,\\\"duration_ms\\\":0,\\\"user\\\":\\\"0\\\"}\\n\",\
                 \"stream\":\"stdout\",\"time\":\"2025-11-21T01:33:20.000000000Z\"}\n",
            ),
        ] {
            let mut log = Log::new(kind, 10, 1_763_692_400_000_000_000);
            let mut out = String::new();
            log.record(&mut out);
            assert_eq!(out, wanted);
            out.clear();
            (1..10).for_each(|_| log.record(&mut out));
            assert!(out.ends_with("\"time\":\"2025-11-21T02:27:20.000000000Z\"}\n"), "{out}");
        }
    }
}
