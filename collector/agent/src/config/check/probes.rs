//! `probes` and `probe`: each probe with one kind, a target that reads as that kind's do, and series of its own.

use std::path::Path;
use std::time::Duration;

use taffrail_probe::{
    Module, Modules, Prober, Source as Text, certificate, dns, freshness, http, icmp, postgres, tcp, tls,
};

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::error::Fault;
use crate::config::field::{Field, OneOf};
use crate::config::source::Span;
use crate::config::valid::{Probe, Probes};
use crate::config::written::{self, DnsProbe, FreshnessProbe, PostgresProbe, ProbeTls, Store};

/// Labels that a probe sets itself.
const RESERVED: [(&str, &str); 3] = [
    ("job", "use `probe: {job: …}`"),
    ("instance", "it is what is probed"),
    ("target", "it is the path that is looked at"),
];

/// Modules that there are without a file: those that blackbox_exporter's own file has, and one for TLS.
const MODULES: &str = "\
modules:
  http_2xx: {prober: http}
  http_post_2xx: {prober: http, http: {method: POST}}
  tcp_connect: {prober: tcp}
  tls_connect: {prober: tcp, tcp: {tls: true}}
  icmp: {prober: icmp}
";

/// Ages that may be asked for.
const AGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10 * 365 * 86_400));

/// What a kind gives: the target, and how to probe it.
type Found = (String, Prober);

impl Checker<'_> {
    /// Everything about probes, when anything is written about them.
    pub(super) fn probes(&mut self, written: &written::Written, interval: Duration) -> Option<Probes> {
        if matches!((&written.probes, &written.probe), (Field::Absent, Field::Absent)) {
            return None;
        }
        let empty = written::ProbeSection::default();
        let section = written.probe.get().unwrap_or(&empty);
        let job = section.job.get().map_or(defaults::PROBE_JOB, |job| &job.0).to_owned();
        let interval = match section.interval {
            Field::Absent => interval,
            _ => self.interval(&section.interval, defaults::INTERVAL),
        };
        let limits = bounds(Duration::from_millis(10), Duration::from_secs(600));
        let timeout = self.duration(&section.timeout, defaults::PROBE_TIMEOUT, &limits);
        let networks = section.networks.get().into_iter().flatten();
        let networks = networks.filter_map(|network| network.get().copied()).collect();
        let modules = self.modules(section);
        let mut all = Probes { job, interval, timeout, networks, modules, list: Vec::new() };
        let mut names = Vec::new();
        for (at, probe) in written.probes.get().into_iter().flatten().filter_map(Field::good) {
            if let Some(probe) = self.probe(at, probe, &all, &mut names) {
                self.apart(at, &probe, &all.list);
                all.list.push(probe);
            }
        }
        Some(all)
    }

    fn probe(
        &mut self,
        at: Span,
        written: &written::Probe,
        all: &Probes,
        names: &mut Vec<String>,
    ) -> Option<Probe> {
        let kinds = [
            ("http", written.http.span()),
            ("tcp", written.tcp.span()),
            ("tls", written.tls.span()),
            ("dns", written.dns.span()),
            ("icmp", written.icmp.span()),
            ("postgres", written.postgres.span()),
            ("freshness", written.freshness.span()),
            ("certificate", written.certificate.span()),
        ];
        let mut given = kinds.iter().filter_map(|(kind, at)| Some((*kind, (*at)?)));
        let Some((kind, target_at)) = given.next() else {
            let one = kinds.map(|(kind, _)| kind).join("`, `");
            self.fault(at, "the probe does not say what to probe", format!("add one of `{one}`"));
            return None;
        };
        if let Some((second, at)) = given.next() {
            let what = format!("the probe has both `{kind}` and `{second}`");
            self.fault(at, what, "write two probes, each with a name of its own");
            return None;
        }
        let name = written.name.get().map_or(kind, |name| &name.0).to_owned();
        self.unique("probes", &name, written.name.span().or(Some(at)), names);
        let interval = match written.interval {
            Field::Absent => all.interval,
            _ => self.interval(&written.interval, defaults::INTERVAL),
        };
        let labels = self.labels(&written.labels, &RESERVED);
        let (target, mut module) = match written.module.good() {
            Some((at, module)) => (short(written)?.to_owned(), self.named_module(at, &module.0, kind, all)?),
            None => {
                let (target, prober) = self.kind(written)?;
                (target, Module { prober, timeout: None })
            }
        };
        if let Err(why) = module.check_target(&target) {
            self.faults.push(Fault::at(target_at, why));
            return None;
        }
        let timeout = match written.timeout {
            Field::Absent => module.timeout.unwrap_or(all.timeout).min(interval),
            _ => {
                let limits = bounds(Duration::from_millis(10), interval);
                self.duration(&written.timeout, defaults::PROBE_TIMEOUT, &limits)
            }
        };
        module.timeout = Some(timeout);
        Some(Probe { name, target, module, interval, timeout, labels })
    }

    /// The modules of the file, or the built-in ones.
    fn modules(&mut self, section: &written::ProbeSection) -> Modules {
        let Some((at, path)) = section.modules_file.good() else {
            return Modules::parse(MODULES, Path::new("built in")).unwrap_or_default();
        };
        match Modules::read(&self.path(at, path)) {
            Ok(modules) => modules,
            Err(error) => {
                self.fault(
                    at,
                    error.to_string(),
                    "name a module file as blackbox_exporter reads it, and mend it",
                );
                Modules::default()
            }
        }
    }

    fn named_module(&mut self, at: Span, name: &str, kind: &str, all: &Probes) -> Option<Module> {
        let module = match all.modules.get(name) {
            Ok(module) => module.clone(),
            Err(why) => {
                self.fault(at, why, "name a module of `probe: {modules_file: …}`");
                return None;
            }
        };
        let prober = module.prober.name();
        if prober != kind {
            let what = format!("the module `{name}` is of the prober {prober}, and the probe is of `{kind}`");
            self.fault(
                at,
                what,
                format!("write `{prober}` in the place of `{kind}`, or name another module"),
            );
            return None;
        }
        Some(module)
    }

    /// Two probes whose series are the same could not be told apart.
    fn apart(&mut self, at: Span, probe: &Probe, others: &[Probe]) {
        let same = |other: &&Probe| {
            let local = |probe: &Probe| probe.module.is_local(&probe.target);
            other.target == probe.target && other.labels == probe.labels && local(other) == local(probe)
        };
        if let Some(other) = others.iter().find(same) {
            let what = format!(
                "the probes `{}` and `{}` have the same target and labels, so their series would be the same",
                other.name, probe.name
            );
            self.fault(
                at,
                what,
                format!("give one a label: labels: {{kind: {}}}", probe.module.prober.name()),
            );
        }
    }

    fn kind(&mut self, probe: &written::Probe) -> Option<Found> {
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

    fn required(
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

/// The target of a kind that is written as one text, as it is where a module says the rest.
fn short(probe: &written::Probe) -> Option<&str> {
    let texts = [&probe.tcp, &probe.tls, &probe.icmp].into_iter().find_map(Field::get);
    let url = probe.http.get().map(|url| url.0.as_str());
    let server = match probe.dns.get() {
        Some(OneOf::Short(server)) => Some(server.0.as_str()),
        Some(OneOf::Long(_)) | None => None,
    };
    url.or(texts.map(|text| text.0.as_str())).or(server)
}
