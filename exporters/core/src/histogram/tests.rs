use super::classic::{Classic, ClassicError};
use super::*;

fn spans(pairs: &[(i32, u32)]) -> Vec<Span> {
    pairs.iter().map(|&(offset, length)| Span { offset, length }).collect()
}

/// An exponential histogram with buckets above zero only.
fn integer(schema: i32, layout: &[(i32, u32)], positive: &[i64]) -> Histogram {
    let mut bucket = 0;
    let count = positive.iter().map(|delta| {
        bucket = i64::wrapping_add(bucket, *delta);
        bucket.max(0) as u64
    });
    let counts = Counts::Integer {
        count: count.fold(0, u64::wrapping_add),
        zero: 0,
        positive: positive.to_vec(),
        negative: vec![],
    };
    Histogram { schema, positive_spans: spans(layout), counts, ..Histogram::default() }
}

fn float(schema: i32, layout: &[(i32, u32)], positive: &[f64]) -> Histogram {
    let counts = Counts::Float {
        count: positive.iter().sum(),
        zero: 0.0,
        positive: positive.to_vec(),
        negative: Vec::new(),
    };
    Histogram { schema, positive_spans: spans(layout), counts, ..Histogram::default() }
}

fn layout(histogram: &Histogram) -> (Vec<(i32, u32)>, Vec<f64>) {
    let spans = histogram.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
    let Counts::Float { positive, .. } = histogram.clone().to_float().unwrap().counts else { unreachable!() };
    (spans, positive)
}

#[test]
fn good_ones_pass() {
    for good in [
        Histogram::default(),
        Histogram::stale(),
        integer(3, &[(-5, 2), (3, 1)], &[1, 2, -1]),
        integer(-4, &[(0, 0)], &[]),
        float(8, &[(0, 2)], &[0.5, 0.25]),
        Histogram { custom_values: vec![1.0, 2.0], ..integer(CUSTOM, &[(0, 3)], &[1, 0, 0]) },
        Histogram { custom_values: vec![f64::NEG_INFINITY, 2.0], ..integer(CUSTOM, &[(1, 2)], &[1, 0]) },
        // The sum is NaN: an observation was NaN, and is in no bucket.
        Histogram {
            sum: f64::NAN,
            counts: Counts::Integer { count: 2, zero: 1, positive: vec![], negative: vec![] },
            ..Histogram::default()
        },
    ] {
        assert_eq!(good.validate(), Ok(()), "{good:?}");
    }
    assert!(Histogram::stale().is_stale() && !Histogram::default().is_stale());
}

#[test]
fn bad_ones_do_not() {
    use HistogramError as E;
    let zero = |zero| Counts::Integer { count: 1, zero, positive: vec![], negative: vec![] };
    let custom = |values: &[f64], layout: &[(i32, u32)], positive: &[i64]| Histogram {
        custom_values: values.to_vec(),
        ..integer(CUSTOM, layout, positive)
    };
    for (bad, error) in [
        (integer(9, &[], &[]), E::Schema(9)),
        (integer(-5, &[], &[]), E::Schema(-5)),
        (integer(0, &[(0, 2)], &[1]), E::Mismatch { spans: 2, buckets: 1 }),
        (integer(0, &[(0, u32::MAX), (0, u32::MAX)], &[1]), E::Mismatch { spans: 8_589_934_590, buckets: 1 }),
        (integer(0, &[(0, 1), (-1, 1)], &[1, 0]), E::Offset { span: 2, offset: -1 }),
        (integer(0, &[(0, 2)], &[1, -2]), E::Negative { bucket: 2, count: -1.0 }),
        (integer(0, &[(0, 3)], &[i64::MAX, 0, 0]), E::TooLarge),
        (
            Histogram {
                counts: Counts::Integer { count: 0, zero: 0, positive: vec![i64::MAX, 1], negative: vec![] },
                ..integer(0, &[(0, 2)], &[0, 0])
            },
            E::TooLarge,
        ),
        (Histogram { counts: zero(0), ..Histogram::default() }, E::Count { buckets: 0, count: 1 }),
        (Histogram { custom_values: vec![1.0], ..Histogram::default() }, E::ExponentialBounds),
        (float(0, &[(0, 1)], &[-0.5]), E::NegativeCount(-0.5)),
        (float(0, &[(0, 2)], &[-0.5, 1.0]), E::Negative { bucket: 1, count: -0.5 }),
        (custom(&[2.0, 1.0], &[], &[]), E::Bounds),
        (custom(&[f64::NAN], &[], &[]), E::Bounds),
        (custom(&[1.0, f64::INFINITY], &[], &[]), E::Bounds),
        (custom(&[1.0], &[(0, 3)], &[1, 0, 0]), E::FewBounds { have: 1, wanted: 3 }),
        (custom(&[1.0], &[(-1, 1)], &[1]), E::Offset { span: 1, offset: -1 }),
        (Histogram { zero_threshold: 0.1, ..custom(&[], &[], &[]) }, E::CustomParts),
        (Histogram { negative_spans: spans(&[(0, 0)]), ..custom(&[], &[], &[]) }, E::CustomParts),
    ] {
        assert_eq!(bad.validate(), Err(error), "{bad:?}");
    }
}

