//! The collector's own metrics: what the board shows, as series of the job `taffrail`.

mod page;
mod process;
mod scrape;
mod series;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use taffrail_core::{Clock, Exporter, Out, Subject, metrics};

pub use page::OwnPage;
pub use process::Process;

use crate::logs::Notes;
use crate::measures::{self, Measures};
use crate::metrics::Cardinality;
use crate::status::{Board, Snapshot, SubjectStatus};

metrics! {
    /// The collector's version; the value is 1.
    pub BUILD_INFO: Gauge = "taffrail_build_info" ["version"];
    /// Series an exporter publishes now.
    pub SERIES: Gauge = "taffrail_exporter_series" ["exporter"];
    /// Subjects of an exporter that are due and wait because as many as may run at once do.
    pub WAITING_SUBJECTS: Gauge = "taffrail_exporter_waiting_subjects" ["exporter"];
    /// Seconds the last run of a subject took.
    pub SUBJECT_SECONDS: Gauge = "taffrail_subject_duration_seconds" ["exporter", "subject"];
    /// Whether the last run of a subject succeeded (1) or not (0).
    pub SUBJECT_SUCCESS: Gauge = "taffrail_subject_success" ["exporter", "subject"];
    /// Whether a run of a subject has outlived its budget (1) or not (0).
    pub SUBJECT_LATE: Gauge = "taffrail_subject_late" ["exporter", "subject"];
    /// Seconds between the runs of a subject; more than it was asked for while it is slow or costs too much.
    pub SUBJECT_INTERVAL: Gauge = "taffrail_subject_interval_seconds" ["exporter", "subject"];
    /// CPU time that the runs of a subject have used.
    pub SUBJECT_CPU: Counter = "taffrail_subject_cpu_seconds_total" ["exporter", "subject"];
    /// Bytes that the runs of a subject have read. Not there while it is 0.
    pub SUBJECT_READ: Counter = "taffrail_subject_read_bytes_total" ["exporter", "subject"];
    /// Series that a subject publishes now. Not there while it is 0.
    pub SUBJECT_SERIES: Gauge = "taffrail_subject_series" ["exporter", "subject"];
    /// Files, or the like, that a subject keeps open. Not there while it is 0.
    pub SUBJECT_FILES: Gauge = "taffrail_subject_held_files" ["exporter", "subject"];
    /// Memory that the series and buffers of a subject take, about. Not there while it is 0.
    pub SUBJECT_MEMORY: Gauge = "taffrail_subject_memory_bytes" ["exporter", "subject"];
    /// Files, or the like, that a log source follows.
    pub SOURCE_INPUTS: Gauge = "taffrail_source_inputs" ["source"];
    /// Targets of a scrape job: `up`, `down`, or `unknown` before they were asked.
    pub TARGETS: Gauge = "taffrail_scrape_targets" ["scrape_job", "state"];
    /// Targets of a scrape job that relabelling dropped.
    pub TARGETS_DROPPED: Gauge = "taffrail_scrape_dropped_targets" ["scrape_job"];
    /// Problems that the discovery of a scrape job has now.
    pub DISCOVERY_PROBLEMS: Gauge = "taffrail_scrape_discovery_problems" ["scrape_job"];
    /// Scrapes of a job's targets, those that failed included.
    pub SCRAPES: Counter = "taffrail_scrape_scrapes_total" ["scrape_job"];
    /// Scrapes that failed, by how far they came: `target_limit`, `timeout`, `room`, `fetch`, `body`, `format`, `page`,
    /// `sample_limit`. Not there before the first.
    pub SCRAPE_FAILURES: Counter = "taffrail_scrape_failures_total" ["scrape_job", "reason"];
    /// Time that scrapes took, from asking to the end of reading.
    pub SCRAPE_SECONDS: Counter = "taffrail_scrape_duration_seconds_total" ["scrape_job"];
    /// Bytes of scraped pages, not compressed.
    pub SCRAPE_BYTES: Counter = "taffrail_scrape_body_bytes_total" ["scrape_job"];
    /// Samples on scraped pages.
    pub SCRAPE_SAMPLES: Counter = "taffrail_scrape_samples_total" ["scrape_job"];
    /// Samples on scraped pages that metric_relabel_configs left.
    pub SCRAPE_KEPT: Counter = "taffrail_scrape_samples_post_metric_relabeling_total" ["scrape_job"];
    /// Samples whose series were new on their page.
    pub SCRAPE_ADDED: Counter = "taffrail_scrape_series_added_total" ["scrape_job"];
    /// Series on the pages of a job's targets that are folded into others, as `fold` asks. Not there before the first.
    pub SCRAPE_FOLDED: Gauge = "taffrail_scrape_folded_series" ["scrape_job"];
    /// Samples of good pages that were left out: `not_newer` than what their series has already, or more than ten
    /// minutes `ahead`. Not there before the first.
    pub SCRAPE_LEFT_OUT: Counter = "taffrail_scrape_left_out_samples_total" ["scrape_job", "reason"];
    /// Series of all jobs together, as they are counted for budgets: what exporters and targets have now.
    pub SERIES_NOW: Gauge = "taffrail_series" [];
    /// How many series all jobs together should have at most. Not there without a budget.
    pub SERIES_BUDGET: Gauge = "taffrail_series_budget" [];
    /// Series of a job: those of its exporters, or of its targets while they are remembered.
    pub JOB_SERIES: Gauge = "taffrail_job_series" ["of_job"];
    /// How many series a job should have at most. Not there without a budget.
    pub JOB_SERIES_BUDGET: Gauge = "taffrail_job_series_budget" ["of_job"];
    /// Values of the label by which a job exceeds its budget, about: that with the most values, of the metric with the
    /// most series. `__name__` is that label where it is the metrics that are too many. There only while the job exceeds
    /// its budget.
    pub EXPLODING: Gauge = "taffrail_exploding_label_values" ["of_job", "metric", "label"];
    /// Bytes of pages that are held before they are read, over all targets; of each page, what is beyond 64 KiB.
    pub SCRAPE_HELD: Gauge = "taffrail_scrape_held_bytes" [];
    /// Bytes of pages that may be held before they are read: `scrape_memory`.
    pub SCRAPE_MEMORY: Gauge = "taffrail_scrape_memory_bytes" [];
    /// Scrapes that wait for room for their page.
    pub SCRAPE_WAITING: Gauge = "taffrail_scrape_waiting" [];
    /// How often a scrape had to wait for room for its page.
    pub SCRAPE_WAITS: Counter = "taffrail_scrape_waits_total" [];
    /// Lines a log source has read.
    pub SOURCE_LINES: Counter = "taffrail_source_lines_total" ["source"];
    /// Bytes a log source has read.
    pub SOURCE_BYTES: Counter = "taffrail_source_read_bytes_total" ["source"];
    /// Bytes there to be read that a log source has not read yet.
    pub SOURCE_BEHIND: Gauge = "taffrail_source_behind_bytes" ["source"];
    /// Bytes a log source has read and not every output has settled.
    pub SOURCE_UNSETTLED: Gauge = "taffrail_source_unsettled_bytes" ["source"];
    /// Bytes a log source knows to be lost, by reason.
    pub SOURCE_LOST: Counter = "taffrail_source_lost_bytes_total" ["source", "reason"];
    /// Messages that came to a log source and are gone for ever, by reason. Not there while there are none.
    pub SOURCE_LOST_MESSAGES: Counter = "taffrail_source_lost_messages_total" ["source", "reason"];
    /// Requests and connections that a log source turned away, by reason. Not there while there are none.
    pub SOURCE_REFUSED: Counter = "taffrail_source_refused_total" ["source", "reason"];
    /// Files, or the like, that a log source should follow and cannot read.
    pub SOURCE_UNREADABLE: Gauge = "taffrail_source_unreadable_inputs" ["source"];
    /// Lines that a log source cut because they were too long.
    pub SOURCE_CUT: Counter = "taffrail_source_cut_lines_total" ["source"];
    /// Whether a log source reads nothing until somebody mends what it says (1) or not (0).
    pub SOURCE_HOLDING: Gauge = "taffrail_source_holding" ["source"];
    /// Bytes held in a log with cursors.
    pub LOG_BYTES: Gauge = "taffrail_spool_bytes" ["log"];
    /// Bytes a log with cursors may hold.
    pub LOG_CAPACITY: Gauge = "taffrail_spool_capacity_bytes" ["log"];
    /// Records appended to a log with cursors.
    pub LOG_RECORDS: Counter = "taffrail_spool_records_total" ["log"];
    /// Records that a log with cursors gave up, by reason.
    pub LOG_DROPPED: Counter = "taffrail_spool_dropped_records_total" ["log", "reason"];
    /// Whether the disk takes no records of a log with cursors (1), so that memory has to hold them, or it does (0).
    pub LOG_BLOCKED: Gauge = "taffrail_spool_blocked" ["log"];
    /// Samples or entries delivered.
    pub DELIVERED: Counter = "taffrail_output_delivered_total" ["kind", "output"];
    /// Samples or entries given up, by reason.
    pub LOST: Counter = "taffrail_output_lost_total" ["kind", "output", "reason"];
    /// Samples or entries that were sent twice and stored once.
    pub RESENT: Counter = "taffrail_output_resent_total" ["kind", "output"];
    /// Entries changed to fit a receiver's limits, by what was: `labels` that became structured metadata, a `line` that was
    /// cut, `metadata` that was left out.
    pub MENDED: Counter = "taffrail_output_mended_total" ["kind", "output", "what"];
    /// Bytes of dead letters: what the receiver refused for good, and is kept to be sent again.
    pub DEAD_LETTERS: Gauge = "taffrail_output_dead_letter_bytes" ["kind", "output"];
    /// Samples left out by `write_relabel_configs`.
    pub LEFT_OUT: Counter = "taffrail_output_left_out_total" ["kind", "output"];
    /// Requests sent, answered or not.
    pub REQUESTS: Counter = "taffrail_output_requests_total" ["kind", "output"];
    /// Requests that may be under way at once: more than one while there is a backlog and the receiver answers slowly.
    pub SHARDS: Gauge = "taffrail_output_shards" ["kind", "output"];
    /// Samples or entries that were read and are not settled yet. `lane` is `backlog` for what is sent in its order, `live`
    /// for new samples that are sent beside a backlog.
    pub IN_FLIGHT: Gauge = "taffrail_output_in_flight" ["kind", "output", "lane"];
    /// Whether new samples are sent beside a backlog (1) or not (0).
    pub LIVE: Gauge = "taffrail_output_live" ["kind", "output"];
    /// Sent by the output itself, when there is a backlog, to learn whether the receiver takes samples that old out of
    /// order; the value is how old that is.
    pub WINDOW_PROBE: Gauge = "taffrail_output_window_probe_seconds" ["kind", "output"];
    /// Attempts to deliver that failed and were repeated.
    pub RETRIES: Counter = "taffrail_output_retries_total" ["kind", "output"];
    /// Bytes sent to a receiver, compressed.
    pub SENT: Counter = "taffrail_output_sent_bytes_total" ["kind", "output"];
    /// Records that wait for delivery.
    pub WAITING: Gauge = "taffrail_output_waiting_records" ["kind", "output"];
    /// Age of the oldest record that waits for delivery.
    pub LAG: Gauge = "taffrail_output_lag_seconds" ["kind", "output"];
    /// Whether an output is trying again what it could not deliver (1) or not (0).
    pub RETRYING: Gauge = "taffrail_output_retrying" ["kind", "output"];
    /// Objects that an archive has stored.
    pub ARCHIVE_OBJECTS: Counter = "taffrail_archive_objects_total" ["kind", "output"];
    /// Objects that an archive in a folder has removed because they were old.
    pub ARCHIVE_EXPIRED: Counter = "taffrail_archive_expired_objects_total" ["kind", "output"];
    /// Bytes of the lines, not compressed, that wait in an archive's open objects.
    pub ARCHIVE_OPEN: Gauge = "taffrail_archive_open_bytes" ["kind", "output"];
    /// How old the first entry of an archive's objects may be before they are stored: `every`.
    pub ARCHIVE_EVERY: Gauge = "taffrail_archive_every_seconds" ["kind", "output"];
    /// When the present config was taken.
    pub CONFIG_LOADED: Gauge = "taffrail_config_loaded_timestamp_seconds" [];
    /// Whether the last reload was taken (1) or refused (0).
    pub CONFIG_OK: Gauge = "taffrail_config_last_reload_success" [];
    /// Notes left out because too many waited.
    pub NOTES_LEFT_OUT: Counter = "taffrail_notes_left_out_total" [];
    /// Panics that were contained.
    pub PANICS: Counter = "taffrail_panics_total" [];
    /// CPU time the process has used.
    pub PROCESS_CPU: Counter = "process_cpu_seconds_total" [];
    /// Resident memory of the process.
    pub PROCESS_RESIDENT: Gauge = "process_resident_memory_bytes" [];
    /// Virtual memory of the process.
    pub PROCESS_VIRTUAL: Gauge = "process_virtual_memory_bytes" [];
    /// When the process started.
    pub PROCESS_START: Gauge = "process_start_time_seconds" [];
    /// File descriptors the process has open.
    pub PROCESS_FDS: Gauge = "process_open_fds" [];
    /// File descriptors the process may have open.
    pub PROCESS_MAX_FDS: Gauge = "process_max_fds" [];
    /// Seconds the last run of a subject of the collector's own took.
    pub DURATION: Gauge = "taffrail_collector_duration_seconds" ["collector"];
    /// Whether the last run of a subject of the collector's own succeeded.
    pub SUCCESS: Gauge = "taffrail_collector_success" ["collector"];
    /// Threads of the process.
    pub PROCESS_THREADS: Gauge = "process_threads" [];
}

