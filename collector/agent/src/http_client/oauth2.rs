//! OAuth 2.0, client credentials: a token is fetched, used until shortly before it expires, and fetched again.
//!
//! RFC 6749, 4.4 (client credentials) and 2.3.1 (how a client authenticates).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use taffrail_core::Clock;

use super::connection::Connection;
use super::source::{Source, Watched};
use super::tls::Tls;
use crate::config::Secret;
use crate::status::lock;

/// `oauth2`, as Prometheus has it.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuth2 {
    /// The client's name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Source,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The server of tokens.
    pub token_url: Uri,
    /// Sent with the request for a token.
    pub endpoint_params: BTreeMap<String, String>,
    /// How to trust the server of tokens, and who we are to it.
    pub tls: Tls,
}

/// How long before it expires a token is not used any more: a request on its way must not outlive it.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a token is used where the server does not say how long it holds.
const UNSAID: Duration = Duration::from_secs(300);
/// How long the server of tokens has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a failure is not tried again: many requests wait for one token.
const PAUSE: Duration = Duration::from_secs(2);
/// The largest answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Gives tokens.
#[derive(Debug)]
pub struct TokenSource {
    config: OAuth2,
    secret: Watched,
    connection: Connection,
    clock: Clock,
    held: Mutex<Held>,
    /// One asks, the others wait for what it is told.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    /// The token, and until when it is used, on the monotonic clock.
    token: Option<(Secret, Duration)>,
    failure: Option<(String, Duration)>,
    /// The client's password goes into the body: the server did not take it in the header.
    in_body: bool,
}

/// What a server of tokens answers (RFC 6749, 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

/// Some servers write the number as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl TokenSource {
    /// A source of tokens as `config` says; nothing is asked for yet.
    ///
    /// # Errors
    /// In words, when its TLS settings cannot be used.
    pub fn new(config: &OAuth2, clock: &Clock) -> Result<Self, String> {
        let connection = Connection::new(&config.token_url, &config.tls, PATIENCE, clock);
        let connection = connection.map_err(|error| format!("oauth2: tls_config: {error}"))?;
        Ok(TokenSource {
            secret: Watched::new(config.client_secret.clone(), clock.clone()),
            config: config.clone(),
            connection,
            clock: clock.clone(),
            held: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// A token that holds now.
    ///
    /// # Errors
    /// In words, when the server gives none. For two seconds the same is said without asking again.
    pub async fn token(&self) -> Result<Secret, String> {
        if let Some(held) = self.held() {
            return held;
        }
        let _asking = self.asking.lock().await;
        if let Some(held) = self.held() {
            return held;
        }
        let asked = match tokio::time::timeout(PATIENCE, self.ask()).await {
            Ok(asked) => asked,
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let host = self.config.token_url.authority().map_or("", |authority| authority.as_str());
        let asked = asked.map_err(|error| format!("no OAuth 2.0 token from {host}: {error}"));
        let now = self.clock.monotonic();
        let mut held = lock(&self.held);
        match asked {
            Ok((token, holds)) => {
                held.failure = None;
                // Of one that holds for a few seconds only, at least half is used.
                held.token = Some((token.clone(), now + holds.saturating_sub(MARGIN).max(holds / 2)));
                Ok(token)
            }
            Err(error) => {
                held.failure = Some((error.clone(), now + PAUSE));
                Err(error)
            }
        }
    }

    /// The other side did not take `token`: it is not given again.
    pub fn refused(&self, token: &str) {
        let mut held = lock(&self.held);
        if held.token.as_ref().is_some_and(|(known, _)| known.expose() == token) {
            held.token = None;
            // Where every token is refused, the server of tokens is not asked for each request.
            let until = self.clock.monotonic() + PAUSE;
            held.failure = Some(("the last token was refused with HTTP 401".into(), until));
        }
    }

    fn held(&self) -> Option<Result<Secret, String>> {
        let now = self.clock.monotonic();
        let held = lock(&self.held);
        if let Some((token, _)) = held.token.as_ref().filter(|(_, until)| now < *until) {
            return Some(Ok(token.clone()));
        }
        held.failure.as_ref().filter(|(_, until)| now < *until).map(|(error, _)| Err(error.clone()))
    }

    async fn ask(&self) -> Result<(Secret, Duration), String> {
        let in_body = lock(&self.held).in_body;
        match self.ask_once(in_body).await {
            // A server may know only one of the two places for the client's password; which one is not said.
            Err((true, _)) if !in_body => {
                let asked = self.ask_once(true).await.map_err(|(_, error)| error)?;
                lock(&self.held).in_body = true;
                Ok(asked)
            }
            asked => asked.map_err(|(_, error)| error),
        }
    }

    /// An error tells whether the server refused the request, and why in words.
    async fn ask_once(&self, in_body: bool) -> Result<(Secret, Duration), (bool, String)> {
        let away = |error: String| (false, error);
        let secret = self.secret.text().await.map_err(away)?;
        let request = self.request(&secret, in_body).map_err(away)?;
        let answer = self.connection.send(request).await.map_err(|error| away(error.cause))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| away(format!("its answer breaks off: {error}")))?.to_bytes();
        if !status.is_success() {
            // RFC 6749, 5.2: `error` and `error_description`. The whole might hold what nobody may see.
            let text = |name: &str| {
                let answer: serde_json::Value = serde_json::from_slice(&body).ok()?;
                Some(format!(": {}", answer.get(name)?.as_str()?))
            };
            let why = [text("error"), text("error_description")].map(Option::unwrap_or_default).concat();
            return Err((status.is_client_error(), format!("HTTP {}{why}", status.as_u16())));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|_| away("its answer is not JSON with an `access_token`".into()))?;
        if !matches!(granted.token_type.to_ascii_lowercase().as_str(), "" | "bearer") {
            return Err(away(format!("it gives a token of type `{}`, not `Bearer`", granted.token_type)));
        }
        Ok((Secret::new(granted.access_token), granted.expires_in.map_or(UNSAID, |seconds| seconds.get())))
    }

    fn request(&self, secret: &Secret, in_body: bool) -> Result<Request<Full<Bytes>>, String> {
        let OAuth2 { client_id, scopes, token_url, endpoint_params, .. } = &self.config;
        let mut form = Form::default();
        form.field("grant_type", "client_credentials");
        if !scopes.is_empty() {
            form.field("scope", &scopes.join(" "));
        }
        if in_body {
            form.field("client_id", client_id);
            form.field("client_secret", secret.expose());
        }
        endpoint_params.iter().for_each(|(name, value)| form.field(name, value));
        let mut request = Request::new(Full::new(Bytes::from(form.0)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = token_url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if !in_body {
            let pair = format!("{}:{}", escaped(client_id), escaped(secret.expose()));
            let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
            let mut value = HeaderValue::try_from(text).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

impl Seconds {
    fn get(&self) -> Duration {
        let seconds = match self {
            Seconds::Number(number) => *number,
            Seconds::Text(text) => text.trim().parse().unwrap_or(0.0),
        };
        // Nothing, or nonsense, is as good as unsaid; more than a year is not needed.
        match seconds > 0.0 {
            true => Duration::from_secs_f64(seconds.min(366.0 * 86_400.0)),
            false => UNSAID,
        }
    }
}

/// `application/x-www-form-urlencoded`
#[derive(Default)]
struct Form(String);

impl Form {
    fn field(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&escaped(name));
        self.0.push('=');
        self.0.push_str(&escaped(value));
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
#[path = "oauth2_tests.rs"]
mod tests;
