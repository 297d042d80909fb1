//! A table beside the parser: whatever way a series is found, it is the same series.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

/// What a scrape sees of a page: each sample's series by its number, value, time, and whether it came before.
type Seen = Vec<(u32, u64, Option<i64>, bool)>;

#[derive(Default)]
struct Target {
    table: Table<u32>,
    /// The numbers of the labels.
    numbers: HashMap<Vec<(String, String)>, u32>,
    fast: usize,
}

impl Target {
    /// Reads a page with the table; what is seen, and what is gone.
    fn scrape(&mut self, page: &[u8], format: Format) -> (Seen, HashSet<u32>) {
        let mut parser = Parser::new(page, format, Options::default());
        self.table.begin();
        let mut seen = Seen::new();
        loop {
            if let Some(known) = parser.known(&mut self.table) {
                self.fast += 1;
                seen.push((known.of, known.value.to_bits(), known.ts_ms, known.again));
                continue;
            }
            match parser.next() {
                Some(Ok(Entry::Sample(sample))) => {
                    let (number, again) = match self.table.find(&sample.series) {
                        Found::Known { of, again } => (of, again),
                        Found::New(key) => {
                            let number = self.number(&sample.series);
                            self.table.insert(key, number);
                            (number, false)
                        }
                    };
                    seen.push((number, sample.value.to_bits(), sample.ts_ms, again));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
        let unseen: HashSet<u32> = self.table.unseen().collect();
        let mut gone = HashSet::new();
        self.table.sweep(|number| assert!(gone.insert(number)));
        assert_eq!(unseen, gone);
        (seen, gone)
    }

    fn number(&mut self, series: &Series<'_>) -> u32 {
        let labels = series.labels().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let next = self.numbers.len() as u32;
        *self.numbers.entry(labels).or_insert(next)
    }

    /// The same without a table.
    fn plainly(&mut self, page: &[u8], format: Format) -> Seen {
        let (mut seen, mut before) = (Seen::new(), HashSet::new());
        for entry in Parser::new(page, format, Options::default()) {
            if let Ok(Entry::Sample(sample)) = entry {
                let Form::Text(series) = &sample.series.0 else { unreachable!() };
                let again = !before.insert(series.bytes.to_vec());
                seen.push((self.number(&sample.series), sample.value.to_bits(), sample.ts_ms, again));
            }
        }
        seen
    }
}

#[test]
fn a_series_that_stays_is_known() {
    let mut target = Target::default();
    let page = |value: f64| format!("# TYPE a gauge\na {value}\nb{{c=\"d\"}} {value} 5\ne {value}\n");
    for (value, fast) in [(1.0, 0), (2.5, 3), (0.1 + 0.2, 6), (f64::NAN, 9), (f64::NEG_INFINITY, 12)] {
        let page = page(value);
        let page = page.replace("inf", "Inf");
        let (seen, gone) = target.scrape(page.as_bytes(), Format::Text);
        let times: Vec<_> = seen.iter().map(|(number, _, ts, again)| (*number, *ts, *again)).collect();
        assert_eq!(times, [(0, None, false), (1, Some(5), false), (2, None, false)]);
        assert!(
            gone.is_empty() && seen.iter().all(|(_, bits, ..)| value.is_nan() || *bits == value.to_bits())
        );
        assert_eq!(target.fast, fast);
    }
}

#[test]
fn a_series_is_not_taken_for_another_that_begins_alike() {
    let mut target = Target::default();
    for (page, expected) in [
        ("up 1\n", vec![(0, 1.0)]),
        ("up2 5\n", vec![(1, 5.0)]),
        ("up 1\n", vec![(0, 1.0)]),
        ("up {a=\"b\"} 5\n", vec![(2, 5.0)]),
        ("up 1\n", vec![(0, 1.0)]),
        ("up-5\n", vec![(0, -5.0)]),
        ("up 1\n", vec![(0, 1.0)]),
        ("up 1 2 3\n", vec![]),
        ("up 1\n", vec![(0, 1.0)]),
        ("up 1x\n", vec![]),
    ] {
        let (seen, _) = target.scrape(page.as_bytes(), Format::Text);
        let seen: Vec<_> =
            seen.into_iter().map(|(number, bits, ..)| (number, f64::from_bits(bits))).collect();
        assert_eq!(seen, expected, "{page:?}");
    }
}

#[test]
fn what_is_gone_is_said_once() {
    let mut target = Target::default();
    assert_eq!(target.scrape(b"a 1\nb 1\nc 1\n", Format::Text).1, HashSet::new());
    assert_eq!(target.scrape(b"a 1\nc 1\n", Format::Text).1, HashSet::from([1]));
    assert_eq!(
        (target.scrape(b"d 1\nc 1\nd 2\n", Format::Text).1, target.table.len()),
        (HashSet::from([0]), 2)
    );
    assert_eq!(target.scrape(b"", Format::Text).1, HashSet::from([2, 3]));
    assert!(target.table.is_empty() && target.table.memory() == 0);
}

#[test]
fn a_page_s_number_may_come_again() {
    let mut table = Table::new();
    let mut parser = Parser::new(b"a 1\n", Format::Text, Options::default());
    let Some(Ok(Entry::Sample(sample))) = parser.next() else { panic!("no sample") };
    table.begin();
    let Found::New(key) = table.find(&sample.series) else { panic!("known") };
    table.insert(key, 1u32);
    for _ in 0..u32::from(u16::MAX) {
        table.begin();
    }
    assert_eq!(table.unseen().count(), 1);
    assert_eq!(table.find(&sample.series), Found::Known { of: 1, again: false });
    assert_eq!(table.find(&sample.series), Found::Known { of: 1, again: true });
}

#[test]
fn a_series_costs_little() {
    let lines: String = (0..30_000).map(|i| format!("http_requests_total{{code=\"{i}\"}} 1\n")).collect();
    let mut target = Target::default();
    target.scrape(lines.as_bytes(), Format::Text);
    let each = target.table.memory() as f64 / 30_000.0;
    assert!(each <= 64.0, "{each} bytes a series");
}

proptest! {
    #[test]
    fn a_table_changes_nothing(
        pages in prop::collection::vec(
            prop::collection::vec(("[a-c]{1,2}", prop::option::of("[x-z ]?=?\"[x-z}]?\""), "[0-9]{1,3}( [0-9])?| 1|x"), 0..12),
            1..8),
        openmetrics in any::<bool>(),
    ) {
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        let mut target = Target::default();
        let mut before = HashSet::new();
        for lines in pages {
            let page: String = lines.iter().map(|(name, labels, rest)| {
                let labels = labels.as_ref().map_or(String::new(), |labels| format!("{{{labels}}}"));
                format!("{name}{labels} {rest}\n")
            }).collect();
            let plain = target.plainly(page.as_bytes(), format);
            let (seen, gone) = target.scrape(page.as_bytes(), format);
            prop_assert_eq!(&seen, &plain, "{}", page);
            let now: HashSet<u32> = seen.iter().map(|(number, ..)| *number).collect();
            prop_assert_eq!(gone.len() >= before.difference(&now).count(), true);
            before = now;
        }
    }
}
