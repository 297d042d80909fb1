//! What every HTTP client here shares: secrets that are read again, credentials, OAuth 2.0 and TLS.

mod cause;
mod connection;
pub mod credentials;
pub mod oauth2;
mod pinned;
pub mod source;
pub mod tls;

pub use cause::root_cause;
pub use connection::{Connection, SendError};
pub use credentials::{Auth, Credentials};
pub use oauth2::{OAuth2, TokenSource};
pub use source::{Source, Watched};
pub use tls::{Tls, Trust, Version};
