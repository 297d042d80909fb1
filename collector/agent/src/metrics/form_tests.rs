use std::time::Duration;

use taffrail_core::{Clock, Out, metrics};
use taffrail_spool::{MemoryLog, MemoryOptions};

use super::*;
use crate::metrics::{Identity, Writer};

metrics! {
    /// A.
    FIRST: Gauge = "test_a" ["x"];
    /// B.
    SECOND: Counter = "test_b_total" ["x"];
}

/// Scopes that share families, each with what writes to it.
struct Bed {
    scopes: Vec<Arc<Scope>>,
    outs: Vec<Out>,
}

impl Bed {
    fn new() -> Self {
        let log = Arc::new(MemoryLog::new(MemoryOptions::default(), Clock::manual(0)));
        let writer = Arc::new(Writer::new(log));
        let identity = Identity::new("test", "here", &Default::default());
        let second = Duration::from_secs(1);
        let scope = || Scope::new("test", identity.clone(), second, writer.clone(), Arc::default());
        Bed {
            scopes: (0..2).map(|_| Arc::new(scope())).collect(),
            outs: vec![Out::default(), Out::default()],
        }
    }

    /// One run of scope `at`, with the same value for both families of each `x`.
    fn run(&mut self, at: usize, ts_ms: i64, series: &[(&str, f64)]) {
        let out = &mut self.outs[at];
        out.begin(ts_ms);
        for (x, value) in series {
            out.put(&SECOND, [x], *value);
            out.put(&FIRST, [x], *value);
        }
        self.scopes[at].accept(&out.finish(), ts_ms);
    }

    /// The page from a form that is kept, which has to be the one from a form that is new.
    fn page(&self, kept: &mut Form, format: Format, now_ms: i64) -> String {
        let page = String::from_utf8(kept.fill(&self.scopes, format, now_ms)).unwrap();
        let new = String::from_utf8(Form::default().fill(&self.scopes, format, now_ms)).unwrap();
        assert_eq!(page, new, "the form is out of date");
        page
    }
}

#[test]
fn families_are_together_in_order_and_values_are_the_last() {
    let mut bed = Bed::new();
    let mut form = Form::default();
    assert_eq!(bed.page(&mut form, Format::Prometheus, 1), "");
    bed.run(0, 1000, &[("p", 1.0), ("q\"", 2.5)]);
    bed.run(1, 1000, &[("r", 3.0)]);
    let page = bed.page(&mut form, Format::Prometheus, 1100);
    assert_eq!(
        page,
        "# HELP test_a A.\n# TYPE test_a gauge\n\
         test_a{x=\"p\"} 1\ntest_a{x=\"q\\\"\"} 2.5\ntest_a{x=\"r\"} 3\n\
         # HELP test_b_total B.\n# TYPE test_b_total counter\n\
         test_b_total{x=\"p\"} 1\ntest_b_total{x=\"q\\\"\"} 2.5\ntest_b_total{x=\"r\"} 3\n"
    );
    bed.run(0, 2000, &[("p", 7.0), ("q\"", 2.5)]);
    let later = bed.page(&mut form, Format::Prometheus, 2100);
    assert_eq!(later, page.replace("\"p\"} 1", "\"p\"} 7"));
}

#[test]
fn series_that_come_go_and_come_back_are_followed() {
    let mut bed = Bed::new();
    let mut form = Form::default();
    let has = |page: &str, x: &str| page.contains(&format!("{{x=\"{x}\"}}"));
    bed.run(0, 1000, &[("p", 1.0), ("q", 2.0)]);
    bed.run(1, 1000, &[("r", 3.0)]);
    bed.page(&mut form, Format::OpenMetrics, 1000);
    bed.run(0, 2000, &[("q", 2.0)]);
    let page = bed.page(&mut form, Format::OpenMetrics, 2000);
    assert!(!has(&page, "p") && has(&page, "q") && has(&page, "r") && page.ends_with("# EOF\n"));
    // Another takes the place of the one that went.
    bed.run(0, 3000, &[("s", 4.0), ("q", 2.0)]);
    let page = bed.page(&mut form, Format::OpenMetrics, 3000);
    assert!(has(&page, "s") && !has(&page, "r"), "the second scope has not answered for two intervals");
    bed.run(1, 3500, &[("r", 5.0)]);
    let page = bed.page(&mut form, Format::OpenMetrics, 3600);
    assert!(page.contains("test_a{x=\"r\"} 5\n"), "{page}");
    // All ended, and none new.
    bed.scopes[0].end(3700);
    let page = bed.page(&mut form, Format::OpenMetrics, 3700);
    assert!(!has(&page, "q") && has(&page, "r"), "{page}");
}
