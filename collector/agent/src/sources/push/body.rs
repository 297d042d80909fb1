//! The body of a request: read within bounds of size, memory and time, then unpacked.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use taffrail_wire::{decompress, decompressed_len};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::answer::Refusal;

/// The largest request, unpacked, in bytes; Loki's own bound is half of it.
const MAX: usize = 8 << 20;
/// How long a body may take to arrive.
const ARRIVE: Duration = Duration::from_secs(30);
/// Unpacked bytes that are asked room for at a time.
const STEP: usize = 64 << 10;

/// What a body is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// JSON; else protobuf in snappy's block format.
    pub(super) json: bool,
    gzip: bool,
}

impl Form {
    /// As the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let unknown = |text: String| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "form", text);
        let text = |name: HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
        };
        let json = match &*text(CONTENT_TYPE) {
            "application/json" => true,
            "application/x-protobuf" => false,
            other => {
                let text =
                    format!("Content-Type is {other:?}: send application/x-protobuf or application/json");
                return Err(unknown(text));
            }
        };
        let gzip = match &*text(CONTENT_ENCODING) {
            "gzip" => true,
            "" | "identity" => false,
            "snappy" if !json => false,
            other => {
                let text = format!(
                    "Content-Encoding is {other:?}: send gzip, or none; protobuf is always in snappy"
                );
                return Err(unknown(text));
            }
        };
        Ok(Form { json, gzip })
    }
}

/// Room for a body in memory, of all that there is.
#[derive(Debug)]
pub(super) struct Room {
    all: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(all: &Arc<Semaphore>) -> Self {
        Room { all: all.clone(), held: None }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(more) = self.all.clone().try_acquire_many_owned(count) else {
            let text = "too much is being sent at once: send it again later";
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "busy", text));
        };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

fn too_large() -> Refusal {
    let text = format!("the request has more than {MAX} bytes: send smaller ones");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
}

/// Reads a body as it comes.
pub(super) async fn read(
    mut body: Incoming,
    headers: &HeaderMap,
    all: &Arc<Semaphore>,
) -> Result<(Vec<u8>, Room), Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > MAX) {
        return Err(too_large());
    }
    let mut room = Room::new(all);
    let reading = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "broken_off", "the request broke off");
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if bytes.len() + data.len() > MAX {
                return Err(too_large());
            }
            // As it comes, and not as it is declared: who declares much and sends nothing would hold the room.
            room.grow(data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    };
    let late = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "late", format!("the body took over {ARRIVE:?}"));
    let bytes = timeout(ARRIVE, reading).await.map_err(|_| late())??;
    Ok((bytes, room))
}

/// Undoes what the body was packed with.
pub(super) fn unpack(mut body: Vec<u8>, form: &Form, mut room: Room) -> Result<(Vec<u8>, Room), Refusal> {
    let malformed = |text: String| Refusal::new(StatusCode::BAD_REQUEST, "malformed", text);
    if form.gzip {
        let mut decoder = MultiGzDecoder::new(&*body).take(MAX as u64 + 1);
        let mut unpacked = Vec::new();
        loop {
            room.grow(STEP)?;
            let read = (&mut decoder).take(STEP as u64).read_to_end(&mut unpacked);
            match read.map_err(|error| malformed(format!("gzip: {error}")))? {
                0 => break,
                _ if unpacked.len() > MAX => return Err(too_large()),
                _ => {}
            }
        }
        body = unpacked;
    }
    if !form.json {
        // Looked at before it is made room for: a few bytes may say that they are four gigabytes.
        let len = decompressed_len(&body).map_err(|error| malformed(error.to_string()))?;
        if len > MAX {
            return Err(too_large());
        }
        room.grow(len)?;
        body = decompress(&body).map_err(|error| malformed(error.to_string()))?;
    }
    Ok((body, room))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use taffrail_wire::Compressor;

    use super::*;

    fn form(pairs: &[(&'static str, &'static str)]) -> Result<Form, String> {
        let pairs = pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()));
        Form::of(&pairs.collect()).map_err(|refusal| refusal.text)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn headers_say_what_the_body_is() {
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(form(&[json]).unwrap(), Form { json: true, gzip: false });
        assert_eq!(form(&[json, ("content-encoding", "gzip")]).unwrap(), Form { json: true, gzip: true });
        let protobuf = ("content-type", "application/x-protobuf");
        assert_eq!(
            form(&[protobuf, ("content-encoding", "snappy")]).unwrap(),
            Form { json: false, gzip: false }
        );
        for bad in [&[][..], &[("content-type", "text/plain")], &[json, ("content-encoding", "snappy")]] {
            assert!(form(bad).unwrap_err().contains("send"), "{bad:?}");
        }
    }

    #[test]
    fn bombs_are_found_before_they_burst() {
        let all = Arc::new(Semaphore::new(2 * MAX));
        let unpack = |body: Vec<u8>, json, gzip| {
            unpack(body, &Form { json, gzip }, Room::new(&all))
                .map(|(b, _)| b.len())
                .map_err(|r| r.status.as_u16())
        };
        assert_eq!(unpack(gzip(b"{}"), true, true), Ok(2));
        assert_eq!(unpack(gzip(&vec![0; 100 << 20]), true, true), Err(413));
        assert_eq!(unpack(gzip(&gzip(b"{}")), false, true), Err(400));
        let mut compressor = Compressor::default();
        assert_eq!(unpack(compressor.compress(b"abc").unwrap().to_vec(), false, false), Ok(3));
        assert_eq!(unpack(compressor.compress(&vec![0; MAX + 1]).unwrap().to_vec(), false, false), Err(413));
        // It says four gigabytes.
        assert_eq!(unpack(b"\xff\xff\xff\xff\x0f1".to_vec(), false, false), Err(413));
        assert_eq!(unpack(b"not snappy".to_vec(), false, false), Err(400));
        assert_eq!(unpack(gzip(b"{}")[..9].to_vec(), true, true), Err(400));
        assert_eq!(all.available_permits(), 2 * MAX, "all room is given back");
        let held = all.clone().try_acquire_many_owned(2 * MAX as u32).unwrap();
        assert_eq!(unpack(gzip(b"{}"), true, true), Err(429));
        drop(held);
    }
}
