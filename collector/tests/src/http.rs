//! A small HTTP/1.1 client: what the harness needs to ask other programs, and no more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Bytes of a body; more is a fault of the program asked.
const MAX_BODY: u64 = 64 << 20;

/// Asks one server on loopback.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
    timeout: Duration,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// For a port of 127.0.0.1, with 5 s for each read and write.
    pub fn new(port: u16) -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), timeout: Duration::from_secs(5) }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When the server cannot be reached, is too slow or speaks no HTTP.
    pub fn get(&self, path: &str) -> Result<Response> {
        self.send("GET", path, &[], &[])
    }

    /// `POST path` with a body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        self.send("POST", path, headers, body)
    }

    /// `GET path`, where anything but 200 is an error that shows the body.
    ///
    /// # Errors
    /// As [`Client::get`], and for other answers than 200.
    pub fn get_ok(&self, path: &str) -> Result<Response> {
        let response = self.get(path)?;
        if response.status != 200 {
            bail!("GET {path}: {} {}", response.status, response.text());
        }
        Ok(response)
    }

    /// One request on a connection of its own. A `host` header in `headers` replaces the usual one.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        let stream = TcpStream::connect_timeout(&self.address, self.timeout)
            .with_context(|| format!("cannot connect to {}", self.address))?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        (&stream).write_all(head.as_bytes())?;
        (&stream).write_all(body)?;
        read_response(&mut BufReader::new(stream))
            .with_context(|| format!("{method} {} {path}", self.address))
    }
}

fn read_response(reader: &mut impl BufRead) -> Result<Response> {
    let line = read_line(reader)?;
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| code.parse().ok())
        .with_context(|| format!("not an HTTP status line: {line:?}"))?;
    let headers = read_headers(reader)?;
    let body = if status == 204 || status == 304 { Vec::new() } else { read_body(reader, &headers, true)? };
    Ok(Response { status, headers, body })
}

pub(crate) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// One line without its end; empty at the end of the stream.
pub(crate) fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.take(64 << 10).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Header lines up to the empty one, names in lower case.
pub(crate) fn read_headers(reader: &mut impl BufRead) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').with_context(|| format!("not a header: {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// The body, by its length or in chunks; with neither, up to the end where a response may have that.
pub(crate) fn read_body(
    reader: &mut impl BufRead,
    headers: &[(String, String)],
    to_end: bool,
) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if header(headers, "transfer-encoding").is_some_and(|value| value.ends_with("chunked")) {
        loop {
            let line = read_line(reader)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size =
                u64::from_str_radix(size, 16).with_context(|| format!("not a chunk's size: {line:?}"))?;
            read_exactly(reader, size, &mut body)?;
            read_line(reader)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match header(headers, "content-length") {
        Some(length) => {
            let length = length.parse().context("content-length is no number")?;
            read_exactly(reader, length, &mut body)?;
        }
        None if to_end => {
            reader.take(MAX_BODY).read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok(body)
}

fn read_exactly(reader: &mut impl BufRead, length: u64, into: &mut Vec<u8>) -> Result<()> {
    if length + into.len() as u64 > MAX_BODY {
        bail!("a body over {MAX_BODY} bytes");
    }
    let got = reader.take(length).read_to_end(into)?;
    if got as u64 != length {
        bail!("the body ended after {got} of {length} bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_length_chunks_and_end() {
        let parse = |text: &str| read_response(&mut text.as_bytes());
        let response = parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi").unwrap();
        assert_eq!((response.status, response.text()), (200, "hi".to_owned()));
        assert_eq!(response.header("x-a"), Some("b"));
        let chunked =
            "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().text(), "abcd");
        assert_eq!(parse("HTTP/1.0 200 OK\r\n\r\nall").unwrap().text(), "all");
        assert!(parse("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi").is_err());
        assert!(parse("\x16\x03\x01").is_err());
    }
}
