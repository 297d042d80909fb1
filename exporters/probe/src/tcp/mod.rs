//! The TCP prober: whether a port takes connections, and whether what listens there says what it should.

mod dialogue;

use std::net::{IpAddr, SocketAddr};

use taffrail_core::Pattern;

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::resolve::Addressing;
use crate::tls;

/// How to probe a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which address is probed.
    pub addressing: Addressing,
    /// The address that the connection is made from.
    pub source: Option<IpAddr>,
    /// TLS is spoken from the beginning.
    pub tls: bool,
    /// How TLS is spoken, from the beginning or after STARTTLS.
    pub client: tls::Client,
    /// What is said and heard, step by step.
    pub query_response: Vec<Step>,
}

impl Settings {
    /// Connects, and says nothing.
    pub fn new(client: tls::Client) -> Self {
        Settings {
            addressing: Addressing::default(),
            source: None,
            tls: false,
            client,
            query_response: Vec::new(),
        }
    }
}

/// One step of a dialogue: hear, then say, then perhaps go over to TLS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What must come.
    pub expect: Option<Expect>,
    /// Labels of `probe_expect_info`: names, and values in which `${1}` is what a group of `expect` found.
    pub labels: Vec<(String, String)>,
    /// What is sent, and a newline; `${1}` as in labels. Nothing when empty.
    pub send: Vec<u8>,
    /// TLS begins.
    pub starttls: bool,
}

/// What must come.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// A line that looks like this; others before it are passed over.
    Line(Pattern),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Connects to the target, `host:port`, and goes through the dialogue.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let (host, port) = host_port(attempt.target)?;
    let (found, _) = attempt.resolve(host, settings.addressing).await;
    let stream = attempt.connect(SocketAddr::new(found?, port), settings.source).await?;
    let name = settings.client.server_name().unwrap_or(host);
    dialogue::hold(settings, attempt, stream, name).await
}

/// The two halves of `host:port`; an IPv6 address stands in brackets.
pub(crate) fn host_port(target: &str) -> Result<(&str, u16), Failure> {
    let wanted = "host:port, such as db.example:5432 or [::1]:5432";
    let wrong = || Failure::Target { target: target.to_owned(), wanted };
    let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if host.is_empty() || (bare.is_none() && host.contains([':', '[', ']', '/'])) {
        return Err(wrong());
    }
    Ok((bare.unwrap_or(host), port.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_host_and_port() {
        assert_eq!(host_port("db:5432").unwrap(), ("db", 5432));
        assert_eq!(host_port("[::1]:80").unwrap(), ("::1", 80));
        for bad in ["db", "::1:80", "db:", "db:x", "db:65536", "http://db:80", "[::1:80", ":80"] {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }
}
