//! Time zones as compiled by zic(8): the file format of RFC 9636 (TZif), and the rule of POSIX's `TZ` at its end, which
//! alone covers the present in files written since 2020.

/// A time zone.
#[derive(Debug, PartialEq)]
pub(crate) struct Zone {
    /// When the offset changes, in seconds since 1970, and to which kind.
    changes: Vec<(i64, usize)>,
    kinds: Vec<Kind>,
    /// What holds after the last change.
    rule: Option<Rule>,
}

/// One kind of time: seconds ahead of UTC and the name.
#[derive(Clone, Debug, PartialEq)]
struct Kind {
    offset: i32,
    name: String,
}

#[derive(Debug, PartialEq)]
struct Rule {
    standard: Kind,
    /// Summer time, with its beginning and its end.
    summer: Option<(Kind, Moment, Moment)>,
}

/// A moment that comes every year: a day, and seconds of local time from its midnight.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moment {
    day: Day,
    seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Day {
    /// Day 1 to 365, February 29 is never counted.
    Julian(i64),
    /// Day 0 to 365.
    Zero(i64),
    /// Month, week (5 is the last), day of the week (0 is Sunday).
    Month(i64, i64, i64),
}

impl Default for Zone {
    fn default() -> Self {
        let utc = Kind { offset: 0, name: "UTC".into() };
        Zone { changes: Vec::new(), kinds: vec![utc], rule: None }
    }
}

impl Zone {
    /// Parses a TZif file; `None` for anything else.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = Header::parse(bytes)?;
        if header.version < b'2' {
            return body(bytes.get(44..)?, &header, 4).map(|(zone, _)| zone);
        }
        // The first body has 32-bit times, for readers of old; the second has what we want.
        let second = bytes.get(44 + header.size(4)..)?;
        let header = Header::parse(second)?;
        let (mut zone, end) = body(second.get(44..)?, &header, 8)?;
        let footer = second.get(44 + end..)?.strip_prefix(b"\n")?;
        let footer = footer.split(|b| *b == b'\n').next()?;
        zone.rule = std::str::from_utf8(footer).ok().and_then(Rule::parse);
        Some(zone)
    }

    /// Seconds ahead of UTC, and the name of the time, at `unix` seconds since 1970.
    pub(crate) fn at(&self, unix: i64) -> (i32, &str) {
        let kind = match self.changes.partition_point(|(at, _)| *at <= unix) {
            0 => self.kinds.first(),
            n if n == self.changes.len() && self.rule.is_some() => {
                self.rule.as_ref().map(|rule| rule.at(unix))
            }
            n => self.kinds.get(self.changes[n - 1].1),
        };
        // A zone without changes has nothing but its rule.
        let kind = match &self.rule {
            Some(rule) if self.changes.is_empty() => Some(rule.at(unix)),
            _ => kind,
        };
        kind.map_or((0, "UTC"), |kind| (kind.offset, &kind.name))
    }
}

/// The counts at the beginning of each half of the file.
struct Header {
    version: u8,
    utc_flags: usize,
    standard_flags: usize,
    leaps: usize,
    changes: usize,
    kinds: usize,
    names: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..44)?;
        let count = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?) as usize);
        if !header.starts_with(b"TZif") {
            return None;
        }
        Some(Header {
            version: header[4],
            utc_flags: count(20)?,
            standard_flags: count(24)?,
            leaps: count(28)?,
            changes: count(32)?,
            kinds: count(36)?,
            names: count(40)?,
        })
    }

    /// Bytes of the body with times of `width` bytes.
    fn size(&self, width: usize) -> usize {
        self.changes * (width + 1)
            + self.kinds * 6
            + self.names
            + self.leaps * (width + 4)
            + self.standard_flags
            + self.utc_flags
    }
}

