//! Prometheus remote write, 2.0 where the receiver takes it, else 1.0.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>,
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

mod answer;
mod batch;
mod version;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use taffrail_core::Clock;
use taffrail_spool::{Record, SegmentId};
use taffrail_wire::remote_write;

use self::answer::{judge, without};
use self::batch::{Batch, Reading};
use self::version::{Speaking, Version};
use super::deliver::{Delivery, Ready};
use super::http::{Client, ClientError, protocol};
use super::verdict::{Fate, Verdict};
use crate::config::PrometheusOutput;
use crate::metrics::record::Decoder;

/// Sends samples to one receiver.
pub struct Prometheus {
    client: Client,
    speaking: Speaking,
    headers: [HeaderMap; 2],
    decoder: Decoder<SegmentId>,
    reading: Reading,
    request: remote_write::Request,
    request_v2: remote_write::v2::Request,
}

impl Prometheus {
    /// An output for the receiver that `config` names.
    pub fn new(config: &PrometheusOutput, clock: Clock) -> Result<Self, ClientError> {
        let headers = [
            (remote_write::CONTENT_TYPE, remote_write::VERSION),
            (remote_write::v2::CONTENT_TYPE, remote_write::v2::VERSION),
        ];
        let headers = headers.map(|(content, version)| {
            protocol(&[
                ("content-type", content),
                ("content-encoding", remote_write::CONTENT_ENCODING),
                (remote_write::VERSION_HEADER, version),
            ])
        });
        Ok(Prometheus {
            client: Client::new(&config.receiver, clock.clone())?,
            speaking: Speaking::new(&config.receiver.name, config.version, clock),
            headers,
            decoder: Decoder::default(),
            reading: Reading::default(),
            request: remote_write::Request::default(),
            request_v2: remote_write::v2::Request::default(),
        })
    }

    /// The body of a request with `batch` in it, and how many samples it cannot carry; or `None` if no request can hold
    /// it.
    fn body(&mut self, batch: &Batch, version: Version) -> Option<(Bytes, u64)> {
        let mut left_out = 0;
        let body = match version {
            Version::V1 => {
                self.request.clear();
                left_out = batch.write(&mut self.request);
                self.request.finish()
            }
            Version::V2 => {
                self.request_v2.clear();
                batch.write_v2(&mut self.request_v2);
                self.request_v2.finish()
            }
        };
        Some((Bytes::copy_from_slice(body.ok()?), left_out))
    }
}

impl Delivery for Prometheus {
    type Batch = Batch;
    const PEEK_BYTES: usize = 256 << 10;
    // A round of subjects takes a few milliseconds.
    const LINGER: Duration = Duration::from_millis(50);

    fn read(&mut self, records: &[Record]) -> (Vec<Ready<Batch>>, Vec<String>) {
        let mut errors = Vec::new();
        for record in records {
            self.reading.begin(record);
            let read = self.decoder.read(record.segment, &record.bytes, &mut self.reading);
            errors.extend(read.err().map(|error| error.to_string()));
            self.reading.end(record);
        }
        (self.reading.finish(), errors)
    }

    fn len(batch: &Batch) -> u64 {
        batch.len() as u64
    }

    fn split(batch: Batch) -> Result<(Batch, Batch), Batch> {
        batch.split()
    }

    async fn send(&mut self, batch: &Batch, _fate: Fate) -> (Verdict, u64) {
        let version = self.speaking.version();
        let Some((body, left_out)) = self.body(batch, version) else { return (Verdict::Split, 0) };
        let bytes = body.len() as u64;
        let headers = &self.headers[version as usize];
        match self.client.post(body, headers).await {
            Ok(answer) => {
                let verdict = without(judge(&answer, version, batch.counts()), left_out);
                (self.speaking.heard(version, verdict), bytes)
            }
            Err(verdict) => (verdict, 0),
        }
    }
}
