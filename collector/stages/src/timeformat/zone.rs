//! Time zones: UTC, a fixed distance from it, or a name of the IANA database, which is built in.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Seconds east of UTC.
    Fixed(i64),
    Named(TimeZone),
}

/// UTC.
pub(crate) const UTC: Zone = Zone(Kind::Fixed(0));

impl Default for Zone {
    fn default() -> Self {
        UTC
    }
}

impl Zone {
    /// `UTC`, `+02:00`, `Europe/Berlin`. An error says what is wrong, then, behind a line feed, what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "UTC" | "Z" | "GMT") {
            return Ok(UTC);
        }
        if let Some(seconds) = offset(text).filter(|(_, rest)| rest.is_empty()).map(|(seconds, _)| seconds) {
            return Ok(Zone(Kind::Fixed(seconds)));
        }
        match TimeZone::get(text) {
            // `Local` would be this machine's, which says nothing of where the log was written.
            Ok(zone) if zone.iana_name().is_some() => Ok(Zone(Kind::Named(zone))),
            _ => Err(format!("`{text}` is no time zone\nwrite UTC, +02:00, or a name like Europe/Berlin")),
        }
    }

    /// Seconds since 1970 of a time of day in this zone, given as the seconds since 1970 that it would be in UTC. A time
    /// that is there twice as clocks go back is the first one.
    pub fn to_utc(&self, local: i64) -> Option<i64> {
        match &self.0 {
            Kind::Fixed(seconds) => local.checked_sub(*seconds),
            Kind::Named(zone) => {
                let civil: DateTime =
                    jiff::Timestamp::from_second(local).ok()?.to_zoned(TimeZone::UTC).datetime();
                Some(zone.to_ambiguous_timestamp(civil).compatible().ok()?.as_second())
            }
        }
    }
}

/// The seconds of `Z`, `+02:00`, `+0200`, `+02` or `+02:00:00` that a text begins with, and the rest.
pub(super) fn offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let two = |text: &str| {
        let digits = text.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<i64>().ok()
    };
    let hours = two(rest)?;
    let mut rest = &rest[2..];
    let mut seconds = hours * 3600;
    for unit in [60, 1] {
        let next = rest.strip_prefix(':').unwrap_or(rest);
        let Some(count) = two(next).filter(|count| *count < 60) else { break };
        seconds += count * unit;
        rest = &next[2..];
    }
    (hours <= 24).then_some((sign * seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_name_and_distance() {
        // 2026-07-01 12:00 and 2026-01-01 12:00.
        for (zone, summer, winter) in [
            ("UTC", 1_782_907_200, 1_767_268_800),
            ("+02:00", 1_782_900_000, 1_767_261_600),
            ("-0330", 1_782_919_800, 1_767_281_400),
            ("Europe/Berlin", 1_782_900_000, 1_767_265_200),
        ] {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(zone.to_utc(1_782_907_200), Some(summer), "{zone:?}");
            assert_eq!(zone.to_utc(1_767_268_800), Some(winter), "{zone:?}");
        }
        for text in ["", "Mars/Base", "+2", "+25:00", "+02:00x", "local"] {
            assert!(Zone::parse(text).unwrap_err().contains("is no time zone"), "{text}");
        }
        // Twice there: the first; never there: as if the clock had not gone forward.
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(berlin.to_utc(1_792_895_400), Some(1_792_888_200));
        assert_eq!(berlin.to_utc(i64::MAX), None);
    }
}
