//! URLs of receivers: http or https, with a host, without a password in them.

use http::Uri;

/// A URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub Uri);

impl Url {
    /// Reads `http://host:port/path`. No error shows the text when it holds a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("a URL cannot hold a user and a password: they would end up in logs\n\
                 use `basic_auth: {username: …, password_file: …}` beside `url`"
                .to_owned());
        }
        match text.split_once("://") {
            Some(("http" | "https", _)) => {}
            Some((scheme, _)) => {
                return Err(format!(
                    "the URL's scheme `{scheme}` is not supported\nwrite http:// or https://"
                ));
            }
            None => return Err(format!("the URL `{text}` has no scheme\nwrite http://{text}")),
        }
        if text.contains('#') {
            return Err(format!("the URL `{text}` has a fragment (`#…`), which is never sent\nremove it"));
        }
        let uri: Uri =
            text.parse().map_err(|e| format!("`{text}` is not a URL: {e}\nwrite http://host:port/path"))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(format!("the URL `{text}` has no host\nwrite http://host:port/path"));
        }
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if port.is_some_and(|port| port.parse::<u16>().is_err_and(|_| true) || port == "0") {
            return Err(format!("the URL `{text}` has no valid port\na port is a number from 1 to 65535"));
        }
        Ok(Url(uri))
    }

    /// The URL, with `path` where it has none of its own.
    pub fn or_path(&self, path: &'static str) -> Uri {
        if !matches!(self.0.path(), "" | "/") || self.0.query().is_some() {
            return self.0.clone();
        }
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static(path));
        // Scheme and authority were there already, so the parts fit together.
        Uri::from_parts(parts).unwrap_or_else(|_| self.0.clone())
    }
}

super::from_text!(Url, {
    "type": "string",
    "format": "url"
});

/// A URL that is probed: it is kept as it is written, since it becomes a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedUrl(pub String);

impl ProbedUrl {
    /// Reads `http://host:port/path`, as [`Url::parse`] does.
    pub fn parse(text: &str) -> Result<Self, String> {
        Url::parse(text).map(|_| ProbedUrl(text.to_owned()))
    }
}

super::from_text!(ProbedUrl, {
    "type": "string",
    "format": "url"
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read() {
        for text in ["http://prometheus:9090/api/v1/write", "https://[::1]:9090/x?y=1", "http://127.0.0.1"] {
            Url::parse(text).unwrap();
        }
        for text in [
            "",
            "loki:3100",
            "ftp://x",
            "http://",
            "http:///x",
            "http://a b",
            "http://a:b/",
            "http://a:70000",
            "http://a/#x",
            "http://a:0",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Url::parse("loki:3100").unwrap_err(),
            "the URL `loki:3100` has no scheme\nwrite http://loki:3100"
        );
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in ["http://u:hunter2@h/", "u:hunter2@h", "ftp://u:hunter2@h", "http://u:hunter2@"] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("hunter2") && error.contains("basic_auth"), "{error}");
        }
    }

    #[test]
    fn a_missing_path_is_filled_in() {
        let with = |text| Url::parse(text).unwrap().or_path("/loki/api/v1/push").to_string();
        assert_eq!(with("http://loki:3100"), "http://loki:3100/loki/api/v1/push");
        assert_eq!(with("http://loki:3100/"), "http://loki:3100/loki/api/v1/push");
        assert_eq!(with("http://loki:3100/own"), "http://loki:3100/own");
    }
}
