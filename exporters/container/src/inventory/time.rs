//! Times as the engine writes them: RFC 3339, in UTC or with an offset.

/// Seconds since 1970; none for what is no such time, or for the year 1, which stands for never.
pub fn parse(text: &str) -> Option<f64> {
    let (date, rest) = text.split_once('T')?;
    let at = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(at);
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.splitn(3, ':');
    let (hour, minute) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let second = clock.next()?.parse::<f64>().ok()?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let minutes = days(year, month, day) * 1440 + hour * 60 + minute - offset(zone)?;
    Some(minutes as f64 * 60.0 + second)
}

/// Days since 1970-01-01 in the Gregorian calendar: years are counted from March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Minutes ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    Some(if zone.starts_with('-') { -minutes } else { minutes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(parse("2000-02-29T12:30:15.25Z"), Some(951_827_415.25));
        assert_eq!(parse("2026-11-21T02:42:06+01:00"), Some(1_795_225_326.0));
        assert_eq!(parse("2026-11-20T20:12:06-05:30"), Some(1_795_225_326.0));
        for bad in
            ["0001-01-01T00:00:00Z", "", "T", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "x-y-zTa:b:cZ"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
