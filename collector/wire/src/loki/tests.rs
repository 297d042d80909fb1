use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::proto::ProtoError;
use crate::snappy::decompress;

/// `logproto.PushRequest`, written down from Loki's definition: the oracle.
#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<StreamMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamMessage {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryMessage>,
    #[prost(uint64, tag = "3")]
    hash: u64,
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<TimestampMessage>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<PairMessage>,
    #[prost(message, repeated, tag = "4")]
    parsed: Vec<PairMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct TimestampMessage {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct PairMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

type OwnedEntry = (i64, String, Vec<(String, String)>);
type OwnedStream = (String, Vec<OwnedEntry>);

fn any_streams() -> impl Strategy<Value = Vec<OwnedStream>> {
    let ts =
        prop_oneof![any::<i64>(), Just(0), Just(-1), 1_700_000_000_000_000_000..1_800_000_000_000_000_000i64];
    // Long lines take a stream's length over the one, two and three bytes of shorter varints.
    let line = prop_oneof![9 => "(?s).{0,80}".boxed(), 1 => Just("x".repeat(40_000)).boxed()];
    let entry = (ts, line, prop::collection::vec((".{0,9}", ".{0,20}"), 0..3));
    prop::collection::vec((".{0,30}", prop::collection::vec(entry, 0..7)), 0..6)
}

fn write(batch: &mut Batch, streams: &[OwnedStream]) {
    batch.clear();
    for (labels, entries) in streams {
        batch.stream(labels);
        for (ts, line, metadata) in entries {
            batch.entry(*ts, line, metadata.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        }
    }
}

/// A request as our reader sees it, streams without entries left out, as the writer does.
fn read(request: &[u8]) -> Result<Vec<OwnedStream>, ProtoError> {
    let mut out = Vec::new();
    for stream in streams(request) {
        let stream = stream?;
        let mut entries = Vec::new();
        for entry in stream.entries() {
            let entry = entry?;
            let metadata = entry
                .metadata()
                .map(|pair| pair.map(|(n, v)| (n.to_owned(), v.to_owned())))
                .collect::<Result<_, _>>()?;
            entries.push((entry.ts_ns, entry.line.to_owned(), metadata));
        }
        out.push((stream.labels.to_owned(), entries));
    }
    Ok(out)
}

fn non_empty(streams: Vec<OwnedStream>) -> Vec<OwnedStream> {
    streams.into_iter().filter(|(_, entries)| !entries.is_empty()).collect()
}

fn of_prost(request: PushRequest) -> Vec<OwnedStream> {
    let pairs = |pairs: Vec<PairMessage>| pairs.into_iter().map(|p| (p.name, p.value)).collect();
    let entry = |e: EntryMessage| {
        let time = e.timestamp.unwrap();
        let ns = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
        assert!((0..1_000_000_000).contains(&time.nanos));
        (i64::try_from(ns).unwrap(), e.line, pairs(e.metadata))
    };
    request.streams.into_iter().map(|s| (s.labels, s.entries.into_iter().map(entry).collect())).collect()
}

fn to_prost(streams: &[OwnedStream]) -> PushRequest {
    let pairs = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| PairMessage { name: name.clone(), value: value.clone() }).collect()
    };
    let entry = |(ts, line, metadata): &OwnedEntry| EntryMessage {
        timestamp: Some(TimestampMessage {
            seconds: ts.div_euclid(1_000_000_000),
            nanos: ts.rem_euclid(1_000_000_000) as i32,
        }),
        line: line.clone(),
        metadata: pairs(metadata),
        parsed: pairs(&[("p".into(), "q".into())]),
    };
    let stream = |(labels, entries): &OwnedStream| StreamMessage {
        labels: labels.clone(),
        entries: entries.iter().map(entry).collect(),
        hash: 77,
    };
    PushRequest { streams: streams.iter().map(stream).collect() }
}

fn entries_of(streams: &[OwnedStream]) -> Vec<(String, OwnedEntry)> {
    streams.iter().flat_map(|(l, entries)| entries.iter().map(move |e| (l.clone(), e.clone()))).collect()
}

