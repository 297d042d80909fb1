//! What the stage `errors` found becomes counts, and notes of what is new; what is known outlives a restart.

use std::path::Path;

use taffrail_core::note::Level;
use taffrail_core::{Clock, Note};
use taffrail_spool::{Durability, Loaded, StateFile};
use taffrail_stages::errors::{Event, MAX_FINGERPRINTS, OTHER, Registry};
use taffrail_stages::stage::Occurred;
use taffrail_stages::timeformat;
use tracing::warn;

use super::Notes;
use crate::measures::{ERROR_NOTES_LEFT_OUT, LOG_ERRORS, Measures};

/// As many notes at once; with a deployment that breaks everything, the first few say what there is to say.
const BURST: f64 = 20.0;
/// And so many more each second.
const RATE: f64 = 0.2;
/// What is known is saved at most so often, in nanoseconds.
const SAVE_EVERY_NS: i64 = 10_000_000_000;
/// And, where only times have changed, so often.
const SAVE_TIMES_NS: i64 = 600_000_000_000;

/// The errors of all services.
pub(crate) struct Errors {
    registry: Registry,
    clock: Clock,
    notes: Notes,
    state: StateFile,
    /// What changed since it was saved: something new, or only times.
    changed: Option<Change>,
    saved_ns: i64,
    failing: bool,
    /// How many notes may go at once, and since when.
    room: (f64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Times,
    Known,
}

/// What is saved of an error: service, fingerprint, when it was last seen, version.
type Saved = (String, u64, i64, String);

impl Errors {
    /// Goes on where an earlier run ended, whose state is in this folder.
    pub(crate) fn open(folder: &Path, clock: Clock, notes: Notes) -> Self {
        let mut state = StateFile::new(folder.join("log-errors"));
        let mut registry = Registry::default();
        match state.load() {
            Loaded::Empty => {}
            Loaded::Found { bytes, .. } => match serde_json::from_slice::<Vec<Saved>>(&bytes) {
                Ok(known) => known.iter().for_each(|(service, print, last_ns, version)| {
                    registry.restore(service, *print, *last_ns, version);
                }),
                Err(error) => {
                    warn!("known errors cannot be read, so that they are told as new once: {error}");
                }
            },
            Loaded::Unreadable { problem } => {
                warn!("known errors cannot be read, so that they are told as new once: {problem}");
            }
        }
        let now_ns = clock.now_ns();
        Errors {
            registry,
            clock,
            notes,
            state,
            changed: None,
            saved_ns: now_ns,
            failing: false,
            room: (BURST, now_ns),
        }
    }

    /// Takes what one chunk had; `service` and `version` are those of its stream.
    pub(crate) fn take(&mut self, found: Vec<Occurred>, service: &str, version: &str, measures: &Measures) {
        for found in found {
            let service = found.service.as_deref().unwrap_or(service);
            let version = found.version.as_deref().unwrap_or(version);
            let (known, event) =
                self.registry.record(service, version, found.report.fingerprint, found.last_ns);
            let label = if known { found.report.label() } else { OTHER.to_owned() };
            measures.add(&LOG_ERRORS, [service, &label], found.count);
            let change = if event.is_some() { Change::Known } else { Change::Times };
            if self.changed != Some(Change::Known) {
                self.changed = Some(change);
            }
            if let Some(event) = event {
                self.tell(note(&event, service, version, &found), service, measures);
            }
        }
        self.keep();
    }

    /// The time by its clock, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn tell(&mut self, note: Note, service: &str, measures: &Measures) {
        let now_ns = self.clock.now_ns();
        let (room, since_ns) = self.room;
        let passed = now_ns.saturating_sub(since_ns).max(0) as f64 / 1e9;
        let room = (room + passed * RATE).min(BURST);
        self.room = (room, now_ns);
        if room < 1.0 {
            measures.add(&ERROR_NOTES_LEFT_OUT, [service, note.event], 1);
            return;
        }
        self.room.0 -= 1.0;
        self.notes.send(note);
    }

    /// Saves what is known, if it is time to.
    fn keep(&mut self) {
        let every_ns = match self.changed {
            None => return,
            Some(Change::Times) => SAVE_TIMES_NS,
            Some(Change::Known) => SAVE_EVERY_NS,
        };
        if self.clock.now_ns().saturating_sub(self.saved_ns) >= every_ns {
            self.save();
        }
    }

    /// Saves what is known, if it has changed.
    pub(crate) fn save(&mut self) {
        if self.changed.take().is_none() {
            return;
        }
        self.saved_ns = self.clock.now_ns();
        let known: Vec<_> = self.registry.known().collect();
        let saved = serde_json::to_vec(&known)
            .map_err(|error| error.to_string())
            .and_then(|bytes| self.state.save(&bytes, Durability::Kill).map_err(|error| error.to_string()));
        let failed_before = std::mem::replace(&mut self.failing, saved.is_err());
        if let (Err(error), false) = (saved, failed_before) {
            warn!("known errors cannot be saved, so that a restart would tell them as new: {error}");
        }
    }
}

