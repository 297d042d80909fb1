//! How something is reached by HTTP: at most one way to authenticate, files that are there, a proxy that can be one.

use http::HeaderMap;
use taffrail_probe::http::Proxy;

use super::Checker;
use crate::config::field::Field;
use crate::config::scalar::PathText;
use crate::config::secret::Secret;
use crate::config::source::Span;
use crate::config::valid::Auth;
use crate::config::written::http::{self as written, Authorization, HttpKeys, TlsVersion};
use crate::scrape::client::value;
use crate::scrape::job::{Http, Tls};

impl Checker<'_> {
    /// How something with these keys is reached.
    pub(super) fn http(&mut self, written: HttpKeys<'_>) -> Http {
        let mut http = Http {
            follow_redirects: written.follow_redirects.get().copied().unwrap_or(true),
            http2: written.enable_http2.get().copied().unwrap_or(true),
            ..Http::default()
        };
        if let Some((at, basic)) = written.basic_auth.good() {
            http.auth = self.basic(at, basic);
            if let Some(second) = written.authorization.span() {
                self.fault(
                    second,
                    "more than one way to authenticate",
                    "keep `basic_auth` or `authorization`",
                );
            }
        } else if let Some((at, authorization)) = written.authorization.good() {
            self.authorization(at, authorization, &mut http);
        }
        for (name, header) in written.http_headers.get().into_iter().flatten() {
            let Some((_, header)) = header.good() else { continue };
            let mut add = |secret| http.headers.push((name.0.clone(), secret));
            header.values.get().into_iter().flatten().for_each(|value| add(Secret::new(value)));
            header.secrets.get().into_iter().flatten().for_each(|secret| add(secret.clone()));
            for (at, path) in header.files.get().into_iter().flatten().filter_map(Field::good) {
                http.headers.push((name.0.clone(), self.secret(at, path)));
            }
        }
        if let Some(tls) = written.tls_config.get() {
            http.tls = self.tls(tls);
        }
        http.proxy = self.proxy(written);
        http
    }

    fn proxy(&mut self, written: HttpKeys<'_>) -> Option<Proxy> {
        let from_environment = written.proxy_from_environment.good().filter(|(_, on)| **on);
        let url = written.proxy_url.good();
        let header_at = written.proxy_connect_header.span();
        if let (Some((at, _)), Some(_)) =
            (from_environment, written.proxy_url.span().or(written.no_proxy.span()))
        {
            self.fault(
                at,
                "the proxy is given twice",
                "keep `proxy_url` with `no_proxy`, or `proxy_from_environment`",
            );
            return None;
        }
        if let (None, None, Some(at)) = (url, from_environment, written.no_proxy.span().or(header_at)) {
            self.fault(at, "there is no proxy that this could be about", "add proxy_url: http://host:port");
            return None;
        }
        let mut headers = HeaderMap::new();
        for (name, values) in written.proxy_connect_header.get().into_iter().flatten() {
            for secret in values {
                let parts = (http::HeaderName::try_from(name.0.as_str()), value(&name.0, secret.expose()));
                match parts {
                    (Ok(name), Ok(value)) => drop(headers.append(name, value)),
                    (_, Err(what)) => {
                        self.fault(header_at.unwrap_or_default(), what, "write one line of text");
                    }
                    (Err(_), Ok(_)) => {}
                }
            }
        }
        let (at, made) = match (url, from_environment) {
            (Some((at, url)), _) => {
                let bypass = written.no_proxy.get().map_or("", String::as_str);
                (at, Proxy::new(&url.0, bypass, headers).map(Some))
            }
            (None, Some((at, _))) => (at, Proxy::from_environment(|name| (self.env)(name), headers)),
            (None, None) => return None,
        };
        match made {
            Ok(proxy) => proxy,
            Err(error) => {
                self.fault(at, error.to_string(), "proxies over TLS and SOCKS are not supported");
                None
            }
        }
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
        let tls13_only = written.min_version.get() == Some(&TlsVersion::V13);
        let tls12_only = match written.max_version.good() {
            None | Some((_, TlsVersion::V13)) => false,
            Some((at, newest)) => {
                if *newest != TlsVersion::V12 || tls13_only {
                    self.fault(
                        at,
                        "no version of TLS is left",
                        "TLS 1.2 and 1.3 are spoken: write TLS12 or TLS13",
                    );
                }
                true
            }
        };
        Tls {
            ca,
            cert,
            key,
            server_name: written.server_name.get().map(|name| name.0.clone()),
            insecure_skip_verify: written.insecure_skip_verify.get().copied().unwrap_or(false),
            tls12_only,
            tls13_only,
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
}
