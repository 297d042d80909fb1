//! What may be asked: method, path and query, all by lists. What is not understood is refused.

use http::{Method, Uri};

use super::keep::{self, Keep};

/// A request that may be made, with its path as the engine is asked for it.
#[derive(Debug)]
pub enum Ask {
    /// Whether the engine is there.
    Ping,
    /// For an answer of which only what is listed comes through.
    Whole {
        /// With the query.
        path: String,
        /// What comes through.
        keep: &'static Keep,
    },
    /// What happens from now on.
    Events {
        /// With the query.
        path: String,
    },
    /// What a container has written.
    Logs {
        /// With the query.
        path: String,
    },
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// What is allowed, for who asked for something else.
const ALLOWED: &str = "allowed are GET of /_ping, /version, /info, /events, /networks, /containers/json, \
    /containers/ID/json, /containers/ID/logs and /images/NAME/json";

/// Judges a request.
pub fn judge(method: &Method, uri: &Uri) -> Result<Ask, Refused> {
    let path = uri.path();
    let (version, plain) = split_version(path);
    let head_of_ping = method == Method::HEAD && plain == "/_ping";
    if method != Method::GET && !head_of_ping {
        return Err(Refused(format!("{method} is refused; {ALLOWED}")));
    }
    let (kind, keys) = kind(plain).ok_or_else(|| Refused(format!("{path:?} is refused; {ALLOWED}")))?;
    let query = query(uri.query().unwrap_or_default(), keys).map_err(|key| {
        Refused(format!("the parameter {key:?} of {plain} is refused; allowed are: {}", keys.join(", ")))
    })?;
    let path = format!("{version}{plain}{query}");
    Ok(match kind {
        Kind::Ping => Ask::Ping,
        Kind::Whole(keep) => Ask::Whole { path, keep },
        Kind::Events => Ask::Events { path },
        Kind::Logs => Ask::Logs { path },
    })
}

enum Kind {
    Ping,
    Whole(&'static Keep),
    Events,
    Logs,
}

/// What a path without version is, and the parameters that it may have.
fn kind(path: &str) -> Option<(Kind, &'static [&'static str])> {
    Some(match path {
        "/_ping" => (Kind::Ping, &[]),
        "/version" => (Kind::Whole(&keep::VERSION), &[]),
        "/info" => (Kind::Whole(&keep::INFO), &[]),
        "/events" => (Kind::Events, &["filters", "since", "until"]),
        "/networks" => (Kind::Whole(&keep::NETWORKS), &["filters"]),
        "/containers/json" => (Kind::Whole(&keep::CONTAINERS), &["all", "filters", "limit", "size"]),
        path => {
            let (of, name, what) = parts(path)?;
            match (of, what) {
                ("containers", "json") if is_id(name) => (Kind::Whole(&keep::CONTAINER), &["size"]),
                // Not `details`: they hold values of the container's environment.
                ("containers", "logs") if is_id(name) => {
                    (Kind::Logs, &["follow", "since", "stderr", "stdout", "tail", "timestamps", "until"])
                }
                ("images", "json") if is_image(name) => (Kind::Whole(&keep::IMAGE), &[]),
                _ => return None,
            }
        }
    })
}

/// `/v1.44` and the rest; the first is empty where the path names no version.
fn split_version(path: &str) -> (&str, &str) {
    let version = || {
        let rest = path.strip_prefix("/v")?;
        let end = rest.find('/')? + 2;
        let number = &path[2..end];
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        number.split_once('.').filter(|(major, minor)| digits(major) && digits(minor))?;
        Some(path.split_at(end))
    };
    version().unwrap_or(("", path))
}

/// `/containers/ID/json`: the first part, what is between, the last part.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let (of, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (name, what) = rest.rsplit_once('/')?;
    Some((of, name, what))
}

/// An id or a name of a container: nothing that could lead to another path.
fn is_id(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.bytes().all(plain)
}

/// A name of an image: parts that are such names, with a tag or a digest.
fn is_image(name: &str) -> bool {
    name.split(['/', ':', '@']).all(is_id)
}

/// The query again, or the parameter that is not among `keys`. Values are the engine's to judge: they reach no other path.
fn query<'q>(query: &'q str, keys: &[&str]) -> Result<String, &'q str> {
    let mut kept = String::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split('=').next().unwrap_or_default();
        // Names are compared as they are written: one that is written otherwise is another.
        if !keys.contains(&key) {
            return Err(key);
        }
        kept.push(if kept.is_empty() { '?' } else { '&' });
        kept.push_str(pair);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, uri: &str) -> Result<Ask, Refused> {
        judge(&method.parse().unwrap(), &uri.parse().unwrap())
    }

    #[test]
    fn what_may_be_asked() {
        for uri in [
            "/_ping",
            "/version",
            "/v1.44/info",
            "/events?since=1&filters=%7B%22type%22%3A%5B%22container%22%5D%7D",
            "/containers/json?all=1&size=true",
            "/v1.24/containers/4f5a0c1e/json",
            "/containers/shop-web_1.x/logs?stdout=1&stderr=1&follow=1&since=1.5&timestamps=1&tail=10&until=2",
            "/images/sha256:0a1b/json",
            "/images/registry.example:5000/shop/web:1.2@sha256:00/json",
            "/networks?filters=%7B%7D",
        ] {
            let path = match ask("GET", uri).unwrap() {
                Ask::Ping => continue,
                Ask::Whole { path, .. } | Ask::Events { path } | Ask::Logs { path } => path,
            };
            assert_eq!(path, uri);
        }
        assert!(matches!(ask("HEAD", "/v1.44/_ping"), Ok(Ask::Ping)));
    }

    #[test]
    fn all_else_is_refused() {
        for (method, uri) in [
            ("POST", "/containers/create"),
            ("POST", "/containers/json"),
            ("DELETE", "/containers/a"),
            ("HEAD", "/version"),
            ("PUT", "/_ping"),
            ("GET", "/"),
            ("GET", "/containers/a/archive?path=/etc/shadow"),
            ("GET", "/containers/a/export"),
            ("GET", "/containers/a/attach/ws"),
            ("GET", "/containers/a/top"),
            ("GET", "/containers/../json"),
            ("GET", "/containers/a/../b/json"),
            ("GET", "/containers/a%2f..%2fb/json"),
            ("GET", "/containers//json"),
            ("GET", "/containers/a/json/"),
            ("GET", "/containers/a/exec/json"),
            ("GET", "//containers/json"),
            ("GET", "/v1.44/v1.44/info"),
            ("GET", "/v1./info"),
            ("GET", "/vx/info"),
            ("GET", "/Info"),
            ("GET", "/images/a/../../info/json"),
            ("GET", "/images/json"),
            ("GET", "/images/.hidden/json"),
            ("GET", "/images/a/get"),
            ("GET", "/secrets"),
            ("GET", "/volumes"),
            ("GET", "/swarm"),
            ("GET", "/networks/host"),
            ("GET", "/system/df"),
            ("GET", "/containers/a/logs?details=1"),
            ("GET", "/containers/a/logs?stdout=1&%64etails=1"),
            ("GET", "/containers/a/json?x"),
            ("GET", "/version?a=b"),
        ] {
            let Err(Refused(why)) = ask(method, uri) else { panic!("{method} {uri} is not refused") };
            assert!(why.contains(" is refused; allowed are"), "{why}");
        }
    }
}