/// Panics contained since the start. The panic hook counts here, wherever it strikes.
static PANICKED: AtomicU64 = AtomicU64::new(0);

/// Counts a contained panic.
pub fn count_panic() {
    PANICKED.fetch_add(1, Ordering::Relaxed);
}

/// What the own metrics are made from.
#[derive(Clone, Debug)]
pub struct Own {
    /// The board.
    pub board: Arc<Board>,
    /// What stages counted.
    pub measures: Arc<Measures>,
    /// The register of notes.
    pub notes: Notes,
    /// Where series are counted.
    pub cardinality: Arc<Cardinality>,
    /// The one clock.
    pub clock: Clock,
}

/// The subject under which those with targets of their own are added up: there may be hundreds, and each says itself
/// whether and how fast it answers.
const OF_TARGETS: &str = "targets";

impl Own {
    /// The exporters `self` and `measures` as one, of the job `taffrail`.
    pub fn exporter(&self) -> Exporter {
        let (own, mut process) = (self.clone(), Process::default());
        let of_self = Subject::blocking("self", METRICS, move |out| {
            own.collect(&mut process, out);
            Ok(())
        });
        let (measures, clock) = (self.measures.clone(), self.clock.clone());
        let of_measures = Subject::blocking("measures", measures::METRICS, move |out| {
            measures.collect(out, clock.now_ms());
            Ok(())
        });
        Exporter {
            name: "taffrail",
            job: "taffrail".into(),
            subjects: vec![of_self, of_measures],
            duration: Some(&DURATION),
            success: Some(&SUCCESS),
        }
    }

