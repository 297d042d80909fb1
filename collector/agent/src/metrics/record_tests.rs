//! Records that are read back, cut, damaged, and of another version.

use proptest::prelude::*;
use taffrail_core::Value;
use taffrail_core::histogram::{CUSTOM, Counts, Reset, Span};
use taffrail_wire::remote_write::encode_labels;

use super::*;

/// What was read back of a series at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its labels, as remote write 1.0 has them.
    pub labels: Arc<[u8]>,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// The value.
    pub value: f64,
    /// What is there in the place of a value.
    pub histogram: Option<Histogram>,
    /// Its exemplars.
    pub exemplars: Vec<Exemplar>,
}

#[derive(Default)]
struct Points {
    points: Vec<Point>,
    starts: Vec<(String, i64)>,
}

impl Points {
    fn add(&mut self, series: Numbered<'_>, ts_ms: i64, value: f64, histogram: Option<Histogram>) {
        let mut labels = Vec::new();
        encode_labels(&mut labels, series.labels());
        self.points.push(Point { labels: labels.into(), ts_ms, value, histogram, exemplars: Vec::new() });
    }
}

impl Visit for Points {
    fn segment(&mut self, _: &Arc<Mutex<Table>>) {}

    fn sample(&mut self, series: Numbered<'_>, ts_ms: i64, value: f64) {
        self.add(series, ts_ms, value, None);
    }

    fn start(&mut self, series: Numbered<'_>, start_ms: i64) {
        self.starts.push((series.labels().next().unwrap().1.to_owned(), start_ms));
    }

    fn histogram(&mut self, series: Numbered<'_>, ts_ms: i64, histogram: Histogram) {
        self.add(series, ts_ms, 0.0, Some(histogram));
    }

    fn exemplar(&mut self, exemplar: Exemplar) {
        self.points.last_mut().unwrap().exemplars.push(exemplar);
    }
}

/// Reads a record.
pub fn points<S: PartialEq>(
    decoder: &mut Decoder<S>,
    segment: S,
    record: &[u8],
) -> Result<Vec<Point>, DecodeError> {
    let mut points = Points::default();
    decoder.read(segment, record, &mut points).map(|()| points.points)
}

/// When series began, as a record says it: their names, and milliseconds since 1970.
pub fn starts<S: PartialEq>(decoder: &mut Decoder<S>, segment: S, record: &[u8]) -> Vec<(String, i64)> {
    let mut points = Points::default();
    decoder.read(segment, record, &mut points).unwrap();
    points.starts
}

/// What writes records, with series by their names.
struct Bed {
    encoder: Encoder<u32>,
    slots: HashMap<&'static str, (Key, Slot)>,
}

impl Bed {
    fn new() -> Self {
        Bed { encoder: Encoder::default(), slots: HashMap::new() }
    }

    fn slot(&mut self, name: &'static str) -> Slot {
        let interner = self.encoder.interner.clone();
        let key = || (lock(&interner).key([("__name__", name), ("x", "same")].into_iter()), Slot::default());
        let (key, slot) = self.slots.entry(name).or_insert_with(key);
        if !self.encoder.knows(*slot) {
            let kind = if name.ends_with("_total") { MetricKind::Counter } else { MetricKind::Unknown };
            let unit = unit_of(name).unwrap_or_default();
            *slot = self.encoder.define(Family { name, kind, help: "Help.", unit }, key);
        }
        *slot
    }

    fn sample(&mut self, name: &'static str, ts_ms: i64, value: f64) {
        let slot = self.slot(name);
        self.encoder.sample(slot, ts_ms, value);
    }
}

fn labels(name: &str) -> Arc<[u8]> {
    let mut labels = Vec::new();
    encode_labels(&mut labels, [("__name__", name), ("x", "same")].into_iter());
    labels.into()
}

fn exemplar(ts_ms: i64) -> Exemplar {
    Exemplar { labels: [("trace_id".into(), "abc".into())].into(), value: 0.5, ts_ms }
}

