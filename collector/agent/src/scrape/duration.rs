//! Prometheus' durations, `1h30m`: what `__scrape_interval__` holds, and relabel rules may change.

use std::time::Duration;

/// The units, longest first, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration: whole numbers with units, each unit once, longer ones first; or `0`.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut total, mut units) = (text, 0u64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let at = units.iter().position(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = &rest[letters..];
    }
    // What Prometheus can hold: 63 bits of nanoseconds.
    let most = i64::MAX as u64 / 1_000_000;
    (!text.is_empty() && total <= most).then(|| Duration::from_millis(total))
}

/// Writes a duration as Prometheus does, to the millisecond.
pub fn show(duration: Duration) -> String {
    let mut rest = duration.as_millis() as u64;
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, millis) in UNITS {
        // Years and weeks are written only where nothing is left over: `8d` and not `1w1d`.
        let exact = matches!(unit, "y" | "w");
        if rest >= millis && (!exact || rest.is_multiple_of(millis)) {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_prometheus_writes_and_reads() {
        for (text, millis) in [
            ("0s", 0),
            ("15s", 15_000),
            ("1m", 60_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("8d", 8 * 86_400_000),
            ("1w", 7 * 86_400_000),
            ("1y", 365 * 86_400_000),
            ("1d1h", 90_000_000),
            ("324ms", 324),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse("1w1d"), Some(Duration::from_secs(8 * 86_400)));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "1", "s", "-1s", "1s1m", "1m1m", "1.5h", "15 s", "294y", "99999999999999999999s", "1µs"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
