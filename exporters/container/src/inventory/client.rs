//! A client of the engine's API: Docker's, which Podman speaks as well. Requests name no version of the API, so an engine
//! answers in its own, whether older or newer than this program; what is read has not changed since Docker 1.12.
//!
//! A request has a connection of its own, a bounded time and a bounded answer.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Where an engine's API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket's path.
    Unix(PathBuf),
    /// Host and port, without TLS: a filter in front of the engine, on this machine.
    Tcp(String),
    /// Nowhere: no engine is asked, though there may be one.
    Nowhere,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(authority) => write!(f, "tcp://{authority}"),
            Address::Nowhere => f.write_str("none"),
        }
    }
}

/// Why the engine did not say what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such socket, or this user may not use it.
    #[error("{address}: {source}{}", help(source))]
    Connect {
        /// Where.
        address: Address,
        /// Why not.
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("{path} was not answered within {} s", .after.as_secs())]
    Late {
        /// What was asked.
        path: String,
        /// How long it had.
        after: Duration,
    },
    /// It refused.
    #[error("{path} was answered with {status}{}{message}", if .message.is_empty() { "" } else { ": " })]
    Status {
        /// What was asked.
        path: String,
        /// The answer's status.
        status: StatusCode,
        /// What it said, cut short.
        message: String,
    },
    /// The connection broke, or the answer is no HTTP, or too large.
    #[error("{path}: {what}")]
    Broken {
        /// What was asked.
        path: String,
        /// What was wrong.
        what: String,
    },
    /// The answer does not read as the API says.
    #[error("{path} was answered with what does not read as JSON of the engine's API: {what}")]
    Json {
        /// What was asked.
        path: String,
        /// What was wrong.
        what: String,
    },
}

fn help(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; run as a user who may use it, or name another in `docker`",
        std::io::ErrorKind::NotFound => "; is the engine running, and its socket mounted here?",
        _ => "",
    }
}

/// How long a request may take, with its whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read: ten thousand containers with many labels.
const MAX_ANSWER: usize = 64 << 20;
/// How much of a refusal is told.
const MAX_MESSAGE: usize = 200;

/// Asks one engine.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    timeout: Duration,
    max_answer: usize,
}

impl Client {
    /// Of the engine at `address`.
    pub fn new(address: Address) -> Self {
        Client { address, timeout: TIMEOUT, max_answer: MAX_ANSWER }
    }

    /// The same, with another time for each request.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same, with another bound on the bytes of each whole answer.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// Where the engine is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The whole answer to a GET.
    pub async fn get(&self, path: &str) -> Result<Bytes, EngineError> {
        let answer = async {
            let body = self.send(path).await?.into_body();
            let collected = Limited::new(body, self.max_answer).collect().await;
            collected.map(http_body_util::Collected::to_bytes).map_err(|error| broken(path, error))
        };
        self.in_time(path, answer).await
    }

    /// The answer to a GET that goes on for as long as the engine likes. Only its beginning has to be in time.
    pub async fn follow(&self, path: &str) -> Result<Incoming, EngineError> {
        Ok(self.stream(path).await?.into_body())
    }

    /// The same, with the head of the answer.
    pub async fn stream(&self, path: &str) -> Result<Response<Incoming>, EngineError> {
        self.in_time(path, self.send(path)).await
    }

    async fn in_time<T>(
        &self,
        path: &str,
        answer: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let late = || EngineError::Late { path: path.to_owned(), after: self.timeout };
        tokio::time::timeout(self.timeout, answer).await.unwrap_or_else(|_| Err(late()))
    }

    async fn send(&self, path: &str) -> Result<Response<Incoming>, EngineError> {
        let connect = |source| EngineError::Connect { address: self.address.clone(), source };
        match &self.address {
            Address::Unix(socket) => {
                exchange(UnixStream::connect(socket).await.map_err(connect)?, path).await
            }
            Address::Tcp(authority) => {
                exchange(TcpStream::connect(authority).await.map_err(connect)?, path).await
            }
            Address::Nowhere => Err(connect(std::io::ErrorKind::NotFound.into())),
        }
    }
}

async fn exchange<S>(stream: S, path: &str) -> Result<Response<Incoming>, EngineError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(path, error))?;
    // It ends by itself as soon as the answer is read or dropped.
    tokio::spawn(connection);
    let request = Request::get(path).header("Host", "engine").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| broken(path, error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(path, error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let message = body.map(|body| message(&body.to_bytes())).unwrap_or_default();
    Err(EngineError::Status { path: path.to_owned(), status, message })
}

/// What a refusal says: `{"message": "…"}`, or plain text.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(MAX_MESSAGE)]).into_owned(),
    };
    text.trim().chars().take(MAX_MESSAGE).collect()
}

fn broken(path: &str, error: impl fmt::Display) -> EngineError {
    EngineError::Broken { path: path.to_owned(), what: error.to_string() }
}
