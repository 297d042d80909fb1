//! Times on the command line: written in UTC, read in several ways.

use taffrail_core::Clock;
use taffrail_probe::freshness::moment;
use taffrail_wire::calendar::date;

use crate::config::Interval;

const DAY_MS: i64 = 86_400_000;

/// `2026-01-31T12:00:00.250Z`, of milliseconds since 1970.
pub(in crate::cli) fn show(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = date(days);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads `2026-01-31T12:00:00Z`, seconds since 1970, or how long ago: `90m`.
pub(in crate::cli) fn read(text: &str) -> Result<i64, String> {
    if let Some(ms) = moment::parse(text.as_bytes()) {
        return Ok(ms);
    }
    match Interval::parse(text) {
        Ok(ago) => Ok(Clock::system().now_ms().saturating_sub(ago.0.as_millis() as i64)),
        Err(_) => Err(format!(
            "`{text}` is no time: write 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, 90m"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_as_the_same() {
        assert_eq!(show(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(show(951_782_400_250), "2000-02-29T00:00:00.250Z");
        for ms in [-1000, 951_868_799_000, 1_659_540_357_000, 4_102_444_800_000] {
            assert_eq!(read(&show(ms)), Ok(ms), "{}", show(ms));
        }
    }

    #[test]
    fn times_may_be_long_ago() {
        assert_eq!(read("1767225600"), Ok(1_767_225_600_000));
        let before = Clock::system().now_ms();
        let ago = read("90m").unwrap();
        let after = Clock::system().now_ms();
        assert!((before..=after).contains(&(ago + 5_400_000)), "{ago}");
        assert!(read("yesterday").unwrap_err().contains("how long ago"));
    }
}
