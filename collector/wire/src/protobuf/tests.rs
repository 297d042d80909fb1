//! Long because the messages stand here as the specification has them, for prost to write pages with.

use proptest::prelude::*;
use prost::Message;
use taffrail_core::histogram::{Counts, Reset};

use crate::page::{Entry, Format, HistogramSample, Options, PageError, Parser, Place, Sample, What};
use crate::remote_write::{MetricKind, STALE_NAN};

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Number>,
    #[prost(int64, tag = "6")]
    timestamp_ms: i64,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<Exemplar>,
    #[prost(message, optional, tag = "3")]
    start: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    start: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantile {
    #[prost(double, tag = "1")]
    quantile: f64,
    #[prost(double, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(double, tag = "4")]
    count_float: f64,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(double, tag = "8")]
    zero_count_float: f64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(double, repeated, tag = "11")]
    negative_count: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<Span>,
    // Some writers do not pack.
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(double, repeated, packed = "false", tag = "14")]
    positive_count: Vec<f64>,
    #[prost(message, optional, tag = "15")]
    start: Option<Timestamp>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    bound: f64,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
    #[prost(double, tag = "4")]
    count_float: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

const ALL: Options = Options { native: true, classic_too: false, convert_classic: false, created: true };

fn family(name: &str, kind: i32, metric: Vec<Metric>) -> Family {
    Family { name: name.into(), help: "Help.".into(), kind, metric, ..Family::default() }
}

fn page(families: &[Family]) -> Vec<u8> {
    families.iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

fn label(name: &str, value: &str) -> Label {
    Label { name: name.into(), value: value.into() }
}

fn exemplar(value: f64, seconds: Option<i64>) -> Exemplar {
    let timestamp = seconds.map(|seconds| Timestamp { seconds, nanos: 500_999_999 });
    Exemplar { label: vec![label("trace_id", "x")], value, timestamp }
}

fn entries(page: &[u8], options: Options) -> Result<Vec<Entry<'_>>, PageError> {
    Parser::new(page, Format::Protobuf, options).collect()
}

fn told<'a>(labels: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>) -> String {
    labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// The samples, as text; a histogram by its name and count.
fn rows(families: &[Family], options: Options) -> Vec<String> {
    let page = page(families);
    let rows = entries(&page, options).unwrap().into_iter().filter_map(|entry| match entry {
        Entry::Sample(Sample { series, value, ts_ms, created_ms, exemplar }) => {
            let exemplar = exemplar.map(|e| (told(e.labels.into_iter()), e.value, e.ts_ms));
            Some(format!("{} {value} {:?}", told(series.labels()), (ts_ms, created_ms, exemplar)))
        }
        Entry::Histogram(sample) => {
            let count = match &sample.histogram.counts {
                Counts::Integer { count, .. } => *count as f64,
                Counts::Float { count, .. } => *count,
            };
            Some(format!("{} H{count} {}", told(sample.series.labels()), sample.histogram.schema))
        }
        _ => None,
    });
    rows.collect()
}

fn histogram(families: &[Family]) -> HistogramSample<'static> {
    let page = page(families).leak();
    let mut histograms = entries(page, ALL).unwrap().into_iter().filter_map(|entry| match entry {
        Entry::Histogram(sample) => Some(*sample),
        _ => None,
    });
    histograms.next().unwrap()
}

