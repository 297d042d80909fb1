//! Where targets come from: addresses that can be some, files, services and engines that can be asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Checker, bounds};
use crate::config::field::Field;
use crate::config::scalar::Interval;
use crate::config::source::Span;
use crate::config::written::discovery as written;
use crate::config::written::scrape::Job;
use crate::scrape::Group;
use crate::scrape::discovery::fixed;
use crate::scrape::job::{Discovery, DnsKind, DnsNames, DockerEngine, DockerHost, HttpList};

impl Checker<'_> {
    pub(super) fn discovery(&mut self, name: &str, job: &Job) -> Vec<Discovery> {
        let mut all = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        for (at, (place, group)) in
            job.static_configs.get().into_iter().flatten().filter_map(Field::good).enumerate()
        {
            let targets = group.targets.get().cloned().unwrap_or_default();
            let bad = targets.iter().find(|target| target.contains('/') || target.is_empty());
            // Rules may still make an address of it.
            if let (Some(bad), true) = (bad, job.relabel_configs.get().is_none_or(Vec::is_empty)) {
                let place = group.targets.span().unwrap_or(place);
                let what = format!("`{bad}` is not an address");
                self.fault(
                    place,
                    what,
                    "write host:port; the path is `metrics_path`, https is `scheme: https`",
                );
            }
            let labels = group.labels.get().into_iter().flatten().collect();
            groups.push(fixed(&targets, labels, format!("static_configs of {name}, {at}")));
        }
        if !groups.is_empty() {
            all.push(Discovery::Static(groups));
        }
        for (at, files) in job.file_sd_configs.get().into_iter().flatten().filter_map(Field::good) {
            let mut patterns = Vec::new();
            for (at, pattern) in files.files.get().into_iter().flatten().filter_map(Field::good) {
                let path = self.path(at, pattern);
                self.file_pattern(at, &path);
                patterns.push(path.display().to_string());
            }
            if patterns.is_empty() {
                self.fault(at, "`file_sd_configs` without files", "add files: [/path/to/targets/*.json]");
            }
            all.push(Discovery::Files { files: patterns });
        }
        for (at, list) in job.http_sd_configs.get().into_iter().flatten().filter_map(Field::good) {
            all.extend(self.http_list(at, list).map(Discovery::Http));
        }
        for (at, names) in job.dns_sd_configs.get().into_iter().flatten().filter_map(Field::good) {
            all.extend(self.dns_names(at, names).map(Discovery::Dns));
        }
        for (at, engine) in job.docker_sd_configs.get().into_iter().flatten().filter_map(Field::good) {
            all.extend(self.docker_engine(at, engine).map(Discovery::Docker));
        }
        all
    }

    fn refresh(&mut self, field: &Field<Interval>, default: &str) -> Duration {
        self.duration(field, default, &bounds(Duration::from_millis(100), Duration::from_secs(366 * 86_400)))
    }

    fn http_list(&mut self, at: Span, written: &written::HttpList) -> Option<HttpList> {
        if matches!(written.url, Field::Absent) {
            self.fault(at, "`http_sd_configs` without a URL", "add url: http://…");
        }
        let (http, refresh) = (self.http(written.http()), self.refresh(&written.refresh_interval, "1m"));
        Some(HttpList { url: written.url.get()?.0.clone(), refresh, http })
    }

    fn dns_names(&mut self, at: Span, written: &written::DnsNames) -> Option<DnsNames> {
        let names = written.names.get().into_iter().flatten().filter_map(Field::get);
        let names: Vec<String> = names.map(|name| name.0.clone()).collect();
        if names.is_empty() && !matches!(written.names, Field::Bad(_)) {
            self.fault(at, "`dns_sd_configs` without names", "add names: [_metrics._tcp.example.com]");
        }
        let kind = match written.kind.get().map(|kind| kind.0.to_ascii_uppercase()).as_deref() {
            None | Some("SRV") => DnsKind::Srv,
            Some("A") => DnsKind::A,
            Some("AAAA") => DnsKind::Aaaa,
            Some("MX") => DnsKind::Mx,
            Some("NS") => DnsKind::Ns,
            Some(other) => {
                let at = written.kind.span().unwrap_or(at);
                self.fault(
                    at,
                    format!("records of the type `{other}` are no targets"),
                    "valid here: SRV, A, AAAA, MX, NS",
                );
                return None;
            }
        };
        if kind != DnsKind::Srv && matches!(written.port, Field::Absent) {
            self.fault(
                at,
                "only records of the type SRV have a port",
                "add port: 9100, where the targets listen",
            );
        }
        let port = self.port(&written.port, 0);
        Some(DnsNames { names, kind, port, refresh: self.refresh(&written.refresh_interval, "30s") })
    }

    fn docker_engine(&mut self, at: Span, written: &written::DockerEngine) -> Option<DockerEngine> {
        let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for filter in written.filters.get().into_iter().flatten().filter_map(Field::get) {
            let (Some(name), Some(values)) = (filter.name.get(), filter.values.get()) else { continue };
            filters.entry(name.0.clone()).or_default().extend(values.iter().cloned());
        }
        if matches!(written.host, Field::Absent) {
            self.fault(at, "`docker_sd_configs` without a host", "add host: unix:///var/run/docker.sock");
        }
        let (host_at, host) = written.host.good()?;
        let address = host.0.trim_end_matches('/');
        let host = match address.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => DockerHost::Socket(path.into()),
            Some(("tcp" | "http", rest)) if !rest.is_empty() => DockerHost::Url(format!("http://{rest}")),
            Some(("https", rest)) if !rest.is_empty() => DockerHost::Url(format!("https://{rest}")),
            _ => {
                let what = format!("`{address}` is not where an engine can be");
                self.fault(host_at, what, "write unix:///var/run/docker.sock, or tcp://host:2375");
                return None;
            }
        };
        let networking = written.host_networking_host.get().map_or("localhost", |host| &host.0);
        Some(DockerEngine {
            host,
            port: self.port(&written.port, 80),
            host_networking_host: networking.to_owned(),
            match_first_network: written.match_first_network.get().copied().unwrap_or(true),
            filters,
            refresh: self.refresh(&written.refresh_interval, "1m"),
            http: self.http(written.http()),
        })
    }

    fn port(&mut self, field: &Field<u64>, default: u16) -> u16 {
        let Some((at, port)) = field.good() else { return default };
        u16::try_from(*port).ok().filter(|port| *port > 0).unwrap_or_else(|| {
            self.fault(at, format!("{port} is not a port"), "a port is a number from 1 to 65535");
            default
        })
    }

    fn file_pattern(&mut self, at: Span, path: &Path) {
        let known =
            path.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "json" | "yml" | "yaml"));
        let folder = path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        if !known || folder.contains('*') {
            let what = format!("`{}` cannot be a file of targets", path.display());
            self.fault(
                at,
                what,
                "its name ends in .json, .yml or .yaml, and `*` stands in its last part only",
            );
        }
    }
}
