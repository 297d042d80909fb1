//! Prometheus remote write 1.0.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{Record, SegmentId};
use taffrail_wire::remote_write::{self, Request, is_order_refusal};

use super::deliver::Delivery;
use super::http::{Client, ClientError};
use super::verdict::{Fate, OUT_OF_ORDER, Verdict, classify};
use crate::config::PrometheusOutput;
use crate::metrics::record::{Decoder, Point};

/// The most samples in a request, as Prometheus' own default has it.
const MAX_SAMPLES: usize = 2000;

/// Sends samples to one receiver.
pub struct Prometheus {
    client: Client,
    decoder: Decoder<SegmentId>,
    request: Request,
}

impl Prometheus {
    /// An output for the receiver that `config` names.
    pub fn new(config: &PrometheusOutput, clock: Clock) -> Result<Self, ClientError> {
        let protocol = [
            ("Content-Type", remote_write::CONTENT_TYPE),
            ("Content-Encoding", remote_write::CONTENT_ENCODING),
            (remote_write::VERSION_HEADER, remote_write::VERSION),
        ];
        let client = Client::new(&config.receiver, &protocol, clock)?;
        Ok(Prometheus { client, decoder: Decoder::default(), request: Request::default() })
    }
}

impl Delivery for Prometheus {
    type Batch = Vec<Point>;
    const PEEK_BYTES: usize = 256 << 10;
    // A round of subjects takes a few milliseconds.
    const LINGER: Duration = Duration::from_millis(50);

    fn read(&mut self, records: &[Record]) -> (Vec<Self::Batch>, Vec<String>) {
        let (mut points, mut errors) = (Vec::new(), Vec::new());
        for record in records {
            let before = points.len();
            let read = self.decoder.read(record.segment, &record.bytes, |point| points.push(point));
            if let Err(error) = read {
                errors.push(error.to_string());
            }
            if record.replay {
                // Read for its definitions only.
                points.truncate(before);
            }
        }
        let batches = points.chunks(MAX_SAMPLES).map(<[Point]>::to_vec).collect();
        (batches, errors)
    }

    fn len(batch: &Self::Batch) -> u64 {
        batch.len() as u64
    }

    fn split(mut batch: Self::Batch) -> Result<(Self::Batch, Self::Batch), Self::Batch> {
        if batch.len() < 2 {
            return Err(batch);
        }
        let second = batch.split_off(batch.len() / 2);
        Ok((batch, second))
    }

    async fn send(&mut self, batch: &Self::Batch, _fate: Fate) -> (Verdict, u64) {
        self.request.clear();
        for point in batch {
            self.request.series(&point.labels, &[(point.value, point.ts_ms)]);
        }
        let body = match self.request.finish() {
            Ok(body) => Bytes::copy_from_slice(body),
            Err(_) => return (Verdict::Split, 0),
        };
        let bytes = body.len() as u64;
        let verdict = match self.client.post(body).await {
            Err(verdict) => verdict,
            Ok(answer) => match classify(&answer) {
                Verdict::Reject { message, .. } if is_order_refusal(&answer.body) => {
                    Verdict::Reject { reason: OUT_OF_ORDER, message }
                }
                verdict => verdict,
            },
        };
        (verdict, bytes)
    }
}
