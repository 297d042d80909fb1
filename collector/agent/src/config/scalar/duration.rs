//! Durations as Prometheus writes them: `15s`, `1m30s`, `500ms`.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#configuration-file>

use std::fmt::Write;
use std::time::Duration;

/// Units in the order in which they may follow each other, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Duration);

impl Interval {
    /// Reads `1m30s`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text != "0" && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!(
                "the duration `{text}` has no unit\nwrite {text}s for seconds, {text}m for minutes"
            ));
        }
        milliseconds(text).map(|ms| Interval(Duration::from_millis(ms))).ok_or_else(|| {
            let squeezed: String = text.to_lowercase().split_whitespace().collect();
            let meant = if milliseconds(&squeezed).is_some() { &squeezed } else { "15s, 1m30s or 500ms" };
            format!("`{text}` is not a duration\nwrite {meant}")
        })
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut units, mut total) = (text, UNITS.as_slice(), 0u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let at = units.iter().position(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(total)
}

/// Writes a duration as [`Interval::parse`] reads it.
pub fn show(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in &UNITS {
        // Years and weeks are written only where nothing is left over, as Prometheus does: `8d` and not `1w1d`.
        let whole = !matches!(*unit, "y" | "w") || rest.is_multiple_of(*size);
        if rest >= *size && whole {
            // Writing to a text cannot fail.
            let _ = write!(text, "{}{unit}", rest / size);
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

super::from_text!(Interval, {
    "type": "string",
    "format": "prometheus-duration",
    "pattern": r"^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?|.*\$\{.*)$"
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, ms) in
            [("15s", 15_000), ("1m30s", 90_000), ("500ms", 500), ("1d", 86_400_000), ("1h1ms", 3_600_001)]
        {
            let Interval(duration) = Interval::parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms));
            assert_eq!(show(duration), text);
        }
        assert_eq!(Interval::parse("0").unwrap().0, Duration::ZERO);
        assert_eq!(show(Duration::ZERO), "0s");
    }

    #[test]
    fn what_is_no_duration_says_what_would_be() {
        assert_eq!(Interval::parse("15 s").unwrap_err(), "`15 s` is not a duration\nwrite 15s");
        assert!(Interval::parse("15").unwrap_err().contains("write 15s for seconds"));
        for text in [
            "",
            "s",
            "15sec",
            "-1s",
            "1s1m",
            "1s1s",
            "1.5s",
            "99999999999999999999s",
            "9999999999999999y",
            "1é",
        ] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }
}
