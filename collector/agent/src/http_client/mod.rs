//! What every HTTP client here shares: secrets that are read again, credentials, OAuth 2.0 and TLS.

mod connection;
pub mod credentials;
pub mod oauth2;
pub mod source;
pub mod tls;

pub use connection::{Connection, SendError};
pub use credentials::{Auth, Credentials};
pub use oauth2::{OAuth2, TokenSource};
pub use source::{Source, Watched};
pub use tls::{Tls, Trust, Version};

/// What is at the bottom of an error; what is above says only through how many hands it went.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
