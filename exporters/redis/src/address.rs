//! Where a server is, as its URL says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of Redis.
const PORT: u16 = 6379;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `redis://host:6379`, or `rediss://` with TLS.
    Host {
        /// A name or an address; an IPv6 address without brackets.
        host: String,
        /// Its port.
        port: u16,
        /// Whether TLS is spoken.
        tls: bool,
    },
    /// `unix:///run/redis.sock`.
    Socket(PathBuf),
}

/// A text that is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme.
    #[error("an address begins with `redis://`, `rediss://` (TLS) or `unix://`")]
    Scheme,
    /// A user or a password in it.
    #[error("credentials do not belong in the URL, which is shown: use `username` and `password_file`")]
    Credentials,
    /// No host.
    #[error("wanted `redis://host:6379`")]
    Host,
    /// A path.
    #[error(
        "a database's number does not belong in the URL: all are looked at; `keys` name theirs (`db1=queue`)"
    )]
    Path,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            "unix" if rest.starts_with('/') => return Ok(Address::Socket(rest.into())),
            _ => return Err(AddressError::Scheme),
        };
        if rest.contains('@') {
            return Err(AddressError::Credentials);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() || rest.contains(['?', '#']) {
            return Err(AddressError::Path);
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, PORT),
            Some((host, port)) => (host, parse_port(port.strip_prefix(':').ok_or(AddressError::Host)?)?),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, parse_port(port)?),
                None => (authority, PORT),
            },
        };
        match host.is_empty() {
            true => Err(AddressError::Host),
            false => Ok(Address::Host { host: host.to_owned(), port, tls }),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    text.parse().ok().filter(|port| *port > 0).ok_or(AddressError::Host)
}

impl fmt::Display for Address {
    /// As the `instance` label has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Host { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Host { host, port, .. } => write!(f, "{host}:{port}"),
            Address::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let shown = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(shown("redis://cache"), Ok("cache:6379".to_owned()));
        assert_eq!(shown("rediss://cache:7000/"), Ok("cache:7000".to_owned()));
        assert_eq!(shown("redis://[::1]:6380"), Ok("[::1]:6380".to_owned()));
        assert_eq!(shown("unix:///run/redis.sock"), Ok("/run/redis.sock".to_owned()));
        assert_eq!(shown("cache:6379"), Err(AddressError::Scheme));
        assert_eq!(shown("http://cache"), Err(AddressError::Scheme));
        assert_eq!(shown("redis://:pw@cache"), Err(AddressError::Credentials));
        assert_eq!(shown("redis://cache/1"), Err(AddressError::Path));
        assert_eq!(shown("redis://:6379"), Err(AddressError::Host));
        assert_eq!(shown("redis://cache:0"), Err(AddressError::Host));
        assert!(
            "rediss://cache".parse::<Address>().is_ok_and(|a| matches!(a, Address::Host { tls: true, .. }))
        );
    }
}
