//! Where objects stand, and what their names say.
//!
//! `date=2026-11-21/hour=18/service=shop/web-1-20261121T180512123Z-42.ndjson.zst`: the hour (UTC) and the service of all its
//! entries, in the form that query engines know as partitions; who wrote it, when, and from which record of its log on.
//! The time makes the name new even where a machine has lost its state, and counts its records from the first again.

use taffrail_wire::calendar::{date, days_since_1970};

/// An hour in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

/// How an object's name ends.
pub const END: &str = ".ndjson.zst";

/// The longest name of a service or host that goes into a path.
const LONGEST: usize = 100;

/// The hour and the service of an object's entries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Hours since 1970 UTC.
    pub hour: i64,
    /// The service, fit for a path: see [`segment`].
    pub service: String,
}

/// What an object's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The hour and the service.
    pub slot: Slot,
    /// The host that wrote it, fit for a path.
    pub host: String,
    /// When its window was sealed, milliseconds since 1970 UTC.
    pub sealed_ms: i64,
    /// The first record of its window.
    pub from: u64,
}

impl Slot {
    /// `date=2026-11-21/hour=18/service=shop`
    pub fn folder(&self) -> String {
        format!("{}/service={}", hour_folder(self.hour), self.service)
    }
}

/// `date=2026-11-21/hour=18`
pub fn hour_folder(hour: i64) -> String {
    format!("{}/hour={:02}", date_folder(hour), hour.rem_euclid(24))
}

/// `date=2026-11-21`, of an hour in it.
pub fn date_folder(hour: i64) -> String {
    let (year, month, day) = date(hour.div_euclid(24));
    format!("date={year:04}-{month:02}-{day:02}")
}

impl Name {
    /// The whole key.
    pub fn key(&self) -> String {
        let Name { slot, host, sealed_ms, from } = self;
        format!("{}/{host}-{}-{from}{END}", slot.folder(), stamp(*sealed_ms))
    }

    /// Reads a key that [`Name::key`] wrote; nothing else is one.
    pub fn parse(key: &str) -> Option<Self> {
        let mut parts = key.split('/');
        let (date, hour, service, file) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (service, file) = (service.strip_prefix("service=")?, file.strip_suffix(END)?);
        let days = days(date.strip_prefix("date=")?)?;
        let hour: i64 = hour.strip_prefix("hour=")?.parse().ok()?;
        let (rest, from) = file.rsplit_once('-')?;
        let (host, time) = rest.rsplit_once('-')?;
        let name = Name {
            slot: Slot { hour: days * 24 + hour, service: service.to_owned() },
            host: host.to_owned(),
            sealed_ms: read_stamp(time)?,
            from: from.parse().ok()?,
        };
        // What reads in any other way than it is written was written by somebody else.
        (parts.next().is_none() && name.key() == key).then_some(name)
    }
}

/// `20261121T180512123Z`
fn stamp(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(24 * HOUR_MS), ms.rem_euclid(24 * HOUR_MS));
    let (year, month, day) = date(days);
    let (hour, minute) = (of_day / HOUR_MS, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}{milli:03}Z")
}

fn read_stamp(text: &str) -> Option<i64> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    if day.len() != 8 || time.len() != 9 || !day.is_ascii() || !time.is_ascii() {
        return None;
    }
    let days = days(&format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]))?;
    let number = |range| time.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    let (hour, minute, second, milli) = (number(0..2)?, number(2..4)?, number(4..6)?, number(6..9)?);
    Some(days * 24 * HOUR_MS + hour * HOUR_MS + minute * 60_000 + second * 1000 + milli)
}

/// Days since 1970 of `2026-11-21`.
fn days(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // More than a time in nanoseconds can be.
    if !(1000..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    (date(days) == (year, month, day)).then_some(days)
}

/// A name that fits into a path and into a name of ours: letters, digits, `.`, `_` and `-` of ASCII stay, all else becomes
/// `_`. The name in full stands in the entries' labels.
pub fn segment(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let name: String = text.chars().take(LONGEST).map(fit).collect();
    match name.trim_matches('.') {
        "" if text.is_empty() => "unknown".to_owned(),
        "" => "_".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(host: &str, hour: i64, ms: i64) -> Name {
        let slot = Slot { hour, service: "shop".into() };
        Name { slot, host: host.into(), sealed_ms: ms, from: 42 }
    }

    #[test]
    fn a_key_says_where_and_whence() {
        let written = name("web-1", 1_795_284_312_123 / HOUR_MS, 1_795_284_312_123);
        let key = "date=2026-11-21/hour=18/service=shop/web-1-20261121T180512123Z-42.ndjson.zst";
        assert_eq!(written.key(), key);
        assert_eq!(Name::parse(key), Some(written));
    }

    #[test]
    fn every_day_reads_as_it_is_written() {
        for day in (-120_000..120_000i64).step_by(7).chain(19_000..21_000) {
            let written = name("a.b-c", day * 24 + day.rem_euclid(24), day * 24 * HOUR_MS + 86_399_999);
            assert_eq!(Name::parse(&written.key()), Some(written.clone()), "{}", written.key());
        }
    }

    #[test]
    fn what_others_wrote_is_not_ours() {
        for key in [
            "date=2026-11-21/hour=18/service=shop/notes.txt",
            "date=2026-11-21/hour=18/service=shop/copy of web-1-20261121T180512123Z-42.ndjson.zst.bak",
            "date=2026-11-21/hour=18/service=shop/web-1-20261121T180512123Z-042.ndjson.zst",
            "date=2026-11-21/hour=8/service=shop/web-1-20261121T180512123Z-42.ndjson.zst",
            "date=2026-02-30/hour=18/service=shop/web-1-20261121T180512123Z-42.ndjson.zst",
            "date=2026-11-21/hour=18/service=shop/web-1-20261121T180512123Z-42.ndjson.zst/x",
            "date=2026-11-21/hour=18/web-1-20261121T180512123Z-42.ndjson.zst",
            "",
        ] {
            assert_eq!(Name::parse(key), None, "{key}");
        }
    }

    #[test]
    fn services_become_fit_for_a_path() {
        for (text, fit) in [
            ("shop", "shop"),
            ("", "unknown"),
            ("..", "_"),
            ("a/../b", "a_.._b"),
            ("k8s=web shop", "k8s_web_shop"),
            ("é", "_"),
        ] {
            assert_eq!(segment(text), fit);
        }
        assert_eq!(segment(&"x".repeat(1000)).len(), LONGEST);
    }
}
