//! Loki's push API: protobuf, snappy.
//!
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>

mod answer;
mod arrange;
mod limits;
mod push;
mod resend;
mod shared;
mod streams;
mod tenants;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use taffrail_core::Clock;
use taffrail_spool::Record;
use taffrail_wire::Compressor;

use self::answer::{Meaning, judge};
use self::push::Part;
pub use self::push::Push;
pub use self::resend::{ResendError, Resender, StillDead};
use self::shared::Shared;
pub use self::tenants::{Mine, StartTenant, check_tenant};
use super::deliver::{Delivery, Ready};
use super::http::{Answer, Client, ClientError, protocol};
use super::verdict::{Fate, Refused, Verdict};
use crate::config::LokiOutput;
use crate::logs::Notes;
use crate::status::OutputStatus;

/// Sends entries to one receiver. A record of the log is a request, but for what may be refused, which goes alone; a
/// request that is sent again is the same request.
pub struct Loki {
    client: Client,
    headers: HeaderMap,
    compressor: Compressor,
    shared: Arc<Shared>,
    rest: Vec<(Push, Fate)>,
    refused: Vec<Refused>,
    /// How often in a row one entry alone was more than a rate allows.
    stuck: u32,
}

/// How often an entry that may be more than the receiver ever takes at once is tried: some minutes.
const TRIES: u32 = 30;

/// What an output needs beside its config.
#[derive(Clone, Debug)]
pub struct LokiContext {
    /// The one clock.
    pub clock: Clock,
    /// Where it says what happened.
    pub notes: Notes,
    /// Where the outputs' dead letters are.
    pub dead: PathBuf,
}

impl Loki {
    /// An output for the receiver that `config` names, of the streams that are `mine`.
    pub fn new(config: &LokiOutput, context: LokiContext, mine: Mine) -> Result<Self, ClientError> {
        let client = Client::new(&config.receiver, context.clock.clone())?;
        let headers = protocol(&[("content-type", "application/x-protobuf")]);
        let shared = Arc::new(Shared::new(config, context, mine));
        Ok(Loki::with(client, headers, shared))
    }

    /// Whether there could be one.
    pub fn check(config: &LokiOutput, clock: Clock) -> Result<(), ClientError> {
        Client::new(&config.receiver, clock).map(drop)
    }

    fn with(client: Client, headers: HeaderMap, shared: Arc<Shared>) -> Self {
        let (compressor, rest, refused, stuck) = Default::default();
        Loki { client, headers, compressor, shared, rest, refused, stuck }
    }

