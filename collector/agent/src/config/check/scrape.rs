//! `global` and `scrape_configs`: defaults as Prometheus has them, rules that compile, files that are there.

use std::path::Path;
use std::time::Duration;

use taffrail_wire::relabel::{self, Names, Rule};

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Base2Size, PathText};
use crate::config::secret::Secret;
use crate::config::source::Span;
use crate::config::valid::Auth;
use crate::config::written::Written;
use crate::config::written::scrape::{self as written, Authorization, Global, Relabel, Validation};
use crate::scrape::Group;
use crate::scrape::discovery::fixed;
use crate::scrape::job::{DEFAULT_BODY_BYTES, Discovery, Http, Job, Limits, Tls};

impl Checker<'_> {
    pub(super) fn scrape(&mut self, written: &Written, interval: Duration) -> Vec<Job> {
        let none = Global::default();
        let global = written.global.get().unwrap_or(&none);
        let (mut jobs, mut names) = (Vec::new(), Vec::new());
        for (at, job) in written.scrape_configs.get().into_iter().flatten().filter_map(Field::good) {
            let Some((name_at, name)) = job.job_name.good() else {
                if matches!(job.job_name, Field::Absent) {
                    self.fault(at, "the job has no `job_name`", "add job_name: …");
                }
                continue;
            };
            self.unique("scrape jobs", &name.0, Some(name_at), &mut names);
            jobs.push(self.job(&name.0, job, global, interval));
        }
        jobs
    }

    fn job(&mut self, name: &str, job: &written::Job, global: &Global, interval: Duration) -> Job {
        let (interval, timeout) = self.times(job, global, interval);
        let names = job.metric_name_validation_scheme.get().or(global.metric_name_validation_scheme.get());
        let names = if names == Some(&Validation::Legacy) { Names::Legacy } else { Names::Utf8 };
        let count = |own: &Field<u64>, all: &Field<u64>| {
            let own = own.get().copied().filter(|count| *count > 0);
            own.or(all.get().copied()).unwrap_or(0) as usize
        };
        let bytes = |size: &Field<Base2Size>| size.get().map(|size| size.0 as u64);
        let body = bytes(&job.body_size_limit).filter(|bytes| *bytes > 0);
        let limits = Limits {
            samples: count(&job.sample_limit, &global.sample_limit),
            labels: count(&job.label_limit, &global.label_limit),
            label_name_bytes: count(&job.label_name_length_limit, &global.label_name_length_limit),
            label_value_bytes: count(&job.label_value_length_limit, &global.label_value_length_limit),
            body_bytes: body.or(bytes(&global.body_size_limit)).unwrap_or(DEFAULT_BODY_BYTES),
        };
        Job {
            name: name.to_owned(),
            interval,
            timeout,
            path: job.metrics_path.get().map_or("/metrics", |path| &path.0).to_owned(),
            scheme: if job.scheme.get() == Some(&written::Scheme::Https) { "https" } else { "http" }
                .to_owned(),
            params: job.params.get().cloned().unwrap_or_default(),
            honor_labels: job.honor_labels.get().copied().unwrap_or(false),
            honor_timestamps: job.honor_timestamps.get().copied().unwrap_or(true),
            track_timestamps_staleness: job.track_timestamps_staleness.get().copied().unwrap_or(false),
            // What is added to all that is pushed is known when everything has been read.
            labels: std::collections::BTreeMap::new(),
            limits,
            target_limit: count(&job.target_limit, &global.target_limit),
            keep_dropped_targets: count(&job.keep_dropped_targets, &global.keep_dropped_targets),
            formats: self.formats(job, global, names),
            compression: job.enable_compression.get().copied().unwrap_or(true),
            http: self.http(job),
            relabel: self.rules(&job.relabel_configs, names),
            metric_relabel: self.rules(&job.metric_relabel_configs, names),
            discovery: self.discovery(name, job),
        }
    }

    fn times(&mut self, job: &written::Job, global: &Global, interval: Duration) -> (Duration, Duration) {
        let limits = bounds(Duration::from_millis(1), Duration::from_secs(366 * 86_400));
        let written = [&job.scrape_interval, &global.scrape_interval];
        let interval = match written.into_iter().find(|field| !matches!(field, Field::Absent)) {
            Some(field) => self.duration(field, defaults::INTERVAL, &limits),
            None => interval,
        };
        if let Some((at, timeout)) = job.scrape_timeout.good() {
            if timeout.0 > interval {
                let what = "the timeout is longer than the interval";
                self.fault(at, what, "a scrape has to end before the next one begins");
            }
            return (interval, self.duration(&job.scrape_timeout, defaults::SCRAPE_TIMEOUT, &limits));
        }
        let timeout = self.duration(&global.scrape_timeout, defaults::SCRAPE_TIMEOUT, &limits);
        (interval, timeout.min(interval))
    }

    pub(super) fn rules(&mut self, rules: &Field<Vec<Field<Relabel>>>, names: Names) -> Vec<Rule> {
        let mut valid = Vec::new();
        for (at, rule) in rules.get().into_iter().flatten().filter_map(Field::good) {
            let as_written = relabel::Written {
                source_labels: rule.source_labels.get().cloned(),
                separator: rule.separator.get().cloned(),
                regex: rule.regex.get().cloned(),
                modulus: rule.modulus.get().copied(),
                target_label: rule.target_label.get().cloned(),
                replacement: rule.replacement.get().cloned(),
                action: rule.action.get().cloned(),
            };
            match Rule::new(&as_written, names) {
                Ok(rule) => valid.push(rule),
                Err(error) => {
                    let field = match error.field() {
                        "regex" => rule.regex.span(),
                        "target_label" => rule.target_label.span(),
                        "replacement" => rule.replacement.span(),
                        "separator" => rule.separator.span(),
                        "modulus" => rule.modulus.span(),
                        "source_labels" => rule.source_labels.span(),
                        _ => rule.action.span(),
                    };
                    self.fault(
                        field.unwrap_or(at),
                        error.to_string(),
                        "a rule is checked as Prometheus does",
                    );
                }
            }
        }
        valid
    }

    fn http(&mut self, job: &written::Job) -> Http {
        let mut http =
            Http { follow_redirects: job.follow_redirects.get().copied().unwrap_or(true), ..Http::default() };
        if let Some((at, basic)) = job.basic_auth.good() {
            http.auth = self.basic(at, basic);
            if let Some(second) = job.authorization.span() {
                self.fault(
                    second,
                    "more than one way to authenticate",
                    "keep `basic_auth` or `authorization`",
                );
            }
        } else if let Some((at, authorization)) = job.authorization.good() {
            self.authorization(at, authorization, &mut http);
        }
        for (name, header) in job.http_headers.get().into_iter().flatten() {
            let Some((_, header)) = header.good() else { continue };
            let mut add = |secret| http.headers.push((name.0.clone(), secret));
            header.values.get().into_iter().flatten().for_each(|value| add(Secret::new(value)));
            header.secrets.get().into_iter().flatten().for_each(|secret| add(secret.clone()));
            for (at, path) in header.files.get().into_iter().flatten().filter_map(Field::good) {
                http.headers.push((name.0.clone(), self.secret(at, path)));
            }
        }
        if let Some(tls) = job.tls_config.get() {
            http.tls = self.tls(tls);
        }
        http
    }

    fn authorization(&mut self, at: Span, written: &Authorization, http: &mut Http) {
        let credentials = match (&written.credentials, written.credentials_file.good()) {
            (Field::Good(second, _), Some(_)) => {
                self.fault(*second, "the credentials are given twice", "keep `credentials_file`");
                return;
            }
            (Field::Good(_, secret), None) => secret.clone(),
            (_, Some((at, path))) => self.secret(at, path),
            (Field::Absent, None) => {
                self.fault(
                    at,
                    "`authorization` has no credentials",
                    "add credentials_file: /path/to/the/secret",
                );
                return;
            }
            _ => return,
        };
        match written.kind.get() {
            Some(kind) if kind.0.eq_ignore_ascii_case("basic") => {
                let at = written.kind.span().unwrap_or(at);
                self.fault(at, "`authorization` is not for user and password", "write `basic_auth`");
            }
            Some(kind) if kind.0 != "Bearer" => http.authorization = Some((kind.0.clone(), credentials)),
            _ => http.auth = Some(Auth::Bearer(credentials)),
        }
    }

    fn tls(&mut self, written: &written::Tls) -> Tls {
        let ca = self.pem(&written.ca, &written.ca_file);
        let cert = self.pem(&written.cert, &written.cert_file);
        let key = match written.key_file.good() {
            Some((at, path)) => Some(self.secret(at, path)),
            None => written.key.get().cloned(),
        };
        if let (Some(at), false) = (written.cert_file.span().or(written.cert.span()), key.is_some()) {
            self.fault(at, "a certificate without its key", "add key_file: …");
        }
        Tls {
            ca,
            cert,
            key,
            server_name: written.server_name.get().map(|name| name.0.clone()),
            insecure_skip_verify: written.insecure_skip_verify.get().copied().unwrap_or(false),
            tls13_only: written.min_version.get() == Some(&written::TlsVersion::V13),
        }
    }

    fn pem(&mut self, text: &Field<String>, file: &Field<PathText>) -> Option<String> {
        let Some((at, path)) = file.good() else { return text.get().cloned() };
        let path = self.path(at, path);
        match super::outputs::read_pem(&path) {
            Ok(text) => Some(text),
            Err(what) => {
                self.fault(at, format!("{}: {what}", path.display()), "name a file of certificates in PEM");
                None
            }
        }
    }

    fn discovery(&mut self, name: &str, job: &written::Job) -> Vec<Discovery> {
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
        all
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
