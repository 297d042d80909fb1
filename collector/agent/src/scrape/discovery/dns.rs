//! `dns_sd_configs`: names whose records are targets.
//!
//! The machine's servers are asked directly, since the system's resolver knows addresses only. A name that no server
//! knows has no targets; one that no server can answer for keeps those it had.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use taffrail_probe::dns::message::{self, Response};
use taffrail_probe::dns::{numbers, random_id};
use taffrail_wire::relabel::Labels;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::refresh::Part;
use super::resolv;
use crate::scrape::job::{DnsKind, DnsNames};
use crate::scrape::target::Group;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most that is read of a datagram.
const DATAGRAM: usize = 4096;
/// The port of DNS.
const PORT: u16 = 53;
/// Response codes: no error, and no such name.
const NOERROR: u8 = 0;
const NXDOMAIN: u8 = 3;

/// Asks for records.
#[derive(Debug)]
pub struct Dns {
    names: DnsNames,
    resolv: PathBuf,
}

impl Dns {
    /// Asks for the records of `names`.
    pub fn new(names: &DnsNames) -> Self {
        Dns { names: names.clone(), resolv: "/etc/resolv.conf".into() }
    }

    /// How often they want to be asked for.
    pub fn every(&self) -> Duration {
        self.names.refresh
    }

    /// The records of all names as they are now.
    pub async fn find(&self) -> Vec<Part> {
        let path = self.resolv.clone();
        let reading =
            tokio::task::spawn_blocking(move || std::fs::read_to_string(path).map_err(|e| e.to_string()));
        let text = match reading.await.unwrap_or_else(|_| Err("reading it panicked".to_owned())) {
            Ok(text) => text,
            Err(error) => {
                let problem = format!("dns_sd_configs: {}: {error}", self.resolv.display());
                return self.names.names.iter().map(|name| (name.clone(), Err(problem.clone()))).collect();
            }
        };
        let resolv = resolv::parse(&text);
        let mut parts = Vec::new();
        for name in &self.names.names {
            let found = self.lookup(name, &resolv).await;
            let found = found.map(|response| vec![group(&self.names, name, &response)]);
            parts.push((name.clone(), found.map_err(|error| format!("dns_sd_configs: {name}: {error}"))));
        }
        parts
    }

    /// The records of what `name` stands for; none where nothing of the kind exists.
    async fn lookup(&self, name: &str, resolv: &resolv::Resolv) -> Result<Response, String> {
        if resolv.servers.is_empty() {
            return Err(format!("{} names no nameserver", self.resolv.display()));
        }
        let mut failed = None;
        for whole in resolv.names(name) {
            match self.any_server(&whole, resolv).await {
                Ok(response) if response.rcode == NOERROR => return Ok(response),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        // Only when every name is known not to exist is there nothing.
        failed.map_or_else(|| Ok(Response::default()), Err)
    }

    /// The first answer that says whether `name` exists.
    async fn any_server(&self, name: &str, resolv: &resolv::Resolv) -> Result<Response, String> {
        let mut last = String::new();
        for server in &resolv.servers {
            let to = SocketAddr::new(*server, PORT);
            let answer = match tokio::time::timeout(PATIENCE, ask(to, name, number(self.names.kind))).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            };
            match answer {
                Ok(response) if matches!(response.rcode, NOERROR | NXDOMAIN) => return Ok(response),
                Ok(response) => last = format!("{to} answers {}", numbers::rcode_name(response.rcode)),
                Err(error) => last = format!("{to}: {error}"),
            }
        }
        Err(format!("no server answers for {name}: {last}"))
    }
}

fn number(kind: DnsKind) -> u16 {
    match kind {
        DnsKind::Srv => numbers::SRV,
        DnsKind::A => numbers::A,
        DnsKind::Aaaa => numbers::AAAA,
        DnsKind::Mx => numbers::MX,
        DnsKind::Ns => numbers::NS,
    }
}

/// A question and its answer: a datagram each way, or a connection where the answer is too long for one.
async fn ask(to: SocketAddr, name: &str, kind: u16) -> io::Result<Response> {
    let wrong = |error: message::MessageError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let id = random_id();
    let query = message::query(id, name, kind, numbers::IN, true).map_err(wrong)?;
    let from: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    socket.send(&query).await?;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let len = socket.recv(&mut datagram).await?;
        // What is not the answer may be one that comes late, or a forgery.
        match message::parse(&datagram[..len]) {
            Ok(response) if response.id == id && response.response && !response.truncated => {
                return Ok(response);
            }
            Ok(response) if response.id == id && response.response => break,
            _ => {}
        }
    }
    let mut stream = TcpStream::connect(to).await?;
    let length = u16::try_from(query.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&length[..], &query].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    match message::parse(&answer).map_err(wrong)? {
        response if response.id == id && response.response => Ok(response),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is to another question")),
    }
}

