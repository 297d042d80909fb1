//! What makes two errors the same: a fingerprint of an error line, or of a stack trace, without what differs each time.
//!
//! A trace is its types, the cause's too, and the topmost frames of own code, without line numbers: it survives a change
//! elsewhere in the file. A line is its message with numbers, ids, addresses, quoted values and the variable parts of
//! paths removed. [`Registry`] tells new errors from known ones, and those that come back after a deployment.

mod message;
mod registry;
mod trace;

pub use message::normal_form;
pub use registry::{Event, MAX_FINGERPRINTS, OTHER, Registry};

use std::borrow::Cow;

use crate::color;
use crate::hash::hash;
use crate::json::{self, Value};
use crate::logfmt;

/// The longest title, in bytes.
pub const MAX_TITLE: usize = 200;

/// How much of an entry is looked at: a trace's own frames are near its top or, in Python, near its end.
const MAX_TEXT: usize = 64 << 10;

/// What an error is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The same for the same error; the same in every run and version.
    pub fingerprint: u64,
    /// For people: the type and the message's normal form.
    pub title: String,
    /// Whether it holds a stack trace.
    pub trace: bool,
}

impl Report {
    /// The fingerprint as the label's value: 16 hex digits.
    pub fn label(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }
}

/// Reports an entry: a line, or the lines of a trace. Whether it is an error at all is for its level to say.
pub fn report(entry: &str) -> Report {
    let entry = color::strip(bounded(entry));
    let (message, stack) = parts(&entry);
    let stack = stack.as_deref().unwrap_or(&message);
    if let Some(trace) = trace::parse(stack) {
        let first = stack.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let text = if trace.types.is_empty() { normal_form(first) } else { trace.types.join(" < ") };
        let identity = format!("{text}\n{}", trace.frames.join("\n"));
        let title = match trace.message {
            Some(message) => format!("{text}: {}", normal_form(message)),
            None => text,
        };
        return Report { fingerprint: hash(&identity), title: cut(title), trace: true };
    }
    let mut lines = message.lines().filter(|line| !line.trim().is_empty());
    let mut normal = normal_form(lines.next().unwrap_or_default());
    // A header of its own line, as that of Rust's panics.
    if let Some(next) = lines.next().filter(|_| normal.ends_with(':')) {
        normal = format!("{normal} {}", normal_form(next));
    }
    Report { fingerprint: hash(&normal), title: cut(normal), trace: false }
}

/// Its first and last bytes, where it is too long.
fn bounded(entry: &str) -> &str {
    &entry[..entry.floor_char_boundary(MAX_TEXT)]
}

fn cut(mut title: String) -> String {
    title.truncate(title.floor_char_boundary(MAX_TITLE));
    title
}

/// The message of an entry, and its stack where that stands apart, as JSON and logfmt have them.
fn parts(entry: &str) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    let trimmed = entry.trim_start();
    if trimmed.starts_with('{') {
        let mut parts = Parts::default();
        // What comes before a mistake counts: a long line may have been cut.
        let _ = json::members(trimmed, |name, value| match value {
            Value::Nested(object) if matches!(name, "error" | "err" | "exception" | "exc_info") => {
                let _ = json::members(object, |name, value| parts.take(name, value.text()));
            }
            value => parts.take(name, value.text()),
        });
        if let Some(found) = parts.done() {
            return found;
        }
    } else if memchr::memmem::find(entry.as_bytes(), b"msg=").is_some()
        || memchr::memmem::find(entry.as_bytes(), b"level=").is_some()
    {
        let mut parts = Parts::default();
        logfmt::pairs(entry, |name, value| {
            parts.take(name, Some(value));
            true
        });
        if let Some(found) = parts.done() {
            return found;
        }
    }
    (Cow::Borrowed(entry), None)
}

/// What fields say about an error.
#[derive(Default)]
struct Parts<'e> {
    message: Option<Cow<'e, str>>,
    error: Option<Cow<'e, str>>,
    stack: Option<Cow<'e, str>>,
}

impl<'e> Parts<'e> {
    fn take(&mut self, name: &str, value: Option<Cow<'e, str>>) {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        match name {
            "msg" | "message" | "@m" | "short_message" | "event" => drop(self.message.get_or_insert(value)),
            "error" | "err" | "exception.message" | "error.message" => drop(self.error.get_or_insert(value)),
            "stack"
            | "stack_trace"
            | "stacktrace"
            | "exception"
            | "exc_info"
            | "error.stack"
            | "error.stack_trace"
            | "exception.stacktrace"
            | "@x" => drop(self.stack.get_or_insert(value)),
            _ => {}
        }
    }

    fn done(self) -> Option<(Cow<'e, str>, Option<Cow<'e, str>>)> {
        let message = match (self.message, self.error) {
            (Some(message), Some(error)) => Cow::Owned(format!("{message}: {error}")),
            (message, error) => message.or(error).or_else(|| self.stack.clone())?,
        };
        Some((message, self.stack))
    }
}

#[cfg(test)]
mod tests;
