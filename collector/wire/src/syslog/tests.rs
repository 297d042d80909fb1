use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

const S: i64 = 1_000_000_000;

/// A message as `priority host app pid id text`, `-` for what is not there.
fn read(message: &str) -> String {
    let read = parse(message);
    let priority = read.priority.map_or("-".to_owned(), |p| format!("{}.{}", p.facility(), p.severity()));
    let word = |word: Option<&str>| word.unwrap_or("-").to_owned();
    let words = [read.hostname, read.app_name, read.proc_id, read.msg_id].map(word).join(" ");
    format!("{priority} {words} |{}", read.text)
}

#[test]
fn both_forms_and_what_is_between_them() {
    for (message, expected) in [
        // RFC 5424, 6.5.
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
            "auth.crit mymachine.example.com su - ID47 |'su root' failed",
        ),
        (
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% ok",
            "local4.notice 192.0.2.1 myproc 8710 - |%% ok",
        ),
        ("<13>1 - - - - - -", "user.notice - - - - |"),
        ("<13>1 - - - - - - ", "user.notice - - - - |"),
        ("<0>1 - h a p i [x a=\"b\"]", "kern.emerg h a p i |"),
        // RFC 3164, 5.4.
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
            "auth.crit mymachine su - - |'su root' failed",
        ),
        ("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "user.notice 10.0.0.99 - - - |Use the BFG!"),
        ("<30>Nov 21 18:00:00 web-1 sshd[812]: Accepted", "daemon.info web-1 sshd 812 - |Accepted"),
        // Without a host, as programs write to /dev/log.
        ("<30>Nov 21 18:00:00 sshd[812]: Accepted", "daemon.info - sshd 812 - |Accepted"),
        ("<30>Nov 21 18:00:00 cron: x", "daemon.info - cron - - |x"),
        // rsyslog's forwarding form.
        (
            "<30>2026-11-21T18:00:00.123456+00:00 web-1 postfix/smtpd[9]: x",
            "daemon.info web-1 postfix/smtpd 9 - |x",
        ),
        // Network devices.
        (
            "<189>45: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured",
            "local7.notice - %SYS-5-CONFIG_I - - |Configured",
        ),
        (
            "<189>45: Mar  1 2026 18:46:11 UTC: %LINK-3-UPDOWN: down",
            "local7.notice - %LINK-3-UPDOWN - - |down",
        ),
        // Less and less.
        ("<13>app[5]: no time", "user.notice - app 5 - |no time"),
        ("<13>error: no time", "user.notice - - - - |error: no time"),
        ("<13>", "user.notice - - - - |"),
        ("<192>x", "- - - - - |<192>x"),
        ("<1x>x", "- - - - - |<1x>x"),
        ("plain text", "- - - - - |plain text"),
        ("", "- - - - - |"),
        // A broken one of RFC 5424 stays whole.
        (
            "<13>1 2026-11-21T18:00:00Z h a p i [x a=b] t",
            "user.notice - - - - |1 2026-11-21T18:00:00Z h a p i [x a=b] t",
        ),
    ] {
        assert_eq!(read(message), expected, "{message}");
    }
}

