use super::*;

/// The faults of a page, with their lines.
fn faults(page: &str, format: Format) -> Vec<(usize, Fault)> {
    let report = check(page.as_bytes(), format);
    assert_eq!(report.error, None, "{page}");
    let warnings = report.warnings.into_iter().map(|warning| match warning.place {
        Place::Line { line, .. } => (line, warning.fault),
        Place::Byte(byte) => (byte, warning.fault),
    });
    warnings.collect()
}

const GOOD: &str = "# HELP h Text.
# TYPE h histogram
h_bucket{a=\"b\",le=\"1\"} 1
h_bucket{a=\"b\",le=\"+Inf\"} 3
h_sum{a=\"b\"} -2.5
h_count{a=\"b\"} 3
h_bucket{a=\"\\\\\\\"\\n\",le=\"+Inf\"} 3
h_sum{a=\"\\\\\\\"\\n\"} -2.5
h_count{a=\"\\\\\\\"\\n\"} 3
# TYPE s summary
s{quantile=\"0.5\"} NaN
s_sum 1
s_count 1
# TYPE c_total counter
c_total 0 1
c_total 1 2
# TYPE g gauge
g -1
untyped NaN
";

#[test]
fn good_pages_have_no_faults() {
    assert_eq!(check(GOOD.as_bytes(), Format::Text), Report::default());
    let strict = "# TYPE c counter\nc_total{a=\"b\"} 1 # {x=\"y\"} 1\nc_created{a=\"b\"} 1\n# TYPE i info\ni_info 1\n# TYPE s stateset\ns{s=\"a\"} 1\ns{s=\"b\"} 0\n# EOF\n";
    assert_eq!(check(strict.as_bytes(), Format::OpenMetrics), Report::default());
    assert_eq!(check(b"", Format::Text), Report::default());
}

#[test]
fn every_fault_is_found() {
    let text = [
        ("# TYPE a gauge\n# TYPE a counter\na 1\n", 2, Fault::TypeTwice { family: "a".into() }),
        ("# HELP a x\n# HELP a y\na 1\n", 2, Fault::HelpTwice { family: "a".into() }),
        ("a 1\n# TYPE a gauge\n", 2, Fault::TypeLate { family: "a".into() }),
        ("a{b=\"1\"} 1\nc 1\na{b=\"2\"} 1\n", 3, Fault::Apart { family: "a".into() }),
        ("a 1\na 2\n", 2, Fault::SeriesTwice { name: "a".into() }),
        ("a 1 5\na 2 5\n", 2, Fault::SeriesTwice { name: "a".into() }),
        ("a 1 5\na 2 4\n", 2, Fault::TimeBack { name: "a".into() }),
        (
            "# TYPE h histogram\nh 1\n",
            2,
            Fault::Ending { name: "h".into(), kind: "histogram", endings: "_bucket, _count or _sum" },
        ),
        ("# TYPE a counter\na -1\n", 2, Fault::NegativeCounter { name: "a".into(), value: -1.0 }),
        ("# TYPE s summary\ns 1\n", 2, Fault::NoNumber { name: "s".into(), label: "quantile" }),
        ("# TYPE s summary\ns{quantile=\"9\"} 1\n", 2, Fault::Quantile { name: "s".into(), quantile: 9.0 }),
        (
            "# TYPE h histogram\nh_bucket{le=\"x\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
            2,
            Fault::NoNumber { name: "h_bucket".into(), label: "le" },
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_bucket{le=\"1\"} 1\n",
            3,
            Fault::BoundsFall { name: "h".into() },
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\n",
            3,
            Fault::NotCumulative { name: "h".into() },
        ),
        ("# TYPE h histogram\nh_bucket{le=\"1\"} 2\nx 1\n", 3, Fault::NoInf { name: "h".into() }),
        ("# TYPE h histogram\nh_count 2\n", 2, Fault::NoInf { name: "h".into() }),
        (
            "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 3\n",
            3,
            Fault::CountDiffers { name: "h".into(), inf: 2.0, count: 3.0 },
        ),
        ("a{__b=\"c\"} 1\n", 1, Fault::Reserved { label: "__b".into() }),
        ("a{b=\"c\"}1\n", 1, Fault::NoBlank),
        ("a-1\n", 1, Fault::NoBlank),
        (" a 1\n", 1, Fault::Indented),
        ("a{b=\"c\" d=\"e\"} 1\n", 1, Fault::NoComma),
        ("a{b=\"c\nd\"} 1\n", 1, Fault::LineEnd),
        ("a{b=\"c\\td\"} 1\n", 1, Fault::Escape),
        ("# HELP a-b c\n", 1, Fault::HelpName),
        ("a 1\n\0b 1\n", 1, Fault::Zero),
        ("a 1", 1, Fault::NoLineEnd),
    ];
    for (page, line, fault) in text {
        assert_eq!(faults(page, Format::Text), [(line, fault)], "{page:?}");
    }
    let strict = [
        ("# TYPE a counter\na 1\n", 2, Fault::CounterName { name: "a".into() }),
        ("# TYPE a info\na_info 2\n", 2, Fault::State { name: "a_info".into(), value: 2.0 }),
        ("# TYPE a stateset\na{a=\"x\"} 2\n", 2, Fault::State { name: "a".into(), value: 2.0 }),
        ("a 1 # {b=\"c\"} 1\n", 1, Fault::ExemplarPlace { name: "a".into() }),
    ];
    for (page, line, fault) in strict {
        assert_eq!(faults(&format!("{page}# EOF\n"), Format::OpenMetrics), [(line, fault)], "{page:?}");
    }
    let long = format!("a_total 1 # {{b=\"{}\"}} 1\n# EOF\n", "x".repeat(128));
    assert_eq!(faults(&long, Format::OpenMetrics), [(1, Fault::ExemplarLeftOut)]);
}

#[test]
fn a_refused_page_has_its_error_beside_the_warnings() {
    let report = check(b"a-1\nb one\n", Format::Text);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(report.error.unwrap().place, Place::Line { line: 2, column: 3 });
}

#[test]
fn warnings_are_few() {
    let page: String = (0..1000).map(|i| format!("a{i}-1\n b{i} 1\n")).collect();
    let report = check(page.as_bytes(), Format::Text);
    assert_eq!((report.warnings.len(), report.more), (6, 1994));
    let places: Vec<_> = report.warnings.iter().map(|warning| warning.place).collect();
    assert_eq!(places[5], Place::Line { line: 6, column: 2 });
    let name = "x".repeat(10_000);
    let report = check(format!("{name} 1\n{name} 1\n").as_bytes(), Format::Text);
    assert!(report.warnings[0].fault.to_string().len() < 250);
}
