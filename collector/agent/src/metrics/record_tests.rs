//! Records that are read back, cut, and of another version.

use super::*;
use taffrail_core::Value;

fn family(name: &str, kind: MetricKind) -> Family<'_> {
    Family { name, kind, help: "Help.", unit: unit_of(name).unwrap_or_default() }
}

fn record() -> Bytes {
    let mut encoder = Encoder::default();
    encoder.begin(0);
    encoder.define(1, family("a_seconds_total", MetricKind::Counter), b"one");
    encoder.define(300, family("b", MetricKind::Unknown), b"two");
    encoder.sample(1, 1_700_000_000_000, 1.5);
    encoder.sample(300, 1_699_999_999_000, Value::Stale.to_f64());
    encoder.finish()
}

fn read(
    decoder: &mut Decoder<u32, <Points as Visit>::Series>,
    segment: u32,
    record: &[u8],
) -> Result<Vec<Point>, DecodeError> {
    let mut points = Points::default();
    decoder.read(segment, record, &mut points).map(|()| points.0)
}

#[test]
fn what_was_written_is_read() {
    let points = read(&mut Decoder::default(), 0, &record()).unwrap();
    assert_eq!(points[0], Point { labels: (*b"one").into(), ts_ms: 1_700_000_000_000, value: 1.5 });
    assert_eq!((&*points[1].labels, points[1].ts_ms), (&b"two"[..], 1_699_999_999_000));
    assert_eq!(Value::from_f64(points[1].value), Value::Stale);
}

#[test]
fn what_is_known_of_a_family_is_written_once_a_segment() {
    struct Kinds(Vec<(MetricKind, String, String)>);
    impl Visit for Kinds {
        type Series = ();
        fn define(&mut self, definition: Definition<'_>) {
            self.0.push((definition.kind, definition.help.into(), definition.unit.into()));
        }
        fn sample(&mut self, (): &(), _: i64, _: f64) {}
    }
    let mut encoder = Encoder::default();
    let counter = family("a_seconds_total", MetricKind::Counter);
    let mut decoder = Decoder::default();
    let mut sizes = Vec::new();
    for (segment, number) in [(0, 1), (0, 2), (1, 1)] {
        encoder.begin(segment);
        encoder.define(number, counter, b"one");
        encoder.sample(number, 0, 0.0);
        let (record, mut kinds) = (encoder.finish(), Kinds(vec![]));
        decoder.read(segment, &record, &mut kinds).unwrap();
        assert_eq!(kinds.0, [(MetricKind::Counter, "Help.".into(), "seconds".into())]);
        sizes.push(record.len());
    }
    assert!(sizes[1] < sizes[0] && sizes[2] == sizes[0], "{sizes:?}");
}

#[test]
fn definitions_hold_within_their_segment_only() {
    let mut decoder = Decoder::default();
    read(&mut decoder, 0, &record()).unwrap();
    let mut encoder = Encoder::default();
    encoder.begin(0);
    encoder.sample(1, 5, 2.0);
    let later = encoder.finish();
    assert_eq!(read(&mut decoder, 0, &later).unwrap().len(), 1);
    assert_eq!(read(&mut decoder, 1, &later), Err(DecodeError::Undefined(1)));
}

#[test]
fn a_cut_record_is_an_error_and_no_panic() {
    let record = record();
    for len in 0..record.len() {
        assert_eq!(read(&mut Decoder::default(), 0, &record[..len]), Err(DecodeError::Short), "{len}");
    }
    assert_eq!(read(&mut Decoder::default(), 0, b"\x09"), Err(DecodeError::Version(9)));
}
