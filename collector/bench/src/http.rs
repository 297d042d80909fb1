//! The least of an HTTP/1.1 server: what the servers around a measured program need, a thread a connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A request, with its body read.
#[derive(Debug, Default)]
pub struct Request {
    /// What is asked for, without its query.
    pub path: String,
    /// All header lines, in lower case.
    pub head: String,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// Code and reason.
    pub status: &'static str,
    /// Header lines, each with its line end.
    pub head: String,
    /// Shared, since one page goes to many.
    pub body: Arc<Vec<u8>>,
}

impl Response {
    /// 200 with a text.
    pub fn text(text: String) -> Self {
        Response { status: "200 OK", head: String::new(), body: Arc::new(text.into_bytes()) }
    }

    /// An answer without a body.
    pub fn empty(status: &'static str) -> Self {
        Response { status, head: String::new(), body: Arc::default() }
    }
}

/// Serves until the process ends.
pub fn serve(listener: &TcpListener, answer: impl Fn(&Request) -> Response + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    for stream in listener.incoming().flatten() {
        let answer = Arc::clone(&answer);
        // A connection that breaks ends its thread; who asked sees it.
        thread::spawn(move || connection(stream, &*answer));
    }
}

fn connection(stream: TcpStream, answer: &dyn Fn(&Request) -> Response) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let mut request = Request::default();
    while read(&mut stream, &mut request)? {
        let Response { status, head, body } = answer(&request);
        let length = match status.starts_with("204") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let head = format!("HTTP/1.1 {status}\r\n{length}{head}\r\n");
        stream.get_mut().write_all(&[head.as_bytes(), &body[..body.len().min(4096)]].concat())?;
        stream.get_mut().write_all(&body[body.len().min(4096)..])?;
    }
    Ok(())
}

/// Reads the next request; false at the connection's end.
fn read(stream: &mut BufReader<TcpStream>, request: &mut Request) -> io::Result<bool> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(false);
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    request.path.clear();
    request.path.push_str(target.split('?').next().unwrap_or_default());
    request.head.clear();
    while stream.read_line(&mut request.head)? > 2 {}
    request.head.make_ascii_lowercase();
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body)?;
    Ok(true)
}
