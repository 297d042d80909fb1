//! Probing through an HTTP proxy.

use std::fmt;
use std::net::IpAddr;

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::attempt::Attempt;
use crate::failure::Failure;

/// The longest answer of a proxy to CONNECT, in bytes.
const MAX_ANSWER: usize = 16 << 10;

/// Where requests go first, and which do not.
#[derive(Clone, PartialEq)]
pub struct Proxy {
    http: Option<Url>,
    https: Option<Url>,
    bypass: Vec<Bypass>,
    /// This machine is never asked through a proxy.
    spare_loopback: bool,
    /// Headers of CONNECT.
    connect_headers: HeaderMap,
}

/// The URLs may hold a password, so they are not shown.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |url: &Option<Url>| url.as_ref().and_then(Url::host_str).map(str::to_owned);
        let (http, https) = (host(&self.http), host(&self.https));
        f.debug_struct("Proxy").field("http", &http).field("https", &https).finish_non_exhaustive()
    }
}

/// A target that is asked directly.
#[derive(Clone, Debug, PartialEq)]
enum Bypass {
    All,
    Net {
        ip: IpAddr,
        bits: u8,
    },
    /// A name, and what is below it; with a port, only that port.
    Domain {
        name: String,
        below_only: bool,
        port: Option<u16>,
    },
}

/// Proxy settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is not a proxy that probes can use: wanted http://host:port")]
pub struct ProxyError {
    url: String,
}

impl Proxy {
    /// Every request goes through `url`, but for the targets that `no_proxy` lists.
    pub fn new(url: &str, no_proxy: &str, connect_headers: HeaderMap) -> Result<Self, ProxyError> {
        let url = parse(url)?;
        let bypass = bypass(no_proxy);
        // As with the environment, but only where there is a list at all.
        let spare_loopback = !bypass.is_empty();
        Ok(Proxy { http: Some(url.clone()), https: Some(url), bypass, spare_loopback, connect_headers })
    }

    /// As `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in either case; `var` looks them up.
    pub fn from_environment(
        var: impl Fn(&str) -> Option<String>,
        connect_headers: HeaderMap,
    ) -> Result<Option<Self>, ProxyError> {
        let get = |name: &str| var(name).or_else(|| var(&name.to_lowercase())).filter(|v| !v.is_empty());
        let url = |name| get(name).map(|text| parse(&text)).transpose();
        let (http, https) = (url("HTTP_PROXY")?, url("HTTPS_PROXY")?);
        if http.is_none() && https.is_none() {
            return Ok(None);
        }
        let bypass = bypass(&get("NO_PROXY").unwrap_or_default());
        Ok(Some(Proxy { http, https, bypass, spare_loopback: true, connect_headers }))
    }

    /// The proxy for a request, if it goes through one.
    pub fn of(&self, request: &Url) -> Option<&Url> {
        let host = request.host_str()?.trim_matches(['[', ']']);
        let port = request.port_or_known_default()?;
        let ip: Option<IpAddr> = host.parse().ok();
        if self.spare_loopback && (host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())) {
            return None;
        }
        if self.bypass.iter().any(|bypass| bypass.covers(host, ip, port)) {
            return None;
        }
        if request.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }

    /// Headers of CONNECT, beside those that it needs.
    pub fn connect_headers(&self) -> &HeaderMap {
        &self.connect_headers
    }

    /// Opens a tunnel to `authority` (host:port) over a connection to the proxy.
    pub(super) async fn tunnel(
        &self,
        attempt: &mut Attempt<'_>,
        stream: &mut TcpStream,
        authority: &str,
    ) -> Result<(), Failure> {
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        for (name, value) in &self.connect_headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                request.extend_from_slice(part);
            }
        }
        request.extend_from_slice(b"\r\n");
        let ask = async {
            stream.write_all(&request).await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAX_ANSWER {
                // Byte by byte: what follows the answer belongs to the tunnel.
                answer.push(stream.read_u8().await?);
            }
            Ok::<_, std::io::Error>(answer)
        };
        let fail = |why: String| Failure::Answer(format!("the proxy opened no tunnel to {authority}: {why}"));
        let answer = attempt.within(|| format!("asking the proxy for {authority}"), ask).await?;
        let answer = answer.map_err(|e| fail(e.to_string()))?;
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        match line.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(()),
            _ => Err(fail(line)),
        }
    }
}

