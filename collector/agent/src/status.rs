//! What the page and the API show of the pipeline: every subject, source, log and output, with rate, lag and last error.

mod scrape;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::Serialize;

use crate::component::Key;
use crate::metrics::budget::Excess;
use crate::scrape::{Room, RoomStatus};

pub use scrape::{Counts, JobPlace, JobStatus, LabelMap, Stage, TargetState, TargetStatus};

/// One subject of an exporter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SubjectStatus {
    /// Its name, unique within its exporter.
    pub name: Cow<'static, str>,
    /// The `instance` of its series, where that is not the job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// How often it runs, in seconds.
    pub interval_s: f64,
    /// How often it should run. It runs more seldom by itself while it is slow or costs too much.
    pub asked_s: f64,
    /// When its last finished run began, in Unix milliseconds; 0 before the first.
    pub last_run_ms: i64,
    /// How long that run took, in seconds.
    pub duration_s: f64,
    /// How many samples it gave.
    pub samples: usize,
    /// Its series that are alive.
    pub series: usize,
    /// CPU seconds that its runs have used since the start.
    pub cpu_s: f64,
    /// Bytes that its runs have read since the start.
    pub read_bytes: u64,
    /// Files and the like that it keeps open.
    pub held_files: u64,
    /// Memory that its series and buffers take, about, in bytes.
    pub memory_bytes: u64,
    /// Whether it succeeded.
    pub ok: bool,
    /// Whether a run has been going on for longer than its budget.
    pub late: bool,
    /// The last error, with its time; kept after success returns.
    pub last_error: Option<Failure>,
}

/// One exporter with its subjects.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExporterStatus {
    /// Its name; `/metrics/<name>` is its pull page.
    pub name: String,
    /// The `job` label.
    pub job: String,
    /// Series alive now.
    pub series: usize,
    /// Asynchronous subjects that are due and wait for others to end.
    pub waiting: usize,
    /// Its subjects.
    pub subjects: Vec<SubjectStatus>,
}

/// One log source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// `files`, `notes`.
    pub kind: &'static str,
    /// Files (or the like) that it follows.
    pub inputs: usize,
    /// Lines read since the start.
    pub lines: u64,
    /// Bytes read since the start.
    pub bytes: u64,
    /// Bytes that are there and not read yet.
    pub behind_bytes: u64,
    /// Bytes read that not every output has settled yet.
    pub unsettled_bytes: u64,
    /// Bytes known to be lost, since the start.
    pub lost_bytes: u64,
    /// The same by reason, where the source knows several.
    pub lost: BTreeMap<&'static str, u64>,
    /// The streams of which most is not settled, the furthest behind first; at most ten.
    pub streams: Vec<StreamStatus>,
    /// Files (or the like) that should be followed but cannot be read now.
    pub unreadable: usize,
    /// Lines that were too long and were cut, since the start.
    pub cut_lines: u64,
    /// Messages that came and are gone for ever, since the start, by reason.
    pub lost_messages: BTreeMap<&'static str, u64>,
    /// Requests and connections that were turned away, since the start, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Why it does not read, when it does not.
    pub holding: Option<String>,
    /// The last error.
    pub last_error: Option<Failure>,
}

/// How far one stream of a source is: in its files that are followed now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamStatus {
    /// What it is read from: the file's name.
    pub name: String,
    /// Bytes that its files have.
    pub seen_bytes: u64,
    /// Of those: bytes that were read.
    pub read_bytes: u64,
    /// Of those: bytes that every output has settled.
    pub settled_bytes: u64,
}

/// One log with cursors.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogStatus {
    /// `metrics` or `logs`.
    pub name: &'static str,
    /// Bytes held.
    pub bytes: u64,
    /// The most it may hold.
    pub max_bytes: u64,
    /// Records appended since the start.
    pub records: u64,
    /// Records given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Why the disk takes no records, while that is so.
    pub blocked: Option<String>,
}

/// One output.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OutputStatus {
    /// `prometheus`, `loki`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Host and path, never with credentials.
    pub url: String,
    /// Samples or entries delivered since the start.
    pub delivered: u64,
    /// Bytes sent since the start, as they travel.
    pub sent_bytes: u64,
    /// Samples or entries given up since the start, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Samples or entries that were sent twice and stored once.
    pub resent: u64,
    /// Entries that were changed to fit the receiver's limits since the start, by what was.
    pub mended: BTreeMap<String, u64>,
    /// Bytes of dead letters: what was refused, and is kept.
    pub dead_letter_bytes: u64,
    /// Samples that `write_relabel_configs` left out.
    pub left_out: u64,
    /// Requests since the start, answered or not.
    pub requests: u64,
    /// How many requests may be under way at once, as of now.
    pub shards: usize,
    /// Samples or entries that were read and are not settled yet.
    pub in_flight: u64,
    /// Whether new samples are sent beside a backlog.
    pub live: bool,
    /// Of those: samples that were read and are not settled yet.
    pub live_in_flight: u64,
    /// Attempts that failed and were, or will be, repeated.
    pub retries: u64,
    /// Records that wait.
    pub waiting: u64,
    /// Age of the oldest record that waits, in seconds.
    pub lag_s: f64,
    /// When the receiver last took something, in Unix milliseconds.
    pub last_delivery_ms: i64,
    /// Of an archive only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveStatus>,
    /// Why it is being tried again, when it is.
    pub retrying: Option<String>,
    /// The last error.
    pub last_error: Option<Failure>,
}

