use proptest::prelude::*;

use crate::page::{Entry, Format, NAN, Options, PageError, Parser, Place, Sample, What};
use crate::remote_write::MetricKind;

type Row = (Vec<(String, String)>, f64, Option<i64>);

fn entries(page: &[u8], format: Format, options: Options) -> Result<Vec<Entry<'_>>, PageError> {
    Parser::new(page, format, options).collect()
}

fn samples(page: &[u8], format: Format) -> Result<Vec<Sample<'_>>, PageError> {
    let options = Options { created: true, ..Options::default() };
    let samples = entries(page, format, options)?.into_iter().filter_map(|entry| match entry {
        Entry::Sample(sample) => Some(sample),
        _ => None,
    });
    Ok(samples.collect())
}

/// All samples of a page with their labels, or the first error.
fn rows(page: &[u8], format: Format) -> Result<Vec<Row>, PageError> {
    let rows = samples(page, format)?.into_iter().map(|sample| {
        let labels = sample.series.labels().map(|(name, value)| (name.into_owned(), value.into_owned()));
        (labels.collect(), sample.value, sample.ts_ms)
    });
    Ok(rows.collect())
}

fn row(labels: &[(&str, &str)], value: f64, ts_ms: Option<i64>) -> Row {
    (labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(), value, ts_ms)
}

fn error(page: &[u8], format: Format) -> Option<(usize, usize, What)> {
    match rows(page, format).err()? {
        PageError { place: Place::Line { line, column }, what } => Some((line, column, what)),
        other => panic!("{other}"),
    }
}

