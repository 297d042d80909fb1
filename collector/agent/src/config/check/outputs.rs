//! `outputs`: receivers with names, URLs, and at most one way to authenticate.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use taffrail_wire::relabel::Names;

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::source::Span;
use crate::config::valid::{PrometheusOutput, Receiver, RemoteWriteVersion};
use crate::config::written::{Output, Outputs, Version};

/// The largest file with certificates, in bytes: twice Debian's bundle of all authorities.
const MAX_CA: u64 = 1 << 20;

/// The most shards: more requests at once than this are an attack.
const MAX_SHARDS: u64 = 64;

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
        let mut receivers = Vec::new();
        for (receiver, output) in all.into_iter().flatten() {
            let shards = output.max_shards.get().copied().unwrap_or(defaults::MAX_SHARDS);
            if let Some(at) = output.max_shards.span().filter(|_| !(1..=MAX_SHARDS).contains(&shards)) {
                self.fault(at, format!("{shards} is out of bounds"), format!("between 1 and {MAX_SHARDS}"));
            }
            let others = [
                ("limits", output.limits.span()),
                ("dead_letters", output.dead_letters.span()),
                ("tenant_label", output.tenant_label.span()),
                ("max_tenants", output.max_tenants.span()),
            ];
            for (key, at) in others.into_iter().filter_map(|(key, at)| Some((key, at?))) {
                self.fault(
                    at,
                    format!("a Prometheus output has no `{key}`"),
                    "remove it: only Loki outputs have it",
                );
            }
            receivers.push(PrometheusOutput {
                receiver,
                version: version(output),
                relabel: self.rules(&output.write_relabel_configs, Names::Utf8),
                max_shards: shards as usize,
                out_of_order: output.out_of_order.get().copied().unwrap_or_default(),
            });
        }
        receivers
    }

    pub(super) fn receivers<'w>(
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
        let auth = self.output_auth(output);
        let timeout = bounds(Duration::from_millis(100), Duration::from_secs(600));
        let timeout = self.duration(&output.timeout, defaults::TIMEOUT, &timeout);
        let tls = output.tls.good().map(|(at, tls)| self.trust(at, tls)).unwrap_or_default();
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
        Some(Receiver { name, url, headers, auth, timeout, tls })
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
