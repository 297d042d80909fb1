//! Sends dead letters again, outside of the pipeline.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use taffrail_core::Clock;
use taffrail_wire::Compressor;
use taffrail_wire::proto::ProtoError;

use super::answer::{Meaning, judge};
use super::push::Push;
use crate::config::LokiOutput;
use crate::outputs::http::{Client, ClientError, protocol};
use crate::outputs::verdict::Verdict;

/// How often a receiver is asked again that wants less at once.
const PATIENCE: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Sends requests one after the other.
#[derive(Debug)]
pub struct Resender {
    client: Client,
    compressor: Compressor,
}

/// What was refused again.
#[derive(Clone, Debug)]
pub struct StillDead {
    /// The push request that holds it.
    pub request: Bytes,
    /// Why, as a word.
    pub reason: &'static str,
    /// Why, in the receiver's words.
    pub message: String,
}

/// Why nothing more can be sent now.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// The receiver does not take it now.
    #[error("{0}")]
    Later(String),
    /// It is no push request.
    #[error("{0}")]
    Unreadable(#[from] ProtoError),
}

impl Resender {
    /// For the receiver that `config` names.
    pub fn new(config: &LokiOutput, clock: Clock) -> Result<Self, ClientError> {
        Ok(Resender { client: Client::new(&config.receiver, clock)?, compressor: Compressor::default() })
    }

    /// Sends a push request as `tenant`, and gives what was refused of it.
    pub async fn send(
        &mut self,
        request: Bytes,
        tenant: Option<&str>,
    ) -> Result<Vec<StillDead>, ResendError> {
        let mut headers = protocol(&[("content-type", "application/x-protobuf")]);
        let tenant = tenant.and_then(|tenant| HeaderValue::from_str(tenant).ok());
        headers.extend(tenant.map(|tenant| (HeaderName::from_static("x-scope-orgid"), tenant)));
        let mut dead = Vec::new();
        let mut work = vec![Push::new(request)?];
        let mut patience = PATIENCE;
        while let Some(push) = work.pop() {
            let Ok(body) = self.compressor.compress(&push.request) else {
                dead.push(StillDead::all(&push, "too_large", "too large to be compressed".to_owned()));
                continue;
            };
            let answer = match self.client.post(Bytes::copy_from_slice(body), &headers).await {
                Ok(answer) => answer,
                Err(Verdict::Retry { cause, .. }) => return Err(ResendError::Later(cause)),
                Err(other) => return Err(ResendError::Later(format!("{other:?}"))),
            };
            match judge(&push, &answer, false) {
                Meaning::Usual(Verdict::Done) => {}
                Meaning::Usual(Verdict::Retry { cause, .. }) => return Err(ResendError::Later(cause)),
                Meaning::Wait { cause, .. } if patience == 0 => return Err(ResendError::Later(cause)),
                Meaning::Wait { part, .. } => {
                    patience -= 1;
                    tokio::time::sleep(PAUSE).await;
                    work.extend(push.part(&part));
                }
                Meaning::Apart { from } => work.extend(push.each(from)),
                Meaning::Refused(parts) => {
                    let parts = parts.into_iter();
                    dead.extend(parts.filter_map(|refused| {
                        Some(StillDead::all(&push.part(&refused.part)?, refused.reason, refused.message))
                    }));
                }
                Meaning::Halves | Meaning::Mend(_) | Meaning::Usual(_) => match push.halves() {
                    Some((first, second)) => work.extend([second, first]),
                    None => dead.push(StillDead::all(&push, "refused", answer.message())),
                },
            }
        }
        Ok(dead)
    }
}

impl StillDead {
    fn all(push: &Push, reason: &'static str, message: String) -> Self {
        StillDead { request: push.request.clone(), reason, message }
    }
}
