//! What stages make of a chunk, in the batch.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_spool::Ticket;
use taffrail_stages::Stages;
use taffrail_stages::stage::{Condition, Json, Label, Labels, Metadata, OnFailure, Output, Stage, Timestamp};
use taffrail_stages::timeformat::{Format, Zone};
use taffrail_wire::loki;

use super::*;
use crate::logs::Shape;

/// 2026-11-21T15:00:00Z
const READ: i64 = 1_795_273_200_000_000_000;

fn chunk(bytes: &'static [u8], stages: Vec<Stage>) -> Chunk {
    Chunk {
        labels: [("instance".to_owned(), "web-1".to_owned()), ("job".to_owned(), "app".to_owned())].into(),
        metadata: Arc::from([]),
        body: Body::Lines { bytes: Bytes::from_static(bytes), base_ns: READ, shape: Shape::default() },
        stages: Arc::new(Stages::new(stages)),
        keep: false,
        ticket: Ticket::none(),
    }
}

/// Every entry of the batch as `labels time line name=value…`; times are counted from when the chunk was read.
fn entries(batch: &mut Batch) -> Vec<String> {
    let mut all = Vec::new();
    for stream in loki::streams(batch.finish()) {
        let stream = stream.unwrap();
        for entry in stream.entries() {
            let entry = entry.unwrap();
            let mut text = format!("{} {} {}", stream.labels, entry.ts_ns - READ, entry.line);
            for pair in entry.metadata() {
                let (name, value) = pair.unwrap();
                text.push_str(&format!(" {name}={value}"));
            }
            all.push(text);
        }
    }
    all
}

fn parsed(more: Vec<Stage>) -> Vec<Stage> {
    let label = Label { name: "level".into(), source: "level".into(), values: vec![] };
    let metadata = Metadata { metadata: vec![("user".into(), "user".into())] };
    let mut stages = vec![
        Stage::Json(Json::default()),
        Stage::Labels(Labels { labels: vec![label] }),
        Stage::Metadata(metadata),
        Stage::Output(Output { source: "msg".into() }),
    ];
    stages.extend(more);
    stages
}

