//! The page's files, embedded in the binary, with headers that keep everything else out.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// One embedded file.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $kind:expr;)+) => {
        [$(Asset { name: $name, kind: $kind, body: include_bytes!(concat!("../../assets/", $name)) }),+]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

static ASSETS: [Asset; 15] = assets! {
    "page.css": STYLE;
    "theme.js": SCRIPT;
    "page.js": SCRIPT;
    "format.js": SCRIPT;
    "charts.js": SCRIPT;
    "plot.js": SCRIPT;
    "logs.js": SCRIPT;
    "pipeline.js": SCRIPT;
    "table.js": SCRIPT;
    "targets.js": SCRIPT;
    "series.js": SCRIPT;
    "icon.svg": "image/svg+xml";
    "uplot/uplot.js": SCRIPT;
    "uplot/uplot.css": STYLE;
    "uplot/LICENSE": TEXT;
};

/// Scripts, styles and requests come from this server or not at all; nobody may put the page into a frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The embedded file `name` (`page.css`), or 404.
pub(super) fn serve(name: &str, request: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, guarded(), "there is no such file\n").into_response();
    };
    let tag = format!("\"{:08x}-{:x}\"", checksum(asset.body), asset.body.len());
    let mut headers = guarded();
    // The browser asks every time and gets 304: after an upgrade the page is whole at once, never half old.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    if known.flat_map(|v| v.split(',')).any(|v| v.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.body).into_response()
}

/// The headers that every answer of the page has.
pub(super) fn guarded() -> HeaderMap {
    let pairs = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    pairs.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

/// FNV-1a: it tells versions apart, and guards nothing.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, b| (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}
