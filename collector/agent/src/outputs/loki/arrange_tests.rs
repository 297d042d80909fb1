use taffrail_wire::loki::label_name;

use super::*;
use crate::config::LokiLimits;

const SECOND: i64 = 1_000_000_000;
const NOW: Now = Now { ns: 1_000_000 * SECOND, monotonic: Duration::from_secs(1000) };

fn config() -> LokiLimits {
    LokiLimits {
        label_names: 3,
        label_name: 20,
        label_value: 30,
        line: 300,
        allow_metadata: true,
        metadata: 60,
        metadata_pairs: 4,
        max_age: Some(Duration::from_secs(3600)),
        streams: 100,
        stream_rate: 1000,
        stream_burst: 5000,
        rate: None,
        burst: None,
    }
}

fn record(streams: &[(&str, &[(i64, &str)])]) -> Bytes {
    let mut batch = Batch::new();
    for (labels, entries) in streams {
        batch.stream(labels);
        for (ns, line) in *entries {
            batch.entry(*ns, line, []);
        }
    }
    Bytes::copy_from_slice(batch.finish())
}

/// The streams of a push with their lines.
fn shown(push: &Push) -> Vec<(String, Vec<String>)> {
    let stream = |stream: Stream<'_>| {
        let lines = stream.entries().map(|entry| entry.unwrap().line.to_owned()).collect();
        (stream.labels.to_owned(), lines)
    };
    streams(&push.request).map(|s| stream(s.unwrap())).collect()
}

fn labels(push: &Push) -> Vec<String> {
    shown(push).into_iter().map(|(labels, _)| labels).collect()
}

/// The receiver takes everything.
fn take(known: &mut Streams, pushes: &[Push]) {
    for push in pushes {
        labels(push).iter().for_each(|labels| known.taken(labels, NOW.monotonic));
    }
}