fn histogram() -> Histogram {
    Histogram {
        schema: 3,
        sum: 12.5,
        zero_threshold: 1e-9,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 7, length: 1 }],
        negative_spans: vec![Span { offset: 1, length: 1 }],
        custom_values: Vec::new(),
        reset: Reset::Gauge,
        counts: Counts::Integer { count: 9, zero: 1, positive: vec![3, -1, 0], negative: vec![2] },
    }
}

fn custom() -> Histogram {
    Histogram {
        schema: CUSTOM,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        custom_values: vec![0.5],
        counts: Counts::Float { count: 3.0, zero: 0.0, positive: vec![1.0, 2.0], negative: Vec::new() },
        ..Histogram::default()
    }
}

/// A record with a row of each kind.
fn record() -> Bytes {
    let mut bed = Bed::new();
    bed.encoder.begin(0);
    bed.sample("a_seconds_total", 1_700_000_000_000, 1.5);
    bed.encoder.exemplar(&exemplar(1_699_999_999_999));
    bed.sample("b", 1_699_999_999_000, Value::Stale.to_f64());
    let slot = bed.slot("h");
    bed.encoder.start(slot, -5);
    bed.encoder.histogram(slot, 1_700_000_000_000, &histogram());
    bed.encoder.exemplar(&exemplar(7));
    bed.encoder.histogram(slot, 1_700_000_000_001, &custom());
    bed.sample("b", 1_700_000_000_000, 2.0);
    bed.encoder.finish()
}

#[test]
fn what_was_written_is_read() {
    let mut read = Points::default();
    Decoder::default().read(0, &record(), &mut read).unwrap();
    let point = |name, ts_ms, value| Point {
        labels: labels(name),
        ts_ms,
        value,
        histogram: None,
        exemplars: Vec::new(),
    };
    let now = 1_700_000_000_000;
    let stale = read.points.remove(1);
    assert_eq!((&stale.labels, stale.ts_ms), (&labels("b"), now - 1000));
    assert_eq!(Value::from_f64(stale.value), Value::Stale);
    let expected = [
        Point { exemplars: vec![exemplar(now - 1)], ..point("a_seconds_total", now, 1.5) },
        Point { histogram: Some(histogram()), exemplars: vec![exemplar(7)], ..point("h", now, 0.0) },
        Point { histogram: Some(custom()), ..point("h", now + 1, 0.0) },
        point("b", now, 2.0),
    ];
    assert_eq!(read.points, expected);
    assert_eq!(read.starts, [("h".to_owned(), -5)]);
}

#[test]
fn texts_and_families_are_written_once_a_segment() {
    let (mut bed, mut decoder) = (Bed::new(), Decoder::default());
    let mut sizes = Vec::new();
    for (segment, name) in [(0, "a_total"), (0, "b_total"), (0, "a_total"), (1, "a_total")] {
        bed.encoder.begin(segment);
        bed.sample(name, 0, 0.0);
        let record = bed.encoder.finish();
        assert_eq!(points(&mut decoder, segment, &record).unwrap()[0].labels, labels(name));
        let table = lock(&decoder.table);
        let series = table.series(table.len() as u32 - 1).unwrap();
        assert_eq!((series.kind, table.symbols().text(series.help)), (MetricKind::Counter, "Help."));
        sizes.push(record.len());
    }
    assert!(sizes[2] < sizes[1] && sizes[1] < sizes[0] && sizes[3] == sizes[0], "{sizes:?}");
}

