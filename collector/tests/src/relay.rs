//! A server before another that takes its time: a receiver that is far away, or busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::http::Client;
use crate::server::{Answer, Server};

/// Passes requests on to a port of loopback, each after a delay. Dropping it closes its port.
#[derive(Debug)]
pub struct Relay {
    server: Server,
    delay_ms: Arc<AtomicU64>,
}

impl Relay {
    /// A relay to `port`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn to(port: u16, delay: Duration) -> Result<Self> {
        let delay_ms = Arc::new(AtomicU64::new(delay.as_millis() as u64));
        let wait = Arc::clone(&delay_ms);
        let server = Server::start("127.0.0.1:0", move |request| {
            sleep(Duration::from_millis(wait.load(Ordering::SeqCst)));
            let kept = |name: &str| !matches!(name, "host" | "content-length" | "connection");
            let headers: Vec<(&str, &str)> = request
                .headers
                .iter()
                .filter(|(name, _)| kept(name))
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            match Client::new(port).post(&request.path, &headers, &request.body) {
                Ok(response) => {
                    let kept =
                        |name: &str| !matches!(name, "content-length" | "connection" | "transfer-encoding");
                    let headers = response.headers.into_iter().filter(|(name, _)| kept(name)).collect();
                    Answer::Http { status: response.status, headers, body: response.body }
                }
                Err(_) => Answer::Close,
            }
        })?;
        Ok(Self { server, delay_ms })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Another delay, from the next request on.
    pub fn set_delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as u64, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::Receiver;

    #[test]
    fn passes_on_what_comes_with_its_headers() {
        let receiver = Receiver::start().unwrap();
        receiver.then([Answer::text(400, "no").with_header("x-back", "2")]);
        let relay = Relay::to(receiver.port(), Duration::from_millis(50)).unwrap();
        let answer = Client::new(relay.port()).post("/push", &[("x-to", "1")], b"body").unwrap();
        assert_eq!(
            (answer.status, answer.text(), answer.header("x-back")),
            (400, "no".to_owned(), Some("2"))
        );
        let got = receiver.received().remove(0).request;
        assert_eq!(
            (got.header("x-to"), got.body.as_slice(), got.path.as_str()),
            (Some("1"), &b"body"[..], "/push")
        );
    }
}