#[test]
fn what_fits_goes_as_it_stands_and_new_streams_come_last() {
    let (limits, mut known) = (Limits::new(config()), Streams::default());
    let (a, b) = (r#"{a="1"}"#, r#"{b="1"}"#);
    let entry: &[(i64, &str)] = &[(NOW.ns, "x")];
    let first = record(&[(b, entry)]);
    let done = arrange(&first, &limits, &mut known, NOW).unwrap();
    assert_eq!((done.pushes.len(), done.pushes[0].new_from), (1, 0));
    take(&mut known, &done.pushes);
    let both = record(&[(a, entry), (b, entry)]);
    let done = arrange(&both, &limits, &mut known, NOW).unwrap();
    assert_eq!((labels(&done.pushes[0]), done.pushes[0].new_from), (vec![b.to_owned(), a.to_owned()], 1));
    take(&mut known, &done.pushes);
    let done = arrange(&both, &limits, &mut known, NOW).unwrap();
    assert_eq!(done.pushes[0].request.as_ptr(), both.as_ptr(), "no copy");
    assert_eq!((done.pushes[0].new_from, done.pushes[0].entries), (2, 2));
}

#[test]
fn surplus_labels_and_long_ones_become_metadata() {
    let (limits, mut known) = (Limits::new(config()), Streams::default());
    let long = "v".repeat(31);
    let set = format!(r#"{{a="1", b="2", job="j", path="/x", service_name="s", z="{long}"}}"#);
    let done = arrange(&record(&[(&set, &[(NOW.ns, "x")])]), &limits, &mut known, NOW).unwrap();
    let stream = streams(&done.pushes[0].request).next().unwrap().unwrap();
    assert_eq!(stream.labels, r#"{a="1", b="2", job="j", service_name="s"}"#);
    let entry = stream.entries().next().unwrap().unwrap();
    let metadata: Vec<_> = entry.metadata().map(Result::unwrap).collect();
    assert_eq!(metadata, [("z", long.as_str()), ("path", "/x")]);
    assert_eq!(done.mended, [(Change::Labels, 1)]);
    assert_eq!(done.moved.unwrap().1, ["z", "path"]);
    // Nothing is left by which it could be found.
    let none = format!(r#"{{z="{long}"}}"#);
    let done = arrange(&record(&[(&none, &[(NOW.ns, "x")])]), &limits, &mut known, NOW).unwrap();
    assert!(done.pushes.is_empty());
    assert_eq!((done.refused[0].count, done.refused[0].reason), (1, "labels"));
}

#[test]
fn entries_are_cut_or_left_out() {
    let (limits, mut known) = (Limits::new(config()), Streams::default());
    let line = "x".repeat(400);
    let mut batch = Batch::new();
    batch.stream(r#"{a="1"}"#);
    batch.entry(NOW.ns, &line, []);
    let long = "y".repeat(50);
    batch.entry(NOW.ns, "m", [("a", "1"), ("long", long.as_str()), ("b", "2"), ("c", "3"), ("d", "4")]);
    batch.entry(NOW.ns - 3601 * SECOND, "old", []);
    let request = Bytes::copy_from_slice(batch.finish());
    let done = arrange(&request, &limits, &mut known, NOW).unwrap();
    let stream = streams(&done.pushes[0].request).next().unwrap().unwrap();
    let entries: Vec<_> = stream.entries().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 2);
    assert!(entries[0].line.len() <= 300 && entries[0].line.contains("line cut"), "{}", entries[0].line);
    let metadata: Vec<_> = entries[1].metadata().map(Result::unwrap).collect();
    assert_eq!(metadata, [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
    assert_eq!(done.mended, [(Change::Line, 1), (Change::Metadata, 1)]);
    assert_eq!((done.refused[0].count, done.refused[0].reason), (1, "too_old"));
    assert!(done.refused[0].letter.is_none());
    assert_eq!(done.told_old, [r#"{a="1"}"#]);
    let again = arrange(&request, &limits, &mut known, NOW).unwrap();
    assert!(again.told_old.is_empty() && again.refused.len() == 1, "said once, counted always");
}

#[test]
fn what_an_ingester_may_refuse_goes_alone() {
    let (limits, mut known) = (Limits::new(config()), Streams::default());
    let (a, b) = (r#"{a="1"}"#, r#"{b="1"}"#);
    let line = "x".repeat(250);
    let many: Vec<(i64, &str)> = (0..15).map(|i| (NOW.ns + i, line.as_str())).collect();
    let few: &[(i64, &str)] = &[(NOW.ns, "x")];
    let request = record(&[(a, &many), (b, few)]);
    let done = arrange(&request, &limits, &mut known, NOW).unwrap();
    assert_eq!(done.pushes.len(), 1, "within the burst");
    take(&mut known, &done.pushes);
    let done = arrange(&request, &limits, &mut known, NOW).unwrap();
    assert_eq!(done.pushes.iter().map(labels).collect::<Vec<_>>(), [[b], [a]]);
    let alone = record(&[(a, &[(NOW.ns, "x"); 600])]);
    let done = arrange(&alone, &limits, &mut known, NOW).unwrap();
    assert_eq!(done.pushes[0].request.as_ptr(), alone.as_ptr(), "no copy of what is alone");
    assert_eq!((done.pushes[0].entries, done.pushes[0].streams, done.pushes[0].new_from), (600, 1, 1));
    // A long line is no long metadata.
    let alone = record(&[(a, &[&many[..], &many[..]].concat())]);
    let done = arrange(&alone, &limits, &mut known, NOW).unwrap();
    assert_eq!((done.pushes[0].request.as_ptr(), done.pushes[0].entries), (alone.as_ptr(), 30));
    // A second later it has another thousand bytes.
    let later = Now { monotonic: NOW.monotonic + Duration::from_secs(5), ..NOW };
    assert_eq!(arrange(&request, &limits, &mut known, later).unwrap().pushes.len(), 1);
    // Far behind the newest.
    let mut config = config();
    config.max_age = None;
    let limits = Limits::new(config);
    let behind = record(&[(a, few), (b, &[(NOW.ns - 3601 * SECOND, "late")])]);
    let done = arrange(&behind, &limits, &mut known, later).unwrap();
    assert_eq!(done.pushes.iter().map(labels).collect::<Vec<_>>(), [[a], [b]]);
}

#[test]
fn a_stream_without_room_is_kept_and_not_sent_for_a_while() {
    let (limits, mut known) = (Limits::new(config()), Streams::default());
    let entry: &[(i64, &str)] = &[(NOW.ns, "x")];
    let request = record(&[(r#"{a="1"}"#, entry), (r#"{a="2"}"#, entry)]);
    let first = arrange(&request, &limits, &mut known, NOW).unwrap();
    take(&mut known, &first.pushes);
    known.park(r#"{a="2"}"#, NOW.monotonic);
    let done = arrange(&request, &limits, &mut known, NOW).unwrap();
    assert_eq!(labels(&done.pushes[0]), [r#"{a="1"}"#]);
    assert_eq!((done.refused[0].count, done.refused[0].reason), (1, "stream_limit"));
    assert_eq!(labels(done.refused[0].letter.as_ref().unwrap()), [r#"{a="2"}"#]);
    assert_eq!(known.exploding().unwrap(), ("a".to_owned(), 2));
    let later = Now { monotonic: NOW.monotonic + Duration::from_secs(301), ..NOW };
    let done = arrange(&request, &limits, &mut known, later).unwrap();
    assert_eq!((done.pushes[0].streams, done.pushes[0].new_from), (2, 1), "it is tried again, last");
}

#[test]
fn names_of_metadata_are_made_such_that_loki_takes_them() {
    let mut limits = Limits::new(config());
    assert!(limits.learn(crate::outputs::loki::answer::Lesson::MetadataNames));
    let mut batch = Batch::new();
    batch.stream(r#"{a="1"}"#);
    batch.entry(NOW.ns, "x", [("", "1"), ("__", "2"), ("é", "3"), ("a.b", "4")]);
    let request = Bytes::copy_from_slice(batch.finish());
    let done = arrange(&request, &limits, &mut Streams::default(), NOW).unwrap();
    let stream = streams(&done.pushes[0].request).next().unwrap().unwrap();
    let entry = stream.entries().next().unwrap().unwrap();
    let metadata: Vec<_> = entry.metadata().map(Result::unwrap).collect();
    assert_eq!(metadata, [("key_", "1"), ("key__", "2"), ("key_", "3"), ("a.b", "4")]);
    assert_eq!(label_name("é"), "_");
}
