//! Cookies that redirects want back (RFC 6265), for the length of one probe.

use http::HeaderMap;
use http::header::SET_COOKIE;
use url::Url;

/// The most cookies kept.
const MAX_COOKIES: usize = 50;

/// The longest cookie kept, in bytes.
const MAX_LENGTH: usize = 4096;

/// The cookies of one probe.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    /// Hosts below this one get it as well.
    below: bool,
    path: String,
    secure: bool,
}

impl Cookies {
    /// Keeps what an answer from `url` sets.
    pub(super) fn keep(&mut self, url: &Url, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let Some(cookie) = header.to_str().ok().and_then(|text| parse(url, text)) else { continue };
            self.0.retain(|c| (&c.name, &c.host, &c.path) != (&cookie.name, &cookie.host, &cookie.path));
            if self.0.len() < MAX_COOKIES && !cookie.value.is_empty() {
                self.0.push(cookie);
            }
        }
    }

    /// The header of a request to `url`, if there is anything to send.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let mine = self.0.iter().filter(|cookie| cookie.is_for(url));
        let pairs: Vec<_> = mine.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
    }
}

impl Cookie {
    fn is_for(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let below = self.below && host.strip_suffix(&self.host).is_some_and(|front| front.ends_with('.'));
        let path = url.path().strip_prefix(self.path.as_str());
        let path =
            path.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'));
        (host == self.host || below) && path && (!self.secure || url.scheme() == "https")
    }
}

fn parse(url: &Url, text: &str) -> Option<Cookie> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let mut parts = text.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let host = url.host_str()?.to_owned();
    let folder =
        url.path().rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        host,
        below: false,
        path: folder.to_owned(),
        secure: false,
    };
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_ascii_lowercase().as_str() {
            "domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_lowercase();
                let above = cookie.host.strip_suffix(&domain).is_some_and(|front| front.ends_with('.'));
                // A whole top-level domain is nobody's.
                if cookie.host != domain && (!above || !domain.contains('.')) {
                    return None;
                }
                cookie.host = domain;
                cookie.below = true;
            }
            "path" if value.starts_with('/') => cookie.path = value.to_owned(),
            "secure" => cookie.secure = true,
            // A login that removes its cookie does it like this.
            "max-age" if value.starts_with('-') || value == "0" => cookie.value.clear(),
            _ => {}
        }
    }
    Some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(from: &str, cookies: &[&str]) -> Cookies {
        let mut jar = Cookies::default();
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie.parse().unwrap());
        }
        jar.keep(&Url::parse(from).unwrap(), &headers);
        jar
    }

    fn sent(jar: &Cookies, to: &str) -> Option<String> {
        jar.header(&Url::parse(to).unwrap())
    }

    #[test]
    fn cookies_go_where_they_came_from() {
        let all = ["a=1", "b=2; Path=/; Secure", "c=3; Domain=shop.example; Path=/", "d=4; Domain=example"];
        let jar = jar("https://www.shop.example/in/login", &all);
        assert_eq!(sent(&jar, "https://www.shop.example/in/x").as_deref(), Some("a=1; b=2; c=3"));
        assert_eq!(sent(&jar, "http://www.shop.example/inside").as_deref(), Some("c=3"));
        assert_eq!(sent(&jar, "https://api.shop.example/").as_deref(), Some("c=3"));
        assert_eq!(sent(&jar, "https://other.example/in/"), None);
    }

    #[test]
    fn a_cookie_is_replaced_and_removed() {
        let first = jar("http://a.example/", &["a=1", "a=2", "b=1", "b=; Max-Age=0"]);
        assert_eq!(sent(&first, "http://a.example/").as_deref(), Some("a=2"));
    }
}