#[test]
fn streams_stand_together_and_nothing_is_lost() {
    let chunk = chunk(
        b"{\"level\":\"info\",\"msg\":\"a\"}\nplain\n{\"level\":\"warn\",\"msg\":\"b\"}\n{\"level\":\"info\",\"msg\":\"c\",\"user\":\"ada\"}\n",
        parsed(vec![]),
    );
    let (mut batch, tail) = (Batch::new(), Tail::default());
    let passed = Worker::default().pass(&chunk, r#"{instance="web-1", job="app"}"#, &mut batch, &tail);
    assert_eq!((passed.entries, passed.left_out.len()), (4, 0));
    assert_eq!(
        entries(&mut batch),
        [
            r#"{instance="web-1", job="app"} 1 plain"#,
            r#"{instance="web-1", job="app", level="info"} 0 a"#,
            r#"{instance="web-1", job="app", level="info"} 3 c user=ada"#,
            r#"{instance="web-1", job="app", level="warn"} 2 b"#,
        ]
    );
    let shown: Vec<_> =
        tail.read(0, 10, |_| true).lines.into_iter().map(|entry| entry.text.to_string()).collect();
    assert_eq!(shown, ["a", "plain", "b", "c"]);
}

#[test]
fn times_come_from_the_lines_and_equal_ones_stay_apart_from_chunk_to_chunk() {
    let timestamp = Timestamp {
        source: Some("t".into()),
        formats: vec![Format::parse("Unix").unwrap()],
        zone: Zone::default(),
        on_failure: OnFailure::Fudge,
    };
    let stages = vec![
        Stage::Json(Json::default()),
        Stage::Timestamp(timestamp),
        Stage::Output(Output { source: "m".into() }),
    ];
    let mut worker = Worker::default();
    let mut run = |bytes| {
        let mut batch = Batch::new();
        worker.pass(&chunk(bytes, stages.clone()), "{}", &mut batch, &Tail::default());
        entries(&mut batch)
    };
    let one = run(b"{\"t\":1795273199,\"m\":\"x\"}\n{\"t\":1795273199,\"m\":\"x\"}\nof the one before\n");
    assert_eq!(one, ["{} -1000000000 x", "{} -999999999 x", "{} -999999998 of the one before"]);
    let two = run(b"{\"t\":1795273199,\"m\":\"x\"}\n{\"t\":1795273200,\"m\":\"x\"}\n{\"t\":1795299999,\"m\":\"ahead\"}\n");
    assert_eq!(two, ["{} -999999997 x", "{} 0 x", "{} 2 ahead"]);
}

#[test]
fn without_stages_lines_go_as_they_are() {
    let (mut batch, tail) = (Batch::new(), Tail::default());
    let chunk = chunk(b"a\nb\n", vec![]);
    assert_eq!(Worker::default().pass(&chunk, "{}", &mut batch, &tail).entries, 2);
    assert_eq!(entries(&mut batch), ["{} 0 a", "{} 1 b"]);
    assert_eq!(tail.read(0, 10, |_| true).lines.len(), 2);
}

fn docker(bytes: &'static [u8], max_line: usize, stages: Vec<Stage>) -> Chunk {
    let shape = Shape::new(taffrail_stages::format::Format::Docker, max_line);
    let body = Body::Lines { bytes: Bytes::from_static(bytes), base_ns: READ, shape };
    Chunk { body, ..chunk(b"", stages) }
}

#[test]
fn records_of_both_streams_leave_with_their_own_times() {
    let bytes = br#"{"log":"o","stream":"stdout","time":"2026-11-21T14:59:59.000000001Z"}
{"log":"e\n","stream":"stderr","time":"2026-11-21T14:59:58Z"}
garbled
{"log":"ut\n","stream":"stdout","time":"2026-11-21T14:59:59.5Z"}
{"log":"healthy\n","stream":"stdout","time":"2026-11-21T14:59:59.5Z"}
{"log":"ahead\n","stream":"stderr","time":"2026-11-21T16:00:00Z"}
{"log":"e\n","stream":"stderr","time":"2026-11-21T14:59:58Z"}
"#;
    let drop = Stage::Drop(Condition { value: Some("healthy".into()), ..Condition::default() });
    let chunk = docker(bytes, 1024, vec![drop]);
    let (mut batch, tail) = (Batch::new(), Tail::default());
    let passed = Worker::default().pass(&chunk, r#"{instance="web-1", job="app"}"#, &mut batch, &tail);
    assert_eq!(
        (passed.entries, passed.garbled, passed.cut, &*passed.left_out),
        (5, 1, 0, &[("drop", 1)][..])
    );
    assert_eq!(
        entries(&mut batch),
        [
            r#"{instance="web-1", job="app", stream="stderr"} -2000000000 e"#,
            r#"{instance="web-1", job="app", stream="stderr"} 5 ahead"#,
            r#"{instance="web-1", job="app", stream="stderr"} -1999999999 e"#,
            r#"{instance="web-1", job="app"} 2 garbled"#,
            r#"{instance="web-1", job="app", stream="stdout"} -999999999 out"#,
        ]
    );
}

#[test]
fn a_joined_line_is_cut_and_says_so() {
    let part = format!(
        "{{\"log\":\"{}\",\"stream\":\"stdout\",\"time\":\"2026-11-21T15:00:00Z\"}}\n",
        "é".repeat(100)
    );
    let end = "{\"log\":\"end\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T15:00:00Z\"}\n";
    let bytes = [&*part, &*part, end].concat().leak().as_bytes();
    let mut batch = Batch::new();
    let passed = Worker::default().pass(&docker(bytes, 200, vec![]), "{}", &mut batch, &Tail::default());
    assert_eq!((passed.entries, passed.cut), (1, 1));
    let entries = entries(&mut batch);
    let line = entries[0].strip_prefix(r#"{instance="web-1", job="app", stream="stdout"} 0 "#).unwrap();
    assert!(line.len() <= 200 && line.ends_with(" bytes left out]") && !line.contains('\u{fffd}'), "{line}");
    let kept = line.find(" [").unwrap();
    assert!(line.contains(&format!("{} bytes", 403 - kept)), "{line}");
}

#[test]
fn equal_lines_of_equal_times_stay_apart_from_chunk_to_chunk() {
    let bytes = br#"{"log":"e\n","stream":"stderr","time":"2026-11-21T15:00:00Z"}
{"log":"e\n","stream":"stdout","time":"2026-11-21T15:00:00Z"}
"#;
    let mut worker = Worker::default();
    let mut run = || {
        let mut batch = Batch::new();
        worker.pass(&docker(bytes, 200, vec![]), "{}", &mut batch, &Tail::default());
        entries(&mut batch)
    };
    let both = |at: i64| {
        ["stderr", "stdout"]
            .map(|stream| format!(r#"{{instance="web-1", job="app", stream="{stream}"}} {at} e"#))
    };
    assert_eq!(run(), both(0));
    assert_eq!(run(), both(1));
}

#[test]
fn entries_with_times_and_metadata_of_their_own_keep_them() {
    let mut request = Batch::new();
    request.stream(r#"{app="shop", job="theirs"}"#);
    request.entry(READ - 5, "a", [("user", "ada"), ("host", "h")]);
    request.entry(READ - 5, "a", []);
    request.stream(r#"{app="till"}"#);
    request.entry(READ - 9, "healthy", []);
    request.entry(READ - 9, "b", []);
    let body = Body::Entries(Bytes::copy_from_slice(request.finish()));
    let metadata = [("host".to_owned(), "ours".to_owned())].into();
    let drop = Stage::Drop(Condition { value: Some("healthy".into()), ..Condition::default() });
    for stages in [vec![], vec![drop]] {
        let (mut batch, tail) = (Batch::new(), Tail::default());
        let left = stages.len();
        let body = match &body {
            Body::Entries(bytes) => Body::Entries(bytes.clone()),
            Body::Lines { .. } => unreachable!(),
        };
        let chunk = Chunk { body, metadata: Arc::clone(&metadata), ..chunk(b"", stages) };
        let passed = Worker::default().pass(&chunk, "{}", &mut batch, &tail);
        assert_eq!((passed.entries, passed.left_out.len()), (4 - left as u64, left));
        let entries = entries(&mut batch);
        assert_eq!(
            entries[..2],
            [
                r#"{app="shop", instance="web-1", job="theirs"} -5 a host=h user=ada"#,
                r#"{app="shop", instance="web-1", job="theirs"} -5 a host=ours"#,
            ]
        );
        assert_eq!(entries.last().unwrap(), r#"{app="till", instance="web-1", job="app"} -9 b host=ours"#);
        assert_eq!(tail.read(0, 10, |_| true).lines.len(), 4 - left);
    }
}

#[test]
fn what_is_no_batch_is_counted() {
    let body = Body::Entries(Bytes::from_static(b"\x0a\xff"));
    let chunk = Chunk { body, ..chunk(b"", vec![]) };
    let passed = Worker::default().pass(&chunk, "{}", &mut Batch::new(), &Tail::default());
    assert_eq!((passed.entries, passed.garbled), (0, 1));
}