/// The targets in an answer.
fn group(names: &DnsNames, name: &str, response: &Response) -> Group {
    let targets = response.answer.iter().filter_map(|record| {
        // Owner, TTL, class, type, data.
        let data = record.text.split('\t').nth(4)?;
        let mut labels = Labels::default();
        labels.set("__meta_dns_name", name);
        let port = names.port.to_string();
        let bare = |host: &str| host.trim_end_matches('.').to_owned();
        let address = match record.kind {
            numbers::SRV => {
                let mut words = data.split(' ').skip(2);
                let (port, host) = (words.next()?, words.next()?);
                labels.set("__meta_dns_srv_record_target", host);
                labels.set("__meta_dns_srv_record_port", port);
                join(&bare(host), port)
            }
            numbers::MX => {
                let host = data.split(' ').nth(1)?;
                labels.set("__meta_dns_mx_record_target", host);
                join(&bare(host), &port)
            }
            numbers::NS => {
                labels.set("__meta_dns_ns_record_target", data);
                join(&bare(data), &port)
            }
            numbers::A | numbers::AAAA => join(data, &port),
            _ => return None,
        };
        labels.set("__address__", &address);
        Some(labels)
    });
    Group { targets: targets.collect(), labels: Labels::default(), source: format!("dns_sd_configs, {name}") }
}

fn join(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use taffrail_probe::dns::message::Record;

    use super::*;

    fn names(kind: DnsKind) -> DnsNames {
        DnsNames { names: vec!["x".into()], kind, port: 80, refresh: Duration::from_secs(1) }
    }

    #[test]
    fn records_are_targets() {
        let record = |kind: u16, data: &str| {
            let text = format!("x.\t60\tIN\t{}\t{data}", numbers::kind_name(kind));
            Record { kind, text, serial: None }
        };
        let response = Response {
            answer: vec![
                record(numbers::SRV, "0 5 8080 a.example."),
                record(numbers::MX, "10 m.example."),
                record(numbers::NS, "n.example."),
                record(numbers::A, "10.0.0.1"),
                record(numbers::AAAA, "fd00::1"),
                record(numbers::CNAME, "y.example."),
            ],
            ..Response::default()
        };
        let group = group(&names(DnsKind::Srv), "x", &response);
        let shown: Vec<String> = group.targets.iter().map(ToString::to_string).collect();
        let expected = [
            r#"{__address__="a.example:8080", __meta_dns_name="x", __meta_dns_srv_record_port="8080", __meta_dns_srv_record_target="a.example."}"#,
            r#"{__address__="m.example:80", __meta_dns_mx_record_target="m.example.", __meta_dns_name="x"}"#,
            r#"{__address__="n.example:80", __meta_dns_name="x", __meta_dns_ns_record_target="n.example."}"#,
            r#"{__address__="10.0.0.1:80", __meta_dns_name="x"}"#,
            r#"{__address__="[fd00::1]:80", __meta_dns_name="x"}"#,
        ];
        assert_eq!(shown, expected);
    }

    #[tokio::test]
    async fn without_servers_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let mut dns = Dns::new(&names(DnsKind::A));
        dns.resolv = path.clone();
        assert!(dns.find().await[0].1.is_err());
        std::fs::write(path, "search x\n").unwrap();
        assert!(dns.find().await[0].1.as_ref().unwrap_err().contains("names no nameserver"));
    }
}