/// A body, and where it ends.
fn body(bytes: &[u8], header: &Header, width: usize) -> Option<(Zone, usize)> {
    let size = header.size(width);
    let bytes = bytes.get(..size)?;
    let (times, rest) = bytes.split_at(header.changes * width);
    let (indices, rest) = rest.split_at(header.changes);
    let (kinds, rest) = rest.split_at(header.kinds * 6);
    let names = &rest[..header.names];
    let time = |at: &[u8]| match width {
        4 => at.try_into().ok().map(|at| i64::from(i32::from_be_bytes(at))),
        _ => at.try_into().ok().map(i64::from_be_bytes),
    };
    let changes = times.chunks(width).zip(indices).map(|(at, kind)| Some((time(at)?, usize::from(*kind))));
    let kind = |entry: &[u8]| {
        let name = names.get(usize::from(*entry.get(5)?)..)?;
        let name = name.split(|b| *b == 0).next()?;
        let offset = i32::from_be_bytes(entry.get(..4)?.try_into().ok()?);
        Some(Kind { offset, name: String::from_utf8_lossy(name).into_owned() })
    };
    let zone = Zone {
        changes: changes.collect::<Option<_>>()?,
        kinds: kinds.chunks(6).map(kind).collect::<Option<_>>()?,
        rule: None,
    };
    Some((zone, size))
}

impl Rule {
    /// Parses `CET-1CEST,M3.5.0,M10.5.0/3` and the like.
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = name(text)?;
        let (west, rest) = seconds(rest)?;
        let standard = Kind { offset: i32::try_from(-west).ok()?, name: name.into() };
        if rest.is_empty() {
            return Some(Rule { standard, summer: None });
        }
        let (name, rest) = self::name(rest)?;
        let (west, rest) = if rest.starts_with(',') { (west - 3600, rest) } else { seconds(rest)? };
        let summer = Kind { offset: i32::try_from(-west).ok()?, name: name.into() };
        let mut moments = rest.strip_prefix(',')?.splitn(2, ',').map(Moment::parse);
        Some(Rule { standard, summer: Some((summer, moments.next()??, moments.next()??)) })
    }

    fn at(&self, unix: i64) -> &Kind {
        let Some((summer, begin, end)) = &self.summer else { return &self.standard };
        let local = unix + i64::from(self.standard.offset);
        let year = civil_year(local.div_euclid(86_400));
        let begin = begin.in_year(year) - i64::from(self.standard.offset);
        let end = end.in_year(year) - i64::from(summer.offset);
        let is_summer = if begin < end {
            (begin..end).contains(&unix)
        } else {
            // South of the equator the year begins in summer.
            !(end..begin).contains(&unix)
        };
        if is_summer { summer } else { &self.standard }
    }
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('/').unwrap_or((text, "2"));
        let (seconds, "") = seconds(time)? else { return None };
        let day = if let Some(rest) = day.strip_prefix('M') {
            let mut parts = rest.splitn(3, '.').map(|part| part.parse::<i64>().ok());
            Day::Month(parts.next()??, parts.next()??, parts.next()??)
        } else if let Some(rest) = day.strip_prefix('J') {
            Day::Julian(rest.parse().ok()?)
        } else {
            Day::Zero(day.parse().ok()?)
        };
        if let Day::Month(month, week, weekday) = day
            && !((1..=12).contains(&month) && (1..=5).contains(&week) && (0..=6).contains(&weekday))
        {
            return None;
        }
        Some(Moment { day, seconds })
    }

    /// The moment in a year, in seconds since 1970 by the clock on the wall.
    fn in_year(self, year: i64) -> i64 {
        let first = days_to(year, 1);
        let day = match self.day {
            Day::Zero(n) => first + n,
            Day::Julian(n) if n >= 60 => days_to(year, 3) + n - 60,
            Day::Julian(n) => first + n - 1,
            Day::Month(month, week, weekday) => {
                let first = days_to(year, month);
                let next = if month == 12 { days_to(year + 1, 1) } else { days_to(year, month + 1) };
                // 1970-01-01 was a Thursday.
                let day = first + (weekday - (first + 4)).rem_euclid(7) + (week - 1) * 7;
                if day >= next { day - 7 } else { day }
            }
        };
        day * 86_400 + self.seconds
    }
}

/// A name at the beginning: letters, or anything in `<>`.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('<') {
        return rest.split_once('>');
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Seconds at the beginning: `[+-]hh[:mm[:ss]]`.
fn seconds(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(rest.len());
    let (time, rest) = rest.split_at(end);
    let mut sum = 0;
    let mut unit = 3600;
    for part in time.splitn(3, ':') {
        sum += part.parse::<i64>().ok().filter(|n| *n < 1000)? * unit;
        unit /= 60;
    }
    Some((sign * sum, rest))
}

