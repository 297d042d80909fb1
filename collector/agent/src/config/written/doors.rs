//! Log sources that others send to, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::BasicAuth;
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, PathText, Size, Text};
use crate::config::secret::Secret;

/// Loki's push API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// Address and port. One that other machines reach needs `tls` and a way to authenticate, or `insecure: true`.
    #[schemars(extend("default" = defaults::PUSH))]
    pub listen: Field<Text>,
    /// Speak TLS.
    pub tls: Field<ServerTls>,
    /// User and password that senders have to give.
    pub basic_auth: Field<BasicAuth>,
    /// Token that senders have to give.
    pub bearer_token: Field<Secret>,
    /// File with the token.
    pub bearer_token_file: Field<PathText>,
    /// Allow an address that other machines reach without TLS, or without authentication.
    #[schemars(extend("default" = false))]
    pub insecure: Field<bool>,
}

/// TLS for those who connect.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["cert_file", "key_file"]))]
pub struct ServerTls {
    /// The certificate, with the chain above it, in PEM. Read again when it changes.
    pub cert_file: Field<PathText>,
    /// Its private key, in PEM.
    pub key_file: Field<PathText>,
    /// Authorities in PEM. With it, who connects has to show a certificate that one of them signed, which is a way to
    /// authenticate.
    pub client_ca_file: Field<PathText>,
}

/// Syslog. At least one of `udp`, `tcp` and `tls`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Syslog {
    /// Address and port for datagrams.
    #[schemars(extend("examples" = ["127.0.0.1:5514"]))]
    pub udp: Field<Text>,
    /// Address and port for connections.
    #[schemars(extend("examples" = ["127.0.0.1:5514"]))]
    pub tcp: Field<Text>,
    /// Connections with TLS.
    pub tls: Field<SyslogTls>,
    /// The zone of times that say none: `UTC`, `+02:00`, `Europe/Berlin`.
    #[schemars(extend("default" = "UTC"))]
    pub timezone: Field<Text>,
    /// A longer message is cut here, and marked and counted. Between 1KiB and 128KiB.
    #[schemars(extend("default" = defaults::SYSLOG_MESSAGE))]
    pub max_message_bytes: Field<Size>,
    /// The most connections at once; further ones are turned away, and counted.
    #[schemars(extend("default" = defaults::SYSLOG_CONNECTIONS))]
    pub max_connections: Field<u64>,
    /// A connection without a message for so long is closed. Senders lose the first message after that, mostly.
    #[schemars(extend("default" = defaults::SYSLOG_IDLE))]
    pub idle_timeout: Field<Interval>,
    /// Allow addresses that other machines reach, though nobody is asked who they are: that is so with `udp` and `tcp`, and with
    /// `tls` without `client_ca_file`.
    #[schemars(extend("default" = false))]
    pub insecure: Field<bool>,
}

/// Syslog with TLS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["listen", "cert_file", "key_file"]))]
pub struct SyslogTls {
    /// Address and port.
    #[schemars(extend("examples" = ["0.0.0.0:6514"]))]
    pub listen: Field<Text>,
    /// The certificate, with the chain above it, in PEM. Read again when it changes.
    pub cert_file: Field<PathText>,
    /// Its private key, in PEM.
    pub key_file: Field<PathText>,
    /// Authorities in PEM. With it, who connects has to show a certificate that one of them signed.
    pub client_ca_file: Field<PathText>,
}

/// Standard input.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stdin {
    /// A longer line is cut here, and marked and counted. Between 1KiB and 1MiB; Loki takes 256KB.
    #[schemars(extend("default" = defaults::MAX_LINE))]
    pub max_line_bytes: Field<Size>,
}
