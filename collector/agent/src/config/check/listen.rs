//! `listen`: loopback, or another address in so many words.

use std::net::SocketAddr;

use super::Checker;
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::Text;
use crate::config::source::Span;
use crate::config::written::Listen;

impl Checker<'_> {
    pub(super) fn listen(&mut self, field: &Field<OneOf<Text, Listen>>) -> SocketAddr {
        let default = defaults::LISTEN_ADDRESS;
        let (at, text, insecure) = match field.good() {
            None => return default,
            Some((at, OneOf::Short(text))) => (at, text.0.as_str(), false),
            Some((at, OneOf::Long(long))) => {
                let insecure = long.insecure.get().copied().unwrap_or(false);
                let (at, text) =
                    long.address.good().map_or((at, defaults::LISTEN), |(at, text)| (at, &text.0));
                (at, text, insecure)
            }
        };
        let Some(address) = self.address(at, text) else { return default };
        if !address.ip().is_loopback() && !insecure {
            self.fault(
                at,
                format!("{address} can be reached by other machines, without TLS and without a password"),
                format!(
                    "write 127.0.0.1:{port}, or, when that is meant, {{address: \"{address}\", insecure: true}}",
                    port = address.port()
                ),
            );
        }
        address
    }

    /// An address with a port.
    pub(super) fn address(&mut self, at: Span, text: &str) -> Option<SocketAddr> {
        if let Some(address) = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}")) {
            if let Ok(address) = address.parse() {
                return Some(address);
            }
        } else if let Ok(address) = text.parse() {
            return Some(address);
        }
        let port = text.rsplit(':').next().unwrap_or_default();
        let help = match port.parse::<u16>() {
            Ok(port) => {
                format!("write 127.0.0.1:{port} for this machine, 0.0.0.0:{port} or [::]:{port} for all")
            }
            Err(_) => format!("write an address and a port, like {}", defaults::LISTEN),
        };
        self.fault(at, format!("`{text}` is not an address with a port"), help);
        None
    }
}
