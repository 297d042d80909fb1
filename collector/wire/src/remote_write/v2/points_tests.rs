use proptest::prelude::*;
use prost::Message;

use super::super::tests::Interned;
use super::*;
use crate::remote_write::points::tests::{ReadHistogram, any_histogram};

use crate::remote_write::{HistogramPoint, MetricKind};
use crate::snappy::decompress;

/// `io.prometheus.write.v2.Request`, written down from the specification: the oracle.
#[derive(Clone, PartialEq, Message)]
struct Read {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    timeseries: Vec<ReadSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct ReadSeries {
    #[prost(uint32, repeated, tag = "1")]
    labels: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<ReadSample>,
    #[prost(message, repeated, tag = "3")]
    histograms: Vec<ReadHistogram>,
    #[prost(message, repeated, tag = "4")]
    exemplars: Vec<ReadExemplar>,
    #[prost(message, optional, tag = "5")]
    metadata: Option<ReadMetadata>,
    /// Where receivers before 2.0-rc.4 look for it.
    #[prost(int64, tag = "6")]
    created_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ReadSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
    #[prost(int64, tag = "3")]
    start_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ReadExemplar {
    #[prost(uint32, repeated, tag = "1")]
    labels: Vec<u32>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ReadMetadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(uint32, tag = "3")]
    help: u32,
}

/// Names and values of an exemplar, its value and time.
type Given = (Vec<(String, String)>, f64, i64);

proptest! {
    #[test]
    fn what_we_encode_prost_reads(
        histograms in prop::collection::vec((any_histogram(), any::<i64>()), 0..3),
        exemplars in prop::collection::vec(
            (prop::collection::vec(("[ab]{0,2}", ".{0,3}"), 0..3), -1e9..1e9, any::<i64>()), 0..3),
        created_ms in prop_oneof![Just(0), any::<i64>()],
    ) {
        let (mut interned, mut request) = (Interned::default(), Request::default());
        let pairs = [("__name__", "h"), ("zone", "west")];
        let (symbols, series) = interned.series(&pairs, MetricKind::Histogram, "Help.", "");
        let given: Vec<_> =
            histograms.iter().map(|(histogram, ts_ms)| HistogramPoint { histogram, ts_ms: *ts_ms }).collect();
        let pairs: Vec<Vec<(&str, &str)>> =
            exemplars.iter().map(|(labels, ..)| labels.iter().map(|(n, v)| (&**n, &**v)).collect()).collect();
        let points: Vec<_> = exemplars.iter().zip(&pairs)
            .map(|((_, value, ts_ms), labels)| ExemplarPoint { labels, value: *value, ts_ms: *ts_ms })
            .collect();
        let all = Points { samples: &[(0.0, 3), (2.0, 4)], histograms: &given, exemplars: &points, created_ms };
        // What one request needs for exemplars is not in the next.
        for _ in 0..2 {
            request.clear();
            request.series(symbols, series, &[(1.0, 1)]);
            request.points(symbols, series, &all);
            let raw = decompress(request.finish().unwrap()).unwrap();
            let read = Read::decode(&raw[..]).unwrap();
            let text = |number: &u32| read.symbols[*number as usize].clone();
            let [plain, read] = &read.timeseries[..] else { panic!("{read:?}") };
            prop_assert_eq!(plain.created_timestamp, 0);
            prop_assert_eq!((&plain.labels, &plain.metadata), (&read.labels, &read.metadata));
            let metadata = read.metadata.clone().unwrap();
            prop_assert_eq!((metadata.kind, text(&metadata.help)), (3, "Help.".to_owned()));
            let samples: Vec<_> = read.samples.iter().map(|s| (s.value, s.timestamp, s.start_timestamp)).collect();
            prop_assert_eq!(samples, [(0.0, 3, created_ms), (2.0, 4, created_ms)]);
            prop_assert_eq!(read.created_timestamp, created_ms);
            prop_assert!(read.histograms.iter().all(|h| h.start_timestamp == created_ms));
            let got: Vec<_> = read.histograms.iter().map(|h| h.clone().histogram()).collect();
            prop_assert_eq!(&got, &histograms);
            let got: Vec<Given> = read.exemplars.iter().map(|exemplar| {
                let pairs = exemplar.labels.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1])));
                (pairs.collect(), exemplar.value, exemplar.timestamp)
            }).collect();
            prop_assert_eq!(&got, &exemplars);
        }
    }
}