#[test]
fn simple_ones() {
    let number = |value| Some(Number { value });
    let labels = vec![label("a.b", "c\n")];
    let start = Some(Timestamp { seconds: 7, nanos: 1_000_000 });
    let counter = Counter { value: 2.0, exemplar: Some(exemplar(0.5, Some(9))), start };
    let summary = Summary {
        count: 3,
        sum: 1.5,
        quantile: vec![Quantile { quantile: 0.5, value: 1.0 }, Quantile { quantile: 1.0, value: 2.0 }],
        start: Some(Timestamp { seconds: 8, nanos: 0 }),
    };
    let marker = f64::from_bits(STALE_NAN);
    let families = [
        family(
            "g",
            1,
            vec![Metric { label: labels, gauge: number(1.5), timestamp_ms: 6, ..Metric::default() }],
        ),
        family("c", 0, vec![Metric { counter: Some(counter), ..Metric::default() }]),
        family("empty", 99, vec![]),
        family("u.x", 3, vec![Metric { untyped: number(marker), ..Metric::default() }, Metric::default()]),
        Family {
            unit: "seconds".into(),
            ..family("s", 2, vec![Metric { summary: Some(summary), ..Metric::default() }])
        },
    ];
    assert_eq!(
        rows(&families, Options::default()),
        [
            "__name__=g,a.b=c\n 1.5 (Some(6), None, None)",
            "__name__=c 2 (None, Some(7001), Some((\"trace_id=x\", 0.5, Some(9500))))",
            "__name__=u.x NaN (None, None, None)",
            "__name__=u.x 0 (None, None, None)",
            "__name__=s_count 3 (None, Some(8000), None)",
            "__name__=s_sum 1.5 (None, Some(8000), None)",
            "__name__=s,quantile=0.5 1 (None, Some(8000), None)",
            "__name__=s,quantile=1.0 2 (None, Some(8000), None)",
        ]
    );
    let page = page(&families);
    let about: Vec<_> = entries(&page, ALL).unwrap();
    assert_eq!(about[0], Entry::Help { family: "g".into(), text: "Help.".into() });
    assert_eq!(about[1], Entry::Type { family: "g".into(), kind: MetricKind::Gauge });
    assert!(about.contains(&Entry::Unit { family: "s".into(), unit: "seconds".into() }));
    let nan = about.iter().find_map(|e| match e {
        Entry::Sample(s) if s.value.is_nan() => Some(s.value.to_bits()),
        _ => None,
    });
    assert_eq!(nan, Some(crate::page::NAN.to_bits()));
}

fn buckets(last: f64) -> Vec<Bucket> {
    let bucket = |bound, count| Bucket { bound, count, ..Bucket::default() };
    vec![Bucket { exemplar: Some(exemplar(0.25, None)), ..bucket(0.5, 1) }, bucket(last, 3), bucket(9.0, 4)]
}

fn of(histogram: Histogram) -> Vec<Metric> {
    vec![Metric { histogram: Some(histogram), ..Metric::default() }]
}

fn native() -> Histogram {
    Histogram {
        count: 9,
        sum: 2.5,
        schema: -1,
        zero_threshold: 0.125,
        zero_count: 2,
        positive_span: vec![Span { offset: -2, length: 2 }, Span { offset: 1, length: 1 }],
        positive_delta: vec![1, 2, -1],
        negative_span: vec![Span { offset: 0, length: 2 }],
        negative_delta: vec![0, 1],
        ..Histogram::default()
    }
}

#[test]
fn classic_histograms() {
    let classic = Histogram { count: 4, sum: 6.5, bucket: buckets(f64::INFINITY), ..Histogram::default() };
    // What follows the infinite bucket is not read.
    let expected = [
        "__name__=h_count 4 (None, None, None)",
        "__name__=h_sum 6.5 (None, None, None)",
        "__name__=h_bucket,le=0.5 1 (None, None, Some((\"trace_id=x\", 0.25, None)))",
        "__name__=h_bucket,le=+Inf 3 (None, None, None)",
    ];
    assert_eq!(rows(&[family("h", 4, of(classic.clone()))], ALL), expected);
    // It may be missing.
    let open = Histogram { bucket: buckets(1.0), count_float: 4.5, ..classic };
    let got = rows(&[family("h", 5, of(open.clone()))], ALL);
    assert_eq!(got[0], "__name__=h_count 4.5 (None, None, None)");
    assert_eq!(
        got[4..],
        ["__name__=h_bucket,le=9.0 4 (None, None, None)", "__name__=h_bucket,le=+Inf 4.5 (None, None, None)"]
    );
    let convert = Options { convert_classic: true, ..ALL };
    assert_eq!(rows(&[family("h", 4, of(open.clone()))], convert), ["__name__=h H4.5 -53"]);
    let both = rows(&[family("h", 4, of(open))], Options { classic_too: true, ..convert });
    assert_eq!((both.len(), &*both[6]), (7, "__name__=h H4.5 -53"));
}

