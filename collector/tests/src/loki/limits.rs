//! What Loki allows by default, and the texts it refuses the rest with.

use std::time::Duration;

/// The limits of one tenant.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Label names a stream may have; `service_name` is not counted.
    pub label_names: usize,
    /// Bytes of a label's name.
    pub label_name: usize,
    /// Bytes of a label's value.
    pub label_value: usize,
    /// Bytes of a line; longer ones are refused, not cut.
    pub line: usize,
    /// Whether structured metadata is taken.
    pub allow_metadata: bool,
    /// Bytes of an entry's structured metadata, names and values.
    pub metadata: usize,
    /// Pairs of an entry's structured metadata.
    pub metadata_pairs: usize,
    /// How far behind the newest entry of its stream an entry may be.
    pub behind: Duration,
    /// How old an entry may be.
    pub age: Duration,
    /// How far ahead of the clock an entry may be.
    pub ahead: Duration,
    /// Streams at once.
    pub streams: usize,
    /// Bytes of a request, uncompressed and as sent.
    pub request: usize,
    /// Bytes a second, and at once, of the whole tenant.
    pub tenant_rate: Rate,
    /// Bytes a second, and at once, of one stream.
    pub stream_rate: Rate,
    /// True: a stream over its rate loses the whole push, as Loki does where it shards streams.
    /// False: only the entries over the rate are refused, which asks more of a client.
    pub whole_stream: bool,
    /// True: the answer tells only of the last stream of the request, as Loki's does: a refusal in an
    /// earlier stream is not told when the last one was taken. False: the first refusal is told.
    pub last_stream_tells: bool,
    /// Entries that a refusal names; the rest is only counted.
    pub named_entries: usize,
}

/// A token bucket's size.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Bytes a second.
    pub per_second: u64,
    /// Bytes at once.
    pub burst: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MB: u64 = 1 << 20;
        Self {
            label_names: 15,
            label_name: 1024,
            label_value: 2048,
            line: 256 << 10,
            allow_metadata: true,
            metadata: 64 << 10,
            metadata_pairs: 128,
            behind: Duration::from_secs(3600),
            age: Duration::from_secs(7 * 24 * 3600),
            ahead: Duration::from_secs(600),
            streams: 5000,
            request: 100 << 20,
            tenant_rate: Rate { per_second: 4 * MB, burst: 6 * MB },
            stream_rate: Rate { per_second: 3 * MB, burst: 15 * MB },
            whole_stream: true,
            last_stream_tells: true,
            named_entries: 10,
        }
    }
}

impl Limits {
    /// As by default, but with no bound on bytes a second: for tests of volume.
    pub fn unmetered() -> Self {
        let rate = Rate { per_second: u64::MAX / 2, burst: u64::MAX / 2 };
        Self { tenant_rate: rate, stream_rate: rate, ..Self::default() }
    }
}

/// A refusal: a status with Loki's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { status: 400, text: text.into() }
    }

    pub(crate) fn too_many(text: impl Into<String>) -> Self {
        Self { status: 429, text: text.into() }
    }
}

/// Several refusals of one request in one text, equal ones counted; one alone has no count.
pub(crate) fn joined(texts: &[String]) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for text in texts {
        match counted.iter_mut().find(|(known, _)| known == text) {
            Some((_, count)) => *count += 1,
            None => counted.push((text, 1)),
        }
    }
    let parts: Vec<String> = counted
        .into_iter()
        .map(|(text, count)| match texts.len() {
            1 => text.to_owned(),
            _ => format!("{count} errors like: {text}"),
        })
        .collect();
    parts.join("; ")
}

/// A time in UTC: year, month, day, hour, minute, second.
fn civil(seconds: i64) -> (i64, i64, i64, i64, i64, i64) {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1 March of year 0, in eras of 400 years, so that leap days come last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    (year, month, day, second / 3600, second / 60 % 60, second % 60)
}

/// `2022-08-03T15:25:57Z`, as in Loki's bounds.
pub(crate) fn rfc3339(ns: i64) -> String {
    let (year, month, day, hour, minute, second) = civil(ns.div_euclid(1_000_000_000));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `2022-08-02 12:32:37.5 +0000 UTC`, as Go prints a time and Loki an entry's.
pub(crate) fn go_time(ns: i64) -> String {
    let (year, month, day, hour, minute, second) = civil(ns.div_euclid(1_000_000_000));
    let fraction = match ns.rem_euclid(1_000_000_000) {
        0 => String::new(),
        nanos => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC")
}

/// Bytes as Loki prints a limit: `3MB`, `512KB`, `100B`.
pub(crate) fn bytes(count: u64) -> String {
    for (unit, size) in [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)] {
        if count >= size {
            let text = format!("{:.2}", count as f64 / size as f64);
            return format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'));
        }
    }
    format!("{count}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_times_and_sizes_as_go_does() {
        assert_eq!(rfc3339(1_659_540_357_000_000_000), "2022-08-03T15:25:57Z");
        assert_eq!(rfc3339(951_782_400_000_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59Z");
        assert_eq!(go_time(1_659_443_557_500_000_000), "2022-08-02 12:32:37.5 +0000 UTC");
        assert_eq!(go_time(1_659_443_557_000_000_000), "2022-08-02 12:32:37 +0000 UTC");
        assert_eq!(bytes(3 << 20), "3MB");
        assert_eq!(bytes(1536), "1.5KB");
        assert_eq!(bytes(100), "100B");
    }

    #[test]
    fn counts_equal_refusals() {
        let texts = ["a", "b", "a"].map(String::from);
        assert_eq!(joined(&texts), "2 errors like: a; 1 errors like: b");
        assert_eq!(joined(&["a".to_owned()]), "a");
    }
}
