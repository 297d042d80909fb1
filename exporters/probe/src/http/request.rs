//! What a probe's requests say: made once, used for every redirect.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::settings::{Auth, Settings};
use crate::attempt::Attempt;
use crate::failure::Failure;
use taffrail_core::secret::{Source, SourceError};

/// How probes call themselves.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Taffrail/", env!("CARGO_PKG_VERSION")));

/// Headers that only the target itself gets to see.
const PRIVATE: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE];

/// What a probe's requests say.
#[derive(Debug)]
pub(super) struct Plan {
    /// Without `host`.
    headers: HeaderMap,
    /// The settings' own `host`.
    pub(super) host: Option<HeaderValue>,
    pub(super) body: Bytes,
    pub(super) body_is_set: bool,
}

impl Plan {
    /// Reads the files that the settings name; `url` may bring a user and a password.
    pub(super) async fn new(settings: &Settings, attempt: &Attempt<'_>, url: &Url) -> Result<Self, Failure> {
        let mut headers = settings.headers.clone();
        let host = headers.remove(HOST);
        for (name, source) in &settings.header_files {
            let value = secret(attempt, source).await?;
            headers.append(name, hidden(&value, name.as_str())?);
        }
        if !headers.contains_key(AUTHORIZATION)
            && let Some(value) = authorization(settings, attempt, url).await?
        {
            headers.insert(AUTHORIZATION, hidden(&value, "authorization")?);
        }
        headers.entry(USER_AGENT).or_insert(AGENT);
        let body = match &settings.body {
            Some(source) => Bytes::from(load(attempt, source.load()).await?),
            None => Bytes::new(),
        };
        Ok(Plan { headers, host, body, body_is_set: settings.body.is_some() })
    }

    /// The headers of a request; those that are private only if it goes to the target.
    pub(super) fn headers(&self, to_the_target: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if !to_the_target {
            for name in &PRIVATE {
                headers.remove(name);
            }
        }
        headers
    }
}

async fn authorization(
    settings: &Settings,
    attempt: &Attempt<'_>,
    url: &Url,
) -> Result<Option<String>, Failure> {
    let basic =
        |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    Ok(match &settings.auth {
        Some(Auth::Basic { username, password }) => {
            let mut parts = [String::new(), String::new()];
            for (part, source) in parts.iter_mut().zip([username, password]) {
                if let Some(source) = source {
                    *part = secret(attempt, source).await?;
                }
            }
            Some(basic(&parts[0], &parts[1]))
        }
        Some(Auth::Token { kind, credentials }) => {
            Some(format!("{kind} {}", secret(attempt, credentials).await?))
        }
        None if url.username().is_empty() => None,
        None => Some(basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default()))),
    })
}

/// A part of a URL without percent signs.
fn decoded(part: &str) -> String {
    // A form has `+` for a space; a user's name does not.
    let pairs = format!("x={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(pairs.as_bytes())
        .next()
        .map_or(String::new(), |(_, value)| value.into_owned())
}

async fn secret(attempt: &Attempt<'_>, source: &Source) -> Result<String, Failure> {
    let secret = load(attempt, source.secret()).await?;
    Ok(secret.reveal().to_owned())
}

async fn load<T>(
    attempt: &Attempt<'_>,
    reading: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, Failure> {
    let read = attempt.within(|| "reading a file that the module names".into(), reading).await?;
    read.map_err(|e| Failure::Answer(format!("the request cannot be made: {e}")))
}

/// A header's value that no log shows.
fn hidden(value: &str, name: &str) -> Result<HeaderValue, Failure> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        Failure::Answer(format!("the value of the header {name} has a character that HTTP cannot carry"))
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_in_urls_are_decoded() {
        assert_eq!(decoded("a%40b+c"), "a@b+c");
    }
}
