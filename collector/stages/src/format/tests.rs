//! Records as engines write them, joined, and as nobody should write them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// 2026-11-21T15:26:38.123456789Z
const NS: i64 = 1_795_274_798_123_456_789;
const TIME: &str = "2026-11-21T15:26:38.123456789Z";

fn said(ns: i64) -> Time {
    Time::Said { ns, resolution_ns: 1 }
}

/// The lines in the records of `text`: stream, line, whether it is garbled.
fn read(format: Format, text: &str) -> Vec<(&'static str, String, bool)> {
    Records::new(format, text.lines().map(Cow::Borrowed), 1)
        .map(|record| (record.stream.map_or("-", Stream::as_str), record.line.into_owned(), record.garbled))
        .collect()
}

fn line(stream: &'static str, line: &str) -> (&'static str, String, bool) {
    (stream, line.to_owned(), false)
}

fn docker(log: &str, stream: &str) -> String {
    format!("{{\"log\":{},\"stream\":\"{stream}\",\"time\":\"{TIME}\"}}\n", Value::from(log))
}

#[test]
fn docker_records_borrow_what_is_not_escaped() {
    let text = docker("GET / 200\n", "stderr");
    let part = docker::part(text.trim_end(), &mut Instants::default()).unwrap();
    assert!(matches!(part.text, Cow::Borrowed("GET / 200")));
    assert_eq!((part.stream, part.ns, part.ends), (Some(Stream::Stderr), Some(NS), true));
}

