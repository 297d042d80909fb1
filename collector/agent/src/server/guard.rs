//! Who may talk to the server: the check of `Host` and `Origin`.
//!
//! A page on the internet can make a browser on this machine connect to loopback: by a name of its own that it points
//! there (DNS rebinding), or by a plain cross-origin request. The first is told by the `Host` header, which then carries
//! the foreign name, the second by `Origin` and `Sec-Fetch-Site`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::status::lock;

/// The hosts that the server answers to.
#[derive(Clone, Debug)]
pub struct Allowed {
    listen: IpAddr,
    names: Arc<Mutex<BTreeSet<String>>>,
    setting: &'static str,
}

impl Allowed {
    /// Loopback, the address that is listened on, and `names`. `setting` is what messages tell to change: the key in the
    /// config that `names` are from.
    pub fn new(
        listen: SocketAddr,
        names: impl IntoIterator<Item = impl AsRef<str>>,
        setting: &'static str,
    ) -> Self {
        let allowed = Allowed { listen: listen.ip(), names: Arc::default(), setting };
        allowed.set_names(names);
        allowed
    }

    /// Takes other names, for a server that is running too.
    pub fn set_names(&self, names: impl IntoIterator<Item = impl AsRef<str>>) {
        *lock(&self.names) = names.into_iter().map(|name| plain(name.as_ref())).collect();
    }

    /// Whether a request for `host` (a name or an address, without port) is one for this server.
    fn has(&self, host: &str) -> bool {
        let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = address.parse::<IpAddr>() {
            let address = address.to_canonical();
            // Nobody can point an address elsewhere: it is only a question of which ones are this machine's, and
            // whoever listens on all of them answers to all of them.
            return address.is_loopback()
                || self.listen.is_unspecified()
                || address == self.listen.to_canonical();
        }
        let name = plain(host);
        name == "localhost" || name.ends_with(".localhost") || lock(&self.names).contains(&name)
    }
}

/// Names are equal in any case, with the root's dot or without.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Puts the check in front of every route of `router`.
pub fn guard(router: Router, allowed: Allowed) -> Router {
    // A fallback, so that what is not found is checked too: even 404 tells a stranger something.
    router.layer(from_fn_with_state(Arc::new(allowed), check))
}

async fn check(State(allowed): State<Arc<Allowed>>, request: Request, next: Next) -> Response {
    match judge(&allowed, &request) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => (status, format!("{why}\n")).into_response(),
    }
}

fn judge(allowed: &Allowed, request: &Request) -> Result<(), (StatusCode, String)> {
    let host = host(request)?;
    if !allowed.has(host.host()) {
        let why = format!(
            "this server does not answer to the host {:?}: use {} or localhost; if people are meant to reach it by that \
             name, put it into `{}` in the config",
            host.host(),
            if allowed.listen.is_unspecified() {
                "its address".to_owned()
            } else {
                allowed.listen.to_string()
            },
            allowed.setting
        );
        return Err((StatusCode::MISDIRECTED_REQUEST, why));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    same_origin(request.headers(), &host)
}

/// The host that is asked for: from the request's target if it names one, else from the one `Host` header.
fn host(request: &Request) -> Result<Authority, (StatusCode, String)> {
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.clone());
    }
    let mut values = request.headers().get_all(HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err((StatusCode::BAD_REQUEST, "expected exactly one Host header".to_owned()));
    };
    let authority = Authority::try_from(value.as_bytes());
    authority.map_err(|_| (StatusCode::BAD_REQUEST, "the Host header does not read as host:port".to_owned()))
}

/// What changes something must come from a page of this server, or from no page at all (curl).
fn same_origin(headers: &HeaderMap, host: &Authority) -> Result<(), (StatusCode, String)> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let from = text(ORIGIN.as_str());
    let foreign = match (headers.contains_key(ORIGIN), from) {
        (true, None) => true,
        (true, Some(origin)) => !origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str())),
        (false, _) => matches!(text("sec-fetch-site"), Some("cross-site" | "same-site")),
    };
    if !foreign {
        return Ok(());
    }
    let why = format!(
        "this request comes from another page ({}), and only this server's own page or a program like curl may change \
         something here",
        from.unwrap_or("it does not say which")
    );
    Err((StatusCode::FORBIDDEN, why))
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
