//! `taffrail health`: asks the running process, for health checks of containers, which have no other client.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{ConfigOptions, print};
use crate::config::load_listen;
use crate::config::scalar::Interval;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// `taffrail health`
#[derive(Args, Debug)]
pub struct Health {
    #[command(flatten)]
    config: ConfigOptions,
    /// Ask whether everything has its first values, not just whether the process is alive
    #[arg(long)]
    ready: bool,
    /// The address to ask; by default, the one in the configuration
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
    /// How long to wait for each step of the answer
    #[arg(long, default_value = "3s", value_parser = |text: &str| Interval::parse(text).map(|i| i.0))]
    timeout: Duration,
}

impl Health {
    pub(super) fn answer(&self) -> ExitCode {
        let env = |name: &str| std::env::var(name).ok();
        // A file that was broken since the start says nothing about the process: only `listen` is taken from it.
        let listen = || load_listen(self.config.file().as_deref(), &self.config.set, &env);
        let address = reachable(self.address.unwrap_or_else(listen));
        let path = if self.ready { "/-/ready" } else { "/-/healthy" };
        match ask(address, path, self.timeout.max(Duration::from_millis(1))) {
            Ok((200, _)) => ExitCode::SUCCESS,
            Ok((status, text)) => {
                print::err(&format!("http://{address}{path} answered {status}: {}", text.trim()));
                ExitCode::FAILURE
            }
            Err(e) => {
                print::err(&format!("http://{address}{path} does not answer: {e}"));
                ExitCode::FAILURE
            }
        }
    }
}

/// Where to connect for what listens on an address: "all of this machine" is no destination.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// One request by HTTP/1.0: the status and the body.
fn ask(address: SocketAddr, path: &str, timeout: Duration) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // In one piece: what answers before it has read a later piece may be gone when that is written.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let what = || std::io::Error::other("what answers does not speak HTTP");
    Ok((status.ok_or_else(what)?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn served(answer: &'static [u8]) -> std::io::Result<(u16, String)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = std::thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut piece = [0; 512];
                let n = stream.read(&mut piece)?;
                assert!(n > 0, "the request ends early");
                request.extend_from_slice(&piece[..n]);
            }
            stream.write_all(answer)
        });
        let answer = ask(address, "/-/healthy", Duration::from_secs(5));
        server.join().unwrap()?;
        answer
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(
            served(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhealthy\n").unwrap(),
            (200, "healthy\n".to_owned())
        );
        assert_eq!(served(b"HTTP/1.0 503 No\r\n\r\nno").unwrap().0, 503);
        assert!(served(b"SSH-2.0\r\n").is_err());
        assert!(served(b"").is_err());
    }

    #[test]
    fn silence_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(ask(address, "/", Duration::from_millis(50)).is_err());
    }

    #[test]
    fn all_addresses_are_reached_by_loopback() {
        for (listen, asked) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