#[test]
fn native_histograms() {
    let sample = histogram(&[family("h", 4, of(native()))]);
    let got = &sample.histogram;
    let counts = Counts::Integer { count: 9, zero: 2, positive: vec![1, 2, -1], negative: vec![1] };
    assert_eq!((&got.counts, got.schema, got.sum, got.zero_threshold), (&counts, -1, 2.5, 0.125));
    let spans: Vec<_> = got.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!((spans, got.negative_spans[0].offset, got.reset), (vec![(-2, 2), (1, 1)], 1, Reset::Unknown));
    assert_eq!(got.validate(), Ok(()));
    let float = Histogram {
        count_float: 4.5,
        zero_count_float: 0.5,
        positive_count: vec![1.0, 0.5, 2.5],
        negative_span: vec![],
        negative_delta: vec![],
        ..native()
    };
    let sample = histogram(&[family("h", 5, of(float))]);
    let positive = vec![1.0, 0.5, 2.5];
    let counts = Counts::Float { count: 4.5, zero: 0.5, positive, negative: vec![] };
    assert_eq!((sample.histogram.counts, sample.histogram.reset), (counts, Reset::Gauge));
    // Nothing observed yet: an empty span says that it is native.
    let span = vec![Span::default()];
    let empty = histogram(&[family("h", 4, of(Histogram { positive_span: span, ..Histogram::default() }))]);
    assert_eq!((empty.histogram.buckets(), empty.histogram.validate()), (0, Ok(())));
}

#[test]
fn which_histograms_are_wanted() {
    let both = Histogram { bucket: buckets(f64::INFINITY), ..native() };
    let families = [family("h", 4, [of(both), of(native())].concat())];
    let (native, classic) = ("__name__=h H9 -1", "__name__=h_bucket,le=+Inf");
    assert_eq!(rows(&families, ALL), [native, native]);
    let too = rows(&families, Options { classic_too: true, ..ALL });
    assert_eq!((too.len(), &*too[0], &*too[5]), (6, native, native));
    assert!(too[4].starts_with(classic));
    let without = rows(&families, Options::default());
    assert_eq!(without.len(), 7, "{without:?}");
    assert!(without.iter().all(|row| !row.contains(" H")));
    assert_eq!(rows(&families, Options { convert_classic: true, ..ALL }), [native, native]);
    let custom = Options { convert_classic: true, ..Options::default() };
    let page = page(&families[..1]);
    // The count is 9, the infinite bucket holds 3.
    assert!(matches!(entries(&page, custom), Err(PageError { what: What::Classic(_), .. })));
}

