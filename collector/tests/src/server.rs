//! A small HTTP/1.1 server that can misbehave on purpose: it owns the socket, so it can also answer
//! with garbage, with nothing, or by closing, which a proper server library cannot.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::http;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it was read whole.
    pub at: SystemTime,
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body as sent, not uncompressed.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of a name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        http::header(&self.headers, name)
    }
}

/// What a server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// What the server does when nothing else is asked for.
    Usual,
    /// A status, headers and a body.
    Http {
        /// The status code.
        status: u16,
        /// Header lines, without `content-length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Bytes that are no HTTP, then the end of the connection.
    Garbage,
    /// Says nothing for this long, then closes.
    Hang(Duration),
    /// Closes without a word.
    Close,
    /// Does what it does usually, and closes without a word: the acknowledgement is lost.
    Unheard,
}

impl Answer {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::text(status, "")
    }

    /// A status with a text.
    pub fn text(status: u16, body: &str) -> Self {
        Self::bytes(status, body.as_bytes().to_vec())
    }

    /// A status with a body that is no text.
    pub fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self::Http { status, headers: Vec::new(), body }
    }

    /// 429 with `Retry-After` in seconds.
    pub fn too_many(retry_after: u64) -> Self {
        Self::text(429, "too many requests").with_header("retry-after", &retry_after.to_string())
    }

    /// The same with one more header; only for answers that are HTTP.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Http { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// Answers for the requests to come: each of the script once, in order, then what always holds.
#[derive(Debug)]
pub(crate) struct Script {
    next: Mutex<VecDeque<Answer>>,
    always: Mutex<Answer>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self { next: Mutex::default(), always: Mutex::new(Answer::Usual) }
    }

    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.next).extend(answers);
    }

    pub(crate) fn always(&self, answer: Answer) {
        lock(&self.next).clear();
        *lock(&self.always) = answer;
    }

    pub(crate) fn take(&self) -> Answer {
        let next = lock(&self.next).pop_front();
        next.unwrap_or_else(|| lock(&self.always).clone())
    }
}

/// A lock that a panicking test thread cannot poison for the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Handler = dyn Fn(Request) -> Answer + Send + Sync;

/// A listening server; dropping it closes its port and its connections.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    stop: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `address` (`127.0.0.1:0` for a free port); each connection has its own thread.
    pub(crate) fn start(
        address: &str,
        handler: impl Fn(Request) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let (stopping, connections) = (Arc::clone(&stop), Arc::clone(&open));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream.try_clone() {
                    lock(&connections).push(stream);
                }
                let (handler, stop) = (Arc::clone(&handler), Arc::clone(&stopping));
                thread::spawn(move || serve(&stream, &*handler, &stop));
            }
        });
        Ok(Self { port, stop, open, accepting: Some(accepting) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accept loop, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        // The port is free only when that loop has ended.
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for stream in lock(&self.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Requests of one connection until either side is done with it.
fn serve(stream: &TcpStream, handler: &Handler, stop: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    while !stop.load(Ordering::SeqCst) {
        let Ok(Some(request)) = read_request(&mut reader, stream) else {
            break;
        };
        if !answer(stream, handler(request), stop) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn read_request(reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream) -> Result<Option<Request>> {
    let line = http::read_line(reader)?;
    let mut words = line.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let headers = http::read_headers(reader)?;
    if http::header(&headers, "expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = http::read_body(reader, &headers, false)?;
    Ok(Some(Request {
        at: SystemTime::now(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
    }))
}

/// Writes the answer; false when the connection ends with it.
fn answer(mut stream: &TcpStream, answer: Answer, stop: &AtomicBool) -> bool {
    match answer {
        Answer::Http { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
            for (name, value) in &headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            // A 204 has no body, and says no length.
            if status != 204 {
                head.push_str(&format!("content-length: {}\r\n", body.len()));
            }
            head.push_str("\r\n");
            let mut bytes = head.into_bytes();
            bytes.extend_from_slice(&body);
            stream.write_all(&bytes).is_ok()
        }
        Answer::Garbage => {
            let _ = stream.write_all(b"\x00\xff\x13SSH-2.0-not http at all\r\n\r\n");
            false
        }
        Answer::Hang(time) => {
            let step = Duration::from_millis(50);
            let mut left = time;
            while !left.is_zero() && !stop.load(Ordering::SeqCst) {
                thread::sleep(step.min(left));
                left = left.saturating_sub(step);
            }
            false
        }
        Answer::Usual | Answer::Close | Answer::Unheard => false,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "As Told",
    }
}
