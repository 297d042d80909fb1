//! The time of a record: RFC 3339 with up to nine digits behind the point, as Go writes it.

/// Reads times that follow one another: most are of the minute of the one before, and only what follows it is read.
#[derive(Clone, Debug, Default)]
pub struct Instants {
    /// A time up to its minute, with the colon behind it, and that minute in nanoseconds since 1970.
    minute: Option<([u8; MINUTE], i64)>,
}

/// Length of `2026-11-21T15:26:`.
const MINUTE: usize = 17;
/// Length of what follows, with all nine digits, in UTC: `38.123456789Z`.
const REST: usize = 13;

impl Instants {
    /// As [`parse`].
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Option<i64> {
        let Some((minute, rest)) = text.split_first_chunk::<MINUTE>() else { return parse(text) };
        let rest: Option<&[u8; REST]> = rest.try_into().ok();
        if let (Some((known, ns)), Some(rest)) = (&self.minute, rest)
            && known == minute
            && let Some(since) = since_minute(rest)
        {
            return Some(ns + since);
        }
        let ns = parse(text)?;
        // What is less than a minute must not lead beyond the last time that there is.
        if let Some(since) = rest.and_then(since_minute).filter(|_| ns < i64::MAX - 60_000_000_000) {
            self.minute = Some((*minute, ns - since));
        }
        Some(ns)
    }
}

/// Nanoseconds in `38.123456789Z`.
fn since_minute(rest: &[u8; REST]) -> Option<i64> {
    let [s1, s2, b'.', d1, digits @ .., b'Z'] = rest else { return None };
    let (s1, s2, d1) = (s1.wrapping_sub(b'0'), s2.wrapping_sub(b'0'), d1.wrapping_sub(b'0'));
    // The leap second is left to `parse`.
    if s1 > 5 || s2 > 9 || d1 > 9 {
        return None;
    }
    let fraction = i64::from(d1) * 100_000_000 + i64::from(eight_digits(digits)?);
    Some((i64::from(s1) * 10 + i64::from(s2)) * 1_000_000_000 + fraction)
}

/// The number of eight digits, all at once.
fn eight_digits(digits: &[u8; 8]) -> Option<u32> {
    let word = u64::from_le_bytes(*digits);
    // A digit has a 3 on its left, and still has with 6 added.
    if word & 0xf0f0_f0f0_f0f0_f0f0 != 0x3030_3030_3030_3030
        || word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0 != 0x3030_3030_3030_3030
    {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to the number.
    let word = word & 0x0f0f_0f0f_0f0f_0f0f;
    let word = (word.wrapping_mul(10) + (word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let word = (word.wrapping_mul(100) + (word >> 16)) & 0x0000_ffff_0000_ffff;
    Some((word.wrapping_mul(10_000) + (word >> 32)) as u32)
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Nanoseconds since 1970-01-01 UTC; `None` when it is no such time, or not one between 1678 and 2262.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = *date else {
        return None;
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?);
    // 60 is a leap second, which is the same as the next one here.
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (fraction, zone) = match rest.split_first()? {
        (b'.', rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            (number(&rest[..digits])? * 10_i64.pow(9 - digits as u32), &rest[digits..])
        }
        _ => (0, rest),
    };
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// Seconds by which a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let [sign, h1, h2, b':', m1, m2] = *zone else { return (zone == b"Z").then_some(0) };
    let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
    let offset = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    match sign {
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years begin in March here, so that the day that is not always there is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}
