//! `http:` of a module.

use http::header::{ACCEPT_ENCODING, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde_saphyr::Location;

use super::scalar::Regex;
use super::written::{HeaderRule, Http};
use super::{Problem, Reader, addressing};
use crate::http::{Auth, Compression, HeaderMatch, Proxy, Settings};
use taffrail_core::secret::Source;

/// Headers that the connection, or a key of its own, decides.
const RESERVED: [&str; 10] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "accept-encoding",
];

impl Reader<'_> {
    pub(super) fn http(&mut self, mut written: Http, at: Location) -> Result<Settings, Problem> {
        refuse(&written)?;
        let auth = self.auth(&mut written, at)?;
        let proxy = proxy(&written, at)?;
        let (headers, header_files) = self.headers(&mut written, at)?;
        let compression = written.compression.as_ref().and_then(|packing| packing.0);
        accepts(&headers, compression, at)?;
        let tls = self.tls(written.tls_config.take(), at)?;
        let body = self.source(at, "body", written.body, written.body_file)?;
        let versions = written.valid_http_versions.unwrap_or_default();
        if versions.iter().any(|version| version == "HTTP/3.0" || version == "HTTP/3") {
            self.warn("HTTP/3 is not spoken here, so that no answer can be of it");
        }
        let follow = written.no_follow_redirects.map(|no| !no).or(written.follow_redirects);
        Ok(Settings {
            addressing: addressing(written.preferred_ip_protocol, written.ip_protocol_fallback),
            method: written.method.map_or(Method::GET, |verb| verb.0),
            headers,
            header_files,
            auth,
            body,
            valid_status_codes: written.valid_status_codes.unwrap_or_default(),
            valid_http_versions: versions,
            follow_redirects: follow.unwrap_or(true),
            http2: written.enable_http2.unwrap_or(true),
            fail_if_ssl: written.fail_if_ssl,
            fail_if_not_ssl: written.fail_if_not_ssl,
            body_matches: patterns(written.fail_if_body_matches_regexp),
            body_not_matches: patterns(written.fail_if_body_not_matches_regexp),
            header_matches: rules(written.fail_if_header_matches),
            header_not_matches: rules(written.fail_if_header_not_matches),
            compression,
            body_size_limit: written.body_size_limit.map(|size| size.0).filter(|size| *size > 0),
            proxy,
            skip_resolve_phase_with_proxy: written.skip_resolve_phase_with_proxy,
            tls,
        })
    }

    fn auth(&self, written: &mut Http, at: Location) -> Result<Option<Auth>, Problem> {
        let bearer =
            self.source(at, "bearer_token", written.bearer_token.take(), written.bearer_token_file.take())?;
        let ways = [bearer.is_some(), written.basic_auth.is_some(), written.authorization.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            let why = "more than one of basic_auth, authorization and bearer_token: one of them is enough";
            return Err(Problem::Wrong(at, why.into()));
        }
        if let Some(credentials) = bearer {
            return Ok(Some(Auth::Token { kind: "Bearer".into(), credentials }));
        }
        if let Some(basic) = written.basic_auth.take() {
            let username = self.source(at, "username", basic.username, basic.username_file)?;
            let password = self.source(at, "password", basic.password, basic.password_file)?;
            return Ok(Some(Auth::Basic { username, password }));
        }
        let Some(token) = written.authorization.take() else { return Ok(None) };
        let kind = token.kind.map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or_else(|| "Bearer".into());
        if kind.eq_ignore_ascii_case("basic") {
            return Err(Problem::Wrong(at, "authorization cannot be of type basic: use basic_auth".into()));
        }
        let credentials = self.source(at, "credentials", token.credentials, token.credentials_file)?;
        let credentials = credentials.ok_or_else(|| {
            Problem::Wrong(at, "authorization has neither credentials nor credentials_file".into())
        })?;
        Ok(Some(Auth::Token { kind, credentials }))
    }

    fn headers(
        &self,
        written: &mut Http,
        at: Location,
    ) -> Result<(HeaderMap, Vec<(HeaderName, Source)>), Problem> {
        let mut headers = HeaderMap::new();
        let mut files = Vec::new();
        for (name, value) in written.headers.take().unwrap_or_default() {
            headers.insert(name.0.clone(), header(&name.0, &value, at)?);
        }
        for (name, values) in written.http_headers.take().unwrap_or_default() {
            let name = name.0;
            if RESERVED.contains(&name.as_str()) {
                let why =
                    format!("http_headers cannot set {name}: write it under headers, or use the key for it");
                return Err(Problem::Wrong(at, why));
            }
            headers.remove(&name);
            for value in values.values.iter().chain(&values.secrets) {
                headers.append(name.clone(), header(&name, value, at)?);
            }
            files
                .extend(values.files.iter().map(|file| (name.clone(), Source::File(self.folder.join(file)))));
        }
        Ok((headers, files))
    }
}

