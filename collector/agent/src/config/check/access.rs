//! How another side is reached: credentials of which there is one kind, and TLS.

use super::Checker;
use super::outputs::read_pem;
use crate::config::field::Field;
use crate::config::scalar::PathText;
use crate::config::secret::Secret;
use crate::config::source::Span;
use crate::config::written::http::{Authorization, Tls as WrittenTls, TlsVersion};
use crate::config::written::{self, BasicAuth, Output};
use crate::http_client::{Auth, OAuth2, Source, Tls, Version};

impl Checker<'_> {
    pub(super) fn output_auth(&mut self, output: &Output) -> Option<Auth> {
        let ways = [
            output.basic_auth.span(),
            output.authorization.span(),
            output.oauth2.span(),
            output.bearer_token.span(),
            output.bearer_token_file.span(),
        ];
        if let Some(second) = ways.into_iter().flatten().nth(1) {
            self.fault(
                second,
                "more than one way to authenticate",
                "keep one of `basic_auth`, `authorization`, `oauth2`, `bearer_token`, `bearer_token_file`",
            );
            return None;
        }
        if let Some((at, basic)) = output.basic_auth.good() {
            return self.basic_source(at, basic);
        }
        if let Some((at, header)) = output.authorization.good() {
            return self.header_source(at, header);
        }
        if let Some((at, oauth2)) = output.oauth2.good() {
            return self.oauth2(at, oauth2).map(|oauth2| Auth::OAuth2(Box::new(oauth2)));
        }
        let credentials = match output.bearer_token_file.good() {
            Some((at, path)) => self.secret_file(at, path),
            None => Source::Inline(output.bearer_token.get()?.clone()),
        };
        Some(Auth::Header { kind: "Bearer".into(), credentials })
    }

    pub(super) fn basic_source(&mut self, at: Span, written: &BasicAuth) -> Option<Auth> {
        if matches!(written.username, Field::Absent) {
            self.fault(at, "`basic_auth` has no `username`", "add username: …");
        }
        let words = ("the password", "`basic_auth` has no password", "password_file");
        let password = self.one_source(at, &written.password, &written.password_file, words)?;
        Some(Auth::Basic { username: written.username.get()?.0.clone(), password })
    }

    pub(super) fn header_source(&mut self, at: Span, written: &Authorization) -> Option<Auth> {
        let words = ("the credentials", "`authorization` has no credentials", "credentials_file");
        let credentials = self.one_source(at, &written.credentials, &written.credentials_file, words)?;
        let kind = written.kind.get().map_or("Bearer", |kind| &kind.0);
        if kind.eq_ignore_ascii_case("basic") {
            let at = written.kind.span().unwrap_or(at);
            self.fault(at, "`authorization` is not for user and password", "write `basic_auth`");
        }
        Some(Auth::Header { kind: kind.to_owned(), credentials })
    }

    /// `oauth2`, of outputs and of whatever else asks with tokens.
    pub(super) fn oauth2(&mut self, at: Span, written: &written::OAuth2) -> Option<OAuth2> {
        for (key, absent) in [
            ("client_id", matches!(written.client_id, Field::Absent)),
            ("token_url", matches!(written.token_url, Field::Absent)),
        ] {
            if absent {
                self.fault(at, format!("`oauth2` has no `{key}`"), format!("add {key}: …"));
            }
        }
        let words = ("the secret", "`oauth2` has no secret", "client_secret_file");
        let client_secret = self.one_source(at, &written.client_secret, &written.client_secret_file, words);
        let tls = written.tls_config.good().map(|(at, tls)| self.trust(at, tls)).unwrap_or_default();
        Some(OAuth2 {
            client_id: written.client_id.get()?.0.clone(),
            client_secret: client_secret?,
            scopes: written.scopes.get().cloned().unwrap_or_default(),
            token_url: written.token_url.get()?.or_path("/"),
            endpoint_params: written.endpoint_params.get().cloned().unwrap_or_default(),
            tls,
        })
    }

    /// A secret that is written here, or in a file. `words`: what it is, that there is none, and the file's key.
    fn one_source(
        &mut self,
        at: Span,
        inline: &Field<Secret>,
        file: &Field<PathText>,
        (what, none, key): (&str, &str, &str),
    ) -> Option<Source> {
        if let (Some(second), Some(_)) = (file.span(), inline.span()) {
            self.fault(second, format!("{what} is given twice"), format!("keep `{key}`"));
        }
        match (inline, file) {
            (_, Field::Good(at, path)) => Some(self.secret_file(*at, path)),
            (Field::Good(_, secret), _) => Some(Source::Inline(secret.clone())),
            (Field::Absent, Field::Absent) => {
                self.fault(at, none, format!("add {key}: /path/to/the/secret"));
                None
            }
            _ => None,
        }
    }

    /// A file with a secret. It has to be there now: what is wrong with it shows at the start, not in the night.
    pub(super) fn secret_file(&mut self, at: Span, path: &PathText) -> Source {
        self.secret(at, path);
        Source::File(self.path(at, path))
    }

    /// `tls_config`
    pub(super) fn trust(&mut self, at: Span, written: &WrittenTls) -> Tls {
        let ca = self.pem_source(&written.ca, &written.ca_file);
        let cert = self.pem_source(&written.cert, &written.cert_file);
        let key = match (written.key_file.good(), written.key.get()) {
            (Some((at, path)), _) => Some(self.secret_file(at, path)),
            (None, key) => key.cloned().map(Source::Inline),
        };
        match (&cert, &key) {
            (Some(_), None) => {
                let at = written.cert_file.span().or(written.cert.span()).unwrap_or(at);
                self.fault(at, "a certificate without its key", "add key_file: …");
            }
            (None, Some(_)) => {
                let at = written.key_file.span().or(written.key.span()).unwrap_or(at);
                self.fault(at, "a key without its certificate", "add cert_file: …");
            }
            _ => {}
        }
        let min_version = match written.min_version.get() {
            Some(TlsVersion::V13) => Version::V13,
            _ => Version::V12,
        };
        let max_version = written.max_version.good().map(|(at, newest)| {
            let most = if *newest == TlsVersion::V13 { Version::V13 } else { Version::V12 };
            if matches!(newest, TlsVersion::V10 | TlsVersion::V11) || most < min_version {
                self.fault(
                    at,
                    "no version of TLS is left",
                    "TLS 1.2 and 1.3 are spoken: write TLS12 or TLS13",
                );
            }
            most
        });
        Tls {
            ca,
            cert,
            key,
            server_name: written.server_name.get().map(|name| name.0.clone()),
            insecure_skip_verify: written.insecure_skip_verify.get().copied().unwrap_or(false),
            min_version,
            max_version,
        }
    }

    fn pem_source(&mut self, text: &Field<String>, file: &Field<PathText>) -> Option<Source> {
        let Some((at, path)) = file.good() else {
            return text.get().map(|text| Source::Inline(Secret::new(text)));
        };
        let path = self.path(at, path);
        if let Err(what) = read_pem(&path) {
            self.fault(at, format!("{}: {what}", path.display()), "name a file of certificates in PEM");
        }
        Some(Source::File(path))
    }
}
