use taffrail_core::Histogram;
use taffrail_core::histogram::{CUSTOM, Counts};

use super::*;
use crate::page::{Format, Options, Parser};

/// What a page yields: names of series with their values, and of histograms with counts and bounds.
fn read(page: &str, format: Format, classic_too: bool) -> Vec<String> {
    let options = Options { convert_classic: true, classic_too, created: true, ..Options::default() };
    let told = |series: &Series<'_>| {
        let labels: Vec<_> = series.labels().map(|(name, value)| format!("{name}={value}")).collect();
        labels.join(",")
    };
    let entries = Parser::new(page.as_bytes(), format, options).filter_map(|entry| match entry.unwrap() {
        Entry::Sample(sample) => Some(format!("{} {}", told(&sample.series), sample.value)),
        Entry::Histogram(sample) => {
            assert_eq!((sample.histogram.schema, sample.histogram.validate()), (CUSTOM, Ok(())));
            let counts = match &sample.histogram.counts {
                Counts::Integer { count, positive, .. } => format!("{count} {positive:?}"),
                Counts::Float { count, positive, .. } => format!("{count} {positive:?}"),
            };
            let Histogram { sum, custom_values, .. } = &sample.histogram;
            let more = (sample.ts_ms, sample.created_ms, sample.exemplars.len());
            Some(format!("{} {counts} {custom_values:?} {sum} {more:?}", told(&sample.series)))
        }
        _ => None,
    });
    entries.collect()
}

const PAGE: &str = "# TYPE h histogram
h_bucket{a=\"b\",le=\"1\"} 1
h_bucket{a=\"b\",le=\"+Inf\"} 3 5
h_sum{a=\"b\"} 2.5 5
h_count{a=\"b\"} 3 5
h_bucket{le=\"1\"} 0.5
h_sum 1
h_other 4
# TYPE g gauge
g_bucket{le=\"1\"} 7
";

#[test]
fn the_series_of_a_histogram_become_one() {
    let expected = [
        "__name__=h,a=b 3 [1, 1] [1.0] 2.5 (Some(5), None, 0)",
        "__name__=h 0.5 [0.5] [1.0] 1 (None, None, 0)",
        "__name__=h_other 4",
        "__name__=g_bucket,le=1 7",
    ];
    assert_eq!(read(PAGE, Format::Text, false), expected);
    let both = read(PAGE, Format::Text, true);
    assert_eq!((both.len(), &*both[0], &*both[4]), (10, "__name__=h_bucket,a=b,le=1.0 1", expected[0]));
}

#[test]
fn the_last_one_of_a_page_is_not_forgotten() {
    let page = "# TYPE h histogram\nh_count 0\nh_sum 0";
    assert_eq!(read(page, Format::Text, false), ["__name__=h 0 [] [] 0 (None, None, 0)"]);
    let page = concat!(
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2 # {a=\"b\"} 1 5\nh_bucket{le=\"1\"} 2 # {a=\"b\"} 1\n",
        "h_count 2\nh_sum 2\nh_created 7.5\n# EOF\n"
    );
    // The series that says when it began is one of its own.
    let expected = ["__name__=h 2 [2] [1.0] 2 (None, Some(7500), 1)", "__name__=h_created 7.5"];
    assert_eq!(read(page, Format::OpenMetrics, false), expected);
}

#[test]
fn what_makes_no_histogram_is_left_out() {
    for page in [
        "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\nh_count 2\n",
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 3\n",
    ] {
        assert_eq!(read(page, Format::Text, false), Vec::<String>::new(), "{page}");
        let options = Options { convert_classic: true, ..Options::default() };
        let mut parser = Parser::new(page.as_bytes(), Format::Text, options);
        assert_eq!((parser.by_ref().count(), parser.histograms_left_out()), (1, 1));
    }
    let page = "# TYPE h histogram\nh_bucket 2\nh_bucket{le=\"x\"} 1\n";
    assert_eq!(read(page, Format::Text, false), ["__name__=h_bucket 2", "__name__=h_bucket,le=x 1"]);
}

#[test]
fn a_page_that_is_cut_short_has_no_half_histogram() {
    let options = Options { convert_classic: true, ..Options::default() };
    for end in 1..PAGE.len() {
        let entries: Vec<_> = Parser::new(&PAGE.as_bytes()[..end], Format::OpenMetrics, options).collect();
        assert!(entries.last().unwrap().is_err());
        let last = entries.len() - 1;
        assert!(entries[..last].iter().all(Result::is_ok));
    }
}
