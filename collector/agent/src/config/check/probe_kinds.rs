//! The kinds of probes: from what is written of each to its target and the settings of its prober.

use std::time::Duration;

use taffrail_probe::{Prober, Source as Text, certificate, dns, freshness, http, icmp, postgres, tcp, tls};

use super::Checker;
use crate::config::field::{Field, OneOf};
use crate::config::source::Span;
use crate::config::written::{self, DnsProbe, FreshnessProbe, PostgresProbe, ProbeTls, Store};

/// Ages that may be asked for.
const AGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10 * 365 * 86_400));

/// What a kind gives: the target, and how to probe it.
type Found = (String, Prober);

impl Checker<'_> {
    /// The target of a probe, and how to probe it, where no module says how.
    pub(super) fn kind(&mut self, probe: &written::Probe) -> Option<Found> {
        if let Some(url) = probe.http.get() {
            let client = self.default_tls()?;
            return Some((url.0.clone(), Prober::Http(Box::new(http::Settings::new(client)))));
        }
        if let Some(target) = probe.tcp.get() {
            let client = self.default_tls()?;
            return Some((target.0.clone(), Prober::Tcp(tcp::Settings::new(client))));
        }
        if let Some(target) = probe.tls.get() {
            let (client, addressing) = (self.default_tls()?, Default::default());
            return Some((target.0.clone(), Prober::Tls(tls::Settings { addressing, source: None, client })));
        }
        if let Some((at, dns)) = probe.dns.good() {
            return match dns {
                OneOf::Long(long) => self.dns(at, long),
                OneOf::Short(server) => {
                    let help =
                        format!("write {{server: {}, query: shop.example}}, or add a `module`", server.0);
                    self.fault(at, "`dns` does not say what is asked", help);
                    None
                }
            };
        }
        if let Some(target) = probe.icmp.get() {
            return Some((target.0.clone(), Prober::Icmp(icmp::Settings::default())));
        }
        if let Some((at, postgres)) = probe.postgres.good() {
            return match postgres {
                OneOf::Short(target) => Some((target.0.clone(), Prober::Postgres(Box::default()))),
                OneOf::Long(long) => self.postgres(at, long),
            };
        }
        if let Some((at, freshness)) = probe.freshness.good() {
            return match freshness {
                OneOf::Short(target) => Some((target.0.clone(), Prober::Freshness(Box::default()))),
                OneOf::Long(long) => self.freshness(at, long),
            };
        }
        let (at, certificate) = probe.certificate.good()?;
        match certificate {
            OneOf::Short(target) => Some((target.0.clone(), Prober::Certificate(Default::default()))),
            OneOf::Long(long) => {
                let target = self.required(at, &long.path, "path", "/etc/ssl/*.pem")?;
                let min_remaining = self.age(&long.min_remaining);
                Some((target, Prober::Certificate(certificate::Settings { min_remaining })))
            }
        }
    }

    fn dns(&mut self, at: Span, written: &DnsProbe) -> Option<Found> {
        let server = self.required(at, &written.server, "server", "192.0.2.53");
        let query = self.required(at, &written.query, "query", "shop.example");
        let kind = match written.kind.good() {
            None => dns::numbers::A,
            Some((at, text)) => match dns::numbers::kind(&text.0.to_ascii_uppercase()) {
                Some(kind) => kind,
                None => {
                    let what = format!("`{}` is not a type of DNS records", text.0);
                    self.fault(at, what, "write A, AAAA, MX, TXT, SOA, …, or a number: TYPE65");
                    return None;
                }
            },
        };
        let (server, query) = (server?, query?);
        let question = match dns::Question::new(&query, kind, dns::numbers::IN) {
            Ok(question) => question,
            Err(error) => {
                self.fault(
                    written.query.span().unwrap_or(at),
                    error.to_string(),
                    "write a name like shop.example",
                );
                return None;
            }
        };
        let mut settings = dns::Settings::new(question);
        match written.transport.get() {
            None | Some(written::Transport::Udp) => {}
            Some(written::Transport::Tcp) => settings.transport = dns::Transport::Tcp,
            Some(written::Transport::Tls) => {
                settings.transport = dns::Transport::Tcp;
                settings.tls = Some(self.default_tls()?);
            }
        }
        let mut rcodes = Vec::new();
        for (at, text) in written.valid_rcodes.get().into_iter().flatten().filter_map(Field::good) {
            match dns::numbers::rcode(&text.0.to_ascii_uppercase()) {
                Some(rcode) => rcodes.push(rcode),
                None => {
                    let what = format!("`{}` is not a response code", text.0);
                    self.fault(at, what, format!("valid here: {}", dns::numbers::rcodes()));
                }
            }
        }
        if !rcodes.is_empty() {
            settings.rcodes = rcodes;
        }
        Some((server, Prober::Dns(Box::new(settings))))
    }

    fn postgres(&mut self, at: Span, written: &PostgresProbe) -> Option<Found> {
        let server = self.required(at, &written.server, "server", "db.example:5432");
        if let (Some(second), Some(_)) = (written.password_file.span(), written.password.span()) {
            self.fault(second, "the password is given twice", "keep `password_file`");
        }
        let text = |field: &Field<crate::config::scalar::Text>| {
            field.get().map_or_else(|| "postgres".to_owned(), |text| text.0.clone())
        };
        let password = match written.password_file.good() {
            Some((at, path)) => {
                // It is read at each probe; what is wrong with it now is better known now.
                let _ = self.secret(at, path);
                Some(Text::File(self.path(at, path)))
            }
            None => {
                let secret = written.password.get();
                secret.map(|secret| Text::Text(taffrail_probe::Secret::new(secret.expose())))
            }
        };
        let tls = match written.tls.good() {
            None | Some((_, OneOf::Short(false))) => None,
            Some((_, OneOf::Short(true))) => Some(self.default_tls()?),
            Some((at, OneOf::Long(long))) => Some(self.tls_client(at, long)?),
        };
        let (user, database) = (text(&written.user), text(&written.database));
        let settings = postgres::Settings { user, database, password, tls, ..Default::default() };
        Some((server?, Prober::Postgres(Box::new(settings))))
    }

    fn freshness(&mut self, at: Span, written: &FreshnessProbe) -> Option<Found> {
        let target = self.required(at, &written.path, "path", "/backup/*.dump")?;
        let restore = match written.restore_verified.good() {
            None => None,
            Some((at, written)) => Some(freshness::Restore {
                marker: self.required(at, &written.marker, "marker", "/backup/restore-verified")?,
                max_age: self.age(&written.max_age),
            }),
        };
        if let Some(at) = written.store.span().filter(|_| !target.contains("://")) {
            self.fault(
                at,
                "the path is one of this machine's disks",
                "remove `store`, or write path: s3://bucket/prefix",
            );
        }
        let mut settings = freshness::Settings {
            max_age: self.age(&written.max_age),
            min_bytes: written.min_size.get().map(|size| size.0 as u64),
            min_matches: written.min_matches.get().map(|count| count.0),
            restore,
            ..Default::default()
        };
        self.store(&written.store, &mut settings);
        Some((target, Prober::Freshness(Box::new(settings))))
    }

    #[cfg(feature = "object-store")]
    fn store(&mut self, field: &Field<Store>, settings: &mut freshness::Settings) {
        let Some((at, written)) = field.good() else { return };
        let mut access = freshness::store::Access::default();
        access.endpoint = written.endpoint.get().map(|url| url.0.to_string());
        access.region = written.region.get().map(|text| text.0.clone());
        access.anonymous = written.anonymous.get().copied().unwrap_or(false);
        match (written.access_key_id.get(), written.secret_access_key_file.good()) {
            (Some(id), Some((at, path))) => {
                let key = self.secret(at, path);
                access.key = Some((id.0.clone(), taffrail_probe::Secret::new(key.expose())));
            }
            (None, None) => {}
            _ => self.fault(
                at,
                "a key has two halves, and one is missing",
                "write both access_key_id: … and secret_access_key_file: /path/to/the/secret, or neither",
            ),
        }
        settings.store = Some(access);
    }

    #[cfg(not(feature = "object-store"))]
    fn store(&mut self, field: &Field<Store>, _: &mut freshness::Settings) {
        if let Some(at) = field.span() {
            self.fault(at, "this build reads no object stores", "take one with the feature object-store");
        }
    }

    fn age(&mut self, field: &Field<crate::config::scalar::Interval>) -> Option<Duration> {
        field.get()?;
        Some(self.duration(field, "1d", &AGE))
    }

    /// A text without which nothing can be done.
    pub(super) fn required(
        &mut self,
        at: Span,
        field: &Field<crate::config::scalar::Text>,
        key: &str,
        example: &str,
    ) -> Option<String> {
        if matches!(field, Field::Absent) {
            self.fault(at, format!("there is no `{key}`"), format!("add {key}: {example}"));
        }
        field.get().map(|text| text.0.clone())
    }

    fn default_tls(&mut self) -> Option<tls::Client> {
        if self.tls.is_none() {
            // The defaults name no files, so nothing can be wrong with them.
            self.tls = tls::Client::new(tls::Options::default()).ok();
        }
        self.tls.clone()
    }

    fn tls_client(&mut self, at: Span, written: &ProbeTls) -> Option<tls::Client> {
        let options = tls::Options {
            ca: written.ca_file.good().map(|(at, path)| Text::File(self.path(at, path))),
            server_name: written.server_name.get().map(|name| name.0.clone()),
            insecure_skip_verify: written.insecure_skip_verify.get().copied().unwrap_or(false),
            ..Default::default()
        };
        match tls::Client::new(options) {
            Ok(client) => Some(client),
            Err(error) => {
                let at = written.ca_file.span().unwrap_or(at);
                self.fault(at, error.to_string(), "name a file of certificates in PEM");
                None
            }
        }
    }
}
