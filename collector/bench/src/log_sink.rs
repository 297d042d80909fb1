//! A receiver of Loki's push requests, in a process of its own: `taffrail-bench log-sink ADDRESS`. It counts entries and
//! keeps nothing. `/counts` says what came so far.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use taffrail_wire::loki::count_entries;
use taffrail_wire::{decompress, decompressed_len};

use crate::http::{self, Request, Response};
use crate::program::get;

/// No request of a well-behaved sender is larger.
const MAX_REQUEST: usize = 64 << 20;

/// What a receiver has got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Log lines.
    pub entries: u64,
    /// The bodies' bytes, as sent.
    pub wire_bytes: u64,
}

impl Counts {
    /// Asks the receiver at `address`.
    pub fn of(address: SocketAddr) -> Result<Self> {
        let text = String::from_utf8(get(address, "/counts")?)?;
        let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [entries, wire_bytes] = numbers[..] else { bail!("the receiver answered {text:?}") };
        Ok(Counts { entries, wire_bytes })
    }
}

/// Serves until it is killed.
pub fn run(arguments: &[String]) -> Result<()> {
    let address = arguments.first().context("log-sink: an address is wanted")?;
    let (entries, wire_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    http::serve(&TcpListener::bind(address)?, move |request| {
        if request.path == "/counts" {
            return Response::text(format!("{entries:?} {wire_bytes:?}"));
        }
        let Some(came) = entries_of(request) else { return Response::empty("400 Bad Request") };
        entries.fetch_add(came, Ordering::Relaxed);
        wire_bytes.fetch_add(request.body.len() as u64, Ordering::Relaxed);
        Response::empty("204 No Content")
    });
    Ok(())
}

/// How many entries a request has, or nothing if it is malformed.
fn entries_of(request: &Request) -> Option<u64> {
    if decompressed_len(&request.body).ok()? > MAX_REQUEST {
        return None;
    }
    Some(count_entries(&decompress(&request.body).ok()?).ok()? as u64)
}

#[cfg(test)]
mod tests {
    use taffrail_wire::loki::Batch;

    use super::*;

    #[test]
    fn it_counts_entries_and_refuses_what_is_none() {
        let mut batch = Batch::new();
        batch.stream("{job=\"test\"}");
        (0..3).for_each(|at| batch.entry(at, "line", []));
        let body = batch.compressed().unwrap().to_vec();
        let push = |body: &[u8]| entries_of(&Request { body: body.to_vec(), ..Request::default() });
        assert_eq!(push(&body), Some(3));
        assert_eq!(push(&body[..body.len() - 1]), None);
    }
}
