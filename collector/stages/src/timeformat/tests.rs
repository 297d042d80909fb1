//! Times as programs write them.

use proptest::prelude::*;

use super::*;

/// 2026-11-21 15:00:00 UTC
const NOW: i64 = 1_795_273_200 * SECOND;

fn read_in(format: &str, text: &str, zone: &str, read_ns: i64) -> Option<(i64, i64)> {
    let zone = Zone::parse(zone).unwrap();
    let read = Format::parse(format).unwrap().read(text, Place { zone: &zone, read_ns })?;
    Some((read.ns, read.resolution_ns))
}

#[test]
fn formats_of_programs() {
    let at = NOW - 3600 * SECOND;
    let (s, ms, us) = (SECOND, 1_000_000, 1_000);
    for (format, text, expected) in [
        ("RFC3339", "2026-11-21T14:00:00Z", (at, s)),
        ("RFC3339Nano", "2026-11-21T15:00:00.123456789+01:00", (at + 123_456_789, 1)),
        ("RFC3339", "2026-11-21T14:00:00.5Z", (at + 500 * ms, 100 * ms)),
        ("Unix", "1795269600", (at, s)),
        ("Unix", "1795269600.25", (at + 250 * ms, 10 * ms)),
        ("UnixMs", "1795269600123", (at + 123 * ms, ms)),
        ("UnixMs", "1795269600123.5", (at + 123 * ms + 500 * us, 100 * us)),
        ("UnixUs", "1795269600000001", (at + us, us)),
        ("UnixNs", "1795269600000000001", (at + 1, 1)),
        ("ANSIC", "Sat Nov 21 14:00:00 2026", (at, s)),
        ("UnixDate", "Sat Nov 21 14:00:00 UTC 2026", (at, s)),
        ("RubyDate", "Sat Nov 21 16:00:00 +0200 2026", (at, s)),
        ("RFC822", "21 Nov 26 14:00 GMT", (at, 60 * s)),
        ("RFC850", "Saturday, 21-Nov-26 14:00:00 UTC", (at, s)),
        ("RFC1123Z", "Sat, 21 Nov 2026 14:00:00 -0000", (at, s)),
        ("2006-01-02 15:04:05,000", "2026-11-21 14:00:00,042", (at + 42 * ms, ms)),
        ("2006-01-02 15:04:05", "2026-11-21 14:00:00.042", (at + 42 * ms, ms)),
        ("2006/01/02 3:04:05 PM", "2026/11/21 2:00:00 PM", (at, s)),
        ("02/Jan/2006:15:04:05 -0700", "21/Nov/2026:14:00:00 +0000", (at, s)),
        ("Jan _2 15:04:05", "Nov 21 14:00:00", (at, s)),
        ("Jan  2 15:04:05", "Dec  1 14:00:00", (at - 355 * 86_400 * s, s)),
        ("15:04:05.000", "14:00:00.001", (at + ms, ms)),
        ("15:04:05", "16:00:00", (at + 7200 * s - 86_400 * s, s)),
        ("%Y-%m-%d %H:%M:%S.%f", "2026-11-21 14:00:00.000042", (at + 42 * us, us)),
        ("%d/%b/%Y:%T %z", "21/Nov/2026:15:00:00 +0100", (at, s)),
        ("%F %T%.3f", "2026-11-21 14:00:00.007", (at + 7 * ms, ms)),
        ("%j %y %H%M", "325 26 1400", (at, 60 * s)),
        ("%s", "1795269600", (at, s)),
        ("%% %m-%d-%Y %I:%M:%S %p", "% 11-21-2026 02:00:00 pm", (at, s)),
        ("2006-01-02T15:04:05Z07:00", "  2026-11-21T14:00:00Z\t", (at, s)),
        ("[2006-01-02 é 15:04]", "[2026-11-21 é 14:00]", (at, 60 * s)),
        ("Unix", "-1", (-s, s)),
    ] {
        assert_eq!(read_in(format, text, "UTC", NOW), Some(expected), "{format} {text}");
    }
}

#[test]
fn zones_count_only_where_none_is_said() {
    let noon = |zone| read_in("2006-01-02 15:04:05", "2026-07-01 12:00:00", zone, NOW).unwrap().0 / SECOND;
    assert_eq!(
        (noon("UTC"), noon("Europe/Berlin"), noon("-01:00")),
        (1_782_907_200, 1_782_900_000, 1_782_910_800)
    );
    let said = |text| read_in("2006-01-02 15:04:05 MST", text, "Europe/Berlin", NOW).unwrap().0 / SECOND;
    assert_eq!(said("2026-07-01 12:00:00 UTC"), 1_782_907_200);
    assert_eq!(said("2026-07-01 12:00:00 CEST"), 1_782_900_000);
}

#[test]
fn years_that_are_not_said_are_the_last_ones() {
    // On New Year's Day, a line of the evening before.
    let new_year = 1_798_761_600 * SECOND + 60 * SECOND;
    let read = |text| read_in("Jan _2 15:04:05", text, "UTC", new_year).unwrap().0 / SECOND;
    assert_eq!(read("Dec 31 23:59:59"), 1_798_761_599);
    assert_eq!(read("Jan  1 00:00:59"), 1_798_761_659);
    assert_eq!(read("Feb 29 00:00:00"), 1_709_164_800);
}

#[test]
fn what_is_written_otherwise_is_no_time() {
    for (format, text) in [
        ("RFC3339", ""),
        ("RFC3339", "2026-11-21"),
        ("RFC3339", "2026-11-21T14:00:00"),
        ("RFC3339", "2026-11-21T14:00:00Z and more"),
        ("RFC3339", "2026-13-21T14:00:00Z"),
        ("RFC3339", "2026-02-30T14:00:00Z"),
        ("RFC3339", "2026-11-21T24:00:00Z"),
        ("RFC3339", "2026-11-21T14:60:00Z"),
        ("2006-01-02 15:04", "é"),
        ("Jan 2 2006", "Foo 2 2006"),
        ("Jan 2 2006", "é"),
        ("3:04 PM", "13:00 PM"),
        ("3:04 PM", "1:00 XM"),
        ("Unix", "9999999999999999999"),
        ("Unix", "99999999999999"),
        ("UnixNs", "x"),
    ] {
        assert_eq!(read_in(format, text, "UTC", NOW), None, "{format} {text}");
    }
    for (format, part) in [
        ("", "neither a day"),
        ("yyyy-MM-dd", "neither a day"),
        ("%Q", "is not understood"),
        ("%Y%", "percent sign"),
    ] {
        assert!(Format::parse(format).unwrap_err().contains(part), "{format}");
    }
}

proptest! {
    #[test]
    fn any_format_and_text_are_taken(
        format in "(%|Y|2006|01|02|15|04|05|\\.000|MST|-0700|Jan|é| |:|-|f|z|s){0,12}",
        text in "(?s)([0-9]{1,4}|é|:|-|\\.|Z|Nov|UTC|\\+02:00| ){0,12}",
        read_ns: i64,
    ) {
        if let Ok(format) = Format::parse(&format) {
            format.read(&text, Place { zone: &Zone::parse("Europe/Berlin").unwrap(), read_ns });
        }
    }
}
