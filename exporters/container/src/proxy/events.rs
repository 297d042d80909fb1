//! The engine's events as they come through: line by line, each with what is listed. What is about no container, image or
//! network does not come through, nor do commands that somebody runs in a container: the event holds the command.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};
use serde_json::Value;

use super::keep;

/// The longest line; an engine's have some hundred bytes, and the labels of a container.
const MAX_LINE: usize = 1 << 20;
/// What events may be about.
const KINDS: [&str; 3] = ["container", "image", "network"];

/// Why a stream of events ends before the engine ends it.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The connection to the engine broke.
    #[error("the engine: {0}")]
    Engine(#[from] hyper::Error),
    /// It says what is no event.
    #[error("the engine says what is no event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// One without an end.
    #[error("the engine's event is longer than {MAX_LINE} bytes")]
    Long,
}

/// Events of the engine, filtered.
pub struct Events {
    engine: Incoming,
    /// The beginning of a line.
    rest: BytesMut,
}

impl Events {
    /// Those in `engine`.
    pub fn new(engine: Incoming) -> Self {
        Events { engine, rest: BytesMut::new() }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = EventsError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EventsError>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.engine).poll_frame(context)?) else {
                // A line without an end is half of one.
                return Poll::Ready(None);
            };
            if let Some(data) = frame.data_ref() {
                self.rest.extend_from_slice(data);
            }
            let lines = take_lines(&mut self.rest)?;
            if !lines.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(lines))));
            }
        }
    }
}

/// Takes the whole lines from `rest`, and returns what comes through of them.
fn take_lines(rest: &mut BytesMut) -> Result<Bytes, EventsError> {
    let mut kept = Vec::new();
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest.split_to(end + 1);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let event: Value = serde_json::from_slice(&line)?;
        if comes_through(&event) {
            kept.extend_from_slice(keep::EVENT.of(event).to_string().as_bytes());
            kept.push(b'\n');
        }
    }
    if rest.len() > MAX_LINE {
        return Err(EventsError::Long);
    }
    Ok(kept.into())
}

fn comes_through(event: &Value) -> bool {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    // Engines of before tell of containers alone, without saying so.
    let kind = event["Type"].as_str().unwrap_or("container");
    KINDS.contains(&kind) && !text("Action").starts_with("exec_") && !text("status").starts_with("exec_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<(String, usize), EventsError> {
        let mut rest = BytesMut::from(text);
        let kept = take_lines(&mut rest)?;
        Ok((String::from_utf8(kept.to_vec()).unwrap(), rest.len()))
    }

    #[test]
    fn whole_lines_come_through() {
        let die = r#"{"Action":"die","Actor":{"Attributes":{"exitCode":"1"},"ID":"a"},"Type":"container"}"#;
        let (kept, rest) = lines(&format!("{die}\n\n{{\"Type\":\"im")).unwrap();
        assert_eq!((kept, rest), (format!("{die}\n"), 11));
        let more = die.replace("\"Type\"", "\"New\":{\"Env\":[\"x\"]},\"Type\"");
        assert_eq!(lines(&format!("{more}\n")).unwrap().0, format!("{die}\n"));
    }

    #[test]
    fn commands_and_others_do_not() {
        for line in [
            r#"{"Type":"container","Action":"exec_create: mysql --password=x"}"#,
            r#"{"status":"exec_start: x","id":"a"}"#,
            r#"{"Type":"secret","Action":"create"}"#,
            r#"{"Type":"plugin","Action":"enable"}"#,
        ] {
            assert_eq!(lines(&format!("{line}\n")).unwrap().0, "", "{line}");
        }
        assert!(matches!(lines("x\n"), Err(EventsError::Malformed(_))));
        assert!(matches!(lines(&"x".repeat(MAX_LINE + 1)), Err(EventsError::Long)));
    }
}
