//! Following redirects, as a browser would, ten at most.

use std::net::IpAddr;

use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::cookies::Cookies;
use super::exchange::{Answer, Ask, exchange};
use super::report::Facts;
use super::request::Plan;
use super::settings::Settings;
use super::timing::Phase;
use crate::attempt::Attempt;
use crate::failure::Failure;

/// The most redirects that are followed.
const MAX_REDIRECTS: u32 = 10;

/// The last answer of a probe.
pub(super) struct Final {
    pub(super) answer: Answer,
    /// It redirects, and was not followed.
    pub(super) stopped: bool,
}

/// Where the next request goes, and how.
struct Next {
    url: Url,
    ips: Vec<IpAddr>,
    method: Method,
    with_body: bool,
    /// It is still the target that is asked.
    target: bool,
    /// The `host` header and the server's name are still those of the first request.
    first_name: bool,
}

/// Asks for `url`, whose host was looked up as `ips`, and follows redirects to the last answer.
pub(super) async fn follow(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    facts: &mut Facts,
    plan: &Plan,
    url: Url,
    ips: Vec<IpAddr>,
) -> Result<Final, Failure> {
    let mut cookies = Cookies::default();
    let start = url.clone();
    let mut next =
        Next { url, ips, method: settings.method.clone(), with_body: true, target: true, first_name: true };
    loop {
        let ask = prepare(settings, plan, &next, &cookies, &start)?;
        let answer = exchange(settings, attempt, facts, &ask).await?;
        let Some(to) = location(&next.url, &answer.head.status, &answer.head.headers).transpose() else {
            return Ok(Final { answer, stopped: false });
        };
        facts.redirects += 1;
        let to = to?;
        attempt.trail.say(format!("Redirected to {to}"));
        if !settings.follow_redirects || facts.redirects > MAX_REDIRECTS {
            return Ok(Final { answer, stopped: true });
        }
        cookies.keep(&next.url, &answer.head.headers);
        facts.phases.forget();
        let relative = is_relative(&answer.head.headers);
        next = redirected(settings, attempt, facts, next, to, &start, relative, answer.head.status).await?;
    }
}

fn prepare<'a>(
    settings: &'a Settings,
    plan: &Plan,
    next: &'a Next,
    cookies: &Cookies,
    start: &'a Url,
) -> Result<Ask<'a>, Failure> {
    let mut headers = plan.headers(next.target);
    if let Some(line) = cookies.header(&next.url)
        && let Ok(value) = HeaderValue::from_str(&line)
    {
        headers.append(COOKIE, value);
    }
    let with_body = next.with_body && plan.body_is_set;
    if !next.with_body {
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            headers.remove(name);
        }
    }
    let own = plan.host.as_ref().filter(|_| next.first_name);
    let host = match own {
        Some(host) => host.clone(),
        None => host_header(if next.first_name { start } else { &next.url })?,
    };
    let server_name = server_name(settings, next, own, start);
    let body = if with_body { plan.body.clone() } else { bytes::Bytes::new() };
    let (ips, method) = (next.ips.clone(), next.method.clone());
    Ok(Ask { url: &next.url, ips, host, server_name, method, headers, body })
}

/// Of the first host: what `tls_config` says, else the `host` header that the settings give, else the target's name.
fn server_name<'a>(
    settings: &'a Settings,
    next: &'a Next,
    own: Option<&HeaderValue>,
    start: &'a Url,
) -> &'a str {
    let of = |url: &'a Url| url.host_str().unwrap_or_default();
    if !next.first_name {
        return of(&next.url);
    }
    if let Some(name) = settings.tls.server_name() {
        return name;
    }
    let header =
        own.and_then(|_| settings.headers.get(http::header::HOST)).and_then(|host| host.to_str().ok());
    match header {
        Some(host) => host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(host, |(host, _)| host),
        None => of(start),
    }
}

fn host_header(url: &Url) -> Result<HeaderValue, Failure> {
    let host = url.host_str().unwrap_or_default();
    let text = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&text).map_err(|_| Failure::Answer(format!("`{text}` cannot be a host header")))
}

#[expect(
    clippy::too_many_arguments,
    reason = "one redirect is all of these, and they belong to nothing smaller"
)]
async fn redirected(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    facts: &mut Facts,
    last: Next,
    to: Url,
    start: &Url,
    relative: bool,
    status: StatusCode,
) -> Result<Next, Failure> {
    let host = to.host_str().unwrap_or_default();
    let same_server = relative && to.host() == last.url.host() && to.port() == last.url.port();
    let ips = if same_server {
        last.ips
    } else {
        facts.phases.enter(Phase::Resolve);
        let behind_proxy = settings.proxy.as_ref().is_some_and(|proxy| proxy.of(&to).is_some());
        // The proxy looks names up itself; what the guard has to see is looked up here as well.
        let found = if behind_proxy && attempt.cx.guard.is_none() {
            Vec::new()
        } else {
            attempt.lookup(host).await?
        };
        facts.phases.leave();
        found
    };
    let keeps = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let method = if keeps || last.method == Method::HEAD { last.method } else { Method::GET };
    // Credentials follow to the target only, and not from TLS into the open.
    let downgraded = start.scheme() == "https" && to.scheme() == "http";
    let target = last.target && to.host() == start.host() && !downgraded;
    Ok(Next {
        url: to,
        ips,
        method,
        with_body: last.with_body && keeps,
        target,
        first_name: last.first_name && same_server,
    })
}

/// Where an answer redirects to, if it does.
fn location(from: &Url, status: &StatusCode, headers: &HeaderMap) -> Result<Option<Url>, Failure> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = headers.get(LOCATION).filter(|to| redirects && !to.is_empty()) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(location.as_bytes());
    match from.join(&text) {
        Ok(to) if matches!(to.scheme(), "http" | "https") && to.has_host() => Ok(Some(to)),
        _ => Err(Failure::Answer(format!(
            "{from} redirects to `{}`, which is no address on the web",
            text.chars().take(200).collect::<String>()
        ))),
    }
}

fn is_relative(headers: &HeaderMap) -> bool {
    let location = headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
    location.is_some_and(|to| matches!(Url::parse(&to), Err(url::ParseError::RelativeUrlWithoutBase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(from: &str, status: u16, header: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, header.parse().unwrap());
        let from = Url::parse(from).unwrap();
        location(&from, &StatusCode::from_u16(status).unwrap(), &headers).unwrap().map(String::from)
    }

    #[test]
    fn locations_are_absolute_or_relative() {
        assert_eq!(to("http://a/b/c?d", 302, "../e").as_deref(), Some("http://a/e"));
        assert_eq!(to("http://a/b", 301, "//c/d").as_deref(), Some("http://c/d"));
        assert_eq!(to("http://a/b", 308, "https://c").as_deref(), Some("https://c/"));
        assert_eq!(to("http://a/b", 304, "/c"), None);
        assert_eq!(to("http://a/b", 200, "/c"), None);
    }

    #[test]
    fn only_the_web_is_followed() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, "file:///etc/passwd".parse().unwrap());
        let error = location(&Url::parse("http://a/").unwrap(), &StatusCode::FOUND, &headers);
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "http://a/ redirects to `file:///etc/passwd`, which is no address on the web");
    }
}