#[test]
fn structured_data_is_taken_apart() {
    let message = parse(
        r#"<165>1 2003-10-11T22:14:15.003Z h a - ID [one@32473 iut="3" s="q\" b\\ c\] n\n"][two][three x=""] text [no=\"data\"]"#,
    );
    let expected: Vec<(&str, &str, Cow<'_, str>)> = vec![
        ("one@32473", "iut", "3".into()),
        ("one@32473", "s", r#"q" b\ c] n\n"#.into()),
        ("three", "x", "".into()),
    ];
    assert_eq!((message.parameters, message.text), (expected, r#"text [no=\"data\"]"#));
}

#[test]
fn times_are_read() {
    let utc = |ns, resolution_ns| Some(When::Utc { ns, resolution_ns });
    assert_eq!(parse("<1>1 2026-11-21T15:00:00.5Z - - - - -").time, utc(1_795_273_200 * S + S / 2, S / 10));
    assert_eq!(parse("<1>1 2026-11-21T17:00:00+02:00 - - - - -").time, utc(1_795_273_200 * S, S));
    for wrong in
        ["2026-13-01T00:00:00Z", "2026-11-21 15:00:00Z", "2026-11-21T25:00:00Z", "2026-11-21T15:00:00Zx"]
    {
        assert_eq!(parse(&format!("<1>1 {wrong} - - - - -")).time, None, "{wrong}");
    }
}

#[test]
fn letters_where_digits_of_a_time_should_be_are_no_time() {
    for time in [
        "Nov 21 €:00:00",
        "Nov 21 1€:00",
        "Nov 21 12:€0:00",
        "Nov 21 12:0€0",
        "Nov 21 12:00:€",
        "Nov 21 12€12:0",
    ] {
        for message in [format!("<1>{time} h a: b"), format!("<1>1 2026-11-21T{} h a - - -", &time[7..])] {
            assert_eq!(parse(&message).time, None, "{message}");
        }
    }
}

#[test]
fn a_time_without_a_year_is_of_the_nearest() {
    let local = |message: &str, now| parse(message).time.unwrap().local(now).unwrap();
    // 2026-01-01 00:10 and 2026-12-31 23:50.
    let (january, december) = (1_767_226_200, 1_798_761_000);
    assert_eq!(local("<1>Dec 31 23:59:00 h", january).0, 1_767_225_540, "the year before");
    assert_eq!(local("<1>Jan  1 00:01:00 h", december).0, 1_798_761_660, "the year behind");
    assert_eq!(local("<1>Jan  1 00:01:00.25 h", january), (1_767_225_660, S / 4));
    assert_eq!(parse("<1>Feb 29 00:00:00 h").time.unwrap().local(january), None, "there is none near");
    assert_eq!(local("<1>Mar  1 2020 00:00:00 h", january).0, 1_583_020_800);
    // The 29th of February 2024, as there is none nearer, is told in 2025.
    assert_eq!(local("<1>Feb 29 00:00:00 h", 1_740_787_200).0, 1_709_164_800);
}

/// Messages of a stream that comes in pieces of `size`, as `text` or `text+missing`.
fn frames(stream: &[u8], size: usize, max: usize) -> (Vec<String>, bool) {
    let (mut frames, mut all) = (Frames::new(max), Vec::new());
    let mut each = |frame: Frame<'_>| {
        let missing = if frame.missing > 0 { format!("+{}", frame.missing) } else { String::new() };
        all.push(String::from_utf8_lossy(frame.bytes).into_owned() + &missing);
    };
    let good = stream.chunks(size).all(|piece| frames.take(piece, &mut each).is_ok());
    frames.end(&mut each);
    (all, good)
}

#[test]
fn messages_are_found_in_both_framings() {
    for size in [1, 2, 7, 100] {
        let all = |stream: &str, max| frames(stream.as_bytes(), size, max);
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(all("<1>a\r\n\n<2>b\0<3>c", 9), (texts(&["<1>a", "<2>b", "<3>c"]), true));
        assert_eq!(
            all("4 <1>a6 <2>b\n!0 4 <3>c\n2 de", 9),
            (texts(&["<1>a", "<2>b\n!", "<3>c", "de"]), true)
        );
        assert_eq!(all("<1>abcdefghi\n<2>b\n", 5), (texts(&["<1>ab+7", "<2>b"]), true));
        assert_eq!(all("9 <1>abcdef4 <2>b", 5), (texts(&["<1>ab+4", "<2>b"]), true));
        assert_eq!(all("9 <1>abc", 9), (texts(&["<1>abc"]), true), "cut off");
        assert_eq!(all("4 <1>a<2>b\n", 9), (texts(&["<1>a"]), false));
        assert_eq!(all("123456789 x", 9), (vec![], false));
        assert_eq!(all("5x", 9), (vec![], false));
    }
}

proptest! {
    #[test]
    fn any_text_is_a_message(text in r#"(<[0-9]{1,4}>)?(1 )?(Nov 21 18:00:00 |2026-11-21T18:00:00Z |- )?[\-a\[\]"=\\:. é\n0-9]{0,40}"#) {
        let message = parse(&text);
        prop_assert!(message.text.len() <= text.len());
        if let Some(time) = message.time {
            let _ = time.local(1_795_273_200);
        }
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in prop::collection::vec(prop_oneof![Just(b'1'), Just(b' '), Just(b'\n'), any::<u8>()], 0..200), size in 1usize..50) {
        let whole = frames(&bytes, bytes.len().max(1), 20);
        prop_assert_eq!(frames(&bytes, size, 20), whole);
    }
}
