//! What time a text means in a format.

use super::zone::{self, Zone};
use super::{Format, Item};

/// What the text does not say, and stands around it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'z> {
    /// Where clocks were read that say no zone.
    pub zone: &'z Zone,
    /// When the line was read, in nanoseconds since 1970-01-01 UTC: a year or day that is not said is the last one in which
    /// the time is not later than a day after that.
    pub read_ns: i64,
}

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// In nanoseconds since 1970-01-01 UTC.
    pub ns: i64,
    /// How many nanoseconds long its last digit is.
    pub resolution_ns: i64,
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[derive(Debug, Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    /// Whether it is afternoon, where only twelve hours are counted.
    half: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    offset: Option<i64>,
    since_1970: Option<i64>,
    resolution_ns: i64,
}

impl Format {
    /// The time that `text` means; `None` when it is not written so. What is behind the time is an error as well.
    pub fn read(&self, text: &str, place: Place<'_>) -> Option<Read> {
        let mut parts = Parts { resolution_ns: 60 * SECOND, ..Parts::default() };
        let mut rest = text.trim();
        for item in &self.items {
            rest = parts.item(item, rest)?;
        }
        let ns = if rest.is_empty() { parts.time(place)? } else { return None };
        Some(Read { ns, resolution_ns: parts.resolution_ns })
    }
}

impl Parts {
    /// Reads one item, and returns what is behind it.
    fn item<'a>(&mut self, item: &Item, text: &'a str) -> Option<&'a str> {
        let (slot, digits, range) = match item {
            Item::Text(expected) => return literal(expected, text),
            Item::Weekday => return letters(text).map(|(_, rest)| rest.strip_prefix('.').unwrap_or(rest)),
            Item::MonthName => {
                let (name, rest) = letters(text)?;
                let name = name.get(..3)?;
                let month = MONTHS.iter().position(|month| month[..3].eq_ignore_ascii_case(name))?;
                self.month = Some(month as i64 + 1);
                return Some(rest);
            }
            Item::AmPm => {
                let (half, rest) = letters(text)?;
                self.half = Some(match half {
                    "AM" | "am" => false,
                    "PM" | "pm" => true,
                    _ => return None,
                });
                return Some(rest);
            }
            Item::Fraction => return self.fraction(text),
            Item::MaybeFraction => {
                let digits = text.strip_prefix(['.', ',']);
                let digits = digits.filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
                return digits.map_or(Some(text), |digits| self.fraction(digits));
            }
            Item::Offset => {
                let (seconds, rest) = zone::offset(text)?;
                self.offset = Some(seconds);
                return Some(rest);
            }
            Item::ZoneName => return self.zone_name(text),
            Item::Since1970(unit) => return self.count(*unit, text),
            Item::Year => (&mut self.year, 4, 0..=9999),
            Item::ShortYear => (&mut self.year, 2, 0..=99),
            Item::Month => (&mut self.month, 2, 1..=12),
            Item::Day => (&mut self.day, 2, 1..=31),
            Item::DayOfYear => (&mut self.day_of_year, 3, 1..=366),
            Item::Hour | Item::Hour12 | Item::Minute | Item::Second => {
                let (value, rest) = number(text, 2)?;
                let (slot, most) = match item {
                    Item::Hour => (&mut self.hour, 23),
                    Item::Hour12 => (&mut self.hour, 12),
                    Item::Minute => (&mut self.minute, 59),
                    _ => {
                        self.resolution_ns = SECOND;
                        // 60 is a leap second.
                        (&mut self.second, 60)
                    }
                };
                *slot = value;
                return (value <= most).then_some(rest);
            }
        };
        // Single digits may have a space before them.
        let (mut value, rest) =
            number(if digits == 4 { text } else { text.trim_start_matches(' ') }, digits)?;
        if *item == Item::ShortYear {
            value += if value >= 69 { 1900 } else { 2000 };
            *slot = Some(value);
            return Some(rest);
        }
        *slot = Some(value);
        range.contains(&value).then_some(rest)
    }

    fn fraction<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let length = text.bytes().take_while(u8::is_ascii_digit).count();
        let digits = &text[..length.min(9)];
        let scale = 10i64.pow(9 - digits.len() as u32);
        self.nanos = digits.parse::<i64>().ok()? * scale;
        self.resolution_ns = scale;
        Some(&text[length..])
    }

    fn zone_name<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        // `-03` is a name too, of zones that have no letters.
        if let Some((seconds, rest)) = zone::offset(text).filter(|_| !text.starts_with(['Z', 'z'])) {
            self.offset = Some(seconds);
            return Some(rest);
        }
        let (name, rest) = letters(text)?;
        // What other names mean depends on where one is: there the zone of the configuration counts.
        if matches!(name, "UTC" | "GMT" | "Z") {
            self.offset = Some(0);
        }
        Some(rest)
    }

    fn count<'a>(&mut self, unit: i64, text: &'a str) -> Option<&'a str> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, rest) = number(digits, 19)?;
        let mut ns = whole.checked_mul(unit)?;
        self.resolution_ns = unit;
        let mut rest = rest;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = self.fraction(fraction)?;
            // The fraction is one of the unit.
            let scale = SECOND / unit;
            ns = ns.checked_add(self.nanos / scale)?;
            self.resolution_ns = (self.resolution_ns / scale).max(1);
            self.nanos = 0;
        }
        self.since_1970 = Some(sign * ns);
        Some(rest)
    }

    fn time(&self, place: Place<'_>) -> Option<i64> {
        if let Some(ns) = self.since_1970 {
            return Some(ns);
        }
        let hour = match self.half {
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let seconds = hour * 3600 + self.minute * 60 + self.second;
        let in_utc = |days: i64| {
            let local = days.checked_mul(DAY)?.checked_add(seconds)?;
            match self.offset {
                Some(offset) => local.checked_sub(offset),
                None => place.zone.to_utc(local),
            }
        };
        let latest = place.read_ns.div_euclid(SECOND) + DAY;
        let today = place.read_ns.div_euclid(SECOND).div_euclid(DAY);
        let this_year = year_of(today + 2);
        // Without a year, or a day, the last one that is not in the future; the 29th of February is years away at most.
        let time = match self.year {
            Some(year) => in_utc(self.days(year)?)?,
            None if self.month.is_none() && self.day_of_year.is_none() && self.day.is_none() => (-2..=1)
                .filter_map(|more| in_utc(today - more))
                // A day ahead is no mistake of clocks here, as days are not said.
                .find(|time| *time <= latest - DAY + 600)?,
            None => (this_year - 8..=this_year)
                .rev()
                .filter_map(|year| in_utc(self.days(year)?))
                .find(|time| *time <= latest)?,
        };
        time.checked_mul(SECOND)?.checked_add(self.nanos)
    }

    /// Days from 1970-01-01 to the date.
    fn days(&self, year: i64) -> Option<i64> {
        if let Some(day) = self.day_of_year {
            return Some(days_since_1970(year, 1, 1) + day - 1);
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (day <= length).then(|| days_since_1970(year, month, day))
    }
}

/// Days from 1970-01-01 to the date; counted in eras of 400 years that begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The year of a day, counted from 1970-01-01.
fn year_of(days: i64) -> i64 {
    let guess = 1970 + days.div_euclid(366);
    (guess..).find(|year| days < days_since_1970(year + 1, 1, 1)).unwrap_or(guess)
}

/// Behind the expected text; a space stands for any number of them, since single digits are filled up with some.
fn literal<'a>(expected: &str, text: &'a str) -> Option<&'a str> {
    let mut rest = text;
    let mut spaces = false;
    for c in expected.chars() {
        if c != ' ' || !spaces {
            rest = rest.strip_prefix(c)?;
        }
        spaces = c == ' ';
        if spaces {
            rest = rest.trim_start_matches(' ');
        }
    }
    Some(rest)
}

fn letters(text: &str) -> Option<(&str, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    (length > 0).then(|| text.split_at(length))
}

/// A number of at most so many digits.
fn number(text: &str, most: usize) -> Option<(i64, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    Some((text[..length].parse().ok()?, &text[length..]))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
