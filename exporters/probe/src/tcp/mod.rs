//! The TCP prober: whether a port takes connections.

use std::net::{IpAddr, SocketAddr};

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::resolve::Addressing;

/// How to probe a port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Which address is probed.
    pub addressing: Addressing,
    /// The address that the connection is made from.
    pub source: Option<IpAddr>,
}

/// Connects to the target, `host:port`.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let (host, port) = host_port(attempt.target)?;
    let (found, _) = attempt.resolve(host, settings.addressing).await;
    attempt.connect(SocketAddr::new(found?, port), settings.source).await?;
    Ok(())
}

/// The two halves of `host:port`; an IPv6 address stands in brackets.
pub(crate) fn host_port(target: &str) -> Result<(&str, u16), Failure> {
    let wanted = "host:port, such as db.example:5432 or [::1]:5432";
    let wrong = || Failure::Target { target: target.to_owned(), wanted };
    let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if bare.is_none() && host.contains([':', '[', ']', '/']) {
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
        for bad in ["db", "::1:80", "db:", "db:x", "db:65536", "http://db:80", "[::1:80"] {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }
}
