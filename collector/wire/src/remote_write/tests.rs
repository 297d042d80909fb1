use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::snappy::decompress;

/// `prometheus.WriteRequest`, written down from the specification: the oracle.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

type Series = (Vec<(String, String)>, Vec<(f64, i64)>);

fn labels_of(pairs: &[(String, String)]) -> Vec<u8> {
    let mut labels = Vec::new();
    encode_labels(&mut labels, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    labels
}

fn bits(samples: &[(f64, i64)]) -> Vec<(u64, i64)> {
    samples.iter().map(|(v, ts)| (v.to_bits(), *ts)).collect()
}

fn any_series() -> impl Strategy<Value = Series> {
    // Any bits: NaNs with payloads (the staleness marker is one), infinities, minus zero.
    let value = any::<u64>().prop_map(f64::from_bits);
    let value = prop_oneof![value, Just(0.0), Just(-0.0), Just(f64::from_bits(STALE_NAN))];
    let ts = prop_oneof![any::<i64>(), Just(0), 1_600_000_000_000..1_800_000_000_000i64];
    (prop::collection::vec((".{0,20}", ".{0,200}"), 0..8), prop::collection::vec((value, ts), 0..5))
}

proptest! {
    #[test]
    fn what_we_encode_prost_reads(
        series in prop::collection::vec(any_series(), 0..20),
        metadata in prop::collection::vec(("[a-z_]{0,9}", 0..8i32, ".{0,40}", "[a-z]{0,6}"), 0..5),
    ) {
        let kinds = [
            MetricKind::Unknown, MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram,
            MetricKind::GaugeHistogram, MetricKind::Summary, MetricKind::Info, MetricKind::StateSet,
        ];
        let mut request = Request::new();
        // A request before this one must leave nothing behind.
        request.series(&labels_of(&[("old".into(), "x".repeat(300))]), &[(1.0, 1)]);
        request.finish().unwrap();
        request.clear();
        for (pairs, samples) in &series {
            request.series(&labels_of(pairs), samples);
        }
        for (name, kind, help, unit) in &metadata {
            request.metadata(name, kinds[*kind as usize], help, unit);
        }
        let raw_len = request.raw_len();
        let raw = decompress(request.finish().unwrap()).unwrap();
        prop_assert_eq!(raw.len(), raw_len);
        let read = WriteRequest::decode(&raw[..]).unwrap();
        prop_assert_eq!(read.timeseries.len(), series.len());
        for (got, (pairs, samples)) in read.timeseries.iter().zip(&series) {
            let labels: Vec<_> = got.labels.iter().map(|l| (l.name.clone(), l.value.clone())).collect();
            prop_assert_eq!(&labels, pairs);
            let got: Vec<_> = got.samples.iter().map(|s| (s.value, s.timestamp)).collect();
            prop_assert_eq!(bits(&got), bits(samples));
        }
        let got: Vec<_> =
            read.metadata.into_iter().map(|m| (m.name, m.kind, m.help, m.unit)).collect();
        prop_assert_eq!(got, metadata);
    }

    #[test]
    fn labels_come_back(pairs in prop::collection::vec((".{0,20}", ".{0,200}"), 0..9)) {
        let labels = labels_of(&pairs);
        let back: Vec<_> =
            decode_labels(&labels).map(|l| l.map(|(n, v)| (n.to_owned(), v.to_owned()))).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(back, pairs);
    }

    #[test]
    fn any_bytes_are_labels_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        decode_labels(&bytes).for_each(drop);
    }
}

#[test]
fn labels_read_as_promql() {
    let mut labels = Vec::new();
    encode_labels(&mut labels, [("__name__", "up"), ("job", "no\"de")].into_iter());
    assert_eq!(display_labels(&labels), "up{job=\"no\\\"de\"}");
}

#[test]
fn the_bytes_are_as_the_specification_has_them() {
    let mut labels = Vec::new();
    encode_labels(&mut labels, [("a", "b")].into_iter());
    assert_eq!(labels, [0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'b']);
    let mut request = Request::new();
    request.series(&labels, &[(1.0, 300)]);
    let expected =
        [&[0x0a, 22][..], &labels, &[0x12, 12, 0x10, 0xac, 0x02, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]]
            .concat();
    assert_eq!(request.raw(), expected);
}
