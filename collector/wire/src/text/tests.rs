use proptest::prelude::*;

use super::*;

type Row = (Vec<(String, String)>, f64, Option<i64>);

/// All samples of a page with their labels, or the first error, wherever it is.
fn rows(page: &[u8], format: Format) -> Result<Vec<Row>, TextError> {
    let mut rows = Vec::new();
    let mut parser = parse(page, format);
    while let Some(item) = parser.next() {
        let Item::Sample(sample) = item? else { continue };
        let mut labels = Vec::new();
        for label in sample.series.labels() {
            let (name, value) = label.map_err(|what| TextError { line: parser.line(), what })?;
            labels.push((name.into_owned(), value.into_owned()));
        }
        rows.push((labels, sample.value, sample.ts_ms));
    }
    Ok(rows)
}

fn prometheus(page: &str) -> Result<Vec<Row>, TextError> {
    rows(page.as_bytes(), Format::Prometheus)
}

fn row(labels: &[(&str, &str)], value: f64, ts_ms: Option<i64>) -> Row {
    (labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(), value, ts_ms)
}

#[test]
fn samples_in_all_their_shapes() {
    let n = "__name__";
    for (line, expected) in [
        ("up 1", row(&[(n, "up")], 1.0, None)),
        ("up 1\n", row(&[(n, "up")], 1.0, None)),
        ("up 1\r\n", row(&[(n, "up")], 1.0, None)),
        ("\n \n\tup\t 1 \t\n\n", row(&[(n, "up")], 1.0, None)),
        ("up{} 1", row(&[(n, "up")], 1.0, None)),
        ("a:b_c 1e3 1700000000123", row(&[(n, "a:b_c")], 1000.0, Some(1_700_000_000_123))),
        ("up 1 -5\n", row(&[(n, "up")], 1.0, Some(-5))),
        ("up{job=\"node\"} +Inf", row(&[(n, "up"), ("job", "node")], f64::INFINITY, None)),
        ("up{job=\"node\"}1", row(&[(n, "up"), ("job", "node")], 1.0, None)),
        (
            "up { a = \"b\" , c=\"d\" , } -Inf 7",
            row(&[(n, "up"), ("a", "b"), ("c", "d")], f64::NEG_INFINITY, Some(7)),
        ),
        ("up{a=\"b\" c=\"d\"} 1", row(&[(n, "up"), ("a", "b"), ("c", "d")], 1.0, None)),
        ("up{a=\"\"} 1", row(&[(n, "up"), ("a", "")], 1.0, None)),
        (r#"up{a="\\ \" \n \t é"} 1"#, row(&[(n, "up"), ("a", "\\ \" \n \\t é")], 1.0, None)),
        (r#"up{a="\\"} 1"#, row(&[(n, "up"), ("a", "\\")], 1.0, None)),
        (r#"up{a="} 7"} 1"#, row(&[(n, "up"), ("a", "} 7")], 1.0, None)),
        (r#"up{a="{b=\"c\"}"} 1 5"#, row(&[(n, "up"), ("a", "{b=\"c\"}")], 1.0, Some(5))),
        ("up{a=\"x # {y\"} 1", row(&[(n, "up"), ("a", "x # {y")], 1.0, None)),
        ("up{a=\"two\nlines\"} 1\n", row(&[(n, "up"), ("a", "two\nlines")], 1.0, None)),
        ("up{a=\"two}\nlines\"} 1\n", row(&[(n, "up"), ("a", "two}\nlines")], 1.0, None)),
        (r#"{"my.metric"} 1"#, row(&[(n, "my.metric")], 1.0, None)),
        (r#"{"my.metric",a="b"} 1"#, row(&[(n, "my.metric"), ("a", "b")], 1.0, None)),
        (r#"{"a.b"="c","my \"m\""} 1"#, row(&[("a.b", "c"), (n, "my \"m\"")], 1.0, None)),
        (r#"up{"a.b"="c"} 1"#, row(&[(n, "up"), ("a.b", "c")], 1.0, None)),
    ] {
        assert_eq!(prometheus(line).as_deref(), Ok(&[expected][..]), "{line:?}");
    }
}

#[test]
fn every_nan_becomes_the_one_that_is_no_marker() {
    let rows = prometheus("a NaN\nb nan").unwrap();
    assert!(rows.iter().all(|(_, value, _)| value.to_bits() == NAN.to_bits()));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (page, line, what) in [
        ("up", 1, What::Value),
        ("ok 1\nup one", 2, What::Value),
        ("ok 1\n\nup 1 1.5", 3, What::Time),
        ("up 1 2 3", 1, What::More),
        ("up 0x10", 1, What::Value),
        ("up 1e400", 1, What::Value),
        ("up{a=\"b\" 1", 1, What::Brace),
        ("up{a=\"b} 1", 1, What::Quote),
        ("up{a=b} 1", 1, What::Quote),
        ("up{a} 1", 1, What::Equals),
        ("up{=\"b\"} 1", 1, What::LabelName),
        ("up{1a=\"b\"} 1", 1, What::LabelName),
        ("up{a=\"b\",,} 1", 1, What::LabelName),
        ("up{\"\"=\"b\"} 1", 1, What::LabelName),
        ("{a=\"b\"} 1", 1, What::NoName),
        ("{} 1", 1, What::NoName),
        ("up{\"down\"} 1", 1, What::TwoNames),
        ("{\"\"} 1", 1, What::TwoNames),
        ("1up 1", 1, What::Name),
        ("a-b 1", 1, What::Name),
        ("-b 1", 1, What::Name),
        ("ok 1\n# TYPE up thing", 2, What::Kind),
        ("# TYPE up", 1, What::Kind),
        ("# TYPE up gauge now", 1, What::More),
        ("# TYPE", 1, What::Name),
        ("# HELP 1up text", 1, What::Name),
        ("up{a=\"b\"} 1} 2", 1, What::Value),
    ] {
        assert_eq!(prometheus(page), Err(TextError { line, what }), "{page:?}");
    }
    for page in [&b"up{a=\"\xff\"} 1"[..], b"# HELP up \xff", b"{\"\xff\"} 1"] {
        assert_eq!(rows(page, Format::Prometheus), Err(TextError { line: 1, what: What::Utf8 }), "{page:?}");
    }
    let error = prometheus("ok 1\nup one").unwrap_err();
    assert_eq!(error.to_string(), "line 2: a value was expected: a number, NaN, +Inf or -Inf");
}

#[test]
fn after_an_error_the_page_ends() {
    let mut parser = parse(b"a 1\nb\nc 3\n", Format::Prometheus);
    assert!(parser.next().unwrap().is_ok());
    assert!(parser.next().unwrap().is_err());
    assert_eq!(parser.next(), None);
    assert_eq!(parser.line(), 2);
}

#[test]
fn families_are_announced() {
    let page = concat!(
        "# HELP a Text with \\\\ and \\n and \\\" and  blanks \n# TYPE a counter\na 1\n# a comment\n#TYPE a gauge\n#\n",
        "# TYPE b untyped \r\n# HELP b\n# HELP c \n#  \tTYPE\t \tc\thistogram\n# TYPE \"d.e\" summary\n# TYPEc counter\n# UNIT a s\n# EOF\n"
    );
    let items: Vec<_> = parse(page.as_bytes(), Format::Prometheus)
        .map(Result::unwrap)
        .filter(|item| !matches!(item, Item::Sample(_)))
        .collect();
    assert_eq!(
        items,
        [
            Item::Help("a".into(), "Text with \\ and \n and \\\" and  blanks ".into()),
            Item::Type("a".into(), MetricKind::Counter),
            Item::Type("b".into(), MetricKind::Unknown),
            Item::Help("b".into(), "".into()),
            Item::Help("c".into(), "".into()),
            Item::Type("c".into(), MetricKind::Histogram),
            Item::Type("d.e".into(), MetricKind::Summary),
        ]
    );
}

#[test]
fn openmetrics() {
    let page = concat!(
        "# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a says \\\"it\\\"\n",
        "a_total 1 1700000000.5\n",
        "b_bucket{le=\"+Inf\"} 3 # {trace_id=\"x}y\"} 0.67 1700000000.1\n",
        "b_bucket{le=\"1\",x=\"# {\"} 3 5 # {} 0.67\n",
        "# EOF\n"
    );
    let items: Vec<_> = parse(page.as_bytes(), Format::OpenMetrics).map(Result::unwrap).take(3).collect();
    assert_eq!(items[1], Item::Unit("a_seconds".into(), "seconds".into()));
    assert_eq!(items[2], Item::Help("a".into(), "says \"it\"".into()));
    assert_eq!(
        rows(page.as_bytes(), Format::OpenMetrics).unwrap(),
        [
            row(&[("__name__", "a_total")], 1.0, Some(1_700_000_000_500)),
            row(&[("__name__", "b_bucket"), ("le", "+Inf")], 3.0, None),
            row(&[("__name__", "b_bucket"), ("le", "1"), ("x", "# {")], 3.0, Some(5000)),
        ]
    );
}

#[test]
fn an_openmetrics_page_has_an_end() {
    for (page, error) in [
        ("a 1\n# EOF", None),
        ("a 1\n# EOF\n\n", None),
        ("a 1\n", Some((2, What::NoEof))),
        ("", Some((1, What::NoEof))),
        ("a 1\n# EOF\nb 2\n", Some((3, What::BehindEof))),
        ("a 1 nan\n# EOF", Some((1, What::Time))),
        ("a{b=\"x\ny\"} 1\n# EOF\n", Some((1, What::Quote))),
    ] {
        let error = error.map(|(line, what)| TextError { line, what });
        assert_eq!(rows(page.as_bytes(), Format::OpenMetrics).err(), error, "{page:?}");
    }
}

#[test]
fn the_content_type_says_which_format() {
    for (header, format) in [
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
        ("Application/OpenMetrics-Text", Format::OpenMetrics),
        ("text/plain; version=0.0.4", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(Format::of_content_type(header), format);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        series in prop::collection::vec(
            ("[a-z_:][a-z0-9_:]{0,9}", prop::collection::vec(("[a-z_][a-z0-9_]{0,5}", "(?s).{0,12}"), 0..5),
             any::<f64>(), prop::option::of(-1_000_000_000_000..2_000_000_000_000i64)), 0..20),
        openmetrics in any::<bool>(),
    ) {
        let (mut page, mut expected) = (String::new(), Vec::new());
        for (name, labels, value, ts) in series {
            page.push_str(&name);
            if !labels.is_empty() {
                let pairs: Vec<_> = labels.iter().map(|(n, v)| format!("{n}=\"{}\"", escaped(v))).collect();
                page.push_str(&format!("{{{}}}", pairs.join(",")));
            }
            page.push_str(&format!(" {value:?}"));
            // Whole seconds, so that OpenMetrics' decimal seconds are exact.
            let ts = ts.map(|ts| ts / 1000);
            if let Some(ts) = ts {
                page.push_str(&format!(" {}", if openmetrics { ts } else { ts * 1000 }));
            }
            page.push('\n');
            let mut all = vec![("__name__".to_owned(), name)];
            all.extend(labels);
            expected.push((all, value.to_bits(), ts.map(|ts| ts * 1000)));
        }
        let format = if openmetrics { page.push_str("# EOF\n"); Format::OpenMetrics } else { Format::Prometheus };
        let got = rows(page.as_bytes(), format).unwrap();
        let got: Vec<_> = got.into_iter().map(|(l, v, ts)| (l, v.to_bits(), ts)).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn any_page_is_read_or_refused(page in r#"(?s)([a-z]{1,2}|[{}"=,\\ \n#0-9.]|# (TYPE|HELP|UNIT|EOF) ?|.){0,60}"#) {
        let _ = rows(page.as_bytes(), Format::Prometheus);
        let _ = rows(page.as_bytes(), Format::OpenMetrics);
    }
}
