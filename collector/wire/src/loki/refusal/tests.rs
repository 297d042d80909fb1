use proptest::prelude::*;

use super::*;

const STREAM: &str = r#"{job="varlog", note="a; b {c=\"d\"}"}"#;

#[test]
fn an_ingesters_list_of_entries() {
    let body = format!(
        "entry with timestamp 2024-01-02 03:04:05.5 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp \
         is: 2024-01-02T03:04:05Z, oldest acceptable timestamp is: 2024-01-02T04:00:00Z',\n\
         entry with timestamp 2024-01-02 03:04:06.000000007 +0000 UTC ignored, reason: 'entry out of order',\n\
         user 'fake', total ignored: 12 out of 34 for stream: {STREAM}\n"
    );
    let found = refusals(&body);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reason, Reason::Order);
    assert_eq!(found[0].stream, Some(STREAM));
    assert_eq!((found[0].entries, found[0].of), (Some(12), Some(34)));
    assert_eq!(
        found[0].listed,
        [(1_704_164_645_500_000_000, Reason::Order), (1_704_164_646_000_000_007, Reason::Order)]
    );
    assert!(found[0].means(STREAM));
    assert!(!found[0].means(r#"{job="varlog"}"#));
}

#[test]
fn the_streams_own_rate() {
    let body = "entry with timestamp 2024-01-02 03:04:05 +0000 UTC ignored, reason: 'Per stream rate limit exceeded \
                (limit: 3MB/sec) while attempting to ingest for stream '{__stream_shard__=\"1\", job=\"x\"}' totaling \
                10B, consider splitting a stream via additional labels or contact your Loki administrator to see if \
                the limit can be increased',\nuser 'fake', total ignored: 1 out of 2 for stream: \
                {__stream_shard__=\"1\", job=\"x\"}";
    let found = refusals(body);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reason, Reason::StreamRate);
    assert!(found[0].reason.is_rate());
    assert_eq!((found[0].entries, found[0].of), (Some(1), Some(2)));
    assert!(found[0].means(r#"{job="x"}"#));
    assert_eq!(found[0].listed, [(1_704_164_645_000_000_000, Reason::StreamRate)]);
}

#[test]
fn loki_2_named_the_stream_behind_each_entry() {
    let body = "entry with timestamp 2021-05-01 00:00:00 +0000 UTC ignored, reason: 'entry out of order' for stream: \
                {job=\"x\"},\ntotal ignored: 1 out of 1";
    let found = refusals(body);
    assert_eq!((found[0].reason, found[0].stream), (Reason::Order, Some("{job=\"x\"}")));
    assert_eq!(found[0].entries, Some(1));
}

#[test]
fn a_distributors_grouped_messages() {
    let body = format!(
        "3 errors like: max entry size '262144' bytes exceeded for stream '{STREAM}' while adding an entry with length \
         '300000' bytes; 1 errors like: entry for stream '{STREAM}' has timestamp too old: 2020-01-01T00:00:00Z, oldest \
         acceptable timestamp is: 2024-01-01T00:00:00Z; 2 errors like: entry for stream '{STREAM}' has timestamp too \
         old: 2020-01-01T00:00:01Z, oldest acceptable timestamp is: 2024-01-01T00:00:00Z; 1 errors like: stream \
         '{{a=\"b\"}}' has label value too long: 'xxx'"
    );
    let found: Vec<_> = refusals(&body).iter().map(|r| (r.reason, r.stream, r.entries)).collect();
    assert_eq!(
        found,
        [
            (Reason::LineTooLong, Some(STREAM), Some(3)),
            (Reason::TooOld, Some(STREAM), Some(3)),
            (Reason::Labels, Some("{a=\"b\"}"), None),
        ]
    );
}

#[test]
fn each_of_lokis_messages_has_its_reason() {
    for (body, reason, entries) in [
        (
            "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '1000' \
             lines totaling '999999' bytes, reduce log volume or contact your Loki administrator",
            Reason::TenantRate,
            Some(1000),
        ),
        (
            "Maximum active stream limit exceeded when trying to create stream {a=\"b\"}, reduce the number of active \
             streams",
            Reason::StreamLimit,
            None,
        ),
        (
            "maximum active stream limit exceeded when trying to create stream {a=\"b\"}, user: 'fake'",
            Reason::StreamLimit,
            None,
        ),
        ("entry for stream '{a=\"b\"}' has 16 label names; limit 15", Reason::Labels, None),
        ("stream '{a=\"b\"}' has label name too long: 'aaaa'", Reason::Labels, None),
        ("stream '{a=\"b\"}' has duplicate label name: 'a'", Reason::Labels, None),
        ("error at least one label pair is required per stream", Reason::Labels, None),
        ("error parsing labels '{a=}' with error: 1:4: parse error: unexpected \"}\"", Reason::Labels, None),
        (
            "missing required labels 'team' for user 'fake' for stream '{a=\"b\"}' (policy: '')",
            Reason::Labels,
            None,
        ),
        ("entry for stream '{a=\"b\"}' has timestamp too new: 2094-01-01T00:00:00Z", Reason::TooNew, Some(1)),
        (
            "stream '{a=\"b\"}' includes structured metadata, but this feature is disallowed.",
            Reason::Metadata,
            Some(1),
        ),
        (
            "stream '{a=\"b\"}' has structured metadata too large: '9' bytes, limit: '3' bytes.",
            Reason::Metadata,
            Some(1),
        ),
        (
            "ingestion blocked for user 'fake' until '2030-01-01T00:00:00Z' with status code '260'",
            Reason::Blocked,
            None,
        ),
        ("something new", Reason::Other, None),
    ] {
        let found = refusals(body);
        assert_eq!(found.len(), 1, "{body}");
        assert_eq!((found[0].reason, found[0].entries), (reason, entries), "{body}");
        assert_eq!(found[0].stream, body.contains("{a=\"b\"}").then_some("{a=\"b\"}"), "{body}");
    }
}

#[test]
fn a_plain_list_is_split_too() {
    let body = "2 errors: entry for stream '{a=\"b\"}' has 16 label names; limit 15; max entry size '1' bytes exceeded for \
                stream '{c=\"d\"}' while adding an entry with length '2' bytes";
    let found: Vec<_> = refusals(body).iter().map(|r| (r.reason, r.stream)).collect();
    assert_eq!(found, [(Reason::Labels, Some("{a=\"b\"}")), (Reason::LineTooLong, Some("{c=\"d\"}"))]);
}

#[test]
fn an_empty_body_refuses_nothing_in_particular() {
    assert_eq!(refusals(""), []);
    assert_eq!(refusals(" \n"), []);
}

#[test]
fn a_hostile_body_is_bounded() {
    for body in
        ["{a=\"b\",".repeat(100_000), "; ".repeat(300_000), "x; {".repeat(100_000), "é".repeat(300_000)]
    {
        assert!(refusals(&body).len() <= MAX_LISTED);
    }
}

proptest! {
    #[test]
    fn any_body_is_read(body in r#"(?s)([0-9]{1,3} errors (like)?: |total ignored: |entry with timestamp |[{}a="';, \n]|.){0,60}"#) {
        let _ = refusals(&body);
    }

    #[test]
    fn streams_with_any_values_are_found(value in "(?s).{0,30}", n in 1..1000u64) {
        let mut stream = String::new();
        super::super::write_label_set(&mut stream, [("a", value.as_str()), ("job", "x")]);
        let body = format!("{n} errors like: max entry size '1' bytes exceeded for stream '{stream}' while adding; 1 errors like: x");
        let found = refusals(&body);
        prop_assert_eq!(found.len(), 2);
        prop_assert_eq!((found[0].stream, found[0].entries), (Some(stream.as_str()), Some(n)));
        prop_assert!(found[0].means(&stream));
    }
}
