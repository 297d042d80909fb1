//! Reading objects back.

use std::io::{self, BufRead, BufReader};

use serde::Deserialize;

/// What a line says of its entry; the whole line is the entry.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    /// Its time, as [`rfc3339`](crate::rfc3339) writes it.
    pub ts: &'a str,
    /// Its labels.
    #[serde(default)]
    pub labels: serde_json::Map<String, serde_json::Value>,
    /// What was logged.
    pub line: String,
}

/// The lines of an object, each an entry as JSON.
///
/// # Errors
/// When there is no memory for it; later, where it is damaged.
pub fn decode(object: &[u8]) -> io::Result<impl BufRead> {
    Ok(BufReader::with_capacity(1 << 16, zstd::Decoder::with_buffer(object)?))
}
