//! The `Retry-After` header: seconds, or a date in one of HTTP's three forms.

use std::time::Duration;

use crate::calendar::{days_since_1970, seconds_of_day};

/// The longest wait that is believed. A receiver that asks for more has a wrong clock or a bug, and an hour later it
/// can ask again.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long a `Retry-After` header asks to wait, at most [`LONGEST_WAIT`]; `now_unix_s` is in seconds since 1970. A
/// date that has passed is no wait at all; what is neither seconds nor a date is `None`. See RFC 9110, 10.2.3 and 5.6.7.
pub fn retry_after(header: &str, now_unix_s: i64) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than 64 bits hold is still only a long wait.
        let seconds = header.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let wait = http_date(header)?.saturating_sub(now_unix_s).max(0);
    Some(Duration::from_secs(wait.unsigned_abs()).min(LONGEST_WAIT))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or
/// `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str) -> Option<i64> {
    let mut parts = text.split([' ', '-', ',']).filter(|part| !part.is_empty());
    let _weekday = parts.next()?;
    let (first, second, third, fourth) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (day, month, year, time) = match first.parse::<i64>() {
        Ok(day) => (day, second, year(third)?, fourth),
        Err(_) => (second.parse().ok()?, first, year(fourth)?, third),
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
    if !(1..=31).contains(&day) {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + seconds_of_day(time)?)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Two digits are RFC 850's; it ended in the nineties, so 70 to 99 are those.
fn year(text: &str) -> Option<i64> {
    let year: i64 = text.parse().ok()?;
    match (text.len(), year) {
        (2, 70..) => Some(1900 + year),
        (2, _) => Some(2000 + year),
        (4, 1970..) => Some(year),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Option<Duration> = |s| Some(Duration::from_secs(s));

    #[test]
    fn seconds() {
        for (header, wait) in
            [("0", 0), ("120", 120), (" 7 ", 7), ("3601", 3600), ("99999999999999999999999", 3600)]
        {
            assert_eq!(retry_after(header, 0), S(wait), "{header}");
        }
    }

    #[test]
    fn the_three_forms_of_a_date() {
        // RFC 9110's own example.
        let at = 784_111_777;
        for header in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(retry_after(header, at - 30), S(30), "{header}");
            assert_eq!(retry_after(header, at + 30), S(0), "{header}");
            assert_eq!(retry_after(header, at - 30_000), S(3600), "{header}");
        }
    }

    #[test]
    fn leap_years() {
        for (header, at) in [
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
            ("Thursday, 29-Feb-24 00:00:00 GMT", 1_709_164_800),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Fri, 31 Dec 2100 23:59:59 GMT", 4_133_980_799),
        ] {
            assert_eq!(retry_after(header, at - 5), S(5), "{header}");
        }
    }

    #[test]
    fn what_is_neither_is_nothing() {
        for header in [
            "",
            " ",
            "-5",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 25:00:00 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:01 GMT",
        ] {
            assert_eq!(retry_after(header, 0), None, "{header}");
        }
    }
}
