use proptest::prelude::*;
use prost::Message;
use taffrail_core::histogram::Reset;

use super::*;
use crate::remote_write::encode_labels;

/// Both versions' `Histogram`, written down from the specification: the oracle.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadHistogram {
    #[prost(oneof = "ReadCount", tags = "1, 2")]
    count: Option<ReadCount>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(oneof = "ReadZero", tags = "6, 7")]
    zero: Option<ReadZero>,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<ReadSpan>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<ReadSpan>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    positive_counts: Vec<f64>,
    #[prost(int32, tag = "14")]
    reset_hint: i32,
    #[prost(int64, tag = "15")]
    timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
    #[prost(int64, tag = "17")]
    pub(crate) start_timestamp: i64,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ReadCount {
    #[prost(uint64, tag = "1")]
    Int(u64),
    #[prost(double, tag = "2")]
    Float(f64),
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ReadZero {
    #[prost(uint64, tag = "6")]
    Int(u64),
    #[prost(double, tag = "7")]
    Float(f64),
}

#[derive(Clone, PartialEq, Message)]
struct ReadSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

impl ReadHistogram {
    /// The histogram and its time.
    pub(crate) fn histogram(self) -> (Histogram, i64) {
        let spans = |spans: Vec<ReadSpan>| {
            spans.into_iter().map(|span| Span { offset: span.offset, length: span.length }).collect()
        };
        let counts = match (self.count.unwrap(), self.zero.unwrap()) {
            (ReadCount::Int(count), ReadZero::Int(zero)) => {
                let (positive, negative) = (self.positive_deltas, self.negative_deltas);
                Counts::Integer { count, zero, positive, negative }
            }
            (ReadCount::Float(count), ReadZero::Float(zero)) => {
                let (positive, negative) = (self.positive_counts, self.negative_counts);
                Counts::Float { count, zero, positive, negative }
            }
            mixed => panic!("{mixed:?}"),
        };
        let reset = [Reset::Unknown, Reset::Yes, Reset::No, Reset::Gauge][self.reset_hint as usize];
        let histogram = Histogram {
            schema: self.schema,
            sum: self.sum,
            zero_threshold: self.zero_threshold,
            positive_spans: spans(self.positive_spans),
            negative_spans: spans(self.negative_spans),
            custom_values: self.custom_values,
            reset,
            counts,
        };
        (histogram, self.timestamp)
    }
}

/// Any histogram, sensible or not; no NaN, which is equal to nothing.
pub(crate) fn any_histogram() -> impl Strategy<Value = Histogram> {
    let spans = prop::collection::vec(any::<(i32, u32)>(), 0..4);
    let spans = spans.prop_map(|spans| {
        spans.into_iter().map(|(offset, length)| Span { offset, length }).collect::<Vec<_>>()
    });
    let number = || prop_oneof![Just(0.0), Just(-0.0), Just(f64::INFINITY), -1e9..1e9];
    let numbers = move || prop::collection::vec(number(), 0..5);
    let deltas = || prop::collection::vec(any::<i64>(), 0..5);
    let integer = (any::<u64>(), 0..2u64, deltas(), deltas())
        .prop_map(|(count, zero, positive, negative)| Counts::Integer { count, zero, positive, negative });
    let float = (number(), number(), numbers(), numbers())
        .prop_map(|(count, zero, positive, negative)| Counts::Float { count, zero, positive, negative });
    let reset = prop::sample::select(vec![Reset::Unknown, Reset::Yes, Reset::No, Reset::Gauge]);
    (any::<i32>(), number(), number(), spans.clone(), spans, numbers(), reset, prop_oneof![integer, float])
        .prop_map(
            |(schema, sum, zero_threshold, positive_spans, negative_spans, custom_values, reset, counts)| {
                Histogram {
                    schema,
                    sum,
                    zero_threshold,
                    positive_spans,
                    negative_spans,
                    custom_values,
                    reset,
                    counts,
                }
            },
        )
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<ReadHistogram>,
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
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

proptest! {
    #[test]
    fn what_we_encode_prost_reads(
        histograms in prop::collection::vec((any_histogram(), any::<i64>()), 0..3),
        exemplars in prop::collection::vec((".{0,9}", ".{0,9}", -1e9..1e9, any::<i64>()), 0..3),
    ) {
        let mut labels = Vec::new();
        encode_labels(&mut labels, [("__name__", "h")].into_iter());
        let given: Vec<_> =
            histograms.iter().map(|(histogram, ts_ms)| HistogramPoint { histogram, ts_ms: *ts_ms }).collect();
        let pairs: Vec<_> = exemplars.iter().map(|(name, value, ..)| [(&**name, &**value)]).collect();
        let points: Vec<_> = exemplars.iter().zip(&pairs)
            .map(|((_, _, value, ts_ms), labels)| ExemplarPoint { labels, value: *value, ts_ms: *ts_ms })
            .collect();
        let samples = [(1.5, 7)];
        let mut request = Request::new();
        let all = Points { samples: &samples, histograms: &given, exemplars: &points, created_ms: 5 };
        request.points(&labels, &all);
        request.points(&labels, &Points::default());
        let read = WriteRequest::decode(request.raw()).unwrap();
        let [read, empty] = &read.timeseries[..] else { panic!("{read:?}") };
        prop_assert_eq!((&read.labels, &*read.labels[0].value), (&empty.labels, "h"));
        prop_assert_eq!((read.samples[0].value, read.samples[0].timestamp), (1.5, 7));
        for (read, (given, ts_ms)) in read.histograms.iter().zip(&histograms) {
            prop_assert_eq!(read.start_timestamp, 0);
            let (histogram, at) = read.clone().histogram();
            prop_assert_eq!((&histogram, at), (given, *ts_ms));
        }
        let got: Vec<_> = read.exemplars.iter()
            .map(|e| (e.labels[0].name.clone(), e.labels[0].value.clone(), e.value, e.timestamp)).collect();
        prop_assert_eq!(got, exemplars);
        prop_assert_eq!(read.histograms.len(), histograms.len());
    }
}

#[test]
fn an_end_is_marked_as_prometheus_marks_it() {
    let stale = Histogram::stale();
    let mut bytes = Vec::new();
    put_histogram(&mut bytes, &HistogramPoint { histogram: &stale, ts_ms: 1 });
    let (back, _) = ReadHistogram::decode(&bytes[..]).unwrap().histogram();
    assert!(back.is_stale());
}