#[test]
fn empty_buckets_are_left_out() {
    for (given, buckets, most_empty, expected, left) in [
        (&[(-2, 2), (2, 2)][..], &[1.0, 0.0, 0.0, 5.0][..], 0, &[(-2, 1), (4, 1)][..], &[1.0, 5.0][..]),
        (&[(0, 1), (0, 1)], &[1.0, 2.0], 0, &[(0, 2)], &[1.0, 2.0]),
        (&[(0, 1), (0, 0), (3, 0), (1, 1)], &[1.0, 2.0], 0, &[(0, 1), (4, 1)], &[1.0, 2.0]),
        (&[(0, 1), (2, 1)], &[1.0, 2.0], 2, &[(0, 4)], &[1.0, 0.0, 0.0, 2.0]),
        (&[(0, 1), (3, 1)], &[1.0, 2.0], 2, &[(0, 1), (3, 1)], &[1.0, 2.0]),
        (&[(5, 2)], &[0.0, 0.0], 2, &[], &[]),
        (&[(1, 0)], &[], 0, &[], &[]),
    ] {
        let mut floats = float(0, given, buckets);
        floats.compact(most_empty).unwrap();
        assert_eq!(layout(&floats), (expected.to_vec(), left.to_vec()), "{given:?}");
        let mut before = 0;
        let deltas: Vec<i64> =
            buckets.iter().map(|b| *b as i64 - std::mem::replace(&mut before, *b as i64)).collect();
        let mut integers = integer(0, given, &deltas);
        integers.compact(most_empty).unwrap();
        assert_eq!(layout(&integers), (expected.to_vec(), left.to_vec()), "{given:?}");
    }
    let mut wrong = float(0, &[(0, 3)], &[1.0]);
    assert_eq!(wrong.compact(0), Err(HistogramError::Mismatch { spans: 3, buckets: 1 }));
}

#[test]
fn coarser_buckets_hold_the_same() {
    // The bounds of schema 0 are powers of 2, those of schema -1 powers of 4: bucket 1 is (1, 2], bucket 2 (2, 4].
    let mut histogram = integer(0, &[(-1, 5), (4, 1)], &[1, 1, 1, 1, 1, -4]);
    histogram.reduce(-1).unwrap();
    // From -1 and 0; 1 and 2; 3; 8 goes to 4.
    assert_eq!(layout(&histogram), (vec![(0, 3), (1, 1)], vec![3.0, 7.0, 5.0, 1.0]));
    assert_eq!((histogram.validate(), histogram.schema), (Ok(()), -1));
    let mut floats = float(2, &[(0, 1), (0, 1), (9, 1)], &[1.0, 2.0, 4.0]);
    floats.reduce(0).unwrap();
    assert_eq!(layout(&floats), (vec![(0, 2), (1, 1)], vec![1.0, 2.0, 4.0]));
    assert_eq!(histogram.reduce(-1), Err(HistogramError::Coarser(-1)));
    assert_eq!(integer(CUSTOM, &[], &[]).reduce(CUSTOM - 1), Err(HistogramError::Coarser(CUSTOM)));
    let mut extreme = integer(52, &[(i32::MIN, 1), (i32::MAX, 1)], &[1, 0]);
    extreme.reduce(-4).unwrap();
    assert_eq!(layout(&extreme), (vec![(0, 1)], vec![2.0]));
}

