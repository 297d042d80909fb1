//! Who we are to the other side: the `Authorization` header, from secrets that may change while we run.

use base64::Engine;
use http::header::HeaderValue;
use taffrail_core::Clock;

use super::oauth2::{OAuth2, TokenSource};
use super::source::{Source, Watched};

/// How to authenticate.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// `Authorization: Basic …`
    Basic {
        /// The user's name.
        username: String,
        /// The user's password.
        password: Source,
    },
    /// `Authorization: <kind> <credentials>`
    Header {
        /// `Bearer`, mostly.
        kind: String,
        /// What follows it.
        credentials: Source,
    },
    /// `Authorization: Bearer …`, with a token that a server of tokens gives.
    OAuth2(Box<OAuth2>),
}

/// Credentials at work.
#[derive(Debug)]
pub struct Credentials(Kind);

#[derive(Debug)]
enum Kind {
    Basic { username: String, password: Watched },
    Header { kind: String, credentials: Watched },
    OAuth2(Box<TokenSource>),
}

impl Credentials {
    /// Credentials as `auth` says. Files are read when they are needed.
    ///
    /// # Errors
    /// In words, when the server of tokens cannot be reached as the config says.
    pub fn new(auth: &Auth, clock: &Clock) -> Result<Self, String> {
        let watch = |source: &Source| Watched::new(source.clone(), clock.clone());
        Ok(Credentials(match auth {
            Auth::Basic { username, password } => {
                Kind::Basic { username: username.clone(), password: watch(password) }
            }
            Auth::Header { kind, credentials } => {
                Kind::Header { kind: kind.clone(), credentials: watch(credentials) }
            }
            Auth::OAuth2(config) => Kind::OAuth2(Box::new(TokenSource::new(config, clock)?)),
        }))
    }

    /// The value of `Authorization` now.
    ///
    /// # Errors
    /// In words: a file that cannot be read, a server that gives no token.
    pub async fn header(&self) -> Result<HeaderValue, String> {
        let text = match &self.0 {
            Kind::Basic { username, password } => {
                let pair = format!("{username}:{}", password.text().await?.expose());
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
            }
            Kind::Header { kind, credentials } => format!("{kind} {}", credentials.text().await?.expose()),
            Kind::OAuth2(source) => format!("Bearer {}", source.token().await?.expose()),
        };
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| "the credentials hold what an HTTP header cannot carry".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The other side answered 401 to `value`: a token that was given for longer is not used again.
    pub fn refused(&self, value: &HeaderValue) {
        if let (Kind::OAuth2(source), Ok(text)) = (&self.0, value.to_str()) {
            source.refused(text.strip_prefix("Bearer ").unwrap_or(text));
        }
    }
}
