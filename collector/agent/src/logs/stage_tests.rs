//! What stages make of a chunk, in the batch.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_spool::Ticket;
use taffrail_stages::stage::{Json, Label, Labels, Metadata, OnFailure, Output, Stage, Timestamp};
use taffrail_stages::timeformat::{Format, Zone};
use taffrail_wire::loki;

use super::*;

const READ: i64 = 1_795_273_200_000_000_000;

fn chunk(bytes: &'static [u8], stages: Vec<Stage>) -> Chunk {
    Chunk {
        labels: [("instance".to_owned(), "web-1".to_owned()), ("job".to_owned(), "app".to_owned())].into(),
        bytes: Bytes::from_static(bytes),
        base_ns: READ,
        stages: Arc::new(Stages::new(stages)),
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
