//! A receiver of remote write 1.0 and 2.0, in a process of its own: `taffrail-bench sink ADDRESS`. It counts samples and
//! keeps nothing.
//!
//! `/counts` says what came so far; after `/away` pushes are answered with 503, until `/back`.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use taffrail_wire::proto::{Fields, Value};
use taffrail_wire::remote_write::{VERSION_HEADER, v2};
use taffrail_wire::{decompress, decompressed_len};

use crate::http::{self, Request, Response};
use crate::program::get;

/// No request of a well-behaved sender is larger.
const MAX_REQUEST: usize = 256 << 20;

/// What a receiver has got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Samples, staleness markers among them.
    pub samples: u64,
    /// Requests that were taken.
    pub requests: u64,
    /// Their bodies' bytes, as sent.
    pub wire_bytes: u64,
}

impl Counts {
    /// Asks the receiver at `address`.
    pub fn of(address: std::net::SocketAddr) -> Result<Self> {
        let text = String::from_utf8(get(address, "/counts")?)?;
        let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [samples, requests, wire_bytes] = numbers[..] else { bail!("the receiver answered {text:?}") };
        Ok(Counts { samples, requests, wire_bytes })
    }

    /// What has come since `before`.
    pub fn since(&self, before: &Counts) -> Counts {
        Counts {
            samples: self.samples - before.samples,
            requests: self.requests - before.requests,
            wire_bytes: self.wire_bytes - before.wire_bytes,
        }
    }
}

#[derive(Debug, Default)]
struct Sink {
    away: AtomicBool,
    samples: AtomicU64,
    requests: AtomicU64,
    wire_bytes: AtomicU64,
}

/// Serves until it is killed.
pub fn run(arguments: &[String]) -> Result<()> {
    let address = arguments.first().context("sink: an address is wanted")?;
    let sink = Sink::default();
    http::serve(&TcpListener::bind(address)?, move |request| sink.answer(request));
    Ok(())
}

impl Sink {
    fn answer(&self, request: &Request) -> Response {
        match request.path.as_str() {
            "/counts" => {
                let Sink { samples, requests, wire_bytes, .. } = self;
                return Response::text(format!("{samples:?} {requests:?} {wire_bytes:?}"));
            }
            "/away" => self.away.store(true, Ordering::Relaxed),
            "/back" => self.away.store(false, Ordering::Relaxed),
            _ if self.away.load(Ordering::Relaxed) => return Response::empty("503 Service Unavailable"),
            _ => return self.push(request),
        }
        Response::text(String::new())
    }

    fn push(&self, request: &Request) -> Response {
        let second = request.header(VERSION_HEADER).is_some_and(|version| version.starts_with('2'));
        let Some(samples) = samples(&request.body, second) else { return Response::empty("400 Bad Request") };
        self.samples.fetch_add(samples, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.wire_bytes.fetch_add(request.body.len() as u64, Ordering::Relaxed);
        let mut answer = Response::empty("204 No Content");
        if second {
            answer.head = format!(
                "{}: {samples}\r\nX-Prometheus-Remote-Write-Histograms-Written: 0\r\n\
                 X-Prometheus-Remote-Write-Exemplars-Written: 0\r\n",
                v2::SAMPLES_WRITTEN
            );
        }
        answer
    }
}

/// How many samples a request has, or nothing if it is malformed.
fn samples(body: &[u8], second: bool) -> Option<u64> {
    if decompressed_len(body).ok()? > MAX_REQUEST {
        return None;
    }
    let raw = decompress(body).ok()?;
    // Field numbers of io.prometheus.write.v2.Request and prometheus.WriteRequest; in a series of either, 2 is a sample.
    let of_series = if second { 5 } else { 1 };
    let mut count = 0;
    for field in Fields::new(&raw) {
        let field = field.ok()?;
        if field.number != of_series {
            continue;
        }
        let Value::Bytes(series) = field.value else { return None };
        for field in Fields::new(series) {
            count += u64::from(field.ok()?.number == 2);
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use taffrail_wire::Compressor;
    use taffrail_wire::remote_write::{Request, encode_labels};

    use super::*;

    #[test]
    fn it_counts_samples_and_refuses_what_is_none() {
        let mut labels = Vec::new();
        encode_labels(&mut labels, [("__name__", "up"), ("job", "test")].into_iter());
        let mut request = Request::new();
        request.series(&labels, &[(1.0, 1), (2.0, 2)]);
        request.series(&labels, &[(3.0, 3)]);
        let body = request.finish().unwrap();
        assert_eq!(samples(body, false), Some(3));
        assert_eq!(samples(&body[..body.len() - 1], false), None);
        assert_eq!(samples(Compressor::default().compress(b"not protobuf").unwrap(), true), None);
    }
}
