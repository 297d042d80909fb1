//! Families are whole and together, whatever the targets call them, in both formats.

use std::sync::Arc;

use super::super::shown::Family;
use super::*;

fn family(name: &str, kind: MetricKind) -> Arc<Family> {
    Arc::new(Family { name: name.into(), kind, help: "Says \"a\".".into(), unit: "".into() })
}

fn line(family: &Arc<Family>, name: &str, labels: &str, value: f64) -> Line {
    Line::new(family.clone(), name, &format!("{name}{labels}"), value)
}

fn page(format: Format, lines: &[Line]) -> String {
    let mut page = Page::new(format, true);
    lines.iter().for_each(|line| page.add(line));
    String::from_utf8(page.finish()).unwrap()
}

#[test]
fn a_counter_is_one_family_from_pages_of_both_formats() {
    let (text, open) = (family("a_total", MetricKind::Counter), family("a", MetricKind::Counter));
    let mut with_exemplar = line(&open, "a_total", "{i=\"2\"}", 2.0);
    with_exemplar.exemplar = Some("{id=\"x\"} 1 5.000".into());
    let mut timed = line(&text, "a_total", "{i=\"1\"}", 1.0);
    timed.ts_ms = Some(1500);
    let lines = [timed, with_exemplar, line(&open, "a_created", "{i=\"2\"}", 7.0)];
    assert_eq!(
        page(Format::Prometheus, &lines),
        "# TYPE a_created gauge\na_created{i=\"2\"} 7\n\
         # HELP a_total Says \"a\".\n# TYPE a_total counter\na_total{i=\"1\"} 1 1500\na_total{i=\"2\"} 2\n"
    );
    assert_eq!(
        page(Format::OpenMetrics, &lines),
        "# HELP a Says \\\"a\\\".\n# TYPE a counter\na_total{i=\"1\"} 1 1.500\n\
         a_total{i=\"2\"} 2 # {id=\"x\"} 1 5.000\na_created{i=\"2\"} 7\n# EOF\n"
    );
}

#[test]
fn histograms_of_several_targets_stand_together() {
    let (one, other) = (family("h", MetricKind::Histogram), family("h", MetricKind::Histogram));
    let gauge = family("g", MetricKind::Gauge);
    let of = |family: &Arc<Family>, target: &str| {
        ["_bucket", "_sum", "_count"].map(|part| line(family, &format!("h{part}"), target, 1.0))
    };
    let mut lines = Vec::from(of(&one, "{t=\"1\"}"));
    lines.push(line(&gauge, "g", "", 5.0));
    lines.extend(of(&other, "{t=\"2\"}"));
    let text = page(Format::OpenMetrics, &lines);
    assert_eq!(text.matches("# TYPE h histogram").count(), 1);
    let begin = text.find("# TYPE h histogram").unwrap();
    assert_eq!(text[begin..].lines().filter(|line| line.starts_with("h_")).count(), 6, "{text}");
}

#[test]
fn what_contradicts_the_type_stands_alone() {
    let lines = [
        line(&family("x", MetricKind::Gauge), "x", "{t=\"1\"}", 1.0),
        line(&family("x", MetricKind::Counter), "x_total", "{t=\"2\"}", 2.0),
        line(&family("x", MetricKind::Summary), "x_sum", "{t=\"3\"}", 3.0),
        line(&family("old", MetricKind::Counter), "renamed", "", 4.0),
        line(&family("plain", MetricKind::Counter), "plain", "", 5.0),
    ];
    let kinds = |text: String| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect()
    };
    let open = kinds(page(Format::OpenMetrics, &lines));
    assert_eq!(open, ["plain unknown", "renamed unknown", "x gauge", "x_sum unknown", "x_total unknown"]);
    let text = kinds(page(Format::Prometheus, &lines));
    assert_eq!(text, ["plain counter", "renamed untyped", "x gauge", "x_sum untyped", "x_total counter"]);
}

#[test]
fn names_of_any_characters_are_told_as_the_reader_understands() {
    let mut utf8 = line(&family("a.b", MetricKind::Gauge), "a.b", "", 1.0);
    (utf8.head, utf8.plain) = ("{\"a.b\"}".into(), Some("a_b".into()));
    let render = |understood| {
        let mut page = Page::new(Format::Prometheus, understood);
        page.add(&utf8);
        String::from_utf8(page.finish()).unwrap()
    };
    assert!(render(true).ends_with("# TYPE \"a.b\" gauge\n{\"a.b\"} 1\n"));
    assert!(render(false).ends_with("# TYPE a_b gauge\na_b 1\n"));
}
