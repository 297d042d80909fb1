//! Log sources that others send to: addresses of their own, which strangers do not reach by accident.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use taffrail_stages::timeformat::Zone;

use super::outputs::read_pem;
use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{PathText, Size, Text};
use crate::config::source::Span;
use crate::config::valid::{LogSource, Push, Reads, Syslog};
use crate::config::written;
use crate::http_client::{Auth, Source};
use crate::sources::door::ServerTls;

/// The bounds of `max_message_bytes`.
const MESSAGE: RangeInclusive<usize> = 1 << 10..=128 << 10;
/// The bounds of `max_connections`.
const CONNECTIONS: RangeInclusive<u64> = 1..=10_000;

/// Labels that such sources set themselves.
pub(super) const RESERVED: [(&str, &str); 1] = [("instance", "use the top-level `hostname` to change it")];

impl Checker<'_> {
    pub(super) fn push(&mut self, at: Span, written: &OneOf<Text, written::Push>) -> Option<Push> {
        let long = match written {
            OneOf::Short(address) => {
                let listen = self.address(at, &address.0)?;
                self.reachable(at, listen, (false, false, false));
                return Some(Push { listen, tls: None, auth: None });
            }
            OneOf::Long(long) => long,
        };
        let listen = match long.listen.good() {
            Some((at, address)) => self.address(at, &address.0)?,
            None => defaults::PUSH_ADDRESS,
        };
        let tls = long.tls.good();
        let tls = tls.and_then(|(at, tls)| {
            self.server_tls_keys(at, [&tls.cert_file, &tls.key_file, &tls.client_ca_file])
        });
        let auth = self.push_auth(long);
        let known = auth.is_some() || tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let insecure = long.insecure.get().copied().unwrap_or(false);
        self.reachable(
            long.listen.span().unwrap_or(at),
            listen,
            (insecure, long.tls.span().is_some(), known),
        );
        Some(Push { listen, tls, auth })
    }

    fn push_auth(&mut self, written: &written::Push) -> Option<Auth> {
        let ways = [written.basic_auth.span(), written.bearer_token.span(), written.bearer_token_file.span()];
        if let Some(second) = ways.into_iter().flatten().nth(1) {
            let help = "keep one of `basic_auth`, `bearer_token`, `bearer_token_file`";
            self.fault(second, "more than one way to authenticate", help);
            return None;
        }
        if let Some((at, basic)) = written.basic_auth.good() {
            return self.basic_source(at, basic);
        }
        let credentials = match written.bearer_token_file.good() {
            Some((at, path)) => self.secret_file(at, path),
            None => Source::Inline(written.bearer_token.get()?.clone()),
        };
        Some(Auth::Header { kind: "Bearer".into(), credentials })
    }

    fn server_tls_keys(
        &mut self,
        at: Span,
        [cert, key, client_ca]: [&Field<PathText>; 3],
    ) -> Option<ServerTls> {
        let cert = self.needed(at, cert, "cert_file: /path/to/the/certificate");
        let key = self.needed(at, key, "key_file: /path/to/the/key");
        let (cert, key) =
            (cert.map(|(at, path)| self.pem(at, path)), key.map(|(at, path)| self.secret_file(at, path)));
        let client_ca = client_ca.good().map(|(at, path)| self.pem(at, path));
        Some(ServerTls { cert: cert?, key: key?, client_ca })
    }

    fn pem(&mut self, at: Span, path: &PathText) -> Source {
        let path = self.path(at, path);
        if let Err(what) = read_pem(&path) {
            self.fault(at, format!("{}: {what}", path.display()), "name a file of certificates in PEM");
        }
        Source::File(path)
    }

    /// Loopback, or TLS and known senders, or in so many words.
    pub(super) fn reachable(
        &mut self,
        at: Span,
        address: SocketAddr,
        (insecure, tls, known): (bool, bool, bool),
    ) {
        if address.ip().is_loopback() || insecure || (tls && known) {
            return;
        }
        let lacks = match (tls, known) {
            (false, false) => "without TLS and without credentials",
            (true, _) => "without credentials",
            (false, true) => "without TLS",
        };
        let port = address.port();
        self.fault(
            at,
            format!("{address} can be reached by other machines, {lacks}"),
            format!(
                "listen on 127.0.0.1:{port}, or add what is missing, or, when that is meant, `insecure: true`"
            ),
        );
    }

    pub(super) fn syslog(&mut self, at: Span, written: &written::Syslog) -> Option<Syslog> {
        if [written.udp.span(), written.tcp.span(), written.tls.span()].iter().all(Option::is_none) {
            self.fault(at, "`syslog` does not say where", "add udp: 127.0.0.1:5514, or tcp, or tls");
            return None;
        }
        let insecure = written.insecure.get().copied().unwrap_or(false);
        let open = |checker: &mut Self, field: &Field<Text>| {
            let (at, text) = field.good()?;
            let address = checker.address(at, &text.0)?;
            checker.reachable(at, address, (insecure, false, false));
            Some(address)
        };
        let (udp, tcp) = (open(self, &written.udp), open(self, &written.tcp));
        let tls = written.tls.good().and_then(|(at, tls)| self.syslog_tls(at, tls, insecure));
        let zone = match written.timezone.good() {
            Some((at, zone)) => self.made(at, Zone::parse(&zone.0)).unwrap_or_default(),
            None => Zone::default(),
        };
        let default = Size::parse(defaults::SYSLOG_MESSAGE).map_or(*MESSAGE.start(), |size| size.0);
        let max_message = written.max_message_bytes.get().map_or(default, |size| size.0);
        if let Some(at) = written.max_message_bytes.span().filter(|_| !MESSAGE.contains(&max_message)) {
            self.fault(at, format!("{max_message} bytes are out of bounds"), "between 1KiB and 128KiB");
        }
        let connections = written.max_connections.get().copied().unwrap_or(defaults::SYSLOG_CONNECTIONS);
        if let Some(at) = written.max_connections.span().filter(|_| !CONNECTIONS.contains(&connections)) {
            let help = format!("between {} and {}", CONNECTIONS.start(), CONNECTIONS.end());
            self.fault(at, format!("{connections} is out of bounds"), help);
        }
        let bounds = bounds(Duration::from_secs(1), Duration::from_secs(7 * 86_400));
        let idle = self.duration(&written.idle_timeout, defaults::SYSLOG_IDLE, &bounds);
        Some(Syslog { udp, tcp, tls, zone, max_message, max_connections: connections as usize, idle })
    }

    fn syslog_tls(
        &mut self,
        at: Span,
        written: &written::SyslogTls,
        insecure: bool,
    ) -> Option<(SocketAddr, ServerTls)> {
        let listen = self.needed(at, &written.listen, "listen: 127.0.0.1:6514");
        let keys = [&written.cert_file, &written.key_file, &written.client_ca_file];
        let tls = self.server_tls_keys(at, keys);
        let (at, text) = listen?;
        let address = self.address(at, &text.0)?;
        self.reachable(at, address, (insecure, true, written.client_ca_file.span().is_some()));
        Some((address, tls?))
    }

    /// No two sources listen at one address, or read standard input.
    pub(super) fn one_door_each(&mut self, at: Span, source: &LogSource, before: &[LogSource]) {
        let of_stdin = |source: &&LogSource| matches!(source.reads, Reads::Stdin(_));
        if let Some(other) = before.iter().find(of_stdin).filter(|_| of_stdin(&source)) {
            let what = format!("`{}` reads standard input already", other.name);
            self.fault(at, what, "there is one: remove this source");
        }
        for address in source.reads.listens() {
            let other = before.iter().find(|other| other.reads.listens().contains(&address));
            if let (Some(other), (protocol, address)) = (other, address) {
                let what = format!("`{}` listens at {protocol} {address} already", other.name);
                self.fault(at, what, "take another port");
            }
        }
    }
}
