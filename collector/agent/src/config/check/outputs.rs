//! `outputs`: receivers with names, URLs, and at most one way to authenticate.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::source::Span;
use crate::config::valid::{Auth, LokiOutput, PrometheusOutput, Receiver, RemoteWriteVersion};
use crate::config::written::{BasicAuth, Output, Outputs, Version};

/// The largest file with certificates, in bytes: twice Debian's bundle of all authorities.
const MAX_CA: u64 = 1 << 20;

/// The header that names a tenant.
const TENANT: &str = "X-Scope-OrgID";

impl Checker<'_> {
    pub(super) fn prometheus(&mut self, outputs: Option<&Outputs>) -> Vec<PrometheusOutput> {
        let all = outputs.map(|outputs| self.receivers("prometheus", &outputs.prometheus, "/api/v1/write"));
        let version = |output: &Output| match output.version.get() {
            None | Some(Version::Auto) => RemoteWriteVersion::Auto,
            Some(Version::V1) => RemoteWriteVersion::V1,
            Some(Version::V2) => RemoteWriteVersion::V2,
        };
        let output = |(receiver, output)| PrometheusOutput { receiver, version: version(output) };
        all.into_iter().flatten().map(output).collect()
    }

    pub(super) fn loki(&mut self, outputs: Option<&Outputs>) -> Vec<LokiOutput> {
        let all = outputs.map(|outputs| self.receivers("loki", &outputs.loki, "/loki/api/v1/push"));
        let mut receivers = Vec::new();
        for (receiver, output) in all.into_iter().flatten() {
            if let Some(at) = output.version.span() {
                self.fault(at, "Loki's push has no `version`", "remove it");
            }
            receivers.push(LokiOutput { receiver });
        }
        receivers
    }

    fn receivers<'w>(
        &mut self,
        kind: &'static str,
        field: &'w Field<Vec<Field<Output>>>,
        path: &'static str,
    ) -> Vec<(Receiver, &'w Output)> {
        let (mut receivers, mut names) = (Vec::new(), Vec::new());
        for (at, output) in field.get().into_iter().flatten().filter_map(Field::good) {
            let name = output.name.get().map_or(kind, |name| &name.0).to_owned();
            self.unique(&format!("{kind} outputs"), &name, output.name.span().or(Some(at)), &mut names);
            receivers.extend(self.receiver(at, name, output, path).map(|receiver| (receiver, output)));
        }
        receivers
    }

    fn receiver(&mut self, at: Span, name: String, output: &Output, path: &'static str) -> Option<Receiver> {
        let auth = self.auth(output);
        let timeout = bounds(Duration::from_millis(100), Duration::from_secs(600));
        let timeout = self.duration(&output.timeout, defaults::TIMEOUT, &timeout);
        let ca_file = self.ca_file(output);
        let headers = output.headers.get().into_iter().flatten();
        let mut headers: std::collections::BTreeMap<_, _> =
            headers.filter_map(|(name, value)| Some((name.0.clone(), value.get()?.0.clone()))).collect();
        let tenant = output.tenant.good();
        if let Some((at, _)) = tenant.filter(|_| headers.keys().any(|name| name.eq_ignore_ascii_case(TENANT)))
        {
            self.fault(
                at,
                format!("the tenant is given twice: here, and as the header {TENANT}"),
                "keep `tenant`",
            );
        }
        headers.extend(tenant.map(|(_, text)| (TENANT.to_owned(), text.0.clone())));
        let url = match &output.url {
            Field::Absent => {
                self.fault(at, "the output has no `url`", format!("add url: http://host:port{path}"));
                return None;
            }
            Field::Bad(_) => return None,
            Field::Good(_, url) => url.or_path(path),
        };
        Some(Receiver { name, url, headers, auth, timeout, ca_file })
    }

    fn auth(&mut self, output: &Output) -> Option<Auth> {
        let ways = [output.basic_auth.span(), output.bearer_token.span(), output.bearer_token_file.span()];
        if let Some(second) = ways.into_iter().flatten().nth(1) {
            self.fault(
                second,
                "more than one way to authenticate",
                "keep one of `basic_auth`, `bearer_token`, `bearer_token_file`",
            );
            return None;
        }
        if let Some((at, basic)) = output.basic_auth.good() {
            return self.basic(at, basic);
        }
        if let Some((at, path)) = output.bearer_token_file.good() {
            return Some(Auth::Bearer(self.secret(at, path)));
        }
        output.bearer_token.get().map(|token| Auth::Bearer(token.clone()))
    }

    pub(super) fn basic(&mut self, at: Span, basic: &BasicAuth) -> Option<Auth> {
        if matches!(basic.username, Field::Absent) {
            self.fault(at, "`basic_auth` has no `username`", "add username: …");
        }
        if let (Some(second), Some(_)) = (basic.password_file.span(), basic.password.span()) {
            self.fault(second, "the password is given twice", "keep `password_file`");
        }
        let password = match (&basic.password, &basic.password_file) {
            (Field::Absent, Field::Absent) => {
                self.fault(at, "`basic_auth` has no password", "add password_file: /path/to/the/secret");
                return None;
            }
            (_, Field::Good(at, path)) => self.secret(*at, path),
            (Field::Good(_, password), _) => password.clone(),
            _ => return None,
        };
        let username = basic.username.get()?.0.clone();
        Some(Auth::Basic { username, password })
    }

    fn ca_file(&mut self, output: &Output) -> Option<PathBuf> {
        let (at, path) = output.tls.get()?.ca_file.good()?;
        let path = self.path(at, path);
        if let Err(what) = read_pem(&path) {
            self.fault(at, format!("{}: {what}", path.display()), "name a file of certificates in PEM");
        }
        Some(path)
    }
}

/// The text of a file of certificates.
pub(super) fn read_pem(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    file.take(MAX_CA).read_to_string(&mut text).map_err(|e| format!("cannot be read: {e}"))?;
    match text.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(text),
        false => Err("holds no certificate".to_owned()),
    }
}