    /// Writes all of it, and tells the board of the process.
    pub fn collect(&self, process: &mut Process, out: &mut Out) {
        process.collect(&self.board, out);
        let snapshot = self.board.snapshot(self.clock.now_ms());
        out.put(&BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1.0);
        out.put(&CONFIG_LOADED, [], snapshot.process.config_loaded_ms as f64 / 1000.0);
        out.put(&CONFIG_OK, [], flag(snapshot.process.config_error.is_none()));
        out.put(&NOTES_LEFT_OUT, [], self.notes.left_out() as f64);
        out.put(&PANICS, [], PANICKED.load(Ordering::Relaxed) as f64);
        exporters(&snapshot, out);
        scrape::jobs(&snapshot, out);
        series::series(&self.cardinality, &snapshot, out);
        scrape::room(&snapshot, out);
        sources(&snapshot, out);
        logs(&snapshot, out);
        outputs(&snapshot, out);
    }
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

fn exporters(snapshot: &Snapshot, out: &mut Out) {
    for exporter in &snapshot.exporters {
        out.put(&SERIES, [&exporter.name], exporter.series as f64);
        out.put(&WAITING_SUBJECTS, [&exporter.name], exporter.waiting as f64);
        let (targets, subjects): (Vec<_>, Vec<_>) =
            exporter.subjects.iter().partition(|subject| subject.instance.is_some());
        for subject in subjects {
            let labels = [exporter.name.as_str(), &*subject.name];
            out.put(&SUBJECT_SECONDS, labels, subject.duration_s);
            out.put(&SUBJECT_SUCCESS, labels, flag(subject.ok));
            out.put(&SUBJECT_LATE, labels, flag(subject.late));
            out.put(&SUBJECT_INTERVAL, labels, subject.interval_s);
            cost(labels, subject, out);
        }
        if !targets.is_empty() {
            let labels = [exporter.name.as_str(), OF_TARGETS];
            out.put(&SUBJECT_LATE, labels, targets.iter().filter(|target| target.late).count() as f64);
            cost(labels, &sum(&targets), out);
        }
    }
}

fn cost(labels: [&str; 2], of: &SubjectStatus, out: &mut Out) {
    out.put(&SUBJECT_CPU, labels, of.cpu_s);
    let rest = [
        (&SUBJECT_READ, of.read_bytes),
        (&SUBJECT_SERIES, of.series as u64),
        (&SUBJECT_FILES, of.held_files),
        (&SUBJECT_MEMORY, of.memory_bytes),
    ];
    // Most machines lack what half of the subjects are about: they would have nothing but zeros.
    for (family, value) in rest.into_iter().filter(|(_, value)| *value > 0) {
        out.put(family, labels, value as f64);
    }
}

/// What all of them cost.
fn sum(of: &[&SubjectStatus]) -> SubjectStatus {
    of.iter().fold(SubjectStatus::default(), |mut sum, subject| {
        sum.cpu_s += subject.cpu_s;
        sum.read_bytes += subject.read_bytes;
        sum.series += subject.series;
        sum.held_files += subject.held_files;
        sum.memory_bytes += subject.memory_bytes;
        sum
    })
}

fn sources(snapshot: &Snapshot, out: &mut Out) {
    for source in &snapshot.sources {
        let labels = [source.name.as_str()];
        out.put(&SOURCE_INPUTS, labels, source.inputs as f64);
        out.put(&SOURCE_LINES, labels, source.lines as f64);
        out.put(&SOURCE_BYTES, labels, source.bytes as f64);
        out.put(&SOURCE_BEHIND, labels, source.behind_bytes as f64);
        out.put(&SOURCE_UNSETTLED, labels, source.unsettled_bytes as f64);
        if source.lost.is_empty() {
            out.put(&SOURCE_LOST, [labels[0], ""], source.lost_bytes as f64);
        }
        for (reason, bytes) in &source.lost {
            out.put(&SOURCE_LOST, [labels[0], reason], *bytes as f64);
        }
        out.put(&SOURCE_UNREADABLE, labels, source.unreadable as f64);
        out.put(&SOURCE_CUT, labels, source.cut_lines as f64);
        out.put(&SOURCE_HOLDING, labels, flag(source.holding.is_some()));
        for (family, counts) in
            [(&SOURCE_LOST_MESSAGES, &source.lost_messages), (&SOURCE_REFUSED, &source.refused)]
        {
            for (reason, count) in counts {
                out.put(family, [labels[0], reason], *count as f64);
            }
        }
    }
}

fn logs(snapshot: &Snapshot, out: &mut Out) {
    for log in &snapshot.logs {
        out.put(&LOG_BYTES, [log.name], log.bytes as f64);
        out.put(&LOG_CAPACITY, [log.name], log.max_bytes as f64);
        out.put(&LOG_RECORDS, [log.name], log.records as f64);
        out.put(&LOG_BLOCKED, [log.name], f64::from(u8::from(log.blocked.is_some())));
        for (reason, records) in &log.dropped {
            out.put(&LOG_DROPPED, [log.name, reason], *records as f64);
        }
    }
}

fn outputs(snapshot: &Snapshot, out: &mut Out) {
    for output in &snapshot.outputs {
        let labels = [output.kind, output.name.as_str()];
        out.put(&DELIVERED, labels, output.delivered as f64);
        out.put(&RESENT, labels, output.resent as f64);
        out.put(&RETRIES, labels, output.retries as f64);
        out.put(&SENT, labels, output.sent_bytes as f64);
        out.put(&WAITING, labels, output.waiting as f64);
        out.put(&LAG, labels, output.lag_s);
        out.put(&RETRYING, labels, flag(output.retrying.is_some()));
        out.put(&REQUESTS, labels, output.requests as f64);
        out.put(&SHARDS, labels, output.shards as f64);
        out.put(&IN_FLIGHT, [output.kind, &output.name, "backlog"], output.in_flight as f64);
        if output.kind == "prometheus" {
            out.put(&LEFT_OUT, labels, output.left_out as f64);
            out.put(&LIVE, labels, flag(output.live));
            out.put(&IN_FLIGHT, [output.kind, &output.name, "live"], output.live_in_flight as f64);
        }
        if let Some(archive) = &output.archive {
            out.put(&ARCHIVE_OBJECTS, labels, archive.objects as f64);
            out.put(&ARCHIVE_EXPIRED, labels, archive.expired_objects as f64);
            out.put(&ARCHIVE_OPEN, labels, archive.open_bytes as f64);
            out.put(&ARCHIVE_EVERY, labels, archive.every_s);
        }
        if output.kind == "loki" {
            out.put(&DEAD_LETTERS, labels, output.dead_letter_bytes as f64);
        }
        for (what, count) in &output.mended {
            out.put(&MENDED, [output.kind, &output.name, what], *count as f64);
        }
        for (reason, lost) in &output.lost {
            out.put(&LOST, [output.kind, &output.name, reason], *lost as f64);
        }
    }
}