/// Days from 1970 to the first of a month, by the count of the civil calendar in years that begin in March.
fn days_to(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 - 719_468
}

/// The year of a day counted from 1970.
fn civil_year(days: i64) -> i64 {
    // At most one too many, or one too few, by the mean length of a year.
    let guess = 1970 + (days * 400).div_euclid(146_097);
    if days < days_to(guess, 1) {
        guess - 1
    } else if days >= days_to(guess + 1, 1) {
        guess + 1
    } else {
        guess
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rule: &str, unix: i64) -> (i32, String) {
        let kind = Rule::parse(rule).unwrap();
        let kind = kind.at(unix);
        (kind.offset, kind.name.clone())
    }

    #[test]
    fn rules_north_and_south() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        // 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC.
        assert_eq!(at(berlin, 1_774_746_000 - 1), (3600, "CET".into()));
        assert_eq!(at(berlin, 1_774_746_000), (7200, "CEST".into()));
        assert_eq!(at(berlin, 1_792_890_000 - 1), (7200, "CEST".into()));
        assert_eq!(at(berlin, 1_792_890_000), (3600, "CET".into()));
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        assert_eq!(at(sydney, 1_767_225_600), (39600, "AEDT".into()));
        assert_eq!(at(sydney, 1_782_864_000), (36000, "AEST".into()));
        assert_eq!(at("<+0545>-5:45", 0), (20700, "+0545".into()));
        assert_eq!(at("EST5EDT4,J60/0,300", 1_767_225_600), (-18000, "EST".into()));
        for bad in ["", "CET", "-1", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,x,y"] {
            assert_eq!(Rule::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn years() {
        for (days, year) in [(0, 1970), (-1, 1969), (364, 1970), (365, 1971), (20_453, 2025), (20_454, 2026)]
        {
            assert_eq!(civil_year(days), year, "{days}");
        }
        assert_eq!(days_to(2000, 3), 11_017);
    }

    /// A file of version 2 with one change in the second half, and a rule.
    fn file(footer: &str) -> Vec<u8> {
        let header = |changes: u32, kinds: u32, names: u32| {
            let mut header = b"TZif2".to_vec();
            header.resize(20, 0);
            for count in [0, 0, 0, changes, kinds, names] {
                header.extend(u32::to_be_bytes(count));
            }
            header
        };
        let mut file = header(0, 1, 4);
        file.extend(b"\0\0\0\0\0\0LMT\0");
        file.extend(header(1, 2, 8));
        file.extend(1000i64.to_be_bytes());
        file.push(1);
        file.extend(600i32.to_be_bytes());
        file.extend([0, 0]);
        file.extend(3600i32.to_be_bytes());
        file.extend([0, 4]);
        file.extend(b"LMT\0CET\0");
        file.extend(format!("\n{footer}\n").bytes());
        file
    }

    #[test]
    fn files_with_and_without_a_rule() {
        let zone = Zone::parse(&file("")).unwrap();
        assert_eq!((zone.at(999), zone.at(1000)), ((600, "LMT"), (3600, "CET")));
        let zone = Zone::parse(&file("X-2")).unwrap();
        assert_eq!((zone.at(999), zone.at(1000)), ((600, "LMT"), (7200, "X")));
        assert_eq!(Zone::default().at(0), (0, "UTC"));
    }

    #[test]
    fn what_is_no_zone_is_none() {
        let whole = file("X-2");
        for end in 0..whole.len() - 6 {
            assert_eq!(Zone::parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(Zone::parse(b"UTC0\n"), None);
        let mut huge = whole;
        huge[32..36].fill(0xff);
        assert_eq!(Zone::parse(&huge), None);
    }

    #[test]
    fn a_real_file() {
        let zone = Zone::parse(include_bytes!("../fixtures/typical/root/etc/localtime")).unwrap();
        assert_eq!(zone.at(1_767_225_600), (3600, "CET"));
        assert_eq!(zone.at(1_782_864_000), (7200, "CEST"));
        assert_eq!(zone.at(-800_000_000), (7200, "CEST"), "1944, from the list of changes");
        assert_eq!(zone.at(-3_000_000_000), (3208, "LMT"));
    }
}