#[test]
fn exemplars_of_native_histograms_have_a_time() {
    let own = Histogram {
        bucket: buckets(f64::INFINITY),
        exemplars: vec![exemplar(1.0, Some(1)), exemplar(2.0, None)],
        ..native()
    };
    let mut bucket = buckets(f64::INFINITY);
    bucket[1].exemplar = Some(exemplar(3.0, Some(2)));
    let borrowed = Histogram { bucket, ..native() };
    for (given, value) in [(own, 1.0), (borrowed, 3.0)] {
        let page = page(&[family("h", 4, of(given))]);
        let mut parser = Parser::new(&page, Format::Protobuf, ALL);
        let sample = parser.find_map(|entry| match entry.unwrap() {
            Entry::Histogram(sample) => Some(sample),
            _ => None,
        });
        let values: Vec<f64> = sample.unwrap().exemplars.iter().map(|exemplar| exemplar.value).collect();
        assert_eq!((values, parser.exemplars_left_out()), (vec![value], 1));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let gauge = |labels: &[(&str, &str)]| {
        let label = labels.iter().map(|(name, value)| label(name, value)).collect();
        vec![Metric { label, gauge: Some(Number { value: 1.0 }), ..Metric::default() }]
    };
    let good = family("good", 1, gauge(&[]));
    let short = Histogram { positive_delta: vec![1], ..native() };
    for (bad, what) in [
        (family("", 1, gauge(&[])), What::NoName),
        (family("g", 6, gauge(&[])), What::FamilyKind(6)),
        (family("g", 1, gauge(&[("", "x")])), What::LabelName),
        (family("g", 1, gauge(&[("a", "x"), ("b", "y"), ("a", "z")])), What::LabelTwice("a".into())),
        (family("g", 1, gauge(&[("__name__", "x")])), What::TwoNames),
        (
            family("h", 4, of(short)),
            What::Histogram(taffrail_core::HistogramError::Mismatch { spans: 3, buckets: 1 }),
        ),
    ] {
        let page = page(&[good.clone(), bad]);
        let place = Place::Byte(good.encode_length_delimited_to_vec().len());
        assert_eq!(entries(&page, ALL), Err(PageError { place, what }));
    }
    let mut not_text = page(&[family("g", 1, gauge(&[("a", "x")]))]);
    let at = not_text.iter().rposition(|byte| *byte == b'x').unwrap();
    not_text[at] = 0xff;
    assert!(matches!(entries(&not_text, ALL), Err(PageError { what: What::Proto(_), .. })));
}

#[test]
fn a_page_cut_short_is_refused() {
    let whole = page(&[
        family("g", 1, vec![Metric { gauge: Some(Number { value: 1.0 }), ..Metric::default() }]),
        family("h", 4, of(Histogram { bucket: buckets(1.0), ..native() })),
    ]);
    let first = family("g", 1, vec![Metric { gauge: Some(Number { value: 1.0 }), ..Metric::default() }]);
    let between = first.encode_length_delimited_to_vec().len();
    for end in 0..whole.len() {
        assert_eq!(entries(&whole[..end], ALL).is_ok(), end == 0 || end == between, "{end}");
    }
}

fn any_histogram() -> impl Strategy<Value = Histogram> {
    let span = (-3..3i32, 0..4u32).prop_map(|(offset, length)| Span { offset, length });
    let spans = prop::collection::vec(span, 0..4);
    (spans.clone(), spans, -3..3i32, any::<bool>()).prop_map(|(positive, negative, schema, float)| {
        let buckets = |spans: &[Span]| spans.iter().map(|span| span.length as usize).sum::<usize>();
        let (p, n) = (buckets(&positive), buckets(&negative));
        Histogram {
            schema,
            count: 1,
            count_float: if float { 1.0 } else { 0.0 },
            positive_span: positive,
            negative_span: negative,
            positive_delta: vec![1; p],
            negative_delta: vec![1; n],
            positive_count: vec![1.5; p],
            negative_count: vec![1.5; n],
            ..Histogram::default()
        }
    })
}

proptest! {
    #[test]
    fn any_histogram_is_read_or_refused(given in any_histogram()) {
        let page = page(&[family("h", 4, of(given.clone()))]);
        let negative = [&given.positive_span, &given.negative_span].iter().any(|spans| {
            spans.iter().skip(1).any(|span| span.offset < 0)
        });
        match entries(&page, ALL) {
            Ok(_) => prop_assert!(!negative),
            Err(error) => prop_assert!(negative, "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut page in prop::collection::vec(any::<u8>(), 0..200), cut in any::<u8>()) {
        for options in [ALL, Options { classic_too: true, convert_classic: true, ..ALL }] {
            let _ = entries(&page, options);
        }
        // And with a frame that fits.
        page.truncate(usize::from(cut) % 120);
        page.insert(0, page.len() as u8);
        let _ = entries(&page, ALL);
    }
}
