use http::HeaderMap;
use taffrail_wire::loki::Batch;

use super::*;

const SECOND: i64 = 1_000_000_000;

/// Streams of three entries each, a second apart, with lines of growing length.
fn push(streams: &[&str]) -> Push {
    let mut batch = Batch::new();
    for stream in streams {
        batch.stream(stream);
        for at in 0..3 {
            batch.entry(1_795_226_400 * SECOND + at * SECOND, &"x".repeat(4 + at as usize), []);
        }
    }
    Push::new(bytes::Bytes::copy_from_slice(batch.finish())).unwrap()
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, headers: HeaderMap::new(), body: body.into() }
}

fn entries(meaning: Meaning) -> (Vec<usize>, &'static str) {
    match meaning {
        Meaning::Refused(parts) => match &parts[..] {
            [Refused { part: Part::Entries(entries), reason, .. }] => {
                (entries.iter().copied().collect(), reason)
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

const ONE: &str = r#"{a="1"}"#;
const TWO: &str = r#"{a="2"}"#;

const ORDER: &str = "entry with timestamp 2026-11-21 02:00:00 +0000 UTC ignored, reason: 'entry too far behind, \
    entry timestamp is: 2026-11-21T02:00:00Z, oldest acceptable timestamp is: 2026-11-21T02:00:03Z',\n\
    user 'fake', total ignored: 1 out of 3 for stream: {a=\"1\"}";

#[test]
fn the_entries_that_an_ingester_lists_are_meant() {
    assert_eq!(entries(judge(&push(&[ONE]), &answer(400, ORDER), true)), (vec![0], OUT_OF_ORDER));
    // Where it lists fewer than it refused: in the order of times, the oldest.
    let more = ORDER.replace("total ignored: 1", "total ignored: 2");
    assert_eq!(entries(judge(&push(&[ONE]), &answer(400, &more), true)), (vec![0, 1], OUT_OF_ORDER));
}

#[test]
fn of_many_streams_an_ingester_names_one_only() {
    let meaning = judge(&push(&[ONE, TWO]), &answer(400, ORDER), true);
    assert!(matches!(meaning, Meaning::Apart { from: 0 }), "{meaning:?}");
}

#[test]
fn bounds_refuse_what_is_beyond_them() {
    let two = push(&[ONE, TWO]);
    let old = "entry for stream '{a=\"2\"}' has timestamp too old: 2026-11-21T02:00:00Z, oldest acceptable \
        timestamp is: 2026-11-21T02:00:01Z";
    assert_eq!(entries(judge(&two, &answer(400, old), true)), (vec![3], "too_old"));
    let both =
        format!("2 errors like: {}", old.replace("too old", "too new").replace("{a=\"2\"}", "{a=\"1\"}"));
    assert_eq!(entries(judge(&two, &answer(400, &both), true)), (vec![1, 2], "too_new"));
    let long = "max entry size '5' bytes exceeded for stream '{a=\"1\"}' while adding an entry with length '6' bytes";
    let meaning = judge(&two, &answer(400, long), true);
    assert!(matches!(&meaning, Meaning::Mend(lessons) if lessons[..] == [Lesson::Line(5)]), "{meaning:?}");
    assert_eq!(entries(judge(&two, &answer(400, long), false)), (vec![2], "line_too_long"));
}

#[test]
fn what_is_put_right_is_learned() {
    let one = push(&[ONE]);
    for (text, lesson) in [
        (
            "stream '{a=\"1\"}' includes structured metadata, but this feature is disallowed. Please",
            Lesson::NoMetadata,
        ),
        (
            "stream '{a=\"1\"}' has structured metadata too large: '70000' bytes, limit: '65536' bytes. Please",
            Lesson::MetadataBytes(65536),
        ),
        (
            "stream '{a=\"1\"}' has too many structured metadata labels: '200', limit: '128'. Please",
            Lesson::MetadataPairs(128),
        ),
        ("entry for stream '{a=\"1\"}' has 16 label names; limit 15", Lesson::LabelNames(15)),
    ] {
        let meaning = judge(&one, &answer(400, text), true);
        assert!(matches!(&meaning, Meaning::Mend(lessons) if lessons[..] == [lesson]), "{text}: {meaning:?}");
    }
    // Loki calls this a fault of its own, and it would be one for ever.
    for text in ["label name is empty", "normalization for label name \"_\" resulted in invalid name \"_\""] {
        let meaning = judge(&one, &answer(500, text), true);
        assert!(
            matches!(&meaning, Meaning::Mend(lessons) if lessons[..] == [Lesson::MetadataNames]),
            "{meaning:?}"
        );
        assert!(matches!(judge(&one, &answer(500, text), false), Meaning::Usual(Verdict::Retry { .. })));
    }
}

#[test]
fn rates_wait_and_the_stream_limit_does_not() {
    let (one, two) = (push(&[ONE]), push(&[ONE, TWO]));
    let tenant =
        "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest";
    let meaning = judge(&two, &answer(429, tenant), true);
    assert!(matches!(meaning, Meaning::Wait { part: Part::All, .. }), "{meaning:?}");
    assert_eq!(rates(&answer(429, tenant)), Some(Lesson::Rate(4_194_304)));
    let stream = "entry with timestamp 2026-11-21 02:00:02 +0000 UTC ignored, reason: 'Per stream rate limit exceeded \
        (limit: 1.5KB/sec) while attempting to ingest for stream '{a=\"1\"}' totaling 6B, consider',\n\
        user 'fake', total ignored: 1 out of 3 for stream: {a=\"1\"}";
    assert_eq!(rates(&answer(429, stream)), Some(Lesson::StreamRate(1536)));
    match judge(&one, &answer(429, stream), true) {
        Meaning::Wait { part: Part::Entries(part), cause, .. } => {
            assert_eq!(part.into_iter().collect::<Vec<_>>(), [2]);
            assert!(cause.contains("1.5KB/sec"), "{cause}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(judge(&two, &answer(429, stream), true), Meaning::Apart { from: 0 }));
    let streams =
        "maximum active stream limit exceeded when trying to create stream {a=\"2\"}, reduce the number";
    let mut known = two.clone();
    known.new_from = 1;
    assert!(matches!(judge(&known, &answer(429, streams), true), Meaning::Apart { from: 1 }));
    let meaning = judge(&push(&[TWO]), &answer(429, streams), true);
    assert!(matches!(&meaning, Meaning::Refused(parts) if parts[0].reason == "stream_limit"), "{meaning:?}");
}

#[test]
fn a_wrong_tenant_is_no_bad_data() {
    let text = "tenant ID 'a/b' contains unsupported character '/'";
    let meaning = judge(&push(&[ONE]), &answer(400, text), true);
    assert!(matches!(meaning, Meaning::Usual(Verdict::Retry { .. })), "{meaning:?}");
}

#[test]
fn what_is_blocked_is_refused_with_a_2xx() {
    let text = "ingestion blocked for user 'fake' until '2027-01-01T00:00:00Z' with status code '260'";
    let meaning = judge(&push(&[ONE, TWO]), &answer(260, text), true);
    assert!(matches!(&meaning, Meaning::Refused(parts) if parts[0].reason == "blocked"), "{meaning:?}");
    assert!(matches!(judge(&push(&[ONE]), &answer(204, ""), true), Meaning::Usual(Verdict::Done)));
}

#[test]
fn what_cannot_be_told_is_taken_apart() {
    let odd = answer(400, "rpc error");
    assert!(matches!(judge(&push(&[ONE, TWO]), &odd, true), Meaning::Apart { from: 0 }));
    assert!(matches!(judge(&push(&[ONE]), &odd, true), Meaning::Halves));
    assert!(matches!(judge(&push(&[ONE, TWO]), &answer(413, "large"), true), Meaning::Halves));
    let mut batch = Batch::new();
    batch.stream(ONE);
    batch.entry(1, "x", []);
    let one = Push::new(bytes::Bytes::copy_from_slice(batch.finish())).unwrap();
    for (answer, reason) in [(answer(413, "large"), "too_large"), (odd, "other")] {
        let meaning = judge(&one, &answer, true);
        assert!(matches!(&meaning, Meaning::Refused(parts) if parts[0].reason == reason), "{meaning:?}");
    }
}
