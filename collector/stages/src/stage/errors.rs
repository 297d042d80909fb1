//! The stage `errors`: entries that report an error get its fingerprint, and are counted by it.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, PoisonError};

use super::Outcome;
use super::level::NAME as LEVEL;
use crate::entry::Entry;
use crate::errors::{Report, report};
use crate::hash::Fnv;
use crate::level;
use crate::redact::{Block, Error, Outcome as Redacted, Redactor, Settings};

/// The structured metadata that holds the fingerprint.
pub const FINGERPRINT: &str = "error_fingerprint";

/// The longest sample, in bytes.
const MAX_SAMPLE: usize = 500;

/// Errors that are kept apart until they are taken; in one chunk there are fewer.
const MAX_KINDS: usize = 1000;

/// Where the version of a service is looked for: fields, labels and structured metadata.
const VERSIONS: [&str; 4] = ["service_version", "version", "release", "app_version"];

/// Finds errors.
#[derive(Clone, Debug)]
pub struct ErrorsStage {
    /// The field that holds the version of the service; none: where programs write it.
    pub version: Option<String>,
    settings: Settings,
    /// What is shown of an error is for other eyes than its log.
    redactor: Arc<Redactor>,
}

impl PartialEq for ErrorsStage {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version && self.settings == other.settings
    }
}

/// An error that was found, one or more times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurred {
    /// The service, where the entry itself says it.
    pub service: Option<String>,
    /// Its version, where the entry itself says it.
    pub version: Option<String>,
    /// What it is.
    pub report: Report,
    /// The first entry, redacted, and no longer than it is of use.
    pub sample: String,
    /// How often.
    pub count: u64,
    /// When the last was read, in nanoseconds since 1970.
    pub last_ns: i64,
}

/// What was found since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct State(Mutex<HashMap<u64, Occurred>>);

impl ErrorsStage {
    /// Takes the version from this field, and redacts what is shown of an error by these settings.
    ///
    /// # Errors
    ///
    /// As [`Redactor::new`].
    pub fn new(version: Option<String>, settings: Settings) -> Result<Self, Error> {
        let redactor = Arc::new(Redactor::new(&settings)?);
        Ok(Self { version, settings, redactor })
    }

    pub(super) fn apply(&self, state: &State, entry: &mut Entry<'_>) -> Outcome {
        let Some(report) = reported(entry) else {
            entry.remark(|| "no error".to_owned());
            return Outcome::Keep;
        };
        entry.metadata.set(FINGERPRINT, report.label());
        let said = |name: &str| {
            let value = entry.labels.get(name).or(entry.metadata.get(name)).or(entry.fields.get(name));
            value.map(ToString::to_string).filter(|value| !value.is_empty())
        };
        let service = said("service_name");
        let version = match &self.version {
            Some(name) => said(name),
            None => VERSIONS.iter().find_map(|name| said(name)),
        };
        let mut key = Fnv::default();
        key.write_u64(report.fingerprint);
        for part in [&service, &version].into_iter().flatten() {
            key.write(part.as_bytes());
            key.write_u8(0xff);
        }
        let mut found = state.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = found.len() >= MAX_KINDS;
        match found.get_mut(&key.finish()) {
            Some(known) => {
                known.count += 1;
                known.last_ns = known.last_ns.max(entry.read_ns);
            }
            None if full => {}
            None => {
                let line = &entry.line[..entry.line.floor_char_boundary(MAX_SAMPLE)];
                let sample = self.redacted(line);
                let report = Report { title: self.redacted(&report.title), ..report };
                let last_ns = entry.read_ns;
                found.insert(key.finish(), Occurred { service, version, report, sample, count: 1, last_ns });
            }
        }
        Outcome::Keep
    }

    fn redacted(&self, text: &str) -> String {
        match self.redactor.redact(text, &mut Block::default()) {
            Redacted::Clean => text.to_owned(),
            Redacted::Changed(text, _) => text,
            Redacted::Drop(_) => "[redacted]".to_owned(),
        }
    }
}

impl State {
    /// What was found since this was last asked, the first ones first.
    pub(crate) fn take(&self) -> Vec<Occurred> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_empty() {
            return Vec::new();
        }
        let mut all: Vec<Occurred> = std::mem::take(&mut *found).into_values().collect();
        all.sort_by(|one, other| (one.last_ns, &one.report.title).cmp(&(other.last_ns, &other.report.title)));
        all
    }
}

/// What an entry reports: its level says that it is an error or, where it has none, a stack trace does.
fn reported(entry: &Entry<'_>) -> Option<Report> {
    let known = entry.metadata.get(LEVEL).map(|word| level::Level::from_word(word.as_bytes()));
    match known.unwrap_or_else(|| level::detect(entry.line.as_bytes())) {
        Some(level) => (level >= level::Level::Error).then(|| report(&entry.line)),
        None => entry.line.contains('\n').then(|| report(&entry.line)).filter(|report| report.trace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> ErrorsStage {
        ErrorsStage::new(None, Settings::default()).unwrap()
    }

    fn run(stage: &ErrorsStage, state: &State, line: &str) -> Option<String> {
        let mut entry = Entry { line: line.to_owned().into(), read_ns: 7, ..Entry::default() };
        entry.fields.set("version", "v1");
        stage.apply(state, &mut entry);
        entry.metadata.get(FINGERPRINT).map(ToString::to_string)
    }

    #[test]
    fn errors_are_found_by_level_and_by_trace() {
        let (stage, state) = (stage(), State::default());
        let one = run(&stage, &state, "level=error msg=\"order 17 failed\"");
        assert_eq!(one, run(&stage, &state, "level=error msg=\"order 18 failed\""));
        assert!(one.is_some_and(|print| print.len() == 16));
        assert_eq!(run(&stage, &state, "level=info msg=\"no error\""), None);
        assert!(run(&stage, &state, "java.lang.Error: x\n\tat a.B.c(B.java:1)").is_some());
        assert_eq!(run(&stage, &state, "two lines\nof prose"), None);
        assert!(run(&stage, &state, "FATAL: the end").is_some());
        let found = state.take();
        assert_eq!(found.iter().map(|found| found.count).sum::<u64>(), 4);
        assert_eq!(found.iter().map(|found| found.count).max(), Some(2));
        assert!(found.iter().all(|found| found.version.as_deref() == Some("v1") && found.last_ns == 7));
        assert!(state.take().is_empty());
    }

    #[test]
    fn what_is_shown_is_redacted() {
        let (stage, state) = (stage(), State::default());
        run(&stage, &state, "level=error msg=x password=hunter2");
        run(&stage, &state, "ERROR token=ghp_abcdefghijklmnopqrstuvwxyz0123456789 is refused");
        for found in state.take() {
            assert!(found.sample.contains("[redacted"), "{}", found.sample);
            assert!(
                !format!("{found:?}").contains("hunter2") && !format!("{found:?}").contains("ghp_abc"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn services_and_their_number() {
        let (stage, state) = (stage(), State::default());
        let mut entry = Entry { line: "ERROR x".into(), ..Entry::default() };
        entry.labels.set("service_name", "shop");
        stage.apply(&state, &mut entry);
        assert_eq!(state.take()[0].service.as_deref(), Some("shop"));
        let letters = |n: usize| {
            format!("{}{}", char::from(b'a' + (n / 26 % 26) as u8), char::from(b'a' + (n % 26) as u8))
        };
        (0..MAX_KINDS * 2)
            .for_each(|n| drop(run(&stage, &state, &format!("ERROR {}{}", letters(n / 676), letters(n)))));
        assert_eq!(state.take().len(), MAX_KINDS);
    }
}
