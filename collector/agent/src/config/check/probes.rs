//! `probes` and `probe`: each probe with one kind, a target that reads as that kind's do, and series of its own.

use std::path::Path;
use std::time::Duration;

use taffrail_probe::{Module, Modules};

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::error::Fault;
use crate::config::field::{Field, OneOf};
use crate::config::source::Span;
use crate::config::valid::{Probe, Probes};
use crate::config::written;

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
        // The file cannot be used, which was said already.
        if all.modules == Modules::default() {
            return None;
        }
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
