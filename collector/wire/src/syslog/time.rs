//! The times that messages say.

use crate::calendar::days_since_1970;

/// When a message was sent, as far as it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nanoseconds since 1970-01-01 UTC, and the length of the last digit in nanoseconds.
    Utc {
        /// The time.
        ns: i64,
        /// The length of its last digit.
        resolution_ns: i64,
    },
    /// A time of day of the sender's clock, in a zone that it does not say.
    Local {
        /// Often not said.
        year: Option<i64>,
        /// From 1.
        month: i64,
        /// From 1.
        day: i64,
        /// Seconds since midnight.
        second: i64,
        /// Nanoseconds behind the second.
        nanos: i64,
        /// The length of its last digit in nanoseconds.
        resolution_ns: i64,
    },
}

const S: i64 = 1_000_000_000;

/// Names of months, as RFC 3164 has them.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl When {
    /// Seconds since 1970 that a local time would be in UTC, in the year that brings it nearest to `now_s` (in the same
    /// reckoning): a message of December that comes in January is of the year before. Then the nanoseconds.
    pub fn local(self, now_s: i64) -> Option<(i64, i64)> {
        let When::Local { year, month, day, second, nanos, .. } = self else { return None };
        let at = |year| days_since_1970(year, month, day) * 86_400 + second;
        if let Some(year) = year {
            return Some((at(year), nanos));
        }
        let (this, ..) = crate::calendar::date(now_s.div_euclid(86_400));
        // The 29th of February is not in every year: there it would be the 1st of March.
        let fits = |year: &i64| month != 2 || day != 29 || leap(*year);
        let years = [this - 1, this, this + 1].into_iter().filter(fits);
        years.map(at).min_by_key(|at| at.abs_diff(now_s)).map(|at| (at, nanos))
    }

    /// The length of the time's last digit in nanoseconds.
    pub fn resolution_ns(self) -> i64 {
        match self {
            When::Utc { resolution_ns, .. } | When::Local { resolution_ns, .. } => resolution_ns,
        }
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The time of RFC 3339 that a text begins with, and the rest. Without a zone it is a local one.
pub(super) fn rfc3339(text: &str) -> Option<(When, &str)> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let rest = rest.strip_prefix(['T', 't'])?;
    let bytes = date.as_bytes();
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    let (second, rest) = time_of_day(rest)?;
    let (nanos, resolution_ns, rest) = fraction(rest)?;
    valid(month, day)?;
    let Some((offset, rest)) = zone(rest) else {
        return Some((When::Local { year: Some(year), month, day, second, nanos, resolution_ns }, rest));
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + second - offset;
    let ns = seconds.checked_mul(S)?.checked_add(nanos)?;
    Some((When::Utc { ns, resolution_ns }, rest))
}

/// The time of RFC 3164 that a text begins with, `Nov 21 18:00:00`, and the rest. A fraction, and a year before or
/// behind the time, as some devices send it, are read too.
pub(super) fn bsd(text: &str) -> Option<(When, &str)> {
    let (before, text) = match text.split_at_checked(5) {
        Some((year, rest)) if year.ends_with(' ') && digits(&year[..4]).is_some() => {
            (digits(&year[..4]), rest)
        }
        _ => (None, text),
    };
    let name = text.get(..3)?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))? as i64 + 1;
    let rest = text.get(3..)?.strip_prefix(' ')?.trim_start_matches(' ');
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let day = (1..=2).contains(&len).then(|| digits(&rest[..len]))??;
    let mut rest = rest[len..].strip_prefix(' ')?;
    let mut year = before;
    if let Some((text, more)) = rest.split_at_checked(5)
        && text.ends_with(' ')
        && let Some(found) = digits(&text[..4])
    {
        (year, rest) = (Some(found), more);
    }
    let (second, rest) = time_of_day(rest)?;
    let (nanos, resolution_ns, rest) = fraction(rest)?;
    valid(month, day)?;
    Some((When::Local { year, month, day, second, nanos, resolution_ns }, rest))
}

fn valid(month: i64, day: i64) -> Option<()> {
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(())
}

fn time_of_day(text: &str) -> Option<(i64, &str)> {
    let time = text.get(..8)?;
    let bytes = time.as_bytes();
    // First of all: only where colons are does a character begin where it is cut.
    if bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&time[..2])?, digits(&time[3..5])?, digits(&time[6..])?);
    let good = hour < 24 && minute < 60 && second <= 60;
    good.then(|| (hour * 3600 + minute * 60 + second, &text[8..]))
}

/// The nanoseconds of `.123`, the length of its last digit, and the rest; digits beyond the ninth are passed over.
fn fraction(text: &str) -> Option<(i64, i64, &str)> {
    let Some(rest) = text.strip_prefix('.').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return Some((0, S, text));
    };
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let known = len.min(9);
    let unit = 10_i64.pow(9 - known as u32);
    Some((digits(&rest[..known])? * unit, unit, &rest[len..]))
}

/// The seconds of `Z` or `+02:00`, and the rest.
fn zone(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = (digits(text.get(1..3)?)?, &text[3..]);
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = digits(rest.get(..2)?)?;
    Some((sign * (hours * 3600 + minutes * 60), &rest[2..]))
}

fn digits(text: &str) -> Option<i64> {
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok())?
}