#[test]
fn too_many_buckets_are_merged() {
    let mut histogram = integer(2, &[(0, 16)], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    histogram.limit(FINEST, 5).unwrap();
    assert_eq!((histogram.schema, histogram.buckets()), (0, 5));
    histogram.limit(-1, 5).unwrap();
    assert_eq!(histogram.schema, -1);
    let error = HistogramError::TooManyBuckets { have: 2, most: 0 };
    assert_eq!(histogram.limit(FINEST, 0), Err(error));
    let mut custom = Histogram { custom_values: vec![1.0], ..integer(CUSTOM, &[(0, 2)], &[1, 0]) };
    assert_eq!(custom.limit(-4, 2), Ok(()));
    assert_eq!(custom.limit(-4, 1), Err(HistogramError::TooManyBuckets { have: 2, most: 1 }));
}

#[test]
fn the_factor_chooses_the_schema() {
    for (factor, schema) in
        [(0.0, 8), (1.0, 8), (1.002, 8), (1.1, 2), (2.0, 0), (4.0, -1), (65_536.0, -4), (1e300, -4)]
    {
        assert_eq!(schema_of_factor(factor), schema, "{factor}");
    }
    assert_eq!((schema_of_factor(f64::NAN), schema_of_factor(f64::INFINITY)), (8, -4));
}

fn classic(count: Option<f64>, buckets: &[(f64, f64)]) -> Result<Histogram, ClassicError> {
    let mut classic = Classic::default();
    classic.bucket(-1.0, 5.0);
    classic.clear();
    classic.sum(2.5);
    count.into_iter().for_each(|count| classic.count(count));
    buckets.iter().for_each(|(bound, count)| classic.bucket(*bound, *count));
    classic.convert()
}

#[test]
fn classic_ones_become_native() {
    let inf = f64::INFINITY;
    let native = classic(Some(10.0), &[(inf, 10.0), (1.0, 3.0), (2.0, 3.0), (5.0, 7.0), (1.0, 9.0)]).unwrap();
    assert_eq!(native.custom_values, [1.0, 2.0, 5.0]);
    assert_eq!((native.schema, native.sum), (CUSTOM, 2.5));
    let counts = Counts::Integer { count: 10, zero: 0, positive: vec![3, -3, 4, -1], negative: vec![] };
    assert_eq!((&native.counts, &native.positive_spans), (&counts, &spans(&[(0, 4)])));
    // Without a count, and without the last bucket.
    let native = classic(None, &[(1.0, 3.0)]).unwrap();
    assert_eq!(layout(&native), (vec![(0, 1)], vec![3.0]));
    let native = classic(Some(4.5), &[(1.0, 3.0), (inf, 4.5)]).unwrap();
    assert_eq!(layout(&native), (vec![(0, 2)], vec![3.0, 1.5]));
    assert!(matches!(native.counts, Counts::Float { .. }));
    assert_eq!(layout(&classic(None, &[]).unwrap()), (vec![], vec![]));
}

#[test]
fn classic_ones_that_contradict_themselves_do_not() {
    let inf = f64::INFINITY;
    for (count, buckets, error) in [
        (None, &[(f64::NAN, 1.0)][..], ClassicError::Bound),
        (None, &[(1.0, -1.0)], ClassicError::Bucket { bound: 1.0, count: -1.0 }),
        (Some(-1.0), &[], ClassicError::Count(-1.0)),
        (None, &[(1.0, 2.0), (2.0, 1.0)], ClassicError::NotCumulative { greater: 1.0, smaller: 2.0 }),
        (None, &[(2.0, 1.0), (1.0, 2.0)], ClassicError::NotCumulative { greater: 1.0, smaller: 2.0 }),
        (Some(3.0), &[(inf, 2.0)], ClassicError::Mismatch { count: 3.0, last: 2.0 }),
    ] {
        assert_eq!(classic(count, buckets), Err(error), "{buckets:?}");
    }
    assert!(matches!(classic(None, &[(1.0, f64::NAN)]), Err(ClassicError::Mismatch { .. })));
}
