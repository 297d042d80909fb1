//! How something is reached by HTTP: at most one way to authenticate, files that are there, a proxy that can be one.

use http::HeaderMap;
use taffrail_probe::http::Proxy;

use super::Checker;
use crate::config::field::Field;
use crate::config::secret::Secret;
use crate::config::written::http::HttpKeys;
use crate::http_client::{Auth, Source};
use crate::scrape::client::value;
use crate::scrape::job::Http;

impl Checker<'_> {
    /// How something with these keys is reached.
    pub(super) fn http(&mut self, written: HttpKeys<'_>) -> Http {
        let mut http = Http {
            follow_redirects: written.follow_redirects.get().copied().unwrap_or(true),
            http2: written.enable_http2.get().copied().unwrap_or(true),
            ..Http::default()
        };
        http.auth = self.http_auth(written);
        for (name, header) in written.http_headers.get().into_iter().flatten() {
            let Some((_, header)) = header.good() else { continue };
            let mut add = |secret| http.headers.push((name.0.clone(), secret));
            header
                .values
                .get()
                .into_iter()
                .flatten()
                .for_each(|value| add(Source::Inline(Secret::new(value))));
            header.secrets.get().into_iter().flatten().for_each(|secret| add(Source::Inline(secret.clone())));
            for (at, path) in header.files.get().into_iter().flatten().filter_map(Field::good) {
                http.headers.push((name.0.clone(), self.secret_file(at, path)));
            }
        }
        if let Some((at, tls)) = written.tls_config.good() {
            http.tls = self.trust(at, tls);
        }
        http.proxy = self.proxy(written);
        http
    }

    fn http_auth(&mut self, written: HttpKeys<'_>) -> Option<Auth> {
        let ways = [written.basic_auth.span(), written.authorization.span(), written.oauth2.span()];
        if let Some(second) = ways.into_iter().flatten().nth(1) {
            self.fault(
                second,
                "more than one way to authenticate",
                "keep one of `basic_auth`, `authorization`, `oauth2`",
            );
            return None;
        }
        if let Some((at, basic)) = written.basic_auth.good() {
            return self.basic_source(at, basic);
        }
        if let Some((at, header)) = written.authorization.good() {
            return self.header_source(at, header);
        }
        let (at, oauth2) = written.oauth2.good()?;
        self.oauth2(at, oauth2).map(|oauth2| Auth::OAuth2(Box::new(oauth2)))
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
}