fn note(event: &Event, service: &str, version: &str, found: &Occurred) -> Note {
    let Occurred { report, sample, .. } = found;
    let shown = if service.is_empty() { "a service without a name" } else { service };
    let (level, event_name, text) = match event {
        Event::First => {
            (Level::Warn, "log_error_first_seen", format!("{shown} has a new error: {}", report.title))
        }
        Event::Returned { last_ns, version: before } => {
            let last = timeformat::show(*last_ns);
            let before = if before.is_empty() { String::new() } else { format!(" in version {before}") };
            let text =
                format!("{shown} has an error again that was last seen at {last}{before}: {}", report.title);
            (Level::Warn, "log_error_returned", text)
        }
        Event::Full => {
            let text = format!(
                "{shown} has more than {MAX_FINGERPRINTS} different errors: further ones are counted together"
            );
            (Level::Info, "log_errors_full", text)
        }
    };
    let facts = [
        ("service_name", service),
        ("fingerprint", &*report.label()),
        ("version", version),
        ("sample", sample),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let facts = facts.map(|(name, value)| (name, value.to_owned())).collect();
    Note { level, event: event_name, text, facts }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use taffrail_core::Out;
    use taffrail_stages::errors::report;

    use super::*;

    fn occurred(line: &str, last_ns: i64) -> Vec<Occurred> {
        let report = report(line);
        vec![Occurred { service: None, version: None, report, sample: line.to_owned(), count: 2, last_ns }]
    }

    /// What waits for the source of notes, as lines.
    async fn told(source: &mut crate::logs::NotesSource) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(Some(chunk)) = tokio::time::timeout(Duration::from_millis(1), source.next()).await {
            let crate::logs::Body::Lines { bytes, .. } = chunk.body else { continue };
            all.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        all
    }

    #[tokio::test]
    async fn a_restart_tells_nothing_anew_and_a_deployment_tells_what_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(0);
        let (notes, mut source) = Notes::new(clock.clone());
        let measures = Measures::default();
        let mut errors = Errors::open(folder.path(), clock.clone(), notes.clone());
        errors.take(occurred("ERROR order 17 failed", 1), "shop", "v1", &measures);
        errors.take(occurred("ERROR order 18 failed", 2), "shop", "v1", &measures);
        let said = told(&mut source).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("event=log_error_first_seen") && said[0].contains("version=v1"),
            "{}",
            said[0]
        );
        assert!(said[0].contains("sample=\"ERROR order 17 failed\""), "{}", said[0]);
        errors.save();
        let mut errors = Errors::open(folder.path(), clock.clone(), notes);
        errors.take(occurred("ERROR order 19 failed", 3), "shop", "v1", &measures);
        assert!(told(&mut source).await.is_empty());
        errors.take(occurred("ERROR order 20 failed", 7_200_000_000_000), "shop", "v2", &measures);
        let said = told(&mut source).await;
        assert!(
            said[0].contains("event=log_error_returned") && said[0].contains("in version v1"),
            "{said:?}"
        );
        let mut out = Out::default();
        out.begin(1);
        measures.collect(&mut out, 1);
        let collected = out.finish();
        assert_eq!(collected.samples.len(), 1);
        assert_eq!(collected.samples[0].value.to_f64(), 8.0);
    }

    #[tokio::test]
    async fn a_storm_of_new_errors_is_a_few_notes_and_a_bounded_number_of_series() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(0);
        let (notes, mut source) = Notes::new(clock.clone());
        let measures = Measures::default();
        let mut errors = Errors::open(folder.path(), clock, notes);
        let word = |n: usize| [n / 26, n % 26].map(|n| char::from(b'a' + n as u8)).iter().collect::<String>();
        for n in 0..300 {
            errors.take(occurred(&format!("ERROR the {} failed", word(n)), 1), "shop", "", &measures);
        }
        assert_eq!(told(&mut source).await.len(), BURST as usize);
        let mut out = Out::default();
        out.begin(1);
        measures.collect(&mut out, 1);
        let collected = out.finish();
        // Each fingerprint, all others together, and the notes of two kinds that were left out.
        assert_eq!(collected.samples.len(), MAX_FINGERPRINTS + 3);
        let sum: f64 = collected.samples.iter().map(|sample| sample.value.to_f64()).sum();
        assert_eq!(sum, 600.0 + (MAX_FINGERPRINTS + 1) as f64 - BURST);
    }
}
