//! A push request as others send it: protobuf or JSON, with everything in it that is allowed, and much that is not.
//!
//! What is read here is given to a [`Sink`] entry by entry, so that a small request cannot become a large tree. Text that is
//! not UTF-8 is replaced: Go's encoders send it as it is, and a refusal would cost the whole request. Source: Loki's
//! HTTP API, `POST /loki/api/v1/push`.

use std::borrow::Cow;

use thiserror::Error;

use super::labels::parse_label_set;
use super::reader::timestamp;
use crate::proto::{Field, Fields, ProtoError};

/// The labels of a stream, in the order of the request.
pub type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What takes a request's entries.
pub trait Sink {
    /// The entries that follow are of this stream. False: they are not wanted, and are passed over.
    fn stream(&mut self, labels: Result<Pairs<'_>, BadLabels<'_>>) -> bool;

    /// An entry: nanoseconds since 1970, the line, and structured metadata.
    fn entry(&mut self, ts_ns: i64, line: &str, metadata: &[(Cow<'_, str>, Cow<'_, str>)]);
}

/// A stream's label set that does not read as one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the label set {0:?} does not read as {{name=\"value\", …}}")]
pub struct BadLabels<'a>(pub Cow<'a, str>);

/// Why a request cannot be read.
#[derive(Debug, Error)]
pub enum PushError {
    /// It is no protobuf message of this kind.
    #[error(transparent)]
    Proto(#[from] ProtoError),
    /// It is no JSON of this form.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Reads an uncompressed `logproto.PushRequest`. After an error, what the sink was given before counts for nothing.
///
/// # Errors
/// When it is no such message.
pub fn read_protobuf(request: &[u8], sink: &mut impl Sink) -> Result<(), PushError> {
    for field in Fields::new(request) {
        let field = field?;
        if field.number == 1 {
            stream(field.bytes()?, sink)?;
        }
    }
    Ok(())
}

fn stream(message: &[u8], sink: &mut impl Sink) -> Result<(), ProtoError> {
    let mut labels = Cow::Borrowed("");
    for field in Fields::new(message) {
        let field = field?;
        if field.number == 1 {
            labels = lossy(field)?;
            break;
        }
    }
    let pairs = parse_label_set(&labels).ok_or_else(|| BadLabels(Cow::Borrowed(&*labels)));
    let wanted = sink.stream(pairs);
    let mut metadata = Vec::new();
    for field in Fields::new(message) {
        let field = field?;
        if field.number == 2 {
            entry(field.bytes()?, &mut metadata, wanted, sink)?;
            metadata.clear();
        }
    }
    Ok(())
}

fn entry<'a>(
    message: &'a [u8],
    metadata: &mut Pairs<'a>,
    wanted: bool,
    sink: &mut impl Sink,
) -> Result<(), ProtoError> {
    let (mut ts_ns, mut line) = (0, Cow::Borrowed(""));
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => ts_ns = timestamp(field.bytes()?)?,
            2 => line = lossy(field)?,
            3 => metadata.push(pair(field.bytes()?)?),
            _ => {}
        }
    }
    if wanted {
        sink.entry(ts_ns, &line, metadata);
    }
    Ok(())
}

fn pair(message: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), ProtoError> {
    let mut pair = (Cow::Borrowed(""), Cow::Borrowed(""));
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => pair.0 = lossy(field)?,
            2 => pair.1 = lossy(field)?,
            _ => {}
        }
    }
    Ok(pair)
}

fn lossy(field: Field<'_>) -> Result<Cow<'_, str>, ProtoError> {
    field.bytes().map(String::from_utf8_lossy)
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
