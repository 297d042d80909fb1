//! Formats of times: how they are written, and what time a text means.

mod go;
mod parse;
mod strftime;
mod zone;

pub use parse::{Place, Read};
pub use zone::Zone;

/// A format.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    items: Vec<Item>,
}

/// One part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// As it stands.
    Text(String),
    Year,
    /// `26`: 69 to 99 are of the century before.
    ShortYear,
    Month,
    /// By name, whole or of three letters.
    MonthName,
    Day,
    DayOfYear,
    /// Passed over: the date says it.
    Weekday,
    Hour,
    /// 1 to 12.
    Hour12,
    AmPm,
    Minute,
    Second,
    /// The digits of a fraction, without the mark before them.
    Fraction,
    /// The mark and the digits; or nothing.
    MaybeFraction,
    /// `Z`, `+02:00`, `+0200`, `+02`.
    Offset,
    /// `UTC`, `CEST`.
    ZoneName,
    /// A count since 1970 in units of so many nanoseconds; a fraction may follow.
    Since1970(i64),
}

/// A time in UTC as RFC 3339 has it; nanoseconds since 1970.
pub fn show(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(ns.into()).unwrap_or_default().to_string()
}

/// The time that [`show`] wrote.
pub fn shown(text: &str) -> Option<i64> {
    i64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

impl Format {
    /// Reads a format: the name of a usual one, `%Y-%m-%d` as of strftime, or Go's reference time `2006-01-02 15:04:05`.
    /// An error says what is wrong, then, behind a line feed, what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let items = match text {
            "Unix" | "unix" => vec![Item::Since1970(1_000_000_000)],
            "UnixMs" | "unix_ms" => vec![Item::Since1970(1_000_000)],
            "UnixUs" | "unix_us" => vec![Item::Since1970(1_000)],
            "UnixNs" | "unix_ns" => vec![Item::Since1970(1)],
            "RFC3339" | "RFC3339Nano" | "rfc3339" => go::items("2006-01-02T15:04:05Z07:00"),
            "ANSIC" => go::items("Mon Jan _2 15:04:05 2006"),
            "UnixDate" => go::items("Mon Jan _2 15:04:05 MST 2006"),
            "RubyDate" => go::items("Mon Jan 02 15:04:05 -0700 2006"),
            "RFC822" => go::items("02 Jan 06 15:04 MST"),
            "RFC822Z" => go::items("02 Jan 06 15:04 -0700"),
            "RFC850" => go::items("Monday, 02-Jan-06 15:04:05 MST"),
            "RFC1123" => go::items("Mon, 02 Jan 2006 15:04:05 MST"),
            "RFC1123Z" => go::items("Mon, 02 Jan 2006 15:04:05 -0700"),
            text if text.contains('%') => strftime::items(text)?,
            text => go::items(text),
        };
        let tells = items.iter().any(|item| {
            matches!(item, Item::Hour | Item::Hour12 | Item::Since1970(_) | Item::Day | Item::DayOfYear)
        });
        if !tells {
            return Err(format!(
                "`{text}` says neither a day nor an hour\nwrite RFC3339, UnixMs, \"%Y-%m-%d %H:%M:%S\", or Go's 2006-01-02 15:04:05"
            ));
        }
        Ok(Format { items })
    }
}
