//! A receiver for pushes that answers as a test tells it to, and remembers all that came.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::server::{Answer, Request, Script, Server, lock};
use crate::wait::wait_for;
use crate::wire::{self, PushRequest, WriteRequest};

/// A request, and whether it was answered with a success.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request.
    pub request: Request,
    /// True when the answer was a 2xx: then the sender may forget what it sent.
    pub accepted: bool,
}

impl Received {
    /// The body as a remote write 1.0 request.
    ///
    /// # Errors
    /// When it is none.
    pub fn write_request(&self) -> Result<WriteRequest> {
        wire::decode(&self.request.body)
    }

    /// The body as a push to Loki.
    ///
    /// # Errors
    /// When it is none.
    pub fn push_request(&self) -> Result<PushRequest> {
        wire::decode(&self.request.body)
    }
}

/// The server; it answers 204 unless told otherwise. Dropping it closes its port.
#[derive(Debug)]
pub struct Receiver {
    server: Server,
    script: Arc<Script>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub fn start() -> Result<Self> {
        Self::start_on(0)
    }

    /// Listens on a given port: for a receiver that comes back where it was.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start_on(port: u16) -> Result<Self> {
        let script = Arc::new(Script::new());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (answers, log) = (Arc::clone(&script), Arc::clone(&received));
        let server = Server::start(&format!("127.0.0.1:{port}"), move |request| {
            let answer = match answers.take() {
                Answer::Usual => Answer::status(204),
                other => other,
            };
            let accepted = matches!(answer, Answer::Http { status: 200..300, .. } | Answer::Unheard);
            lock(&log).push(Received { request, accepted });
            answer
        })?;
        Ok(Self { server, script, received })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// `http://127.0.0.1:PORT` with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// Answers for the next requests, each once and in this order, after those told before.
    pub fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.then(answers);
    }

    /// The answer from now on, in place of all that was told before. [`Answer::Usual`] is a 204.
    pub fn always(&self, answer: Answer) {
        self.script.always(answer);
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    /// Waits until this many requests have come.
    ///
    /// # Errors
    /// When fewer came within `timeout`.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<Received>> {
        wait_for(&format!("{count} requests"), timeout, || {
            let received = self.received();
            if received.len() < count {
                bail!("{} came", received.len());
            }
            Ok(received)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Client;
    use crate::wire::{Label, Sample, TimeSeries};
    use prost::Message;

    #[test]
    fn answers_as_told_then_as_usual() {
        let receiver = Receiver::start().unwrap();
        let client = Client::new(receiver.port());
        receiver.then([
            Answer::text(400, "no"),
            Answer::too_many(7),
            Answer::Garbage,
            Answer::Close,
            Answer::Hang(Duration::from_millis(100)),
        ]);
        let first = client.post("/push", &[], b"a").unwrap();
        assert_eq!((first.status, first.text()), (400, "no".to_owned()));
        let second = client.post("/push", &[], b"b").unwrap();
        assert_eq!(second.status, 429);
        assert_eq!(second.header("retry-after"), Some("7"));
        for what in ["garbage", "close", "hang"] {
            assert!(client.post("/push", &[], b"c").is_err(), "{what}");
        }
        assert_eq!(client.post("/push", &[], b"d").unwrap().status, 204);
        receiver.always(Answer::status(500));
        assert_eq!(client.post("/push", &[], b"e").unwrap().status, 500);
        let accepted: Vec<bool> = receiver.received().iter().map(|r| r.accepted).collect();
        assert_eq!(accepted, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn decodes_remote_write_and_says_what_is_malformed() {
        let receiver = Receiver::start().unwrap();
        let sent = WriteRequest {
            timeseries: vec![TimeSeries {
                labels: vec![Label { name: "__name__".into(), value: "up".into() }],
                samples: vec![Sample { value: 1.0, timestamp: 5 }],
            }],
            metadata: Vec::new(),
        };
        let body = snap::raw::Encoder::new().compress_vec(&sent.encode_to_vec()).unwrap();
        let client = Client::new(receiver.port());
        client.post("/api/v1/write", &[], &body).unwrap();
        client.post("/api/v1/write", &[], b"\xff\xff").unwrap();
        let received = receiver.wait_for(2, Duration::from_secs(1)).unwrap();
        assert_eq!(received[0].write_request().unwrap(), sent);
        let err = received[1].write_request().unwrap_err();
        assert_eq!(err.to_string(), "snappy");
    }
}
