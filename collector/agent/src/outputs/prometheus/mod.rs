//! Prometheus remote write, 2.0 where the receiver takes it, else 1.0.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>,
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

mod answer;
mod batch;
mod relabel;
mod version;
mod window;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use taffrail_core::Clock;
use taffrail_spool::{Record, SegmentId};
use taffrail_wire::relabel::{Labels, Rule};
use taffrail_wire::remote_write;

use self::answer::{judge, without};
use self::batch::{Batch, Reading};
use self::relabel::Relabel;
use self::version::{Speaking, Version};
use super::deliver::{Delivery, Ready, Window};
use super::http::{Client, ClientError, protocol};
use super::verdict::{Fate, Verdict};
use crate::config::{OutOfOrder, PrometheusOutput};
use crate::metrics::Identity;
use crate::metrics::record::Decoder;
use crate::status::lock;

/// Sends samples to one receiver.
pub struct Prometheus {
    client: Client,
    clock: Clock,
    speaking: Arc<Mutex<Speaking>>,
    settings: Arc<Settings>,
    decoder: Decoder<SegmentId>,
    reading: Reading,
    request: remote_write::Request,
    request_v2: remote_write::v2::Request,
}

/// What does not change.
struct Settings {
    name: String,
    /// By version.
    headers: [HeaderMap; 2],
    shards: usize,
    rules: Arc<[Rule]>,
    out_of_order: OutOfOrder,
    /// The series with which the receiver is asked whether it takes samples out of order.
    probe: Option<Labels>,
}

impl Prometheus {
    /// An output for the receiver that `config` names. `identity` are the labels of the collector's own series.
    pub fn new(config: &PrometheusOutput, identity: &Identity, clock: Clock) -> Result<Self, ClientError> {
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
        let name = &config.receiver.name;
        let settings = Settings {
            name: name.clone(),
            headers,
            shards: config.max_shards,
            rules: config.relabel.clone().into(),
            out_of_order: config.out_of_order,
            probe: window::probe_labels(name, &config.relabel, identity),
        };
        let client = Client::new(&config.receiver, clock.clone())?;
        let speaking = Speaking::new(name, config.version, clock.clone());
        Ok(Self::with(client, clock, Arc::new(Mutex::new(speaking)), Arc::new(settings)))
    }

    fn with(client: Client, clock: Clock, speaking: Arc<Mutex<Speaking>>, settings: Arc<Settings>) -> Self {
        let reading = Reading::new(Relabel::new(&settings.rules));
        let (decoder, request, request_v2) = Default::default();
        Prometheus { client, clock, speaking, settings, decoder, reading, request, request_v2 }
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
    // Two requests: one under way, one behind it.
    const AHEAD: u64 = 2 * batch::MAX_SAMPLES as u64;

    fn another(&self) -> Self {
        let (client, clock) = (self.client.clone(), self.clock.clone());
        Self::with(client, clock, self.speaking.clone(), self.settings.clone())
    }

    fn shards(&self) -> usize {
        self.settings.shards
    }

    fn spread(batches: Vec<Ready<Batch>>, shards: usize) -> Vec<(usize, Batch)> {
        batch::spread(batches, shards)
    }

    fn left_out(&mut self) -> u64 {
        self.reading.take_left_out()
    }

    async fn window(&mut self, age: Duration) -> Window {
        self.ask_window(age).await
    }

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
        let version = lock(&self.speaking).version();
        let Some((body, left_out)) = self.body(batch, version) else { return (Verdict::Split, 0) };
        let bytes = body.len() as u64;
        let headers = &self.settings.headers[version as usize];
        match self.client.post(body, headers).await {
            Ok(answer) => {
                let verdict = without(judge(&answer, version, batch.counts()), left_out);
                (lock(&self.speaking).heard(version, verdict), bytes)
            }
            Err(verdict) => (verdict, 0),
        }
    }
}