fn parse(text: &str) -> Result<Url, ProxyError> {
    let wrong = || ProxyError { url: text.to_owned() };
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).map_err(|_| wrong())?;
    if url.scheme() == "http" && url.has_host() { Ok(url) } else { Err(wrong()) }
}

fn bypass(list: &str) -> Vec<Bypass> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).filter_map(one).collect()
}

fn one(item: &str) -> Option<Bypass> {
    if item == "*" {
        return Some(Bypass::All);
    }
    let (address, bits) = item.split_once('/').map_or((item, None), |(a, b)| (a, Some(b)));
    if let Ok(ip) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(whole), |bits| bits.parse().ok())?;
        return Some(Bypass::Net { ip, bits: whole.min(bits) });
    }
    let (name, port) = match item.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (item, None),
    };
    let name = name.trim_start_matches("*").to_lowercase();
    let below_only = name.starts_with('.');
    Some(Bypass::Domain { name: name.trim_matches('.').to_owned(), below_only, port })
}

impl Bypass {
    fn covers(&self, host: &str, address: Option<IpAddr>, to: u16) -> bool {
        match self {
            Bypass::All => true,
            Bypass::Net { ip, bits } => address.is_some_and(|address| shares(*ip, address, *bits)),
            Bypass::Domain { name, below_only, port } => {
                let host = host.trim_end_matches('.').to_lowercase();
                let below = host.strip_suffix(name.as_str()).is_some_and(|front| front.ends_with('.'));
                port.is_none_or(|port| port == to) && (below || (!below_only && host == *name))
            }
        }
    }
}

/// Whether two addresses share their first `bits` bits.
fn shares(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    let front = |bits: u128, of: u8, keep: u8| bits.checked_shr(u32::from(of - keep)).unwrap_or(0);
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            front(u128::from(a.to_bits()), 32, bits) == front(u128::from(b.to_bits()), 32, bits)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => front(a.to_bits(), 128, bits) == front(b.to_bits(), 128, bits),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(proxy: &Proxy, url: &str) -> bool {
        proxy.of(&Url::parse(url).unwrap()).is_some()
    }

    #[test]
    fn some_targets_are_asked_directly() {
        let all = Proxy::new("http://proxy:3128", "", HeaderMap::new()).unwrap();
        assert!(through(&all, "http://127.0.0.1/") && through(&all, "https://x.example/"));
        let list = "10.0.0.0/8, .below.example, exact.example:8080, fd00::/8";
        let some = Proxy::new("proxy:3128", list, HeaderMap::new()).unwrap();
        for direct in [
            "http://127.0.0.1/",
            "http://localhost/",
            "http://10.1.2.3/",
            "http://a.below.example/",
            "http://exact.example:8080/",
            "http://a.exact.example:8080/",
            "http://[fd12::1]/",
        ] {
            assert!(!through(&some, direct), "{direct}");
        }
        for proxied in
            ["http://11.0.0.1/", "http://below.example/", "http://exact.example/", "http://[fe12::1]/"]
        {
            assert!(through(&some, proxied), "{proxied}");
        }
        assert!(!through(&Proxy::new("http://p", "*", HeaderMap::new()).unwrap(), "http://a/"));
    }

    #[test]
    fn the_environment_is_read_in_either_case() {
        let var = |name: &str| match name {
            "https_proxy" => Some("http://p:1".to_owned()),
            "NO_PROXY" => Some("a.example".to_owned()),
            _ => None,
        };
        let proxy = Proxy::from_environment(var, HeaderMap::new()).unwrap().unwrap();
        assert!(through(&proxy, "https://b.example/") && !through(&proxy, "http://b.example/"));
        assert!(!through(&proxy, "https://a.example/"));
        assert!(Proxy::from_environment(|_| None, HeaderMap::new()).unwrap().is_none());
        let error = Proxy::new("socks5://p:1", "", HeaderMap::new()).unwrap_err().to_string();
        assert_eq!(error, "`socks5://p:1` is not a proxy that probes can use: wanted http://host:port");
    }
}