proptest! {
    #[test]
    fn what_we_write_prost_and_we_read(written in any_streams()) {
        let mut batch = Batch::new();
        // A batch before this one must leave nothing behind.
        write(&mut batch, &[("{old=\"x\"}".into(), vec![(5, "old".into(), vec![])])]);
        batch.compressed().unwrap();
        write(&mut batch, &written);
        let count: usize = written.iter().map(|(_, entries)| entries.len()).sum();
        prop_assert_eq!(batch.entries(), count);
        let packed = batch.compressed().unwrap().to_vec();
        let raw = batch.finish().to_vec();
        prop_assert_eq!(batch.raw_len(), raw.len());
        prop_assert_eq!(&decompress(&packed).unwrap(), &raw);
        let written = non_empty(written);
        prop_assert_eq!(&of_prost(PushRequest::decode(&raw[..]).unwrap()), &written);
        prop_assert_eq!(&read(&raw).unwrap(), &written);
        prop_assert_eq!(count_entries(&raw).unwrap(), count);
    }

    #[test]
    fn what_prost_writes_we_read(written in any_streams()) {
        let raw = to_prost(&written).encode_to_vec();
        prop_assert_eq!(read(&raw).unwrap(), written);
    }

    #[test]
    fn halves_together_are_the_whole(written in any_streams()) {
        let raw = to_prost(&written).encode_to_vec();
        let (mut first, mut second) = (Batch::new(), Batch::new());
        let whole = entries_of(&written);
        let halved = split(&raw, &mut first, &mut second).unwrap();
        prop_assert_eq!(halved, whole.len() >= 2);
        if halved {
            prop_assert!(!first.is_empty() && !second.is_empty());
            let mut parts = entries_of(&read(first.finish()).unwrap());
            parts.extend(entries_of(&read(second.finish()).unwrap()));
            prop_assert_eq!(parts, whole);
        }
    }

    #[test]
    fn a_filter_keeps_order_and_places(written in any_streams(), odd in any::<bool>()) {
        let raw = to_prost(&written).encode_to_vec();
        let mut out = Batch::new();
        let mut seen = 0;
        let left_out = filter(&raw, &mut out, |place, stream, entry| {
            assert_eq!(place.in_request, seen);
            assert_eq!(written[place.stream].0, stream.labels);
            assert_eq!(written[place.stream].1[place.in_stream].1, entry.line);
            seen += 1;
            (place.in_request % 2 == 1) == odd
        }).unwrap();
        let whole = entries_of(&written);
        let kept: Vec<_> =
            whole.iter().enumerate().filter(|(i, _)| (i % 2 == 1) == odd).map(|(_, e)| e.clone()).collect();
        prop_assert_eq!(left_out, whole.len() - kept.len());
        prop_assert_eq!(entries_of(&read(out.finish()).unwrap()), kept);
    }

    #[test]
    fn any_bytes_are_a_request_or_an_error(mut raw in any_streams().prop_map(|s| to_prost(&s).encode_to_vec()),
                                          changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        if !raw.is_empty() {
            for (at, byte) in changes {
                let at = at.index(raw.len());
                raw[at] = byte;
            }
        }
        let _ = read(&raw);
        let _ = split(&raw, &mut Batch::new(), &mut Batch::new());
    }
}

#[test]
fn halves_are_near_the_middle() {
    let mut batch = Batch::new();
    batch.stream("{a=\"b\"}");
    for i in 0..1000 {
        batch.entry(i, &"x".repeat(if i < 10 { 50_000 } else { 100 }), []);
    }
    let raw = batch.finish().to_vec();
    let (mut first, mut second) = (Batch::new(), Batch::new());
    assert!(split(&raw, &mut first, &mut second).unwrap());
    // The largest entry is 50,000 bytes, and goes to one side whole.
    assert!(first.raw_len().abs_diff(second.raw_len()) < 101_000, "{} {}", first.raw_len(), second.raw_len());
}

#[test]
fn an_entry_before_any_stream_is_not_lost() {
    let mut batch = Batch::new();
    batch.entry(1, "x", []);
    assert_eq!(read(batch.finish()).unwrap(), [("{}".to_owned(), vec![(1, "x".to_owned(), vec![])])]);
}

#[test]
fn what_is_given_away_is_the_request_and_the_next_has_nothing_of_it() {
    let mut batch = Batch::new();
    batch.stream("{a=\"b\"}");
    batch.entry(1, "x", []);
    let copied = batch.finish().to_vec();
    let other = b"of old".to_vec();
    let place = other.as_ptr();
    assert_eq!(batch.replace(other), copied);
    assert!(batch.is_empty() && batch.raw_len() == 0 && batch.capacity() > 0);
    batch.stream("{a=\"b\"}");
    assert_eq!(batch.finish(), b"");
    batch.entry(2, "", []);
    let again = batch.replace(Vec::new());
    assert_eq!(again.as_ptr(), place);
}

#[test]
fn a_time_out_of_range_is_an_error() {
    let request = PushRequest {
        streams: vec![StreamMessage {
            labels: "{}".into(),
            entries: vec![EntryMessage {
                timestamp: Some(TimestampMessage { seconds: i64::MAX, nanos: 0 }),
                ..EntryMessage::default()
            }],
            hash: 0,
        }],
    };
    assert_eq!(read(&request.encode_to_vec()), Err(ProtoError::Timestamp));
}

#[test]
fn streams_are_outlined_and_copied_whole() {
    let mut batch = Batch::new();
    batch.stream(r#"{a="1"}"#);
    batch.entry(-1, "line", [("k", "v")]);
    batch.entry(1_700_000_000_000_000_001, "", []);
    batch.stream(r#"{a="2"}"#);
    batch.entry(3, "x", []);
    let request = batch.finish().to_vec();
    let all: Vec<_> = streams(&request).map(Result::unwrap).collect();
    for stream in &all {
        let entries = stream.entries().map(|entry| entry.unwrap());
        let whole: Vec<_> = entries.map(|entry| (entry.ts_ns, entry.raw_len())).collect();
        let outlines = stream.outlines().map(|outline| outline.unwrap());
        assert_eq!(outlines.map(|o| (o.ts_ns, o.raw_len)).collect::<Vec<_>>(), whole);
        assert_eq!(stream.entries_len(), whole.iter().map(|(_, len)| len).sum::<usize>());
    }
    let mut other = Batch::new();
    other.copy_stream(&all[1]);
    other.copy_stream(&all[0]);
    other.stream(r#"{a="3"}"#);
    other.entry(4, "y", []);
    assert_eq!(other.entries(), 4);
    let copied = other.finish();
    let copied: Vec<_> = streams(copied).map(|stream| stream.unwrap()).collect();
    let labels: Vec<&str> = copied.iter().map(|stream| stream.labels).collect();
    assert_eq!(labels, [r#"{a="2"}"#, r#"{a="1"}"#, r#"{a="3"}"#]);
    assert_eq!(copied[1].entries().next().unwrap().unwrap().line, "line");
    for cut in 0..request.len() {
        for stream in streams(&request[..cut]).flatten() {
            let _ = stream.outlines().count();
        }
    }
}