#[test]
fn samples_in_all_their_shapes() {
    let n = "__name__";
    for (line, expected) in [
        ("up 1", row(&[(n, "up")], 1.0, None)),
        ("up 1\n", row(&[(n, "up")], 1.0, None)),
        ("\n \n\tup\t 1 \t\n\n", row(&[(n, "up")], 1.0, None)),
        ("up{} 1", row(&[(n, "up")], 1.0, None)),
        ("a:b_c 1e3 1700000000123", row(&[(n, "a:b_c")], 1000.0, Some(1_700_000_000_123))),
        ("up 1 5 \n", row(&[(n, "up")], 1.0, Some(5))),
        ("up-1", row(&[(n, "up")], -1.0, None)),
        ("up{job=\"node\"} +Inf", row(&[(n, "up"), ("job", "node")], f64::INFINITY, None)),
        ("up{job=\"node\"}1", row(&[(n, "up"), ("job", "node")], 1.0, None)),
        (
            "up { a = \"b\" , c=\"d\" , } -Inf 7",
            row(&[(n, "up"), ("a", "b"), ("c", "d")], f64::NEG_INFINITY, Some(7)),
        ),
        ("up{a=\"b\" c=\"d\"} 1", row(&[(n, "up"), ("a", "b"), ("c", "d")], 1.0, None)),
        ("up{a=\"\",a=\"\"} 1", row(&[(n, "up"), ("a", ""), ("a", "")], 1.0, None)),
        ("up{a=\"\"} 1", row(&[(n, "up"), ("a", "")], 1.0, None)),
        (r#"up{a="\\ \" \n \t é"} 1"#, row(&[(n, "up"), ("a", "\\ \" \n \\t é")], 1.0, None)),
        (r#"up{a="\\"} 1"#, row(&[(n, "up"), ("a", "\\")], 1.0, None)),
        (r#"up{a="} 7"} 1"#, row(&[(n, "up"), ("a", "} 7")], 1.0, None)),
        (r#"up{a="{b=\"c\"}"} 1 5"#, row(&[(n, "up"), ("a", "{b=\"c\"}")], 1.0, Some(5))),
        ("up{a=\"x # {y\"} 1", row(&[(n, "up"), ("a", "x # {y")], 1.0, None)),
        ("up{a=\"two\nlines\"} 1\n", row(&[(n, "up"), ("a", "two\nlines")], 1.0, None)),
        ("up{a=\"two} 1\nlines\"} 1\n", row(&[(n, "up"), ("a", "two} 1\nlines")], 1.0, None)),
        (r#"{"my.metric"} 1"#, row(&[(n, "my.metric")], 1.0, None)),
        (r#"{"my.metric",a="b"} 1"#, row(&[(n, "my.metric"), ("a", "b")], 1.0, None)),
        (r#"{"a.b"="c","my \"m\""} 1"#, row(&[("a.b", "c"), (n, "my \"m\"")], 1.0, None)),
        (r#"up{"a.b"="c"} 1"#, row(&[(n, "up"), ("a.b", "c")], 1.0, None)),
        ("up 1\n\0 what follows is not read", row(&[(n, "up")], 1.0, None)),
    ] {
        assert_eq!(rows(line.as_bytes(), Format::Text).as_deref(), Ok(&[expected][..]), "{line:?}");
    }
}

#[test]
fn every_nan_becomes_the_one_that_is_no_marker() {
    let rows = rows(b"a NaN\nb nan", Format::Text).unwrap();
    assert!(rows.iter().all(|(_, value, _)| value.to_bits() == NAN.to_bits()));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (page, line, column, what) in [
        ("up", 1, 3, What::Value),
        ("ok 1\nup one", 2, 4, What::Value),
        ("ok 1\n\nup 1 1.5", 3, 6, What::Time),
        ("up 1 -5", 1, 6, What::Time),
        ("up 1 99999999999999999999", 1, 6, What::Time),
        ("up 1 2 3", 1, 8, What::More),
        ("up 1\r\n", 1, 5, What::CarriageReturn),
        ("up 1 2\r\n", 1, 7, What::CarriageReturn),
        ("up 1 \r\n", 1, 6, What::CarriageReturn),
        ("up 0x10", 1, 4, What::Value),
        ("up 1e400", 1, 4, What::Value),
        ("up{a=\"b\" 1", 1, 10, What::LabelName),
        ("up{a=\"b\"", 1, 9, What::Brace),
        ("up{a=\"b\"\n", 1, 9, What::Brace),
        ("up{a=\"b} 1", 1, 6, What::Quote),
        ("up{a=\"b\\\n\"} 1", 1, 6, What::Quote),
        ("up{a=b} 1", 1, 6, What::Quote),
        ("up{a} 1", 1, 5, What::Equals),
        ("up{=\"b\"} 1", 1, 4, What::LabelName),
        ("up{1a=\"b\"} 1", 1, 4, What::LabelName),
        ("up{a:b=\"c\"} 1", 1, 5, What::Equals),
        ("up{a=\"b\",,} 1", 1, 10, What::LabelName),
        ("up{\"\"=\"b\"} 1", 1, 4, What::LabelName),
        ("up{a=\"b\",c=\"d\",a=\"e\"} 1", 1, 21, What::LabelTwice("a".into())),
        ("up{__name__=\"b\"} 1", 1, 16, What::LabelTwice("__name__".into())),
        ("{a=\"b\"} 1", 1, 8, What::NoName),
        ("{} 1", 1, 3, What::NoName),
        ("up{\"down\"} 1", 1, 4, What::TwoNames),
        ("{\"\"} 1", 1, 2, What::TwoNames),
        ("1up 1", 1, 1, What::Name),
        ("a-b 1", 1, 2, What::Value),
        ("\r\n", 1, 1, What::Name),
        ("<html>", 1, 1, What::Name),
        ("# TYPE 1up gauge", 1, 8, What::Family),
        ("# HELP \"up text", 1, 8, What::Family),
        ("# TYPE \n", 1, 8, What::Family),
        ("# TYPE up gauge\r\n", 1, 16, What::CarriageReturn),
    ] {
        assert_eq!(error(page.as_bytes(), Format::Text), Some((line, column, what)), "{page:?}");
    }
    for page in [&b"up{a=\"\xff\"} 1"[..], b"# HELP up \xff", b"{\"\xff\"} 1", b"up{\"\xff\"=\"x\"} 1"] {
        let found = error(page, Format::Text).map(|(line, _, what)| (line, what));
        assert_eq!(found, Some((1, What::Utf8)), "{page:?}");
    }
    for page in ["# TYPE up thing", "# TYPE up", "# TYPE up gauge ", "# TYPE up  gauge", "# TYPE a-b gauge"] {
        assert!(matches!(error(page.as_bytes(), Format::Text), Some((1, _, What::Kind(_)))), "{page:?}");
    }
    let error = rows(b"ok 1\nup one", Format::Text).unwrap_err();
    let text = "line 2, column 4: a value was expected: a number, NaN, +Inf or -Inf";
    assert_eq!(error.to_string(), text);
}

#[test]
fn after_an_error_the_page_ends() {
    let mut parser = Parser::new(b"a 1\nb\nc 3\n", Format::Text, Options::default());
    assert!(parser.next().unwrap().is_ok());
    assert!(parser.next().unwrap().is_err());
    assert_eq!(parser.next(), None);
}

#[test]
fn a_label_set_of_any_size_is_read() {
    let labels: Vec<String> = (0..5000).map(|i| format!("l{i}=\"{i}\"")).collect();
    let page = format!("up{{{}}} 1\n", labels.join(","));
    assert_eq!(rows(page.as_bytes(), Format::Text).unwrap()[0].0.len(), 5001);
    let twice = format!("up{{{},l7=\"x\"}} 1\n", labels.join(","));
    assert!(matches!(error(twice.as_bytes(), Format::Text), Some((1, _, What::LabelTwice(_)))));
}

fn help<'a>(family: &'a str, text: &'a str) -> Entry<'a> {
    Entry::Help { family: family.into(), text: text.into() }
}

fn kind(family: &str, kind: MetricKind) -> Entry<'_> {
    Entry::Type { family: family.into(), kind }
}

#[test]
fn families_are_announced() {
    let page = concat!(
        "# HELP a Text with \\\\ and \\n and \\\" and  blanks \n# TYPE a counter\n# a comment\n#TYPE a gauge\n#\n",
        "# TYPE b untyped\n# HELP b\n# HELP c \n#  \tTYPE\t \tc\thistogram\n# TYPE \"d.e\" summary\n# TYPEc counter\n",
        "# UNIT a s\n# TYPE\n# HELP a-b c\n# EOF\n"
    );
    assert_eq!(
        entries(page.as_bytes(), Format::Text, Options::default()).unwrap(),
        [
            help("a", "Text with \\ and \n and \\\" and  blanks "),
            kind("a", MetricKind::Counter),
            Entry::Comment(b" a comment"),
            Entry::Comment(b"TYPE a gauge"),
            Entry::Comment(b""),
            kind("b", MetricKind::Unknown),
            help("b", ""),
            help("c", ""),
            kind("c", MetricKind::Histogram),
            kind("d.e", MetricKind::Summary),
            Entry::Comment(b" TYPEc counter"),
            Entry::Comment(b" UNIT a s"),
            Entry::Comment(b" TYPE"),
            help("a", "b c"),
            Entry::Comment(b" EOF"),
        ]
    );
}

#[test]
fn numbers_in_labels_have_one_form() {
    let page = concat!(
        "# TYPE h histogram\nh_bucket{le=\"5\"} 1\nh_bucket{le=\"1e6\",quantile=\"1\"} 1\nh_bucket{le=\"x\"} 1\n",
        "# TYPE s summary\ns{quantile=\"0.50\",le=\"5\"} 1\n# TYPE g gauge\ng{le=\"5\",quantile=\"1\"} 1\n",
    );
    let labels: Vec<_> = rows(page.as_bytes(), Format::Text)
        .unwrap()
        .into_iter()
        .map(|(mut labels, ..)| labels.split_off(1))
        .collect();
    let expected = [
        &[("le", "5.0")][..],
        &[("le", "1e+06"), ("quantile", "1")],
        &[("le", "x")],
        &[("quantile", "0.5"), ("le", "5")],
        &[("le", "5"), ("quantile", "1")],
    ];
    for (got, expected) in labels.iter().zip(expected) {
        assert_eq!(*got, row(expected, 0.0, None).0);
    }
}

#[test]
fn openmetrics() {
    let page = concat!(
        "# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a says \\\"it\\\"\n",
        "a_total 1 1700000000.5\n",
        "b_bucket{le=\"+Inf\"} 3 # {trace_id=\"x}y\\n\"} 0.67 1700000000.1\n",
        "b_bucket{le=\"1\",x=\"# {\",} 3 5 # {} 0.67\n",
        "# EOF\n"
    );
    let all = entries(page.as_bytes(), Format::OpenMetrics, Options::default()).unwrap();
    assert_eq!(all[1], Entry::Unit { family: "a_seconds".into(), unit: "seconds".into() });
    assert_eq!((&all[2], all.last()), (&help("a", "says \"it\""), Some(&Entry::Eof)));
    assert_eq!(
        rows(page.as_bytes(), Format::OpenMetrics).unwrap(),
        [
            row(&[("__name__", "a_total")], 1.0, Some(1_700_000_000_500)),
            row(&[("__name__", "b_bucket"), ("le", "+Inf")], 3.0, None),
            row(&[("__name__", "b_bucket"), ("le", "1"), ("x", "# {")], 3.0, Some(5000)),
        ]
    );
    let samples = samples(page.as_bytes(), Format::OpenMetrics).unwrap();
    let exemplar = samples[1].exemplar.as_ref().unwrap();
    assert_eq!((exemplar.value, exemplar.ts_ms), (0.67, Some(1_700_000_000_100)));
    assert_eq!(exemplar.labels, [("trace_id".into(), "x}y\n".into())]);
    assert_eq!(samples[2].exemplar.as_ref().map(|e| (e.labels.len(), e.ts_ms)), Some((0, None)));
}

#[test]
fn openmetrics_is_strict() {
    for (page, expected) in [
        ("a 1\n# EOF", None),
        ("a 1\n# EOF\n", None),
        ("# EOF\n", None),
        ("a 1\n# EOF\n\n", Some((3, 1, What::BehindEof))),
        ("a 1\n# EOFa", Some((2, 6, What::BehindEof))),
        ("a 1\n# EOF\nb 2\n", Some((3, 1, What::BehindEof))),
        ("a 1\n", Some((2, 1, What::NoEof))),
        ("a 1", Some((1, 4, What::NoEof))),
        ("", None),
        ("\n# EOF", Some((1, 1, What::Blank))),
        ("# a comment\n# EOF", Some((1, 1, What::Comment))),
        ("#  TYPE a gauge\n# EOF", Some((1, 1, What::Comment))),
        ("# HELP a\n# EOF", Some((1, 9, What::Family))),
        ("# HELP a \n# EOF", None),
        ("# UNIT a \n# EOF", None),
        ("# UNIT a_seconds second\n# EOF", Some((1, 18, What::Unit))),
        ("# UNIT seconds seconds\n# EOF", Some((1, 16, What::Unit))),
        (" a 1\n# EOF", Some((1, 1, What::Name))),
        ("a  1\n# EOF", Some((1, 3, What::Value))),
        ("a\t1\n# EOF", Some((1, 2, What::Value))),
        ("a 1 \n# EOF", Some((1, 5, What::Time))),
        ("a 1 nan\n# EOF", Some((1, 5, What::Time))),
        ("a 1 5 6\n# EOF", Some((1, 6, What::More))),
        ("a 1\r\n# EOF", Some((1, 4, What::CarriageReturn))),
        ("a {b=\"c\"} 1\n# EOF", Some((1, 3, What::Value))),
        ("a{ b=\"c\"} 1\n# EOF", Some((1, 3, What::LabelName))),
        ("a{b=\"c\" ,} 1\n# EOF", Some((1, 8, What::Comma))),
        ("a{b=\"c\"d=\"e\"} 1\n# EOF", Some((1, 8, What::Comma))),
        ("a{,} 1\n# EOF", Some((1, 3, What::LabelName))),
        ("a{b=\"x\ny\"} 1\n# EOF\n", Some((1, 5, What::Quote))),
        ("a 1 # {b=\"c\"}\n# EOF", Some((1, 14, What::Value))),
        ("a 1 # {\"b\"} 1\n# EOF", Some((1, 11, What::Equals))),
        ("a 1 # {b=\"c\"} 1 2 3\n# EOF", Some((1, 18, What::More))),
        ("a 1 # b\n# EOF", Some((1, 5, What::Time))),
    ] {
        assert_eq!(error(page.as_bytes(), Format::OpenMetrics), expected, "{page:?}");
    }
    let untyped = error(b"# TYPE a untyped\n# EOF", Format::OpenMetrics);
    assert!(matches!(untyped, Some((1, 10, What::Kind(_)))), "{untyped:?}");
}

#[test]
fn long_exemplars_are_left_out() {
    let page = |len| format!("a_total 1 # {{b=\"{}\"}} 1\n# EOF", "é".repeat(len));
    for (len, left_out) in [(127, 0), (128, 1)] {
        let page = page(len);
        let mut parser = Parser::new(page.as_bytes(), Format::OpenMetrics, Options::default());
        let Some(Ok(Entry::Sample(sample))) = parser.next() else { panic!("no sample") };
        assert_eq!((sample.exemplar.is_none(), parser.exemplars_left_out()), (left_out == 1, left_out));
    }
}

#[test]
fn series_know_when_they_began() {
    let page = concat!(
        "# TYPE a counter\na_total{b=\"c\"} 1\na_created{b=\"c\"} 1.5\na_total{b=\"d\"} 1\na_total{b=\"e\"} 1\n",
        "a_created{b=\"e\"} 2.5 7\n# TYPE h histogram\nh_bucket{x=\"y\",le=\"1\"} 1\nh_bucket{x=\"y\",le=\"+Inf\"} 1\n",
        "h_count{x=\"y\"} 1\nh_sum{x=\"y\"} 1\nh_created{x=\"y\"} 3.5\n# TYPE g gauge\ng 1\ng_created 1\n# EOF\n"
    );
    let created: Vec<_> = samples(page.as_bytes(), Format::OpenMetrics)
        .unwrap()
        .iter()
        .map(|sample| sample.created_ms)
        .collect();
    let (b, e, h) = (Some(1500), Some(2500), Some(3500));
    assert_eq!(created, [b, None, None, e, None, h, h, h, h, None, None, None]);
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        series in prop::collection::vec(
            ("[a-z_:][a-z0-9_:]{0,9}", prop::collection::btree_map("[a-z][a-z0-9_]{0,5}", "(?s).{0,12}", 0..5),
             any::<f64>(), prop::option::of(0..2_000_000_000_000i64)), 0..20),
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
        let format = if openmetrics { page.push_str("# EOF\n"); Format::OpenMetrics } else { Format::Text };
        let got = rows(page.as_bytes(), format).unwrap();
        let got: Vec<_> = got.into_iter().map(|(l, v, ts)| (l, v.to_bits(), ts)).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn any_page_is_read_or_refused(page in r#"(?s)([a-z]{1,2}|[{}"=,\\ \n#0-9.]|# (TYPE|HELP|UNIT|EOF) ?|.){0,60}"#) {
        let _ = rows(page.as_bytes(), Format::Text);
        let _ = rows(page.as_bytes(), Format::OpenMetrics);
    }
}