/// What this program does not do, with what can be done instead.
fn refuse(written: &Http) -> Result<(), Problem> {
    let refused = |why: &str| Err(Problem::Refused(why.to_owned()));
    if written.fail_if_body_json_matches_cel.is_some() || written.fail_if_body_json_not_matches_cel.is_some()
    {
        return refused(
            "CEL expressions are not evaluated here: use fail_if_body_matches_regexp and \
             fail_if_body_not_matches_regexp",
        );
    }
    if written.oauth2.is_some() {
        return refused(
            "oauth2 is not here: let something else fetch the token into a file, and name it in \
             authorization.credentials_file",
        );
    }
    if written.enable_http3 {
        return refused("HTTP/3 is not spoken here: leave enable_http3 out to probe HTTP/2 and 1.1");
    }
    Ok(())
}

fn proxy(written: &Http, at: Location) -> Result<Option<Proxy>, Problem> {
    let mut connect = HeaderMap::new();
    for (name, values) in written.proxy_connect_header.iter().flatten() {
        for value in values {
            connect.append(name.0.clone(), header(&name.0, value, at)?);
        }
    }
    let url = written.proxy_url.as_deref().filter(|url| !url.is_empty());
    if url.is_some() && written.proxy_from_environment {
        let why = "proxy_url and proxy_from_environment are both there: one of them is enough";
        return Err(Problem::Wrong(at, why.into()));
    }
    let refused = |e: crate::http::ProxyError| Problem::Refused(e.to_string());
    match url {
        Some(url) => {
            let bypass = written.no_proxy.as_deref().unwrap_or_default();
            Proxy::new(url, bypass, connect).map(Some).map_err(refused)
        }
        None if written.proxy_from_environment => {
            Proxy::from_environment(|name| std::env::var(name).ok(), connect).map_err(refused)
        }
        None => Ok(None),
    }
}

/// A compression that the request's own header does not accept would never come.
fn accepts(headers: &HeaderMap, compression: Option<Compression>, at: Location) -> Result<(), Problem> {
    let (Some(compression), Some(accepted)) = (compression, headers.get(ACCEPT_ENCODING)) else {
        return Ok(());
    };
    let name = match compression {
        Compression::Gzip => "gzip",
        Compression::Deflate => "deflate",
        Compression::Brotli => "br",
    };
    let accepted = accepted.to_str().unwrap_or_default();
    let wanted = |item: &str| {
        let (coding, quality) = item.split_once(';').unwrap_or((item, "q=1"));
        let quality = quality.trim().trim_start_matches("q=").parse().unwrap_or(0.0);
        (coding.trim() == name || coding.trim() == "*") && quality > 0.0
    };
    if accepted.is_empty() || accepted.split(',').any(wanted) {
        return Ok(());
    }
    let why =
        format!("`compression: {name}` and the header `Accept-Encoding: {accepted}` exclude each other");
    Err(Problem::Wrong(at, why))
}

fn header(name: &HeaderName, value: &str, at: Location) -> Result<HeaderValue, Problem> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Problem::Wrong(at, format!("the value of the header {name} has a character that HTTP cannot carry"))
    })?;
    // Any header may hold a token; none is shown.
    value.set_sensitive(true);
    Ok(value)
}

fn patterns(list: Option<Vec<Regex>>) -> Vec<taffrail_core::Pattern> {
    list.unwrap_or_default().into_iter().map(|regex| regex.0).collect()
}

fn rules(list: Option<Vec<HeaderRule>>) -> Vec<HeaderMatch> {
    let rule = |rule: HeaderRule| HeaderMatch {
        header: rule.header.0,
        pattern: rule.regexp.0,
        allow_missing: rule.allow_missing,
    };
    list.unwrap_or_default().into_iter().map(rule).collect()
}