/// What an archive has beside what all outputs have.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ArchiveStatus {
    /// How old the first entry of objects may be before they are stored, in seconds.
    pub every_s: f64,
    /// Objects stored since the start.
    pub objects: u64,
    /// Objects that are open, and not stored yet.
    pub open_objects: usize,
    /// Bytes of the lines in them, before compression.
    pub open_bytes: u64,
    /// Objects removed since the start because they were old.
    pub expired_objects: u64,
}

/// What went wrong, and when.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Failure {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// In words.
    pub text: String,
}

/// The process itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProcessStatus {
    /// The host's name, as in `instance`.
    pub instance: String,
    /// The collector's version.
    pub version: &'static str,
    /// When it started, in Unix milliseconds.
    pub started_ms: i64,
    /// The config file, if there is one.
    pub config: Option<String>,
    /// When the present config was taken, in Unix milliseconds.
    pub config_loaded_ms: i64,
    /// Why the last reload was refused, if it was; the config before it goes on.
    pub config_error: Option<Failure>,
    /// Resident memory of the process in bytes.
    pub resident_bytes: u64,
    /// CPU seconds used since the start.
    pub cpu_s: f64,
}

/// All of it at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// Now, in Unix milliseconds.
    pub now_ms: i64,
    /// The process.
    pub process: ProcessStatus,
    /// Exporters.
    pub exporters: Vec<ExporterStatus>,
    /// Scrape jobs.
    pub jobs: Vec<JobStatus>,
    /// What pages of their targets take up before they are read.
    pub scrape_room: RoomStatus,
    /// Log sources.
    pub sources: Vec<SourceStatus>,
    /// Logs with cursors.
    pub logs: Vec<LogStatus>,
    /// Outputs.
    pub outputs: Vec<OutputStatus>,
    /// Budgets of series that are exceeded.
    pub over_budget: Vec<Excess>,
}

/// A part's own place on the board; the part writes it, the page reads it.
pub type Place<T> = Arc<Mutex<T>>;

/// Where every part shows its state.
#[derive(Debug, Default)]
pub struct Board {
    /// The process.
    pub process: Place<ProcessStatus>,
    /// Budgets of series that are exceeded.
    pub over_budget: Mutex<Vec<Excess>>,
    /// What pages of targets may take up before they are read.
    pub room: Arc<Room>,
    exporters: Mutex<BTreeMap<Key, Place<ExporterStatus>>>,
    jobs: Mutex<BTreeMap<Key, Arc<JobPlace>>>,
    sources: Mutex<BTreeMap<Key, Place<SourceStatus>>>,
    logs: Mutex<BTreeMap<Key, Place<LogStatus>>>,
    outputs: Mutex<BTreeMap<Key, Place<OutputStatus>>>,
}

impl Board {
    /// A place for the exporter `key`; `status` is what it shows first.
    pub fn exporter(&self, key: Key, status: ExporterStatus) -> Place<ExporterStatus> {
        place(&self.exporters, key, status)
    }

    /// A place for the scrape job `key`.
    pub fn job(&self, key: Key) -> Arc<JobPlace> {
        let place = Arc::new(JobPlace::new(&key.name));
        lock(&self.jobs).insert(key, place.clone());
        place
    }

    /// A place for the source `key`.
    pub fn source(&self, key: Key, status: SourceStatus) -> Place<SourceStatus> {
        place(&self.sources, key, status)
    }

    /// A place for the log `key`.
    pub fn log(&self, key: Key, status: LogStatus) -> Place<LogStatus> {
        place(&self.logs, key, status)
    }

    /// A place for the output `key`.
    pub fn output(&self, key: Key, status: OutputStatus) -> Place<OutputStatus> {
        place(&self.outputs, key, status)
    }

    /// Shows how far the output behind the cursor `name` lags.
    pub fn lag(&self, name: &str, records: u64, seconds: f64) {
        for (key, place) in lock(&self.outputs).iter().filter(|(key, _)| key.to_string() == name) {
            debug_assert!(!key.name.is_empty());
            let mut status = lock(place);
            (status.waiting, status.lag_s) = (records, seconds);
        }
    }

    /// Takes the component off the board.
    pub fn remove(&self, key: &Key) {
        lock(&self.exporters).remove(key);
        lock(&self.jobs).remove(key);
        lock(&self.sources).remove(key);
        lock(&self.logs).remove(key);
        lock(&self.outputs).remove(key);
    }

    /// The places of all scrape jobs, for who wants to see their targets one by one.
    pub fn jobs(&self) -> Vec<Arc<JobPlace>> {
        lock(&self.jobs).values().cloned().collect()
    }

    /// Everything, now; of the targets of scrape jobs only how many are in which state, as there may be thousands.
    pub fn snapshot(&self, now_ms: i64) -> Snapshot {
        Snapshot {
            now_ms,
            process: lock(&self.process).clone(),
            exporters: all(&self.exporters),
            jobs: self.jobs().iter().map(|place| place.summary()).collect(),
            scrape_room: self.room.status(),
            sources: all(&self.sources),
            logs: all(&self.logs),
            outputs: all(&self.outputs),
            over_budget: lock(&self.over_budget).clone(),
        }
    }
}

fn place<T>(places: &Mutex<BTreeMap<Key, Place<T>>>, key: Key, status: T) -> Place<T> {
    let place = Arc::new(Mutex::new(status));
    lock(places).insert(key, place.clone());
    place
}

fn all<T: Clone>(places: &Mutex<BTreeMap<Key, Place<T>>>) -> Vec<T> {
    lock(places).values().map(|place| lock(place).clone()).collect()
}

/// Locks, also after another thread panicked while it held the lock: the state shown is plain data, never half made.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