    /// What comes of an answer.
    fn verdict(&mut self, push: &Push, answer: &Answer, fate: Fate) -> Verdict {
        let meaning = match judge(push, answer, true) {
            // What was learned before has not helped.
            Meaning::Mend(lessons) if !self.shared.learn(&lessons) => judge(push, answer, false),
            meaning => meaning,
        };
        if !matches!(meaning, Meaning::Wait { .. } | Meaning::Usual(Verdict::Retry { .. })) {
            self.stuck = 0;
        }
        match meaning {
            Meaning::Usual(verdict) => {
                if verdict == Verdict::Done {
                    self.shared.taken(push, &Part::All);
                }
                verdict
            }
            Meaning::Refused(parts) => {
                let refused = self.shared.bury(push, parts, fate);
                let lost: u64 = refused.iter().map(|refused| refused.count).sum();
                Verdict::Rest { stored: push.entries.saturating_sub(lost), refused, wait: None }
            }
            Meaning::Wait { part, after, cause } => {
                self.shared.learn_rate(push, answer);
                // More at once than is taken in a second may never be taken.
                if part == Part::All && self.shared.is_much(&push.request) {
                    if let Some((first, second)) = push.halves() {
                        self.rest = vec![(first, fate), (second, fate)];
                        return Verdict::Rest { stored: 0, refused: Vec::new(), wait: Some((cause, after)) };
                    }
                    self.stuck += 1;
                    if self.stuck >= TRIES {
                        self.stuck = 0;
                        let message = format!("one entry is more than is ever taken at once: {cause}");
                        let parts = vec![answer::Refused { part, reason: "too_large", message }];
                        let refused = self.shared.bury(push, parts, fate);
                        return Verdict::Rest { stored: 0, refused, wait: None };
                    }
                }
                let Some(left) =
                    Some(&part).filter(|part| **part != Part::All).and_then(|part| push.part(part))
                else {
                    return Verdict::Retry { after, cause, fate: Fate::NotStored };
                };
                let stored = push.entries.saturating_sub(left.entries);
                self.rest = vec![(left, fate)];
                Verdict::Rest { stored, refused: Vec::new(), wait: Some((cause, after)) }
            }
            Meaning::Apart { from } => {
                self.shared.learn_rate(push, answer);
                let apart = push.each(from);
                let left: u64 = apart.iter().map(|push| push.entries).sum();
                self.rest = apart.into_iter().map(|push| (push, Fate::Unknown)).collect();
                Verdict::Rest { stored: push.entries.saturating_sub(left), refused: Vec::new(), wait: None }
            }
            Meaning::Halves => Verdict::Split,
            Meaning::Mend(_) => {
                let arranged = self.shared.arrange(&push.request);
                let lost: u64 = arranged.refused.iter().map(|refused| refused.count).sum();
                self.rest = arranged.pushes.into_iter().map(|push| (push, Fate::Unknown)).collect();
                let sent: u64 = self.rest.iter().map(|(push, _)| push.entries).sum();
                let stored = push.entries.saturating_sub(sent + lost);
                Verdict::Rest { stored, refused: arranged.refused, wait: None }
            }
        }
    }
}

impl Delivery for Loki {
    type Batch = Push;
    const PEEK_BYTES: usize = 512 << 10;
    const LINGER: Duration = Duration::ZERO;
    // One push after the other.
    const AHEAD: u64 = 1;

    fn another(&self) -> Self {
        Loki::with(self.client.clone(), self.headers.clone(), self.shared.clone())
    }

    fn read(&mut self, records: &[Record]) -> (Vec<Ready<Push>>, Vec<String>) {
        let (mut batches, mut errors) = (Vec::new(), Vec::new());
        for record in records.iter().filter(|record| !record.replay) {
            let found = match self.shared.read(&record.bytes) {
                Ok(found) => found,
                Err(error) => {
                    errors.push(error.to_string());
                    continue;
                }
            };
            self.refused.extend(found.refused);
            let pushes = found.pushes.into_iter();
            batches.extend(pushes.map(|batch| Ready { batch, upto: None }));
            // Settled when the last of them is.
            if let Some(last) = batches.last_mut() {
                last.upto = Some(record.position + 1);
            }
        }
        (batches, errors)
    }

    fn refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    fn report(&mut self, status: &mut OutputStatus) {
        self.shared.report(status);
    }

    fn rest(&mut self) -> Vec<(Push, Fate)> {
        std::mem::take(&mut self.rest)
    }

    fn len(batch: &Push) -> u64 {
        batch.entries
    }

    fn split(batch: Push) -> Result<(Push, Push), Push> {
        batch.halves().ok_or(batch)
    }

    async fn send(&mut self, batch: &Push, fate: Fate) -> (Verdict, u64) {
        if let Some(wait) = self.shared.pace(&batch.request) {
            tokio::time::sleep(wait).await;
        }
        let Ok(body) = self.compressor.compress(&batch.request) else { return (Verdict::Split, 0) };
        let body = Bytes::copy_from_slice(body);
        let bytes = body.len() as u64;
        match self.client.post(body, &self.headers).await {
            Ok(answer) => (self.verdict(batch, &answer, fate), bytes),
            Err(verdict) => (verdict, 0),
        }
    }
}
