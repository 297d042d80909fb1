//! A moment written into a file: seconds since 1970, or RFC 3339.

/// The moment that `text` begins with, in milliseconds since 1970-01-01 UTC: `1767225600`, `2026-01-01T00:00:00Z`,
/// `2026-01-01 00:00:00+01:00`. What `date +%s`, `date -Is` and `date -u +%FT%TZ` write. A time without a zone is none,
/// as nobody can say which is meant.
pub fn parse(text: &[u8]) -> Option<i64> {
    let line = text.trim_ascii_start().split(|byte| *byte == b'\n' || *byte == b'\r').next()?;
    let line = str::from_utf8(line).ok()?.trim_ascii_end();
    if !line.is_empty() && line.len() <= 11 && line.bytes().all(|byte| byte.is_ascii_digit()) {
        return line.parse::<i64>().ok().map(|seconds| seconds * 1000);
    }
    rfc3339(line.as_bytes())
}

fn rfc3339(text: &[u8]) -> Option<i64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = &date_time[range];
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| date_time[*at] != *mark) || !matches!(date_time[10], b'T' | b't' | b' ')
    {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Fractions of a second say nothing about a backup's age.
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => &fraction[fraction.iter().take_while(|byte| byte.is_ascii_digit()).count()..],
        None => rest,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - zone(rest)?) * 1000)
}

/// Seconds that a zone is ahead of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let two = |a: u8, b: u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (hours, minutes) = match *rest {
        [a, b, b':', c, d] | [a, b, c, d] => (two(a, b)?, two(c, d)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    before + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_date_writes_is_read() {
        for (text, wanted) in [
            ("1767225600\n", 1_767_225_600_000),
            ("2026-01-01T00:00:00Z", 1_767_225_600_000),
            ("2026-01-01T01:00:00+01:00\nsecond line", 1_767_225_600_000),
            (" 2025-12-31 19:30:00-0430", 1_767_225_600_000),
            ("2026-01-01T00:00:00.123456Z\r\n", 1_767_225_600_000),
            ("2024-02-29T12:00:00Z", 1_709_208_000_000),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(wanted), "{text}");
        }
        for text in [
            "",
            "\n",
            "ok",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00 CET",
            "123456789012",
            "2026-01-01T00:00:00+1:00",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