#[test]
fn definitions_hold_within_their_segment_only() {
    let (mut bed, mut decoder) = (Bed::new(), Decoder::default());
    bed.encoder.begin(0);
    bed.sample("a", 1, 1.0);
    points(&mut decoder, 0, &bed.encoder.finish()).unwrap();
    bed.encoder.begin(0);
    bed.sample("a", 5, 2.0);
    let later = bed.encoder.finish();
    assert_eq!(points(&mut decoder, 0, &later).unwrap().len(), 1);
    assert_eq!(points(&mut decoder, 1, &later), Err(DecodeError::Undefined(0)));
    bed.encoder.forget();
    bed.encoder.begin(0);
    bed.sample("a", 6, 2.0);
    assert_eq!(points(&mut decoder, 2, &bed.encoder.finish()).unwrap().len(), 1, "all is defined again");
}

#[test]
fn a_damaged_record_costs_what_it_defined_and_no_more() {
    let (mut bed, mut decoder) = (Bed::new(), Decoder::default());
    let mut records = Vec::new();
    for names in [["a", "b"], ["c", "d"], ["e", "a"], ["d", "e"]] {
        bed.encoder.begin(0);
        names.iter().for_each(|name| bed.sample(name, 1, 1.0));
        records.push(bed.encoder.finish());
    }
    assert_eq!(points(&mut decoder, 0, &records[0]).unwrap().len(), 2);
    let read = points(&mut decoder, 0, &records[2]).unwrap();
    assert_eq!(read.iter().map(|point| &point.labels).collect::<Vec<_>>(), [&labels("e"), &labels("a")]);
    assert_eq!(points(&mut decoder, 0, &records[3]), Err(DecodeError::Undefined(3)));
    // One that is read again changes nothing.
    assert_eq!(points(&mut decoder, 0, &records[2]).unwrap(), read);
}

#[test]
fn a_cut_record_is_an_error_or_what_came_before_the_cut() {
    let whole = points(&mut Decoder::default(), 0, &record()).unwrap();
    for len in 0..record().len() {
        let mut read = Points::default();
        match Decoder::default().read(0, &record()[..len], &mut read) {
            Ok(()) => assert!(read.points.len() < whole.len(), "{len}"),
            Err(error) => assert_eq!(error, DecodeError::Short, "{len}"),
        }
    }
    assert_eq!(points(&mut Decoder::default(), 0, b"\x09"), Err(DecodeError::Version(9)));
    assert_eq!(points(&mut Decoder::default(), 0, b"\x02"), Err(DecodeError::Version(2)));
}

#[test]
fn counts_that_lie_cost_nothing() {
    // Lists that begin far ahead, and a count of samples, of spans and of labels without end.
    for record in [
        &b"\x03\xff\xff\xff\xff\x0f\x01\x01a\0\0\0\0"[..],
        b"\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x03\0\0\0\0\xff\xff\xff\x7f\x01\0\x02\x01\x01",
        b"\x03\x01\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x03\x01\0\0\0\0\0\x09",
    ] {
        assert!(points(&mut Decoder::default(), 0, record).is_err(), "{record:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_do_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        behind in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = record().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        bytes.extend(behind);
        let mut decoder = Decoder::default();
        // Twice, as what the first has defined is there for the second.
        let _ = points(&mut decoder, 0, &bytes);
        let _ = points(&mut decoder, 0, &bytes);
    }

    #[test]
    fn samples_of_any_times_and_values_come_back(
        given in prop::collection::vec((0..4usize, any::<i64>(), any::<u64>()), 0..50)
    ) {
        const NAMES: [&str; 4] = ["a", "b_total", "c_seconds", "d"];
        let mut bed = Bed::new();
        bed.encoder.begin(0);
        given.iter().for_each(|(name, ts, bits)| bed.sample(NAMES[*name], *ts, f64::from_bits(*bits)));
        let read = points(&mut Decoder::default(), 0, &bed.encoder.finish()).unwrap();
        let read: Vec<_> = read.into_iter().map(|p| (p.labels, p.ts_ms, p.value.to_bits())).collect();
        let given: Vec<_> = given.into_iter().map(|(name, ts, bits)| (labels(NAMES[name]), ts, bits)).collect();
        prop_assert_eq!(read, given);
    }
}