#[test]
fn docker_records_in_all_their_forms() {
    let cases = [
        // Members in another order, unknown ones, spaces.
        (
            r#"{ "time":"2026-11-21T15:26:38Z", "new":[{"log":"no\n"}], "stream":"stdout", "log":"a\n" }"#,
            "stdout",
            "a",
        ),
        (
            r#"{"log":"a\n","stream":"stderr","attrs":{"tag":"x","log":"no"},"time":"2026-11-21T15:26:38Z"}"#,
            "stderr",
            "a",
        ),
        (r#"{"l\u006fg":"a\n","stream":"stdout"}"#, "stdout", "a"),
        (r#"{"log":"a\n"}"#, "-", "a"),
        (r#"{"log":"a\n","stream":"stdin","time":"2026-11-21T15:26:38Z"}"#, "-", "a"),
        // A terminal's end of line, and what only looks like one.
        (r#"{"log":"a\r\n","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#, "stdout", "a"),
        (r#"{"log":"a\\n","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#, "stdout", "a\\n"),
        (r#"{"log":"\n","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#, "stdout", ""),
        (
            r#"{"log":"\u003cb\u003e \ud83d\udea2 \ud83d \"q\" \/\b\f\t\u0000\n","stream":"stdout","time":"x"}"#,
            "stdout",
            "<b> 🚢 \u{fffd} \"q\" /\u{8}\u{c}\t\0",
        ),
        // What it says looks like the frame around it.
        (
            r#"{"log":"\",\"stream\":\"stderr\",\"time\":\"x\"}\n","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#,
            "stdout",
            "\",\"stream\":\"stderr\",\"time\":\"x\"}",
        ),
        // Two members of a name: the last one counts, as for everybody else.
        (r#"{"log":"a","log":"b\n","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#, "stdout", "b"),
    ];
    for (text, stream, expected) in cases {
        assert_eq!(read(Format::Docker, text), [line(stream, expected)], "{text}");
    }
}

#[test]
fn docker_parts_are_joined_per_stream() {
    let long = "x".repeat(16 << 10);
    let text = [
        docker(&long, "stdout"),
        docker("oops\n", "stderr"),
        docker(&long, "stdout"),
        docker(&long, "stderr"),
        docker("end\n", "stdout"),
        docker("\n", "stderr"),
        docker("open", "stdout"),
    ]
    .concat();
    let expected = [
        line("stderr", "oops"),
        line("stdout", &format!("{long}{long}end")),
        line("stderr", &long),
        line("stdout", "open"),
    ];
    assert_eq!(read(Format::Docker, &text), expected);
}

#[test]
fn cri_records() {
    let cases: [(&str, &[_]); 7] = [
        ("2016-10-06T00:17:09.669794202Z stdout F one two", &[line("stdout", "one two")]),
        ("2016-10-06T02:17:09.669794202+02:00 stderr F ", &[line("stderr", "")]),
        ("2016-10-06T00:17:09Z stderr F:new  two spaces", &[line("stderr", " two spaces")]),
        ("2016-10-06T00:17:09.6Z stdout F", &[line("stdout", "")]),
        (
            "2016-10-06T00:17:09.1Z stdout P a \n2016-10-06T00:17:09.2Z stderr P x\n2016-10-06T00:17:09.3Z stdout P b\n\
             2016-10-06T00:17:09.4Z stderr F y\n2016-10-06T00:17:09.5Z stdout F c",
            &[line("stderr", "xy"), line("stdout", "a bc")],
        ),
        (
            "2016-10-06T00:17:09.1Z stderr P open\n2016-10-06T00:17:09.2Z stdout F a",
            &[line("stdout", "a"), line("stderr", "open")],
        ),
        ("2016-10-06T00:17:09.1Z stdout F {\"a\":1}\r", &[line("stdout", "{\"a\":1}\r")]),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Records::new(Format::Cri, text.split('\n').map(Cow::Borrowed), 1)
                .map(|r| (r.stream.map_or("-", Stream::as_str), r.line.into_owned(), r.garbled))
                .collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_is_no_record_is_a_line_as_it_stands() {
    let docker = [
        "",
        "plain",
        "{}",
        "null",
        r#"{"log":1,"stream":"stdout","time":"2026-11-21T15:26:38Z"}"#,
        r#"{"log":"a\","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#,
        r#"{"log":"a\n","stream":"stdout","time":"2026-11-21T15:26"#,
        r#"{"log":"a\n","stream":"stdout","time":"2026-11-21T15:26:38Z"} x"#,
        r#"{"log":"a" "b\n","stream":"stdout","time":"2026-11-21T15:26:38Z"}"#,
    ];
    let cri = [
        "",
        "plain",
        "2016-10-06T00:17:09.669794202Z",
        "2016-10-06T00:17:09.669794202Z stdin F x",
        "2016-10-06T00:17:09.669794202Z stdout X x",
        "2016-13-06T00:17:09.669794202Z stdout F x",
        "stdout F x",
    ];
    for (format, lines) in [(Format::Docker, &docker[..]), (Format::Cri, &cri[..])] {
        for text in lines {
            let records: Vec<_> = Records::new(format, [Cow::Borrowed(*text)].into_iter(), 5).collect();
            let expected =
                Record { line: (*text).into(), stream: None, time: Time::Read, read_ns: 5, garbled: true };
            assert_eq!(records, [expected], "{text}");
        }
    }
    assert_eq!(read(Format::Plain, "{}"), [line("-", "{}")]);
}

#[test]
fn a_joined_line_has_the_times_of_its_first_part() {
    let text = "2026-11-21T15:26:38.123456789Z stdout P a\n2026-11-21T15:26:39Z stderr F b\n2026-11-21T15:26:40Z stdout F c";
    let times: Vec<_> = Records::new(Format::Cri, text.lines().map(Cow::Borrowed), 100)
        .map(|record| (record.time, record.read_ns))
        .collect();
    assert_eq!(times, [(said(NS + 1_000_000_000 - 123_456_789), 101), (said(NS), 100)]);
}

#[test]
fn a_time_that_cannot_be_read_does_not_cost_the_line() {
    let record = docker("a\n", "stdout").replace(TIME, "yesterday");
    let part = docker::part(record.trim_end(), &mut Instants::default()).unwrap();
    assert_eq!((&*part.text, part.ns), ("a", None));
}

#[test]
fn bytes_that_were_replaced_are_read_too() {
    let text = docker("a\u{fffd}\n", "stdout");
    let line = Cow::Owned(text.trim_end().to_owned());
    let lines: Vec<_> =
        Records::new(Format::Docker, [line].into_iter(), 1).map(|record| record.line).collect();
    assert_eq!(lines, ["a\u{fffd}"]);
}

#[test]
fn a_reader_may_stop_where_no_line_is_open() {
    let (part, end, other) = (docker("x", "stdout"), docker("y\n", "stdout"), docker("z\n", "stderr"));
    let open = docker("z", "stderr");
    let cases: [(&[&String], usize); 7] = [
        (&[&end, &other], 2),
        (&[&end, &part], 1),
        (&[&part, &end, &other], 3),
        (&[&part, &other], 0),
        // The end of one stream's line is behind the beginning of the other's.
        (&[&end, &open, &part, &other], 1),
        (&[&open, &part, &other, &end], 4),
        (&[&open, &part, &other, &end, &open, &end], 4),
    ];
    for (records, expected) in cases {
        let text: String = records.iter().map(|text| text.as_str()).collect();
        let upto: usize = records[..expected].iter().map(|text| text.len()).sum();
        assert_eq!(whole(Format::Docker, text.as_bytes()), upto, "{text}");
    }
    assert_eq!(whole(Format::Plain, b"a\nb\n"), 4);
    assert_eq!(whole(Format::Docker, b"garbled\n"), 8);
    let cri = "2026-11-21T15:26:38Z stdout F a\n2026-11-21T15:26:38Z stdout P b\n";
    assert_eq!(whole(Format::Cri, cri.as_bytes()), cri.len() / 2);
}

#[test]
fn times_are_those_of_the_calendar() {
    let cases = [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59.5Z", Some(-500_000_000)),
        ("2024-02-29T12:00:00.000000001Z", Some(1_709_208_000_000_000_001)),
        ("2026-11-21T15:26:38.123456789Z", Some(NS)),
        ("2026-11-21T17:56:38.123456789+02:30", Some(NS)),
        ("2026-11-21T07:26:38.123456789-08:00", Some(NS)),
        ("2023-02-29T12:00:00Z", None),
        ("2026-11-21T15:26:38", None),
        ("2026-11-21T15:26:38.Z", None),
        ("2026-11-21T15:26:38.1234567890Z", None),
        ("2026-11-21T24:00:00Z", None),
        ("2026-11-00T00:00:00Z", None),
        ("9999-11-21T15:26:38Z", None),
        ("2026-11-21 15:26:38Z", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(instant::parse(text.as_bytes()), expected, "{text}");
        // Behind one of the same minute too.
        let mut times = Instants::default();
        for before in ["2026-11-21T15:26:59.999999999Z", "9999-11-21T15:26:38.000000000Z"] {
            assert_eq!(times.parse(before.as_bytes()), instant::parse(before.as_bytes()));
            assert_eq!(times.parse(text.as_bytes()), expected, "{text} behind {before}");
        }
    }
}

/// Texts with what is hard to escape in them.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,8}",
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just("\\n".to_owned()),
        Just("\u{7f}\u{0}\u{1b}".to_owned()),
        Just("\",\"stream\":\"stdout\",\"time\":\"".to_owned()),
        Just("a plain text of a length that is not near ".to_owned()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The text in quotes, with as many escapes as `how` asks for.
fn quoted(text: &str, how: u8) -> String {
    match how {
        0 => Value::from(text).to_string(),
        _ => {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            format!("\"{}\"", units.collect::<String>())
        }
    }
}

proptest! {
    #[test]
    fn times_read_after_others_are_the_same(
        times in prop::collection::vec(
            "2026-11-21T1[56]:2[67]:(3[89]|59|60|6:)([.,]([0-9]{9}|[0-9]{8}|[0-9:/]{9}))?(Z|z|\\+01:00)?", 1..20,
        ),
    ) {
        let mut reader = Instants::default();
        for time in times {
            prop_assert_eq!(reader.parse(time.as_bytes()), instant::parse(time.as_bytes()), "{}", time);
        }
    }

    #[test]
    fn docker_records_say_what_a_json_parser_says(
        log in texts(), how in 0u8..2, stream in "std(out|err)", ends in any::<bool>(), order in 0usize..4, ns in 0i64..4_000_000_000_000_000_000,
    ) {
        let time = jiff::Timestamp::from_nanosecond(ns.into()).unwrap().to_string();
        let log = if ends { format!("{log}\n") } else { log };
        let log = quoted(&log, how);
        let text = match order {
            0 | 1 => format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"{time}\"}}"),
            2 => format!("{{\"log\":{log},\"stream\":\"{stream}\",\"attrs\":{},\"time\":\"{time}\"}}", json!({"tag": log})),
            _ => format!("{{\"time\":\"{time}\",\"attrs\":null,\"log\":{log}, \"stream\":\"{stream}\"}}"),
        };
        let oracle: Value = serde_json::from_str(&text).unwrap();
        let expected = oracle["log"].as_str().unwrap();
        let part = docker::part(&text, &mut Instants::default()).unwrap();
        let trimmed = expected.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        prop_assert_eq!(&*part.text, trimmed.unwrap_or(expected));
        prop_assert_eq!(part.ends, trimmed.is_some());
        prop_assert_eq!(part.stream.unwrap().as_str(), oracle["stream"].as_str().unwrap());
        prop_assert_eq!(part.ns, Some(ns));
        prop_assert_eq!(docker::place(text.as_bytes()), Some((part.stream, part.ends)));
    }

    #[test]
    fn nothing_is_lost_of_bytes_that_nobody_understands(text in "(\\PC|[\n{}\":,\\\\]|\\{\"log\":\"|\",\"stream\":\"stdout\",\"time\":\"x\"\\}| stdout [FP] |2026-11-21T15:26:38Z){0,40}") {
        for format in [Format::Docker, Format::Cri] {
            let records: Vec<_> = Records::new(format, text.lines().map(Cow::Borrowed), 0).collect();
            let garbled = records.iter().filter(|record| record.garbled).count();
            prop_assert!(garbled <= text.lines().count());
            prop_assert_eq!(records.is_empty(), text.is_empty());
            let text = format!("{text}\n");
            prop_assert!(whole(format, text.as_bytes()) <= text.len());
        }
    }

    #[test]
    fn reading_in_pieces_gives_the_same_lines(parts in prop::collection::vec((0usize..2, any::<bool>()), 0..60), window in 1usize..20) {
        let records: Vec<String> = parts.iter().enumerate().map(|(n, (stream, ends))| {
            docker(&format!("{n} {}", if *ends { "\n" } else { "" }), ["stdout", "stderr"][*stream])
        }).collect();
        let all = read(Format::Docker, &records.concat());
        let (mut pieces, mut from) = (Vec::new(), 0);
        let mut upto = 0;
        while from < records.len() {
            upto = records.len().min(upto + window);
            let text = records[from..upto].concat();
            let mut len = whole(Format::Docker, text.as_bytes());
            if upto == records.len() {
                len = text.len();
            }
            pieces.extend(read(Format::Docker, &text[..len]));
            from += text[..len].lines().count();
        }
        prop_assert_eq!(pieces, all);
    }
}
