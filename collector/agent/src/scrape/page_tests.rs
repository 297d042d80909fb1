//! What is taken of a page besides numbers.

use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_spool::{Cursor, Log, MemoryLog, MemoryOptions, Start};
use taffrail_wire::page::Protocol;
use taffrail_wire::relabel::{Names, Rule, Written};

use super::super::job::tests::job;
use super::*;
use crate::metrics::record::{Decoder, starts};

/// A target whose pages are read, and what reads the log behind it.
struct Bed {
    job: Job,
    target: Target,
    writer: Writer,
    cursor: Cursor,
    decoder: Decoder<taffrail_spool::SegmentId>,
    series: Series,
    now_ms: i64,
}

impl Bed {
    fn new() -> Self {
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(MemoryOptions::default(), Clock::manual(0)));
        let cursor = log.cursor("test", Start::Oldest).unwrap();
        let second = Duration::from_secs(1);
        let labels = [("job", "app")].into_iter().collect();
        let target = Target { labels, url: String::new(), interval: second, timeout: second };
        let (writer, decoder) = (Writer::new(log), Decoder::default());
        Bed { job: job("app"), target, writer, cursor, decoder, series: Series::default(), now_ms: 0 }
    }

    /// Takes a page, and says which series it told the start of.
    fn page(&mut self, page: &[u8], format: Format) -> (Read, Vec<(String, i64)>) {
        self.now_ms += 1000;
        let now_ms = self.now_ms;
        let reader = Reader { job: &self.job, target: &self.target, writer: &self.writer, now_ms };
        let mut taken = Taken::default();
        let read = reader.read(page, format, &mut self.series, &mut taken);
        assert_eq!(read.error, None);
        self.series.accept(&taken, now_ms, &self.writer);
        let mut all = Vec::new();
        for record in self.cursor.try_peek(1 << 20).unwrap().records {
            all.extend(starts(&mut self.decoder, record.segment, &record.bytes));
        }
        (read, all)
    }

    fn counter(&mut self, created: &str) -> Vec<(String, i64)> {
        let page = format!("# TYPE a counter\na_total 1\na_created {created}\n# TYPE b gauge\nb 1\n# EOF\n");
        self.page(page.as_bytes(), Format::OpenMetrics).1
    }
}

#[test]
fn a_start_is_told_when_it_is_another() {
    let mut bed = Bed::new();
    assert_eq!(bed.counter("100.5"), [("a_total".to_owned(), 100_500)]);
    assert_eq!(bed.counter("100.5"), [], "the segment has it");
    assert_eq!(bed.counter("200"), [("a_total".to_owned(), 200_000)]);
}

#[test]
fn a_start_is_seen_through_rules_that_drop_its_series() {
    let mut bed = Bed::new();
    let rule = Written {
        source_labels: Some(vec!["__name__".into()]),
        regex: Some(".*_created".into()),
        action: Some("drop".into()),
        ..Written::default()
    };
    bed.job.metric_relabel = vec![Rule::new(&rule, Names::Utf8).unwrap()];
    assert_eq!(bed.counter("100.5"), [("a_total".to_owned(), 100_500)]);
    assert_eq!(bed.counter("200"), [("a_total".to_owned(), 200_000)]);
}

#[test]
fn exemplars_and_histograms_that_are_left_out_are_counted() {
    let mut bed = Bed::new();
    let long = "x".repeat(130);
    let page = format!("# TYPE a counter\na_total 1 # {{id=\"{long}\"}} 1.0\n# EOF\n");
    assert_eq!(bed.page(page.as_bytes(), Format::OpenMetrics).0.exemplars_left_out, 1);
    bed.job.formats.convert_classic = true;
    let page = b"# TYPE h histogram\nh_bucket{le=\"1\"} 5\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nup 1\n";
    let (read, _) = bed.page(page, Protocol::PrometheusText0_0_4.format());
    assert_eq!((read.histograms_left_out, read.kept), (1, 1));
}
