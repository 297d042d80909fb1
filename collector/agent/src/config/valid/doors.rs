//! Log sources that others send to, valid.

use std::net::SocketAddr;
use std::time::Duration;

use taffrail_stages::timeformat::Zone;

use crate::http_client::Auth;
use crate::sources::door::ServerTls;

/// Loki's push API.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// Where it listens.
    pub listen: SocketAddr,
    /// With TLS.
    pub tls: Option<ServerTls>,
    /// Who may send.
    pub auth: Option<Auth>,
}

/// Syslog.
#[derive(Clone, Debug, PartialEq)]
pub struct Syslog {
    /// Where datagrams come.
    pub udp: Option<SocketAddr>,
    /// Where connections come.
    pub tcp: Option<SocketAddr>,
    /// Where connections with TLS come.
    pub tls: Option<(SocketAddr, ServerTls)>,
    /// The zone of times that say none.
    pub zone: Zone,
    /// A longer message is cut here, with a mark, in bytes.
    pub max_message: usize,
    /// The most connections at once.
    pub max_connections: usize,
    /// A connection without a message for so long is closed.
    pub idle: Duration,
}

/// Standard input.
#[derive(Clone, Debug, PartialEq)]
pub struct Stdin {
    /// A longer line is cut here, with a mark, in bytes.
    pub max_line: usize,
}
