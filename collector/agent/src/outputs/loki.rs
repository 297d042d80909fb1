//! Loki's push API: protobuf, snappy.
//!
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use taffrail_core::Clock;
use taffrail_spool::Record;
use taffrail_wire::Compressor;
use taffrail_wire::loki::{self, Batch, Reason, refusals};

use super::deliver::{Delivery, Ready};
use super::http::{Answer, Client, ClientError, protocol};
use super::verdict::{Fate, Verdict, classify};
use crate::config::LokiOutput;

/// Sends entries to one receiver, one record of the log a request, so that a request sent again is the same request.
pub struct Loki {
    client: Client,
    headers: HeaderMap,
    compressor: Compressor,
}

/// An uncompressed push request.
pub struct Push {
    request: Bytes,
    entries: u64,
    streams: usize,
}

impl Push {
    fn new(request: Bytes) -> Result<Self, taffrail_wire::proto::ProtoError> {
        let entries = loki::count_entries(&request)? as u64;
        let streams = loki::streams(&request).count();
        Ok(Push { request, entries, streams })
    }
}

impl Loki {
    /// An output for the receiver that `config` names.
    pub fn new(config: &LokiOutput, clock: Clock) -> Result<Self, ClientError> {
        let client = Client::new(&config.receiver, clock)?;
        let headers = protocol(&[("content-type", "application/x-protobuf")]);
        Ok(Loki { client, headers, compressor: Compressor::default() })
    }
}

impl Delivery for Loki {
    type Batch = Push;
    const PEEK_BYTES: usize = 512 << 10;
    const LINGER: Duration = Duration::ZERO;
    // One push after the other.
    const AHEAD: u64 = 1;

    fn another(&self) -> Self {
        let (client, headers) = (self.client.clone(), self.headers.clone());
        Loki { client, headers, compressor: Compressor::default() }
    }

    fn read(&mut self, records: &[Record]) -> (Vec<Ready<Push>>, Vec<String>) {
        let (mut batches, mut errors) = (Vec::new(), Vec::new());
        for record in records.iter().filter(|record| !record.replay) {
            match Push::new(record.bytes.clone()) {
                Ok(batch) => batches.push(Ready { batch, upto: Some(record.position + 1) }),
                Err(error) => errors.push(error.to_string()),
            }
        }
        (batches, errors)
    }

    fn len(batch: &Push) -> u64 {
        batch.entries
    }

    fn split(batch: Push) -> Result<(Push, Push), Push> {
        let (mut first, mut second) = (Batch::new(), Batch::new());
        if !matches!(loki::split(&batch.request, &mut first, &mut second), Ok(true)) {
            return Err(batch);
        }
        let half = |half: &mut Batch| Push::new(Bytes::copy_from_slice(half.finish()));
        match (half(&mut first), half(&mut second)) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            _ => Err(batch),
        }
    }

    async fn send(&mut self, batch: &Push, _fate: Fate) -> (Verdict, u64) {
        let Ok(body) = self.compressor.compress(&batch.request) else { return (Verdict::Split, 0) };
        let body = Bytes::copy_from_slice(body);
        let bytes = body.len() as u64;
        match self.client.post(body, &self.headers).await {
            Ok(answer) => (judge(batch, &answer), bytes),
            Err(verdict) => (verdict, 0),
        }
    }
}

/// Loki stores the good entries of a request that it answers with 400, so only what it names is lost. Where it does
/// not say how many, halves are asked for until it does; it drops the equal entries that it gets twice.
fn judge(batch: &Push, answer: &Answer) -> Verdict {
    let verdict = classify(answer);
    if !matches!(answer.status, 400 | 422 | 429) {
        return verdict;
    }
    let refusals = refusals(&answer.body);
    let Some(first) = refusals.first() else { return verdict };
    let (reason, message) = (first.reason.as_str(), answer.message());
    // The stream limit is answered with 429, but waiting for it would hold up every stream that is there already.
    let for_streams = refusals.iter().any(|refusal| refusal.reason == Reason::StreamLimit);
    if answer.status == 429 && !for_streams {
        return verdict;
    }
    if for_streams && batch.streams == 1 {
        return Verdict::Partial { refused: batch.entries, reason, message };
    }
    // An ingester speaks of one stream only (`of` is set), though others may have been refused too.
    let exact = batch.streams == 1 || refusals.iter().all(|refusal| refusal.of.is_none());
    let refused: Option<u64> = refusals.iter().map(|refusal| refusal.entries).sum();
    match refused {
        Some(refused) if exact && refused > 0 => {
            Verdict::Partial { refused: refused.min(batch.entries), reason, message }
        }
        _ => Verdict::Reject { reason, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(streams: &[&str]) -> Push {
        let mut batch = Batch::new();
        for stream in streams {
            batch.stream(stream);
            for at in 0..3 {
                batch.entry(at, "line", []);
            }
        }
        Push::new(Bytes::copy_from_slice(batch.finish())).unwrap()
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, headers: HeaderMap::new(), body: body.into() }
    }

    const ORDER: &str = "entry with timestamp 2026-11-21 01:00:00 +0000 UTC ignored, reason: 'entry too far behind, \
        entry timestamp is: 2026-11-21T01:00:00Z, oldest acceptable timestamp is: 2026-11-21T02:00:00Z',\n\
        user 'fake', total ignored: 2 out of 3 for stream: {a=\"1\"}";

    #[test]
    fn one_stream_is_answered_exactly() {
        let verdict = judge(&push(&[r#"{a="1"}"#]), &answer(400, ORDER));
        assert!(matches!(verdict, Verdict::Partial { refused: 2, reason: "order", .. }), "{verdict:?}");
    }

    #[test]
    fn of_many_streams_an_ingester_names_one_only() {
        let verdict = judge(&push(&[r#"{a="1"}"#, r#"{a="2"}"#]), &answer(400, ORDER));
        assert!(matches!(verdict, Verdict::Reject { reason: "order", .. }), "{verdict:?}");
    }

    #[test]
    fn rate_waits_and_the_stream_limit_does_not() {
        let rate = "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest";
        assert!(matches!(judge(&push(&[r#"{a="1"}"#]), &answer(429, rate)), Verdict::Retry { .. }));
        let streams =
            "maximum active stream limit exceeded when trying to create stream {a=\"1\"}, reduce the number";
        let one = judge(&push(&[r#"{a="1"}"#]), &answer(429, streams));
        assert!(matches!(one, Verdict::Partial { refused: 3, reason: "stream_limit", .. }), "{one:?}");
        let two = judge(&push(&[r#"{a="1"}"#, r#"{a="2"}"#]), &answer(429, streams));
        assert!(matches!(two, Verdict::Reject { .. }), "{two:?}");
    }

    #[test]
    fn a_push_is_halved_until_one_entry_is_left() {
        let (first, second) = Loki::split(push(&[r#"{a="1"}"#, r#"{a="2"}"#])).ok().unwrap();
        assert_eq!(first.entries + second.entries, 6);
        let (one, two) = Loki::split(first).ok().unwrap();
        assert!(one.entries >= 1 && two.entries >= 1);
        let mut single = push(&[r#"{a="1"}"#]);
        while let Ok((first, _)) = Loki::split(single) {
            single = first;
            if single.entries == 1 {
                break;
            }
        }
    }
}
