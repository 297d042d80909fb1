//! Keys that say how something is reached by HTTP: the same for targets and for services that know of targets.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config>

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BasicAuth, OAuth2};
use crate::config::field::Field;
use crate::config::scalar::{HeaderName, PathText, Text};
use crate::config::secret::Secret;

/// The keys of one place, wherever that is.
#[derive(Clone, Copy, Debug)]
pub struct HttpKeys<'a> {
    /// `basic_auth`
    pub basic_auth: &'a Field<BasicAuth>,
    /// `authorization`
    pub authorization: &'a Field<Authorization>,
    /// `oauth2`
    pub oauth2: &'a Field<OAuth2>,
    /// `tls_config`
    pub tls_config: &'a Field<Tls>,
    /// `proxy_url`
    pub proxy_url: &'a Field<Text>,
    /// `no_proxy`
    pub no_proxy: &'a Field<String>,
    /// `proxy_from_environment`
    pub proxy_from_environment: &'a Field<bool>,
    /// `proxy_connect_header`
    pub proxy_connect_header: &'a Field<BTreeMap<HeaderName, Vec<Secret>>>,
    /// `follow_redirects`
    pub follow_redirects: &'a Field<bool>,
    /// `enable_http2`
    pub enable_http2: &'a Field<bool>,
    /// `http_headers`
    pub http_headers: &'a Field<BTreeMap<HeaderName, Field<Header>>>,
}

/// Lets the keys of a struct be read as [`HttpKeys`].
macro_rules! http_keys {
    ($name:ident) => {
        impl $name {
            /// How it is reached.
            pub fn http(&self) -> $crate::config::written::http::HttpKeys<'_> {
                $crate::config::written::http::HttpKeys {
                    basic_auth: &self.basic_auth,
                    authorization: &self.authorization,
                    oauth2: &self.oauth2,
                    tls_config: &self.tls_config,
                    proxy_url: &self.proxy_url,
                    no_proxy: &self.no_proxy,
                    proxy_from_environment: &self.proxy_from_environment,
                    proxy_connect_header: &self.proxy_connect_header,
                    follow_redirects: &self.follow_redirects,
                    enable_http2: &self.enable_http2,
                    http_headers: &self.http_headers,
                }
            }
        }
    };
}

/// A struct with the keys of [`HttpKeys`] behind its own.
macro_rules! with_http_keys {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        pub struct $name {
            $($own)*
            /// User and password.
            pub basic_auth: Field<$crate::config::written::BasicAuth>,
            /// The `Authorization` header.
            pub authorization: Field<$crate::config::written::http::Authorization>,
            /// Tokens of OAuth 2.0.
            pub oauth2: Field<$crate::config::written::OAuth2>,
            /// How to trust the service, and who we are.
            pub tls_config: Field<$crate::config::written::http::Tls>,
            /// A proxy, `http://host:port`.
            pub proxy_url: Field<$crate::config::scalar::Text>,
            /// Hosts, domains and networks that are asked without the proxy, with commas between.
            pub no_proxy: Field<String>,
            /// Take the proxy from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
            #[schemars(extend("default" = false))]
            pub proxy_from_environment: Field<bool>,
            /// Sent to the proxy with CONNECT.
            pub proxy_connect_header: Field<
                std::collections::BTreeMap<$crate::config::scalar::HeaderName, Vec<$crate::config::secret::Secret>>,
            >,
            /// Follow redirects.
            #[schemars(extend("default" = true))]
            pub follow_redirects: Field<bool>,
            /// Speak HTTP/2 over TLS where the service wants it.
            #[schemars(extend("default" = true))]
            pub enable_http2: Field<bool>,
            /// Sent with every request.
            pub http_headers: Field<
                std::collections::BTreeMap<
                    $crate::config::scalar::HeaderName,
                    Field<$crate::config::written::http::Header>,
                >,
            >,
        }

        $crate::config::written::http::http_keys!($name);
    };
}

pub(crate) use {http_keys, with_http_keys};

/// The `Authorization` header.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// What stands before the credentials.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "Bearer"))]
    pub kind: Field<Text>,
    /// The credentials. Better: `credentials_file`.
    pub credentials: Field<Secret>,
    /// A file that holds the credentials. It is read again when it changes.
    #[schemars(extend("examples" = ["/run/secrets/token"]))]
    pub credentials_file: Field<PathText>,
}

/// How to trust targets, and who we are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates of the authorities to trust instead of the machine's, in PEM.
    pub ca: Field<String>,
    /// A file of them.
    #[schemars(extend("examples" = ["/etc/ssl/private-ca.pem"]))]
    pub ca_file: Field<PathText>,
    /// Our certificate, in PEM.
    pub cert: Field<String>,
    /// A file with it.
    pub cert_file: Field<PathText>,
    /// Our private key, in PEM. Better: `key_file`.
    pub key: Field<Secret>,
    /// A file with it.
    pub key_file: Field<PathText>,
    /// The name that the target's certificate has to be for. Default: the host's in its address.
    pub server_name: Field<Text>,
    /// Take any certificate. Whoever stands in between can then read and change all.
    #[schemars(extend("default" = false))]
    pub insecure_skip_verify: Field<bool>,
    /// The oldest version of TLS; nothing older than 1.2 is ever spoken.
    #[schemars(extend("default" = "TLS12"))]
    pub min_version: Field<TlsVersion>,
    /// The newest version of TLS.
    #[schemars(extend("default" = "TLS13"))]
    pub max_version: Field<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.0
    #[serde(rename = "TLS10")]
    V10,
    /// TLS 1.1
    #[serde(rename = "TLS11")]
    V11,
    /// TLS 1.2
    #[serde(rename = "TLS12")]
    V12,
    /// TLS 1.3
    #[serde(rename = "TLS13")]
    V13,
}

/// The values of one header.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// Values that may be shown.
    pub values: Field<Vec<String>>,
    /// Values that may not.
    pub secrets: Field<Vec<Secret>>,
    /// Files that hold a value each. They are read again when they change.
    pub files: Field<Vec<Field<PathText>>>,
}
