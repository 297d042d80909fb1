//! How to probe a web server.

use http::header::HeaderName;
use http::{HeaderMap, Method};
use taffrail_core::Pattern;

use super::proxy::Proxy;
use crate::resolve::Addressing;
use crate::tls;
use taffrail_core::secret::Source;

/// How to probe a web server.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which address is probed.
    pub addressing: Addressing,
    /// The request's method.
    pub method: Method,
    /// Headers of every request, `host` among them where it is not the target's.
    pub headers: HeaderMap,
    /// Headers whose values are read from files, at each probe.
    pub header_files: Vec<(HeaderName, Source)>,
    /// Who asks.
    pub auth: Option<Auth>,
    /// The request's body.
    pub body: Option<Source>,
    /// The status codes that are right; without any, 200 to 299.
    pub valid_status_codes: Vec<u16>,
    /// The versions of HTTP that are right, as `HTTP/1.1` or `HTTP/2.0`; without any, all.
    pub valid_http_versions: Vec<String>,
    /// Redirects are followed, ten at most.
    pub follow_redirects: bool,
    /// HTTP/2 is offered.
    pub http2: bool,
    /// The last answer must not come over TLS.
    pub fail_if_ssl: bool,
    /// The last answer must come over TLS.
    pub fail_if_not_ssl: bool,
    /// None of these may be found in the body.
    pub body_matches: Vec<Pattern>,
    /// Each of these must be found in the body.
    pub body_not_matches: Vec<Pattern>,
    /// None of these headers may look like that.
    pub header_matches: Vec<HeaderMatch>,
    /// Each of these headers must look like that.
    pub header_not_matches: Vec<HeaderMatch>,
    /// The body is compressed like this, or the probe fails.
    pub compression: Option<Compression>,
    /// The most bytes of a body, uncompressed; one that is longer fails the probe.
    pub body_size_limit: Option<u64>,
    /// Requests go through this.
    pub proxy: Option<Proxy>,
    /// Behind a proxy, the target's name is the proxy's to look up.
    pub skip_resolve_phase_with_proxy: bool,
    /// How TLS is spoken.
    pub tls: tls::Client,
}

impl Settings {
    /// A GET that wants 200 to 299, with TLS as `tls` says.
    pub fn new(tls: tls::Client) -> Self {
        Settings {
            addressing: Addressing::default(),
            method: Method::GET,
            headers: HeaderMap::new(),
            header_files: Vec::new(),
            auth: None,
            body: None,
            valid_status_codes: Vec::new(),
            valid_http_versions: Vec::new(),
            follow_redirects: true,
            http2: true,
            fail_if_ssl: false,
            fail_if_not_ssl: false,
            body_matches: Vec::new(),
            body_not_matches: Vec::new(),
            header_matches: Vec::new(),
            header_not_matches: Vec::new(),
            compression: None,
            body_size_limit: None,
            proxy: None,
            skip_resolve_phase_with_proxy: false,
            tls,
        }
    }
}

/// Who asks. Never sent to another host than the target.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// RFC 7617.
    Basic {
        /// The user.
        username: Option<Source>,
        /// The password.
        password: Option<Source>,
    },
    /// A header `authorization: <kind> <credentials>`.
    Token {
        /// `Bearer`, mostly.
        kind: String,
        /// The token.
        credentials: Source,
    },
}

/// What a header should or should not look like.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderMatch {
    /// The header.
    pub header: HeaderName,
    /// Searched in each of its values.
    pub pattern: Pattern,
    /// An answer without the header is fine.
    pub allow_missing: bool,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 1951, without a frame.
    Deflate,
    /// RFC 7932.
    Brotli,
}
